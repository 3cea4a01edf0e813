"""Implements the port ``HostSurvey`` in memory: a machine of which a test says what it is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.digest import Digest
from lockage.environment.host import Fingerprint, HostPackage, HostTool

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MemorySurvey"]


class MemorySurvey:
    """``packages`` are versions by name, ``programs`` the bytes of programs by path: both may be changed between two looks."""

    def __init__(self) -> None:
        self.packages: dict[str, str] = {"libc6": "2.36-9"}
        self.programs: dict[str, bytes] = {"/usr/bin/cc": b"a compiler", "/usr/bin/sh": b"a shell"}

    def fingerprint(self, path: Sequence[str]) -> Fingerprint:
        tools: dict[str, HostTool] = {}
        for folder in path:
            for file, content in sorted(self.programs.items()):
                above, _, name = file.rpartition("/")
                if above == folder:
                    tools.setdefault(name, HostTool(name=name, path=file, file=file, sha256=Digest.of(content)))
        return Fingerprint(
            system={"ID": "memory", "PRETTY_NAME": "a machine in memory", "VERSION_ID": "1"},
            kernel="6.1",
            machine="x86_64",
            libc="glibc 2.36",
            manager="dpkg",
            packages=tuple(
                HostPackage(name=name, architecture="amd64", version=version) for name, version in sorted(self.packages.items())
            ),
            path=tuple(path),
            tools=tuple(sorted(tools.values())),
        )

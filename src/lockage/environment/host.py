"""What a machine is made of, as far as builds on it see: the identity of an environment that is the host.

Invariants: equal machines have equal fingerprints, byte for byte; nothing in one tells who builds, when, or in which folder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.canonical import canonical_of, decode
from lockage.base.digest import BlobRef, Digest
from lockage.environment.lock import HOST_METADATA, RootRef

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Fingerprint", "HostChange", "HostModule", "HostPackage", "HostTool", "fingerprint_changes"]


class HostPackage(msgspec.Struct, frozen=True, kw_only=True, order=True, forbid_unknown_fields=True):
    """A package that the machine's package manager says is installed."""

    name: str
    architecture: str
    version: str


class HostTool(msgspec.Struct, frozen=True, kw_only=True, order=True, forbid_unknown_fields=True):
    """A program that a step finds by its name: where, the file that it leads to, and that file's sha256; None if it cannot be read."""

    name: str
    path: str
    file: str
    sha256: Digest | None


class HostModule(msgspec.Struct, frozen=True, kw_only=True, order=True, forbid_unknown_fields=True):
    """A Python package that an interpreter of the machine finds in a folder, as its metadata is named there."""

    name: str
    version: str
    folder: str


class Fingerprint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A machine as builds see it.

    ``system`` is what os-release(5) says that names a version, ``kernel`` the release and ``machine`` the instruction set (uname(2)),
    ``libc`` the C library with its version, ``manager`` who told of the ``packages`` (dpkg, rpm, apk; empty: nobody). ``path`` are the
    folders that programs are looked for in, ``tools`` what is found there of those that builds commonly use, and ``modules`` the Python
    packages of the interpreters among them.
    """

    system: dict[str, str]
    kernel: str
    machine: str
    libc: str
    manager: str
    packages: tuple[HostPackage, ...]
    path: tuple[str, ...]
    tools: tuple[HostTool, ...]
    modules: tuple[HostModule, ...] = ()

    def encode(self) -> bytes:
        """Canonical JSON; its sha256 is the identity of the host."""
        return canonical_of(self)

    @classmethod
    def decode(cls, data: bytes) -> Fingerprint:
        """Read what :meth:`encode` wrote; raises InvalidDocument."""
        return decode(data, cls)

    @property
    def root(self) -> RootRef:
        """What stands in the place of a root's identity."""
        return RootRef(tree=BlobRef.of(self.encode()), metadata=HOST_METADATA)

    @property
    def title(self) -> str:
        """How people name the machine: ``Debian GNU/Linux 12 (bookworm), kernel 6.1.0-18-amd64``."""
        return f"{self.system.get('PRETTY_NAME') or self.system.get('ID') or 'an unnamed system'}, kernel {self.kernel}"


class HostChange(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is not the same on two hosts, such as ``package gcc-12``; None where one has it not."""

    what: str
    a: str | None
    b: str | None


def fingerprint_changes(a: Fingerprint, b: Fingerprint) -> tuple[HostChange, ...]:
    """What differs between two hosts: tools first, then packages, then the rest."""
    return tuple(HostChange(what=what, a=one, b=two) for what, one, two in _pairs(a, b) if one != two)


def _pairs(a: Fingerprint, b: Fingerprint) -> Iterator[tuple[str, str | None, str | None]]:
    yield from _by_name("tool", _tools(a.tools), _tools(b.tools))
    yield from _by_name("Python package", *({f"{one.name} in {one.folder}": one.version for one in side.modules} for side in (a, b)))
    yield from _by_name("package", _packages(a.packages), _packages(b.packages))
    yield from _by_name("system", a.system, b.system)
    yield "kernel", a.kernel, b.kernel
    yield "machine", a.machine, b.machine
    yield "C library", a.libc, b.libc
    yield "package manager", a.manager or None, b.manager or None
    yield "search path", ":".join(a.path), ":".join(b.path)


def _by_name(kind: str, a: dict[str, str], b: dict[str, str]) -> Iterator[tuple[str, str | None, str | None]]:
    for name in sorted(a.keys() | b.keys()):
        yield f"{kind} {name}", a.get(name), b.get(name)


def _tools(tools: Sequence[HostTool]) -> dict[str, str]:
    """Which file each leads to, and the beginning of its sha256."""
    return {tool.name: f"{tool.file} {(tool.sha256 or 'unreadable')[:12]}" for tool in tools}


def _packages(packages: Sequence[HostPackage]) -> dict[str, str]:
    """Versions by name; a name that is there for several architectures says them all."""
    found: dict[str, list[str]] = {}
    for package in packages:
        found.setdefault(package.name, []).append(f"{package.version} ({package.architecture})")
    return {name: ", ".join(sorted(versions)) for name, versions in found.items()}

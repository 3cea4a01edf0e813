"""Implements the port ``HostSurvey``: reads what names versions on this machine, and hashes the programs that builds find."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from lockage.base.digest import Digest
from lockage.environment.host import Fingerprint, HostModule, HostPackage, HostTool

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["TOOLS", "LocalSurvey"]

#: Programs that builds of Python packages, and what they contain, commonly run, by the names that they are called by.
TOOLS = (
    *("ar", "as", "autoconf", "automake", "awk", "bash", "bison", "c++", "cargo", "cc", "clang", "clang++", "cmake", "cpp", "curl", "f77"),
    *("f95", "flex", "g++", "gcc", "gfortran", "git", "go", "grep", "gzip", "java", "javac", "ld", "ld.gold", "ld.lld", "libtool", "m4"),
    *("make", "meson", "nasm", "ninja", "nm", "node", "npm", "objcopy", "patch", "patchelf", "perl", "pip", "pip3", "pkg-config", "python"),
    *("python3", "ranlib", "rustc", "sed", "sh", "strip", "swig", "tar", "unzip", "uv", "xz", "yarn", "zip"),
)
#: The fields of os-release(5) that name a version.
_SYSTEM = ("BUILD_ID", "ID", "PRETTY_NAME", "VARIANT_ID", "VERSION_CODENAME", "VERSION_ID")
#: Seconds that rpm may take to list what is installed.
_PATIENCE = 60
_PYTHONS = ("python", "python3")


class LocalSurvey:
    """This machine. ``root`` counts as ``/`` for what is read of the system, ``tools`` is what is looked for on the path."""

    def __init__(self, root: Path = Path("/"), *, tools: Sequence[str] = TOOLS) -> None:
        self._root = root
        self._tools = tuple(sorted(tools))

    def fingerprint(self, path: Sequence[str]) -> Fingerprint:
        """See :class:`lockage.ports.host.HostSurvey`."""
        name = os.uname()
        manager, packages = self._packages()
        tools = tuple(found for tool in self._tools if (found := _found(tool, path)) is not None)
        return Fingerprint(
            system=dict(sorted(self._system())),
            kernel=name.release,
            machine=name.machine,
            libc=self._libc(),
            manager=manager,
            packages=tuple(sorted(set(packages))),
            path=tuple(path),
            tools=tools,
            modules=tuple(sorted(set(_modules(tool for tool in tools if tool.name in _PYTHONS)))),
        )

    def _system(self) -> Iterator[tuple[str, str]]:
        text = self._text("etc/os-release") or self._text("usr/lib/os-release")
        for line in text.splitlines():
            name, equals, value = line.partition("=")
            if equals and name in _SYSTEM:
                yield name, value.strip().strip("\"'")

    def _libc(self) -> str:
        try:
            told = os.confstr("CS_GNU_LIBC_VERSION")
        except (ValueError, OSError):
            told = None
        if told:
            return told
        loader = next(iter(sorted(self._root.glob("lib/ld-musl-*.so.1"))), None)
        return "unknown" if loader is None else f"musl {_sha256(loader) or ''}".strip()

    def _packages(self) -> tuple[str, list[HostPackage]]:
        """The package manager that knows of any packages, and those."""
        states = [self._text("var/lib/dpkg/status"), *map(_read, sorted(self._root.glob("var/lib/dpkg/status.d/*")))]
        found = [package for state in states for package in _dpkg(state)]
        if found:
            return "dpkg", found
        found = list(_apk(self._text("lib/apk/db/installed")))
        if found:
            return "apk", found
        found = list(_rpm(self._root))
        return ("rpm", found) if found else ("", [])

    def _text(self, path: str) -> str:
        return _read(self._root / path)


def _read(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""


def _paragraphs(text: str) -> Iterator[dict[str, str]]:
    """Fields of one line each, by name (deb-status, and the index of apk); lines that go on are no fields that count here."""
    for paragraph in text.split("\n\n"):
        fields = {}
        for line in paragraph.splitlines():
            name, colon, value = line.partition(":")
            if colon and not line.startswith((" ", "\t")):
                fields[name] = value.strip()
        if fields:
            yield fields


def _dpkg(text: str) -> Iterator[HostPackage]:
    """What dpkg(1) says is installed; a paragraph of status.d has no ``Status``, and is there because the package is."""
    for fields in _paragraphs(text):
        if "Package" in fields and fields.get("Status", "install ok installed").endswith(" installed"):
            yield HostPackage(name=fields["Package"], architecture=fields.get("Architecture", ""), version=fields.get("Version", ""))


def _apk(text: str) -> Iterator[HostPackage]:
    for fields in _paragraphs(text):
        if "P" in fields:
            yield HostPackage(name=fields["P"], architecture=fields.get("A", ""), version=fields.get("V", ""))


def _rpm(root: Path) -> Iterator[HostPackage]:
    """What rpm(8) says, whose database has no format of its own."""
    program = root / "usr/bin/rpm"
    if not program.is_file():
        return
    try:
        said = subprocess.run(
            [program, "--root", root.absolute(), "-qa", "--queryformat", "%{NAME} %{ARCH} %{EPOCHNUM}:%{VERSION}-%{RELEASE}\\n"],
            capture_output=True,
            text=True,
            errors="replace",
            env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
            check=False,
            timeout=_PATIENCE,
        )
    except (OSError, subprocess.SubprocessError):
        return
    for line in said.stdout.splitlines():
        words = line.split(" ")
        if len(words) == 3:
            yield HostPackage(name=words[0], architecture=words[1], version=words[2])


def _found(name: str, path: Iterable[str]) -> HostTool | None:
    """The first program of that name, as execvp(3) finds it."""
    for folder in path:
        file = Path(folder, name)
        if file.is_file() and os.access(file, os.X_OK):
            real = file.resolve()
            return HostTool(name=name, path=str(file), file=str(real), sha256=_sha256(real))
    return None


def _sha256(file: Path) -> Digest | None:
    try:
        with file.open("rb") as stream:
            return Digest.of_file(stream)
    except OSError:
        return None


def _modules(pythons: Iterable[HostTool]) -> Iterator[HostModule]:
    """What interpreters may import that was installed beside the package manager, by the folders of its metadata."""
    above = dict.fromkeys((*(str(Path(python.file).parent.parent) for python in pythons), "/usr/local"))
    for prefix in above:
        for kind in ("dist-info", "egg-info"):
            for folder in ("site-packages", "dist-packages"):
                for place in Path(prefix, "lib").glob(f"python3*/{folder}/*.{kind}"):
                    name, dash, version = place.name.removesuffix(f".{kind}").partition("-")
                    if dash:
                        yield HostModule(name=name, version=version.partition("-py")[0], folder=str(place.parent))

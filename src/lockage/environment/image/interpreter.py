"""The Python of an image, told from its files: which version, which C library, and where packages go that it finds. Nothing is run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from lockage.base.errors import Usage
from lockage.base.path import RelPath
from lockage.environment.base import Interpreter
from lockage.environment.python import NoPython
from lockage.environment.root import LOCAL, Kind
from lockage.environment.root.layered import followed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lockage.environment.root import Entry

__all__ = ["NoInterpreter", "interpreter_in"]

#: Where a Python is looked for that is not named.
USUAL = ("/usr/bin/python3", "/usr/local/bin/python3")
#: ELF's numbers of machines (e_machine; psABI).
_MACHINES = {62: "amd64", 183: "arm64"}
_GLIBC = re.compile(rb"GNU C Library [^\n\0]*? (?:stable |development )?release version ([0-9]+\.[0-9]+)")
_MUSL = re.compile(r"(?:usr/)?lib/ld-musl-[a-z0-9_]+\.so\.1")
_PATCH = re.compile(r'^#define PY_VERSION\s+"(3\.[0-9]+\.[0-9]+)', re.MULTILINE)


class NoInterpreter(Usage):
    """The Python that a recipe names is no program of the image."""

    code = "no-interpreter"
    hint = (
        "Correct `interpreter` of the environment; the images of manylinux have theirs in /opt/python/cp312-cp312/bin/python3 and the like."
    )


def interpreter_in(
    entries: Mapping[RelPath, Entry], read: Callable[[Entry], bytes], named: str | None, architecture: Literal["amd64", "arm64"]
) -> Interpreter | NoPython | None:
    """The Python that packages are for: the ``named`` one, or the first at a usual place; None if there is none.

    One that no wheels can be chosen for is what is wrong with it, to be raised by who wants some. Raises :class:`NoInterpreter`.
    """
    for path in (named,) if named is not None else USUAL:
        place = _found(entries, path)
        if place is not None:
            return _interpreter(entries, read, path, place, architecture)
    if named is not None:
        raise NoInterpreter(f"the image has no program {named}", interpreter=named)
    return None


def _found(entries: Mapping[RelPath, Entry], path: str) -> RelPath | None:
    """The file that a path leads to."""
    try:
        place = followed(entries, RelPath(path[1:]), last=True)
    except ValueError:
        return None
    entry = entries.get(place) if place is not None else None
    return place if entry is not None and entry.kind is Kind.FILE and entry.mode & 0o100 else None


def _interpreter(
    entries: Mapping[RelPath, Entry], read: Callable[[Entry], bytes], path: str, place: RelPath, architecture: Literal["amd64", "arm64"]
) -> Interpreter | NoPython:
    match = re.fullmatch(r"((?:[^/]+/)*)bin/python(3\.[0-9]+)", place)
    if match is None:
        return NoPython(f"{path} leads to /{place}, which is no Python that lockage knows", hint=_NAME, interpreter=path)
    prefix, version = match[1].rstrip("/"), match[2]
    head = read(entries[place])[:20]
    machine = _MACHINES.get(int.from_bytes(head[18:20], "little")) if head[:4] == b"\x7fELF" else None
    if machine != architecture:
        return NoPython(f"{path} is no program for {architecture}", hint=_NAME, interpreter=path)
    glibc = _glibc(entries, read)
    if glibc is None:
        what = "musl" if any(_MUSL.fullmatch(one) for one in entries) else "no C library that lockage knows"
        return NoPython(
            f"the image has {what}; wheels are chosen for glibc only",
            hint="Use an image with glibc, such as manylinux instead of musllinux, or leave `python` out of the environment.",
            interpreter=path,
        )
    folder, site = _site(entries, prefix, version)
    return Interpreter(path=path, version=_patched(entries, read, prefix, version), glibc=glibc, folder=folder, site=site)


_NAME = "Name a CPython 3 of the image with `interpreter`."


def _site(entries: Mapping[RelPath, Entry], prefix: str, version: str) -> tuple[RelPath, RelPath]:
    """Where packages go: a python3 that lies in /usr looks in /usr/local, as Debian and Fedora have it; any other in its own folder."""
    if prefix in ("", "usr"):
        debian = RelPath("usr/lib/python3/dist-packages") in entries
        return LOCAL, RelPath(f"lib/python{version}/{'dist' if debian else 'site'}-packages")
    return RelPath(prefix), RelPath(f"lib/python{version}/site-packages")


def _patched(entries: Mapping[RelPath, Entry], read: Callable[[Entry], bytes], prefix: str, version: str) -> str:
    """The version with its patch level, if the interpreter's headers are there."""
    below = f"{prefix}/" if prefix else ""
    header = entries.get(RelPath(f"{below}include/python{version}/patchlevel.h"))
    found = _PATCH.search(read(header).decode("utf-8", "replace")) if header is not None and header.kind is Kind.FILE else None
    return found[1] if found is not None and found[1].startswith(f"{version}.") else version


def _glibc(entries: Mapping[RelPath, Entry], read: Callable[[Entry], bytes]) -> str | None:
    """The version that the C library says of itself (``gnu_get_libc_version``'s banner)."""
    for path in sorted(one for one in entries if one.name == "libc.so.6"):
        if not re.fullmatch(r"(?:usr/)?lib(?:64)?/(?:[a-z0-9_]+-linux-gnu/)?libc\.so\.6", path):
            continue
        place = followed(entries, path, last=True)
        entry = entries.get(place) if place is not None else None
        found = _GLIBC.search(read(entry)) if entry is not None and entry.kind is Kind.FILE else None
        if found is not None:
            return found[1].decode()
    return None

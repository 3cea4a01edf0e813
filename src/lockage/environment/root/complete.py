"""What maintainer scripts would have done, from the tables of :mod:`rules`: nothing a package ships is changed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lockage.base.digest import Digest
from lockage.base.path import RelPath
from lockage.environment.root.assemble import with_aliases, with_parents
from lockage.environment.root.entry import Entry, Kind, directory, link
from lockage.environment.root.errors import UnsupportedPackage
from lockage.environment.root.rules import (
    ALTERNATIVES,
    CERTIFICATES,
    COMPILER_SPECS,
    COMPILERS,
    COPIES,
    FILES,
    FOLDERS,
    LINKS,
    LOCAL,
    PYTHON_FILES,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lockage.environment.root.assemble import Entries
    from lockage.environment.root.entry import Package

__all__ = ["complete", "python_of", "status_of"]

_PYTHON = RelPath("usr/bin/python3")
_STATUS = RelPath("var/lib/dpkg/status")


def complete(entries: Entries, packages: Iterable[Package], read: Callable[[Entry], bytes]) -> dict[RelPath, bytes]:
    """Add to ``entries`` what the tables say, and return the bytes of the files added.

    ``read`` returns the bytes of a file that a package ships. Raises :class:`UnsupportedPackage` for files below /usr/local.
    """
    added: dict[RelPath, bytes] = {}

    def write(path: RelPath, data: bytes) -> None:
        added[path] = data
        entries[path] = Entry(path=path, kind=Kind.FILE, mode=0o644, size=len(data), sha256=Digest.of(data))

    with_aliases(entries)
    for text, mode in FOLDERS:
        entries.setdefault(RelPath(text), directory(RelPath(text), mode))
    for source, text in COPIES:
        found = entries.get(RelPath(source))
        if found is not None and found.kind is Kind.FILE and RelPath(text) not in entries:
            write(RelPath(text), read(found))
    for text, content in FILES.items():
        if RelPath(text) not in entries:
            write(RelPath(text), content.encode())
    for text, target in LINKS:
        entries.setdefault(RelPath(text), link(RelPath(text), target))
    _choose_alternatives(entries)
    for path, data in _certificates(entries, read):
        write(path, data)
    write(_STATUS, status_of(packages))
    for path in _specs(entries):
        write(path, COMPILER_SPECS.encode())
    python = python_of(entries)
    if python is not None:
        for text, content in PYTHON_FILES.items():
            write(RelPath(text), content.encode())
        site = RelPath(f"{LOCAL}/lib/python{python}/dist-packages")
        entries.setdefault(site, directory(site))
    with_parents(entries)
    _refuse_local_files(entries)
    return added


def python_of(entries: Entries) -> str | None:
    """The version of the root's python3, such as ``3.11``; None if it has none."""
    found = entries.get(_PYTHON)
    match = re.fullmatch(r"python(3\.\d+)", found.target) if found is not None and found.kind is Kind.LINK else None
    return match[1] if match else None


def status_of(packages: Iterable[Package]) -> bytes:
    """dpkg's status file: every package's control paragraph, installed, sorted by name; for tools that list what a system holds."""
    paragraphs = []
    for package in sorted(packages, key=lambda package: package.name):
        first, _, rest = package.control.strip("\n").partition("\n")
        if first.startswith("Package:"):
            paragraphs.append(f"{first}\nStatus: install ok installed\n{rest}\n")
    return "\n".join(paragraphs).encode()


def _choose_alternatives(entries: Entries) -> None:
    for text, candidates in ALTERNATIVES:
        path = RelPath(text)
        if path in entries:
            continue
        for candidate in candidates:
            found = _shipped(entries, candidate)
            if found is not None:
                entries[path] = link(path, found.name if found.parent == path.parent else f"/{found}")
                break


def _shipped(entries: Entries, candidate: str) -> RelPath | None:
    if "*" not in candidate:
        path = RelPath(candidate)
        return path if path in entries else None
    form = re.compile("[^/]*".join(re.escape(part) for part in candidate.split("*")))
    return max((path for path in entries if form.fullmatch(path)), key=str.encode, default=None)


def _specs(entries: Entries) -> list[RelPath]:
    """Where each GCC of the root looks for specs, unless something is there."""
    compilers = {found[1] for path in entries if (found := re.fullmatch(COMPILERS, path))}
    paths = [RelPath(f"usr/lib/gcc/{compiler}/specs") for compiler in sorted(compilers)]
    return [path for path in paths if path not in entries]


def _certificates(entries: Entries, read: Callable[[Entry], bytes]) -> list[tuple[RelPath, bytes]]:
    folder, bundle, names = CERTIFICATES
    found = sorted((p for p, e in entries.items() if p.startswith(folder) and p.endswith(".crt") and e.kind is Kind.FILE), key=str.encode)
    if not found or RelPath(bundle) in entries:
        return []
    joined = b"".join(read(entries[path]).rstrip(b"\n") + b"\n" for path in found)
    listed = "".join(f"{path.removeprefix(folder)}\n" for path in found)
    return [(RelPath(bundle), joined), (RelPath(names), listed.encode())]


def _refuse_local_files(entries: Entries) -> None:
    """/usr/local is the Python layer's, which is mounted over the OS layer's; Debian policy 9.1.2 forbids packages files there."""
    for path, entry in entries.items():
        if entry.kind is Kind.FILE and path.is_under(LOCAL):
            raise UnsupportedPackage(
                f"{entry.package} ships a file below /usr/local, where only Python packages go: /{path}", package=entry.package, path=path
            )

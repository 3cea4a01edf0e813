"""What maintainer scripts would have done, from the tables of :mod:`rules`: nothing a package ships is changed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lockage.base.digest import Digest
from lockage.base.path import RelPath
from lockage.environment.root.alternatives import alternatives_of
from lockage.environment.root.assembling import aliased, with_aliases, with_parents
from lockage.environment.root.entry import Entry, Kind, directory, link
from lockage.environment.root.errors import UnsupportedPackage
from lockage.environment.root.rules import (
    ALTERNATIVES,
    CERTIFICATE_LINKS,
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
    from collections.abc import Callable, Collection, Iterable, Iterator

    from lockage.environment.root.alternatives import Alternative
    from lockage.environment.root.assembling import Entries
    from lockage.environment.root.entry import Package

__all__ = ["complete", "python_of", "status_of"]

_PYTHON = RelPath("usr/bin/python3")
_STATUS = RelPath("var/lib/dpkg/status")


def complete(entries: Entries, packages: Iterable[Package], read: Callable[[Entry], bytes], realiser: int) -> dict[RelPath, bytes]:
    """Add to ``entries`` what the tables of a realiser say, and return the bytes of the files added.

    ``read`` returns the bytes of a file that a package ships. Raises :class:`UnsupportedPackage` for files below /usr/local.
    """
    added: dict[RelPath, bytes] = {}

    def write(path: RelPath, data: bytes) -> None:
        added[path] = data
        entries[path] = Entry(path=path, kind=Kind.FILE, mode=0o644, size=len(data), sha256=Digest.of(data))

    with_aliases(entries)
    for text, mode in FOLDERS:
        entries.setdefault(RelPath(text), directory(RelPath(text), mode))
    for path, data in _copies(entries, read):
        write(path, data)
    for text, content in FILES.items():
        if RelPath(text) not in entries:
            write(RelPath(text), content.encode())
    for text, target in LINKS:
        entries.setdefault(RelPath(text), link(RelPath(text), target))
    if realiser >= 2:
        _choose_as_scripts_say(entries, packages)
    _choose_alternatives(entries)
    for path, data in _certificates(entries, read):
        write(path, data)
    write(_STATUS, status_of(packages))
    for path in _specs(entries):
        write(path, COMPILER_SPECS.encode())
    for path, data in _python(entries):
        write(path, data)
    with_parents(entries)
    if realiser >= 2:
        _link_certificates(entries)
    _refuse_local_files(entries)
    return added


def _copies(entries: Entries, read: Callable[[Entry], bytes]) -> list[tuple[RelPath, bytes]]:
    found = ((entries.get(RelPath(source)), RelPath(target)) for source, target in COPIES)
    return [(path, read(entry)) for entry, path in found if entry is not None and entry.kind is Kind.FILE and path not in entries]


def _python(entries: Entries) -> list[tuple[RelPath, bytes]]:
    """What is written beside a python3; the folder that its own packages are in is made."""
    python = python_of(entries)
    if python is None:
        return []
    site = RelPath(f"{LOCAL}/lib/python{python}/dist-packages")
    entries.setdefault(site, directory(site))
    return [(RelPath(text), content.encode()) for text, content in PYTHON_FILES.items()]


def _link_certificates(entries: Entries) -> None:
    if RelPath(CERTIFICATES[1]) in entries:
        for text, target in CERTIFICATE_LINKS:
            if RelPath(text).parent in entries:
                entries.setdefault(RelPath(text), link(RelPath(text), target))


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


def _choose_as_scripts_say(entries: Entries, packages: Iterable[Package]) -> None:
    """The links that packages' scripts ask update-alternatives for: of each name the candidate of the highest priority that is there.

    Equal priorities are decided by the path, so that the order of packages does not matter.
    """
    groups: dict[str, list[Alternative]] = {}
    for package in packages:
        for alternative in alternatives_of(package.script):
            if _place(entries, alternative.path) is not None:
                groups.setdefault(alternative.name, []).append(alternative)
    used: set[RelPath] = set()
    for path in entries:
        for above in _above(path):
            if above in used:
                break  # and so is whatever is above that
            used.add(above)
    for name in sorted(groups, key=str.encode):
        best = min(groups[name], key=lambda one: (-one.priority, one.path.encode(), one.link.encode()))
        for text, target in ((best.link, best.path), *best.slaves):
            found = _place(entries, target)
            where = _free(entries, used, text)
            if found is not None and where is not None:
                entries[where] = link(where, found.name if found.parent == where.parent else f"/{found}")
                used.update(_above(where))


def _place(entries: Entries, text: str) -> RelPath | None:
    """Where an absolute path of a script lies in the root; None if nothing is there."""
    try:
        path = aliased(RelPath(text[1:]))
    except ValueError:
        return None
    return path if path in entries else None


def _above(path: RelPath) -> Iterator[RelPath]:
    """Every directory that a path lies below."""
    parent = path.parent
    while parent is not None:
        yield parent
        parent = parent.parent


def _free(entries: Entries, used: Collection[RelPath], text: str) -> RelPath | None:
    """Where an absolute path lies at which a link can be made; None if something is there, below it, or in its way."""
    try:
        path = aliased(RelPath(text[1:]))
    except ValueError:
        return None
    if path in entries or path in used:
        return None
    blocked = any(above in entries and entries[above].kind is not Kind.DIRECTORY for above in _above(path))
    return None if blocked else path


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

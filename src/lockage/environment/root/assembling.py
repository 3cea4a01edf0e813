"""Packages put together: one entry per path, aliases followed, collisions refused.

Invariants: the result is a function of the set of packages, never of their order; nothing lies below a file or a link.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.path import RelPath
from lockage.environment.root.entry import Entry, Kind, Member, Package, directory, link
from lockage.environment.root.errors import InvalidPackage, PackagesCollide
from lockage.environment.root.rules import ALIASES, REQUIRED_ALIASES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Entries", "aliased", "assemble", "with_aliases", "with_parents"]

#: A root under construction.
Entries = dict[RelPath, Entry]

_SHALLOW = {alias: f"{put}/" for alias, (put, _) in ALIASES.items()}


def aliased(path: RelPath) -> RelPath:
    """Where a path lies once the aliases are links: ``bin/sh`` is ``usr/bin/sh``. An alias itself stays what it is."""
    first, slash, rest = path.partition("/")
    if not slash:
        return path
    if first == "var":
        second, slash, rest = rest.partition("/")
        if not slash:
            return path
        first = f"var/{second}"
    put = _SHALLOW.get(first)
    return path if put is None else RelPath(put + rest)


def assemble(packages: Iterable[Package], present: Mapping[RelPath, Entry] | None = None) -> Entries:
    """Join packages, over what is ``present`` already, which they may not change.

    Of a directory that several bring, base-files' attributes count, else those of the package that is first by name. Of a file
    that several bring, the one whose package replaces the other counts; equal ones are one. Raises :class:`PackagesCollide`
    naming both packages, :class:`InvalidPackage` for a hardlink to nothing and for a file or link with nodes below it.
    """
    entries: Entries = dict(present or {})
    ordered = sorted(packages, key=lambda package: (package.name != "base-files", package.name))
    replaces = {package.name: package.replaces for package in ordered}
    for package in ordered:
        own: Entries = {}
        for member in package.members:
            entry = _entry(package, member, own)
            if entry is not None:
                own[entry.path] = _chosen(own[entry.path], entry, replaces) if entry.path in own else entry
        for path, entry in own.items():
            known = entries.get(path)
            entries[path] = entry if known is None else _chosen(known, entry, replaces)
    _refuse_nodes_below_files(entries)
    return entries


def _chosen(known: Entry, entry: Entry, replaces: Mapping[str, frozenset[str]]) -> Entry:
    """Which of two nodes at one path stays."""
    same = (known.kind, known.target, known.sha256) == (entry.kind, entry.target, entry.sha256)
    if same and (known.kind is not Kind.FILE or known.mode == entry.mode):
        return known
    if entry.package != known.package:
        if known.package in replaces[entry.package]:
            return entry
        if entry.package in replaces.get(known.package, ()):
            return known
        raise PackagesCollide(
            f"{known.package} and {entry.package} bring different things to /{entry.path}",
            path=entry.path,
            packages=(known.package, entry.package),
        )
    raise InvalidPackage(f"{entry.package}: two members at {entry.path}", package=entry.package, path=entry.path)


def _refuse_nodes_below_files(entries: Mapping[RelPath, Entry]) -> None:
    for entry in entries.values():
        parent = entry.path.parent
        above = None if parent is None else entries.get(parent)
        if above is not None and above.kind is not Kind.DIRECTORY:
            raise PackagesCollide(
                f"{entry.package} brings /{entry.path}, but /{parent} is a {above.kind} of {above.package}",
                path=entry.path,
                packages=(above.package, entry.package),
            )


def _entry(package: Package, member: Member, own: Mapping[RelPath, Entry]) -> Entry | None:
    path = aliased(member.path)
    if path in ALIASES:
        if member.kind in (Kind.DIRECTORY, Kind.LINK):
            return None  # the alias link is made by the rules
        raise InvalidPackage(f"{package.name}: {path} is a {member.kind}, not a directory", package=package.name, path=path)
    if member.kind is Kind.HARDLINK:
        found = own.get(aliased(RelPath(member.target)))
        if found is None or found.kind is not Kind.FILE:
            raise InvalidPackage(
                f"{package.name}: {member.path} is a hardlink to {member.target}, which is no file of the package",
                package=package.name,
                path=member.path,
            )
        return msgspec.structs.replace(found, path=path)
    return Entry(
        path=path,
        kind=member.kind,
        mode=member.mode,
        uid=member.uid,
        gid=member.gid,
        target=member.target,
        size=member.size,
        sha256=member.sha256,
        source=member.source,
        package=package.name,
    )


def with_aliases(entries: Entries) -> Entries:
    """Add the alias links: the required ones, and those on whose place below /usr something lies."""
    used = {"/".join(path.parts[:2]) for path in entries}
    for alias, (put, target) in ALIASES.items():
        if alias in REQUIRED_ALIASES or put in used:
            entries[RelPath(alias)] = link(RelPath(alias), target)
            entries.setdefault(RelPath(put), directory(RelPath(put), 0o1777 if put == "run/lock" else 0o755))
    return entries


def with_parents(entries: Entries) -> Entries:
    """Add every directory that is only implied by what lies below it."""
    for path in list(entries):
        parent = path.parent
        while parent is not None and parent not in entries:
            entries[parent] = directory(parent)
            parent = parent.parent
    return entries


def stacked(layers: Iterable[tuple[str, Iterable[Entry]]]) -> list[Entry]:
    """Layers as one root, the lowest first: each, with the place it lies at, hides what those below have there."""
    merged: Entries = {}
    for place, entries in layers:
        if place:
            merged = {path: entry for path, entry in merged.items() if not path.startswith(f"{place}/")}
        merged.update({entry.path: entry for entry in entries})
    return list(merged.values())

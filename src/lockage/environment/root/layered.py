"""Layers of an image put on top of each other (OCI image-spec 1.1.1, layer.md): whiteouts, replaced nodes, links that are followed.

Invariants: the result is a function of the layers in their order; nothing lies below a file or a link; a path of a layer that passes a link
ends where the link leads within the root, as it does for whoever unpacks an image, and no text of a layer leads out of the root.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.path import RelPath
from lockage.environment.root.entry import Entry, Kind, Member
from lockage.environment.root.errors import InvalidPackage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lockage.environment.root.assembling import Entries

__all__ = ["followed", "layered"]

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
#: What aufs keeps of its own; it names nothing of a root (layer.md has it from Docker's layers).
_RESERVED = ".wh..wh."
#: As many links as Linux follows in one path (path_resolution(7)).
_MOST_LINKS = 40


def followed(entries: Mapping[RelPath, Entry], path: RelPath, *, last: bool) -> RelPath | None:
    """Where a path lies once the links in it are followed; its ``last`` part too, if wanted. The path need not exist.

    None where it is the top of the root. Raises ValueError for links that lead in a circle.
    """
    waiting = list(reversed(path.parts))
    here: list[str] = []
    links = 0
    while waiting:
        part = waiting.pop()
        if part in ("", "."):
            continue
        if part == "..":
            here = here[:-1]
            continue
        there = RelPath("/".join((*here, part)))
        entry = entries.get(there)
        if entry is not None and entry.kind is Kind.LINK and (waiting or last):
            links += 1
            if links > _MOST_LINKS:
                raise ValueError(f"links lead in a circle at {path}")
            if entry.target.startswith("/"):
                here = []
            waiting.extend(reversed(entry.target.split("/")))
        else:
            here.append(part)
    return RelPath("/".join(here)) if here else None


def layered(layers: Iterable[Sequence[Member]]) -> Entries:
    """The root that layers make, the lowest first. Raises :class:`InvalidPackage` for one that contradicts itself or those below."""
    root = _Root()
    for number, members in enumerate(layers, 1):
        root.apply(members, f"layer {number}")
    return root.entries


class _Root:
    def __init__(self) -> None:
        self.entries: Entries = {}
        self._below: dict[RelPath | None, set[RelPath]] = {}

    def apply(self, members: Sequence[Member], layer: str) -> None:
        """A whiteout hides what the layers below have, never what its own layer brings, wherever it stands in the archive."""
        hidden = [member for member in members if member.path.name.startswith(_WHITEOUT)]
        for member in hidden:
            self._hide(member, layer)
        for member in members:
            if not member.path.name.startswith(_WHITEOUT) and not any(part.startswith(_WHITEOUT) for part in member.path.parts):
                self._put(member, layer)

    def _hide(self, member: Member, layer: str) -> None:
        name = member.path.name
        place = self._place(member.path, layer)
        if name == _OPAQUE:
            for child in tuple(self._below.get(place.parent, ())):
                self._remove(child)
        elif not name.startswith(_RESERVED):
            gone = name.removeprefix(_WHITEOUT)
            if not gone or gone in (".", ".."):
                raise InvalidPackage(f"{layer} hides what has no name: {member.path}", package=layer, path=member.path)
            self._remove(RelPath(f"{place.parent}/{gone}" if place.parent is not None else gone))

    def _put(self, member: Member, layer: str) -> None:
        path = self._place(member.path, layer)
        entry = Entry(
            path=path,
            kind=member.kind,
            mode=member.mode,
            uid=member.uid,
            gid=member.gid,
            target=member.target,
            size=member.size,
            sha256=member.sha256,
            source=member.source,
            package=layer,
        )
        if member.kind is Kind.HARDLINK:
            entry = self._linked(member, path, layer)
        known = self.entries.get(path)
        if known is not None and not (known.kind is Kind.DIRECTORY and entry.kind is Kind.DIRECTORY):
            self._remove(path)
        self._make_folders(path, layer)
        self._add(entry)

    def _linked(self, member: Member, path: RelPath, layer: str) -> Entry:
        """The file that a hardlink is another name of."""
        target = self._place(RelPath(member.target), layer)
        found = self.entries.get(target)
        if found is None or found.kind is Kind.DIRECTORY:
            raise InvalidPackage(
                f"{layer}: {member.path} is a hardlink to {member.target}, which is no file of the image", package=layer, path=member.path
            )
        return msgspec.structs.replace(found, path=path)

    def _place(self, path: RelPath, layer: str) -> RelPath:
        """Where a member goes; it takes the place of a link that has its very path."""
        try:
            found = followed(self.entries, path, last=False)
        except ValueError as error:
            raise InvalidPackage(f"{layer}: {error}", package=layer, path=path) from error
        if found is None:
            raise InvalidPackage(f"{layer}: {path} is the top of the root", package=layer, path=path)
        return found

    def _make_folders(self, path: RelPath, layer: str) -> None:
        """Every folder above a path; a file that is in the way was a file of a layer below, and gives way."""
        above = path.parent
        missing: list[RelPath] = []
        while above is not None:
            known = self.entries.get(above)
            if known is not None and known.kind is Kind.DIRECTORY:
                break
            missing.append(above)
            above = above.parent
        for folder in reversed(missing):
            self._remove(folder)
            self._add(Entry(path=folder, kind=Kind.DIRECTORY, mode=0o755, package=layer))

    def _add(self, entry: Entry) -> None:
        self.entries[entry.path] = entry
        self._below.setdefault(entry.path.parent, set()).add(entry.path)

    def _remove(self, path: RelPath) -> None:
        """A node, and all that lies below it. Without recursion: folders may lie deep."""
        waiting = [path]
        while waiting:
            gone = waiting.pop()
            if self.entries.pop(gone, None) is not None:
                self._below.get(gone.parent, set()).discard(gone)
            waiting.extend(self._below.pop(gone, ()))

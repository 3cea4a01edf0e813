"""What one root has otherwise than another, as a layer to be put on top of it (OCI image-spec 1.1.1, layer.md).

Invariants: the layer is a function of the two roots, and whoever unpacks it over the first has the second: what is made or replaced, a
whiteout for what is gone, and the folders above all of that. Those are there although they are unchanged: who unpacks a layer by itself
would make them with attributes of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.digest import Digest
from lockage.base.path import RelPath
from lockage.environment.root import Entry, Kind, node_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["changes"]

_WHITEOUT = ".wh."


def changes(before: Iterable[Entry], after: Iterable[Entry]) -> list[Entry]:
    """The entries of the layer that makes ``after`` of ``before``; none if they are the same. Whiteouts are empty files."""
    old = node_rows(before)
    entries = {entry.path: entry for entry in after}
    rows = node_rows(entries.values())
    changed = _with_other_names({path for path, row in rows.items() if old.get(path) != row}, entries)
    hidden = {path for path in old if path not in rows and _in_folder(path, entries)}
    above = {folder for path in (*changed, *hidden) for folder in _above(path) if folder in entries}
    return [*(entries[path] for path in sorted(changed | above)), *(_whiteout(path) for path in sorted(hidden))]


def _with_other_names(changed: set[RelPath], entries: Mapping[RelPath, Entry]) -> set[RelPath]:
    """With all names of every file of which one is among them: a hardlink leads to nothing but its own layer wherever it is unpacked."""
    sources = {entries[path].source for path in changed} - {""}
    return changed | {path for path, entry in entries.items() if entry.source in sources}


def _in_folder(path: RelPath, entries: Mapping[RelPath, Entry]) -> bool:
    """Whether what is gone has to be hidden by itself: neither went the folder that it was in, nor did something take that one's place."""
    above = path.parent
    return above is None or (above in entries and entries[above].kind is Kind.DIRECTORY)


def _above(path: RelPath) -> Iterator[RelPath]:
    above = path.parent
    while above is not None:
        yield above
        above = above.parent


def _whiteout(path: RelPath) -> Entry:
    name = f"{_WHITEOUT}{path.name}"
    place = RelPath(name) if path.parent is None else path.parent.joined(RelPath(name))
    return Entry(path=place, kind=Kind.FILE, mode=0o644, size=0, sha256=Digest.of(b""))

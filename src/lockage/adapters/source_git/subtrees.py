"""A git tree → its REAPI tree, looking only into trees that are not known: what a commit costs follows what it changed.

Only for trees that are what their objects say. With submodules, contents of Git LFS, names that are not UTF-8 or empty directories, which
git does not write, :mod:`.importer` reads the whole list, with the blobs that are known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.adapters.source_git.objects import INCOMPLETE, Entry, look_up, read_contents
from lockage.adapters.source_git.process import Git, GitFailed, ending
from lockage.base.digest import BlobRef
from lockage.base.path import RelPath
from lockage.base.tree import encode_directory
from lockage.ports import SourceUnusable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from lockage.adapters.source_git.known import Known
    from lockage.adapters.source_git.objects import Contents
    from lockage.ports import Blobs

__all__ = ["Subtrees"]

_ANY = RelPath("object")


class _Item(msgspec.Struct, frozen=True):
    """One line of a tree object."""

    mode: str
    name: str
    oid: str


class Subtrees:
    """Reads trees of one repository into the blobs; what is read is added to ``known``."""

    def __init__(self, git: Git, at: Path, blobs: Blobs, known: Known) -> None:
        self._git = git
        self._at = at
        self._blobs = blobs
        self._known = known
        self._trees: dict[str, tuple[_Item, ...]] = {}
        self._roots: dict[str, BlobRef] = {}

    def read(self, tree: str) -> BlobRef | None:
        """The REAPI tree of a git tree; None if more than its objects decides what it is. Raises :class:`SourceUnusable`."""
        waiting = self._unknown((tree,))
        while waiting:
            for oid, items in zip(waiting, self._looked_up(waiting), strict=True):
                if items is None or (not items and oid != tree) or any(item.mode == "160000" for item in items):
                    return None
                self._trees[oid] = items
            below = (item.oid for oid in waiting for item in self._trees[oid] if item.mode == "40000")
            waiting = self._unknown(below)
        refs, contents = self._contents()
        self._known.add(contents.kept, {})
        if contents.pointers:
            return None
        refs |= contents.refs
        messages: list[bytes] = []
        root = self._encoded(tree, refs, contents.targets, messages)
        self._blobs.put_many(messages)
        self._known.add({}, {oid: self._roots[oid] for oid in self._trees})
        return root

    def _unknown(self, oids: Iterable[str]) -> list[str]:
        """Those of these trees that must be looked into, each once."""
        found: list[str] = []
        for oid in dict.fromkeys(oids):
            if oid in self._roots or oid in self._trees:
                continue
            ref = self._known.tree(oid)
            if ref is None:
                found.append(oid)
            else:
                self._roots[oid] = ref
        return found

    def _looked_up(self, oids: list[str]) -> list[tuple[_Item, ...] | None]:
        running = self._git.objects(self._at, ("cat-file", "--batch"), "".join(f"{oid}\n" for oid in oids).encode())
        with ending(running):
            try:
                found = look_up(running, len(oids))
            except GitFailed as error:
                raise SourceUnusable(f"git could not read {self._at}: {error.text}", path=str(self._at)) from error
        for oid, one in zip(oids, found, strict=True):
            if one is None or one.kind != "tree":
                raise SourceUnusable(f"git could not list the tree {oid}: the repository lacks it", tree=oid, hint=INCOMPLETE)
        return [None if one is None else _items(one.data, len(one.oid) // 2) for one in found]

    def _contents(self) -> tuple[dict[str, BlobRef], Contents]:
        """The blobs of files that are known, and the contents of all others, and of links."""
        refs: dict[str, BlobRef] = {}
        unread: dict[tuple[bool, str], Entry] = {}
        for items in self._trees.values():
            for item in items:
                is_link = item.mode == "120000"
                if item.mode == "40000" or (item.oid in refs and not is_link):
                    continue
                known = None if is_link else self._known.blob(item.oid)
                if known is not None:
                    refs[item.oid] = known
                else:
                    unread.setdefault((is_link, item.oid), Entry(item.mode, item.oid, _ANY))
        return refs, read_contents(self._git, self._at, list(unread.values()), self._blobs)

    def _encoded(self, oid: str, refs: dict[str, BlobRef], targets: dict[str, str], messages: list[bytes]) -> BlobRef:
        found = self._roots.get(oid)
        if found is not None:
            return found
        items = sorted(self._trees[oid], key=lambda item: item.name.encode())
        message = encode_directory(
            [(item.name, refs[item.oid], item.mode == "100755") for item in items if item.mode not in ("40000", "120000")],
            [(item.name, self._encoded(item.oid, refs, targets, messages)) for item in items if item.mode == "40000"],
            [(item.name, targets[item.oid]) for item in items if item.mode == "120000"],
        )
        messages.append(message)
        self._roots[oid] = BlobRef.of(message)
        return self._roots[oid]


def _items(data: bytes, width: int) -> tuple[_Item, ...] | None:
    """The lines of a tree object (``MODE NAME\\0ID``); None if a name cannot be part of a path."""
    found: list[_Item] = []
    at = 0
    while at < len(data):
        space = data.index(b" ", at)
        end = data.index(b"\0", space)
        try:
            name = RelPath(data[space + 1 : end].decode())
        except ValueError:
            return None
        found.append(_Item(data[at:space].decode(), str(name), data[end + 1 : end + 1 + width].hex()))
        at = end + 1 + width
    return tuple(found)

"""A commit's tree with everything that belongs to it: its files, its submodules' files, and the contents of Git LFS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.adapters.source_git.objects import Entry, entries, look_up, read_contents
from lockage.adapters.source_git.pointer import LEAST, MOST, is_pointer
from lockage.adapters.source_git.process import Git, GitFailed, ending
from lockage.adapters.source_git.submodules import find, read_modules
from lockage.base.path import RelPath
from lockage.base.tree import FileNode, Tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from lockage.adapters.source_git.known import Known
    from lockage.adapters.source_git.place import Place
    from lockage.base.digest import BlobRef
    from lockage.base.tree import Node
    from lockage.ports import Blobs
    from lockage.record.locator import Remote

__all__ = ["Imported", "Importer"]

_ATTRIBUTES = ".gitattributes"


class Imported(msgspec.Struct, frozen=True):
    """A tree; ``alone`` says that nothing outside of it had a say in what it became."""

    tree: Tree
    alone: bool


class Importer:
    """Reads trees into the blobs; ``clones`` is the folder of copies of repositories elsewhere."""

    def __init__(self, git: Git, blobs: Blobs, clones: Path) -> None:
        self._git = git
        self._blobs = blobs
        self._clones = clones

    def read(self, place: Place, commit: str, below: RelPath | None, known: Known | None = None) -> Imported:
        """The files of a commit, or of a directory of it; those that are ``known`` are not read, and what is read is added to them.

        Raises :class:`SourceUnusable`; where submodules or contents are elsewhere also ServiceUnreachable.
        """
        found = entries(self._git, place.at, f"{commit}^{{commit}}:{below}" if below else f"{commit}^{{tree}}")
        links = [entry for entry in found if entry.mode == "160000"]
        files = [entry for entry in found if entry.mode != "160000"]
        modules = self.submodules(place, commit, links, below) if links else []
        contents = read_contents(self._git, place.at, files, self._blobs, known)
        if known is not None:
            known.add(contents.kept, {})
        nodes = [contents.node(entry) for entry in files]
        pointers = {
            node.path: contents.pointers[entry.oid]
            for node, entry in zip(nodes, files, strict=True)
            if isinstance(node, FileNode) and entry.oid in contents.pointers
        }
        if pointers:
            marks = self._attributes(place, commit, below, nodes)
            nodes = self.with_contents(place, commit, below, nodes, pointers, marks)
        return Imported(Tree.of([*nodes, *modules]), alone=not (below and pointers))

    def submodules(self, place: Place, commit: str, links: Sequence[Entry], below: RelPath | None) -> list[Node]:
        """The files of submodules at the commits recorded; ``links`` and what is returned have their paths below a directory."""
        (data,) = self._blobs_of(place, [f"{commit}:.gitmodules"])
        return self.linked(place, data or b"", links, below)

    def linked(self, place: Place, gitmodules: bytes, links: Sequence[Entry], below: RelPath | None) -> list[Node]:
        """The same for links that these .gitmodules name."""
        modules = read_modules(self._git, place.at, gitmodules)
        whole = {_whole(below, link.path): link for link in links}
        moved = [Entry(link.mode, link.oid, path) for path, link in whole.items()]
        nodes: list[Node] = []
        for link, inner in list(find(self._git, place, modules, moved, self._fetched)):
            nodes += self.read(inner, link.oid, None).tree.under(whole[link.path].path)
        return nodes

    def with_contents(
        self,
        place: Place,
        commit: str | None,
        below: RelPath | None,
        nodes: Sequence[Node],
        pointers: Mapping[RelPath, bytes],
        attributes: Mapping[RelPath, bytes],
    ) -> list[Node]:
        """The nodes with the contents of Git LFS in the place of pointers."""
        from lockage.adapters.source_git.lfs import LfsContents  # few repositories have any

        whole = {_whole(below, path): data for path, data in pointers.items()}
        found = LfsContents(self._git, place, self._blobs, commit).contents(whole, attributes)
        refs = {path: found.get(_whole(below, path)) for path in pointers}
        return [_with(node, refs.get(node.path)) for node in nodes]

    def pointers(self, nodes: Iterable[Node]) -> dict[RelPath, bytes]:
        """Which of these files have the form of pointers."""
        small = [node for node in nodes if isinstance(node, FileNode) and LEAST <= node.blob.size <= MOST]
        found = ((node.path, self._blobs.get(node.blob)) for node in small)
        return {path: data for path, data in found if is_pointer(data)}

    def attributes_in(self, nodes: Iterable[Node], below: RelPath | None) -> dict[RelPath, bytes]:
        """The bytes of every .gitattributes among these."""
        return {
            _whole(below, node.path): self._blobs.get(node.blob)
            for node in nodes
            if isinstance(node, FileNode) and node.path.name == _ATTRIBUTES
        }

    def _attributes(self, place: Place, commit: str, below: RelPath | None, nodes: Iterable[Node]) -> dict[RelPath, bytes]:
        above: list[str] = []
        parent = below.parent if below else None
        while parent is not None:
            above.append(f"{parent}/{_ATTRIBUTES}")
            parent = parent.parent
        if below:
            above.append(_ATTRIBUTES)
        found = self._blobs_of(place, [f"{commit}:{path}" for path in above])
        outer = {RelPath(path): data for path, data in zip(above, found, strict=True) if data is not None}
        return {**outer, **self.attributes_in(nodes, below)}

    def _blobs_of(self, place: Place, names: Sequence[str]) -> list[bytes | None]:
        if not names:
            return []
        running = self._git.objects(place.at, ("cat-file", "--batch"), "".join(f"{name}\n" for name in names).encode())
        with ending(running):
            try:
                found = look_up(running, len(names))
            except GitFailed:
                return [None] * len(names)
        return [one.data if one is not None and one.kind == "blob" else None for one in found]

    def _fetched(self, remote: Remote) -> Path:
        from lockage.adapters.source_git.remote import Clones  # few repositories name others

        return Clones(self._git, self._clones).fetched(remote)[0]


def _whole(below: RelPath | None, path: RelPath) -> RelPath:
    return below.joined(path) if below else path


def _with(node: Node, ref: BlobRef | None) -> Node:
    return msgspec.structs.replace(node, blob=ref) if isinstance(node, FileNode) and ref is not None else node

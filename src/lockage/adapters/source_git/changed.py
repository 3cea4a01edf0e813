"""A working copy with changes → its tree: what has not changed is the commit's, what has is as it lies there.

So a file that git converts on the way out (line endings, keywords, Git LFS) or leaves out (a sparse checkout) is what its commit
says, unless somebody changed it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lockage.adapters.source_git.objects import Entry, listed
from lockage.adapters.source_git.place import Place
from lockage.adapters.source_git.process import Git, GitFailed, ending
from lockage.adapters.source_git.submodules import populated
from lockage.base.changed_tree import changed_tree
from lockage.base.path import RelPath
from lockage.base.tree import Directory, Tree, read_tree
from lockage.ports import SourceUnusable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from pathlib import Path

    from lockage.adapters.source_git.importer import Importer
    from lockage.adapters.source_git.status import Status
    from lockage.base.digest import BlobRef
    from lockage.base.tree import Node

__all__ = ["ChangedCopy"]


class ChangedCopy:
    """Reads a working copy: ``committed`` is the tree of a repository's commit, ``status`` how a working copy differs from its HEAD."""

    def __init__(
        self,
        git: Git,
        importer: Importer,
        *,
        snapshot: Callable[[Path, Iterable[bytes]], Tree],
        status: Callable[[Path], Status],
        committed: Callable[[Place, str], Tree],
    ) -> None:
        self._git = git
        self._importer = importer
        self._snapshot = snapshot
        self._status = status
        self._committed = committed

    def root(
        self, place: Place, committed: BlobRef | None, below: RelPath | None, status: Status, get: Callable[[BlobRef], bytes]
    ) -> tuple[BlobRef, list[bytes]]:
        """The root below a directory and the Directory messages that may be new; ``committed`` is the root that HEAD has there.

        Only the directories with a change in them are read, unless there are submodules or contents of Git LFS. Raises
        :class:`SourceUnusable`.
        """
        assert place.top is not None
        if not status.links and not populated(self._git, place.top):
            fresh = self._fresh(place.top, below, self._names(place.top, below, status, ()))
            if not self._importer.pointers(fresh):
                paths = [_text(name) for name in status.paths if not name.endswith(b"/")]
                if below is not None:
                    committed = None if _is_below(below, paths) else committed
                    paths = [path.removeprefix(f"{below}/") for path in paths if path.startswith(f"{below}/")]
                return changed_tree(committed, paths, [node for node in fresh if not isinstance(node, Directory)], get)
        whole = Tree(()) if committed is None else read_tree(committed, get)
        root, messages = self.read(place, whole, below, status).encode()
        return root, list(messages.values())

    def _names(self, top: Path, below: RelPath | None, status: Status, modules: Collection[str]) -> set[bytes]:
        """What may lie there as it is to be read; not what is in submodules."""
        names = {name for name in status.paths if not name.endswith(b"/") and _text(name) not in status.links}
        names = {name for name in names if not _is_below(_text(name), modules)}
        return names | self._untracked(top, below) if status.untracked else names

    def read(self, place: Place, committed: Tree, below: RelPath | None, status: Status) -> Tree:
        """The tree below a directory; ``committed`` is what HEAD has there. Raises :class:`SourceUnusable`."""
        assert place.top is not None
        modules = {path: at for path, at in populated(self._git, place.top).items() if below is None or path.startswith(f"{below}/")}
        replaced = {_text(name) for name in status.paths} | modules.keys()
        kept = [node for node in committed if not _is_below(_whole(below, node.path), replaced)]
        fresh = self._fresh(place.top, below, self._names(place.top, below, status, modules.keys()))
        pointers = self._importer.pointers(fresh)
        if pointers:
            marks = {**_marks_above(place.top, below), **self._importer.attributes_in([*kept, *fresh], below)}
            fresh = self._importer.with_contents(place, None, below, fresh, pointers, marks)
        nodes: list[Node] = [*kept, *fresh]
        links = [Entry("160000", oid, RelPath(path)) for path, oid in status.links.items() if path not in modules and oid.strip("0")]
        if links:
            inside = [Entry(link.mode, link.oid, _relative(link.path, below)) for link in links]
            nodes += self._importer.linked(place, _bytes_of(place.top / ".gitmodules"), inside, below)
        for path, module in modules.items():
            nodes += self._submodule(place, module, path).under(_relative(path, below))
        return Tree.of(nodes)

    def _fresh(self, top: Path, below: RelPath | None, names: set[bytes]) -> list[Node]:
        """Files and links as they lie there. A directory in the place of a file is there by what is in it."""
        prefix = f"{below}/".encode() if below else b""
        folder = top / below if below else top
        inside = (name[len(prefix) :] for name in names if name.startswith(prefix))
        known = {"": False}
        found = self._snapshot(folder, [name for name in inside if not _through_link(folder, name, known)])
        return [node for node in found if not isinstance(node, Directory)]

    def _submodule(self, place: Place, module: Path, path: RelPath) -> Tree:
        """A submodule's working copy, wherever its HEAD is."""
        status = self._status(module)
        inside = place.shown(path)
        inner = Place(at=module, top=module, inside=inside, outermost=place.outermost or inside, clone=place.clone or place.top)
        committed = self._committed(inner, status.head) if status.head else Tree(())
        return self.read(inner, committed, None, status)

    def _untracked(self, top: Path, below: RelPath | None) -> set[bytes]:
        running = self._git.compare(top, below or ".", ("ls-files", "-z", "--others", "--exclude-standard", "--", "."))
        with ending(running):
            try:
                names = set(running.output().split(b"\0")) - {b""}
            except GitFailed as error:
                raise SourceUnusable(f"git cannot list the working copy {top}: {error.text}", path=str(top)) from error
        nested = sorted(_text(name) for name in names if name.endswith(b"/"))
        if nested:
            raise SourceUnusable(
                f"the working copy holds other repositories, which are no submodules of it: {listed(nested)}",
                paths=tuple(nested),
                hint="Add them with `git submodule add URL PATH`, ignore them in .gitignore, or move them away.",
            )
        return {below.encode() + b"/" + name for name in names} if below else names


def _marks_above(top: Path, below: RelPath | None) -> dict[RelPath, bytes]:
    """The bytes of every .gitattributes in the directories above."""
    found: dict[RelPath, bytes] = {}
    while below is not None:
        below = below.parent
        path = _whole(below, RelPath(".gitattributes"))
        data = _bytes_of(top / path)
        if data:
            found[path] = data
    return found


def _bytes_of(path: Path) -> bytes:
    """The bytes of a file; nothing if it is none."""
    try:
        return path.read_bytes() if path.is_file() and not path.is_symlink() else b""
    except OSError:
        return b""


def _through_link(folder: Path, name: bytes, known: dict[str, bool]) -> bool:
    """Whether a link took the place of a directory on the way to a name: what lies behind it is not the name's any more.

    ``known`` says it of directories that were asked for: there may be thousands of names in one.
    """
    way = os.fsdecode(name).rpartition("/")[0]
    found = known.get(way)
    if found is None:
        parts = way.split("/")
        found = known[way] = any((folder / "/".join(parts[:end])).is_symlink() for end in range(1, len(parts) + 1))
    return found


def _text(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")


def _is_below(path: str, folders: Collection[str]) -> bool:
    parts = path.split("/")
    return any("/".join(parts[:end]) in folders for end in range(1, len(parts) + 1))


def _whole(below: RelPath | None, path: RelPath) -> RelPath:
    return below.joined(path) if below else path


def _relative(path: RelPath, below: RelPath | None) -> RelPath:
    return RelPath(path[len(below) + 1 :]) if below else path

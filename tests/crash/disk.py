"""A disk that may lose power: what is on it for certain, and what a system may or may not have written yet.

The model is a weak one, so that what holds on it holds on every file system in use ("All file systems are not created equal", OSDI '14):
bytes of a file are on the disk once the file is synchronised, an entry of a folder once that folder is, and of everything else any part
may be there: names without bytes, bytes without names, half of a write, later changes without earlier ones. Only a rename is whole.

Invariants: a change that was refused by the system changes nothing here either; with all changes applied the disk holds what the real
folder holds, which tests compare.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from random import Random

    from tests.crash.watch import Change

__all__ = ["Disk", "Image", "Item", "read_image"]

#: SQLite's index of its write-ahead log: it is mapped, never synchronised, and made anew by whoever opens the ledger first.
PASSING = "-shm"


class Item(msgspec.Struct, frozen=True):
    """What a path of an image is: a file's bytes, a folder, or a link's target."""

    kind: Literal["file", "folder", "link"]
    mode: int
    data: bytes = b""


#: Path → what is there; a whole state of the watched folders.
Image = dict[str, Item]


class _Node:
    """A file, a link or a folder, whatever it is called."""

    __slots__ = ("bytes", "entries", "kind", "mode", "now", "stable")

    def __init__(self, kind: Literal["file", "folder", "link"], mode: int, data: bytes = b"") -> None:
        self.kind = kind
        self.mode = mode
        self.bytes = data  # what is on the disk for certain
        self.now = data
        self.entries: dict[str, _Node] = {}
        self.stable: dict[str, _Node] = {}


class _Written:
    """Bytes that a file was given, or a length, and that are not on the disk for certain."""

    __slots__ = ("data", "length", "node", "offset")

    def __init__(self, node: _Node, offset: int, data: bytes, length: int | None = None) -> None:
        self.node, self.offset, self.data, self.length = node, offset, data, length

    def on(self, before: bytes, part: Literal["all", "half", "zeros"] = "all") -> bytes:
        """The file's bytes after this, or after a part of it."""
        if self.length is not None:
            return before[: self.length].ljust(self.length, b"\0")
        data = self.data if part == "all" else self.data[: len(self.data) // 2] if part == "half" else bytes(len(self.data))
        return before[: self.offset].ljust(self.offset, b"\0") + data + before[self.offset + len(data) :]


class _Named:
    """Entries that folders were given or lost by one change, which is whole or was not made."""

    __slots__ = ("entries",)

    def __init__(self, entries: list[tuple[_Node, str, _Node | None]]) -> None:
        self.entries = entries


_Pending = _Written | _Named


class Disk:
    """The folders that are watched, which must be there."""

    def __init__(self, folders: list[Path], umask: int = 0o022) -> None:
        self._umask = umask
        self._tops = {os.path.realpath(folder): _loaded(folder) for folder in folders}
        self.pending: list[_Pending] = []

    def put(self, path: Path, data: bytes) -> None:
        """Somebody who is not watched wrote a file, durably; its folder is there."""
        folder, name = self._place(str(path))
        assert folder is not None
        folder.entries[name] = folder.stable[name] = _Node("file", 0o644, data)

    # What is changed

    def apply(self, change: Change) -> None:
        """Make a change that was told of, unless the system would have refused it."""
        _MAKERS[change.call](self, change)

    def _link(self, change: Change) -> None:
        node = self._find(change.other)
        if node is not None and self._find(change.path) is None:
            self._name((change.path, node))

    def _make(self, change: Change) -> None:
        if self._find(change.path) is None:
            folder = change.call == "mkdir"
            self._name((change.path, _Node("folder", change.mode & ~self._umask) if folder else _Node("link", 0o777, change.data)))

    def _mode(self, change: Change) -> None:
        node = self._find(change.path)
        if node is not None:
            node.mode = change.mode  # of no interest as a change of its own

    def _map(self, change: Change) -> None:
        assert change.path.endswith(PASSING), f"{change.path} is mapped: what is written to it is not seen"

    def _open(self, change: Change) -> None:
        node = self._find(change.path)
        if node is None:
            if change.flags & os.O_CREAT:
                self._name((change.path, _Node("file", change.mode & ~self._umask)))
        elif change.flags & os.O_TRUNC and not (change.flags & os.O_EXCL and change.flags & os.O_CREAT) and node.now:
            self._add(_Written(node, 0, b"", 0))

    def _write(self, change: Change) -> None:
        node = self._find(change.path.removesuffix(" (deleted)"))
        if node is None or node.kind != "file" or change.path.endswith(" (deleted)"):
            return
        if change.call == "write":
            if change.data:
                self._add(_Written(node, change.offset, change.data))
        elif change.call == "truncate" or (change.length > len(node.now) and not change.flags & 1):  # 1: FALLOC_FL_KEEP_SIZE
            self._add(_Written(node, 0, b"", change.length))

    def _rename(self, change: Change) -> None:
        node, there = self._find(change.path), self._find(change.other)
        if node is None or (change.flags & 1 and there is not None) or node is there:
            return
        if change.flags & 2:
            if there is not None:
                self._name((change.path, there), (change.other, node))
            return
        if there is not None and there.kind == "folder" and (there.entries or node.kind != "folder"):
            return
        self._name((change.path, None), (change.other, node))

    def _remove(self, change: Change) -> None:
        node = self._find(change.path)
        if node is None or (change.call == "rmdir") != (node.kind == "folder") or node.entries:
            return
        self._name((change.path, None))

    # What is certain

    def _add(self, written: _Written) -> None:
        written.node.now = written.on(written.node.now)
        self.pending.append(written)

    def _name(self, *changed: tuple[str, _Node | None]) -> None:
        found = []
        for path, node in changed:
            folder, name = self._place(path)
            if folder is None:
                return
            found.append((folder, name, node))
        for folder, name, node in found:
            _set(folder.entries, name, node)
        self.pending.append(_Named(found))

    def _sync(self, change: Change) -> None:
        node = self._find(change.path)
        if change.call == "syncfs":
            self._settle(lambda _: True)
        if node is None:
            return
        self._settle(lambda one: one.node is node if isinstance(one, _Written) else any(folder is node for folder, _, _ in one.entries))

    def _settle(self, chosen: Callable[[_Pending], bool]) -> None:
        left: list[_Pending] = []
        for one in self.pending:
            if not chosen(one):
                left.append(one)
            elif isinstance(one, _Written):
                one.node.bytes = one.on(one.node.bytes)
            else:
                for folder, name, node in one.entries:
                    _set(folder.stable, name, node)
                    left = [earlier for earlier in left if not _names_only(earlier, folder, name)]
        self.pending = left

    # States that a crash may leave

    def now(self) -> Image:
        """What the processes see: a crash without loss of power leaves it."""
        return self._image(lambda folder: folder.entries, lambda node: node.now)

    def certain(self) -> Image:
        """What is on the disk for certain, and nothing else."""
        return self._image(lambda folder: folder.stable, lambda node: node.bytes)

    def states(self, random: Random, more: int) -> Iterator[tuple[str, Image]]:
        """States that a power cut at this moment may leave, each with a word for it: the extremes, and ``more`` that are drawn."""
        yield "certain", self.certain()
        if not self.pending:
            return
        names = [one for one in self.pending if isinstance(one, _Named)]
        written = [one for one in self.pending if isinstance(one, _Written)]
        yield "all", self.now()
        if names and written:
            yield "names", self._chosen(names)
            yield "bytes", self._chosen(written)
        if written:
            yield "zeros", self._chosen(self.pending, "zeros")
            yield "half", self._chosen(self.pending, "half")
        for _ in range(more):
            chance = random.choice((0.2, 0.5, 0.8))
            chosen = [one for one in self.pending if random.random() < chance]
            yield "drawn", self._chosen(chosen, random.choice(("all", "half", "zeros")))

    def _chosen(self, chosen: list[_Named] | list[_Written] | list[_Pending], last: Literal["all", "half", "zeros"] = "all") -> Image:
        """What is certain and some of the rest, the last bytes of each file only in part."""
        entries: dict[_Node, dict[str, _Node]] = {}
        data: dict[_Node, bytes] = {}
        final = {one.node: one for one in chosen if isinstance(one, _Written)}
        for one in chosen:
            if isinstance(one, _Written):
                part = last if last == "zeros" or final[one.node] is one else "all"
                data[one.node] = one.on(data.get(one.node, one.node.bytes), part)
            else:
                for folder, name, node in one.entries:
                    _set(entries.setdefault(folder, dict(folder.stable)), name, node)
        return self._image(lambda folder: entries.get(folder, folder.stable), lambda node: data.get(node, node.bytes))

    def _image(self, entries: Callable[[_Node], dict[str, _Node]], data: Callable[[_Node], bytes]) -> Image:
        image: Image = {}
        waiting = list(self._tops.items())
        while waiting:
            path, node = waiting.pop()
            if path.endswith(PASSING):
                continue
            image[path] = Item(node.kind, node.mode, data(node) if node.kind == "file" else node.bytes)
            if node.kind == "folder":
                waiting += [(f"{path}/{name}", inner) for name, inner in entries(node).items()]
        return image

    # Paths

    def _find(self, path: str) -> _Node | None:
        if path in self._tops:
            return self._tops[path]
        folder, name = self._place(path)
        return None if folder is None else folder.entries.get(name)

    def _place(self, path: str) -> tuple[_Node | None, str]:
        top = next((top for top in self._tops if path.startswith(f"{top}/")), None)
        if top is None:
            return None, ""
        node: _Node | None = self._tops[top]
        *folders, name = path[len(top) + 1 :].split("/")
        for part in folders:
            node = None if node is None else node.entries.get(part)
        return node, name


_MAKERS: dict[str, Callable[[Disk, Change], None]] = {
    "open": Disk._open,
    **dict.fromkeys(("write", "truncate", "allocate"), Disk._write),
    **dict.fromkeys(("fsync", "syncfs"), Disk._sync),
    "rename": Disk._rename,
    "link": Disk._link,
    **dict.fromkeys(("symlink", "mkdir"), Disk._make),
    **dict.fromkeys(("unlink", "rmdir"), Disk._remove),
    "chmod": Disk._mode,
    "map": Disk._map,
}


def _set(entries: dict[str, _Node], name: str, node: _Node | None) -> None:
    if node is None:
        entries.pop(name, None)
    else:
        entries[name] = node


def _names_only(one: _Pending, folder: _Node, name: str) -> bool:
    """Whether a pending change is of nothing but an entry that a later change has settled."""
    return isinstance(one, _Named) and all(other is folder and called == name for other, called, _ in one.entries)


def _loaded(path: Path) -> _Node:
    """What is on a real disk, taken to be certain."""
    state = path.lstat()
    mode = stat.S_IMODE(state.st_mode)
    if stat.S_ISLNK(state.st_mode):
        return _Node("link", mode, os.fsencode(path.readlink()))
    if not stat.S_ISDIR(state.st_mode):
        return _Node("file", mode, path.read_bytes())
    node = _Node("folder", mode)
    node.entries = {inner.name: _loaded(inner) for inner in path.iterdir()}
    node.stable = dict(node.entries)
    return node


def read_image(folders: list[Path]) -> Image:
    """What is really in some folders."""
    return Disk(folders).now()

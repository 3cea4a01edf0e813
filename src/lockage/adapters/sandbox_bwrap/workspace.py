"""Fills a sandbox's workspace from the blobs, in an order that decides how its folders are listed (tmpfs: by creation).

Invariants: contents are verified by the blobs; modes and times are functions of the tree and the action alone.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from lockage.base.digest import BlobRef, Digest
from lockage.base.tree import FileNode, InvalidTree, LinkNode, walk
from lockage.ports import BlobCorrupt

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockage.ports import Blobs

__all__ = ["Full", "ordered", "populate"]

#: Larger files are copied in pieces.
_WHOLE = 4 << 20
_PIECE = 1 << 20
_Entry = tuple[str, FileNode | LinkNode | BlobRef]


class Full(Exception):
    """The inputs alone do not fit into the workspace."""


def ordered(entries: Iterable[_Entry], order: str, folder: str) -> list[_Entry]:
    """Entries of one folder as ``sorted``, ``reversed`` or ``shuffled:SEED`` asks."""
    found = sorted(entries, key=lambda entry: entry[0].encode())
    if order == "reversed":
        found.reverse()
    elif order.startswith("shuffled:"):
        found.sort(key=lambda entry: Digest.of(f"{order}\0{folder}\0{entry[0]}".encode()))
    elif order != "sorted":
        raise ValueError(f"not an order of files: {order}")
    return found


def populate(root: int, tree: BlobRef, blobs: Blobs, *, order: str, time: int) -> None:
    """Write a tree below the open folder ``root``. Raises :class:`Full`, and what the blobs raise."""
    try:
        _folder(root, tree, blobs, order, time, "")
    except ValueError as error:
        raise InvalidTree(f"not a tree: {error}", tree=str(tree)) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Full from error
        raise


def _folder(folder: int, tree: BlobRef, blobs: Blobs, order: str, time: int, path: str) -> None:
    for name, node in ordered(walk(blobs.get(tree)), order, path):
        if isinstance(node, FileNode):
            try:
                _file(folder, name, node, blobs, time)
            except BlobCorrupt as error:
                raise error.naming(f"the input {path}{name}") from error
        elif isinstance(node, LinkNode):
            os.symlink(node.target, name, dir_fd=folder)
            os.utime(name, (time, time), dir_fd=folder, follow_symlinks=False)
        else:
            os.mkdir(name, 0o755, dir_fd=folder)
            below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            try:
                os.fchmod(below, 0o755)
                _folder(below, node, blobs, order, time, f"{path}{name}/")
            finally:
                os.close(below)
    os.utime(folder, (time, time))


def _file(folder: int, name: str, node: FileNode, blobs: Blobs, time: int) -> None:
    mode = 0o755 if node.executable else 0o644
    target = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode, dir_fd=folder)
    try:
        if node.blob.size <= _WHOLE:
            _write(target, blobs.get(node.blob))
        else:
            with blobs.open(node.blob) as stream:
                while piece := stream.read(_PIECE):
                    _write(target, piece)
        os.fchmod(target, mode)  # the driver's umask must not show
        os.utime(target, (time, time))
    finally:
        os.close(target)


def _write(target: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(target, view) :]

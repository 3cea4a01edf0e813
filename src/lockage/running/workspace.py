"""Fills a sandbox's workspace from the blobs, in an order that decides how its folders are listed (tmpfs: by creation).

Invariants: contents are verified by the blobs; modes and times are functions of the tree and the action alone.
"""

from __future__ import annotations

import contextlib
import errno
import os
from operator import itemgetter
from typing import TYPE_CHECKING

import msgspec

from lockage.base.digest import BlobRef, Digest
from lockage.base.instant import ZIP_FLOOR
from lockage.base.tree import FileNode, InvalidTree, LinkNode, walk
from lockage.ports import BlobCorrupt

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lockage.ports import Blobs

__all__ = ["Full", "ordered", "populate", "scatter"]

#: Larger files are copied in pieces.
_WHOLE = 4 << 20
_PIECE = 1 << 20
_Entry = tuple[str, FileNode | LinkNode | BlobRef]
#: Modes of files, of executable ones and of folders: the contract's, those of a shared checkout, and those of a private one.
_MODES = {"plain": (0o644, 0o755, 0o755), "shared": (0o664, 0o775, 0o2775), "private": (0o600, 0o700, 0o700)}
#: How far from the contract's time other times lie, in seconds.
_SPAN = 100 * 86400


class Full(Exception):
    """The inputs alone do not fit into the workspace."""


def ordered(entries: Iterable[_Entry], order: str, folder: str) -> list[_Entry]:
    """Entries of one folder as ``sorted``, ``reversed`` or ``shuffled:SEED`` asks."""
    found = sorted(entries, key=itemgetter(0))  # text sorts by code points, as its bytes in UTF-8 do
    if order == "reversed":
        found.reverse()
    elif order.startswith("shuffled:"):
        found.sort(key=lambda entry: Digest.of(f"{order}\0{folder}\0{entry[0]}".encode()))
    elif order != "sorted":
        raise ValueError(f"not an order of files: {order}")
    return found


class _Looks(msgspec.Struct, frozen=True, kw_only=True):
    """In which order, and with which times and modes, things are written (:class:`lockage.variation.world.World`)."""

    order: str
    epoch: int
    times: str
    modes: str
    #: The bits of modes that this process's umask may take away; the others need not be set once more.
    umask: int

    def time(self, path: str) -> int:
        """Of one path, where they are not fixed. Times go back, or forth where back would be before what a zip file can hold."""
        earliest = self.epoch - _SPAN if self.epoch - _SPAN >= ZIP_FLOOR else self.epoch + 1
        return earliest if self.times == "earlier" else earliest + int(Digest.of(path.encode())[:8], 16) % _SPAN


def populate(
    root: int,
    tree: BlobRef,
    blobs: Blobs,
    *,
    order: str,
    time: int,
    times: str = "fixed",
    modes: str = "plain",
    umask: int = 0o777,
) -> None:
    """Write a tree below the open folder ``root``. Raises :class:`Full`, and what the blobs raise.

    ``umask`` are bits that this process's own may have.
    """
    try:
        _folder(root, tree, blobs, _Looks(order=order, epoch=time, times=times, modes=modes, umask=umask), "")
    except ValueError as error:
        raise InvalidTree(f"not a tree: {error}", tree=str(tree)) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Full from error
        raise


def scatter(folder: int, files: Mapping[str, bytes], *, time: int) -> None:
    """Write small files below the open folder, by path; what ends with a slash is a folder, and what is there already stays."""
    made: list[str] = []
    for path, content in files.items():
        parts = path.split("/")
        for end in range(1, len(parts)):
            above = "/".join(parts[:end])
            with contextlib.suppress(FileExistsError):
                os.mkdir(above, 0o755, dir_fd=folder)
                os.chmod(above, 0o755, dir_fd=folder)  # noqa: S103 (as every folder of a sandbox)
                made.append(above)
        if parts[-1]:
            with contextlib.suppress(FileExistsError):
                target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644, dir_fd=folder)
                try:
                    _write(target, content)
                    os.fchmod(target, 0o644)
                    os.utime(target, (time, time))
                finally:
                    os.close(target)
    for path in reversed(made):
        os.utime(path, (time, time), dir_fd=folder)


def _folder(folder: int, tree: BlobRef, blobs: Blobs, looks: _Looks, path: str) -> None:
    mode = _MODES[looks.modes][2]
    fixed = looks.epoch if looks.times == "fixed" else None
    for name, node in ordered(walk(blobs.get(tree)), looks.order, path):
        time = looks.time(f"{path}{name}") if fixed is None else fixed
        if isinstance(node, FileNode):
            try:
                _file(folder, name, node, blobs, time, _MODES[looks.modes][1 if node.executable else 0], looks.umask)
            except BlobCorrupt as error:
                raise error.naming(f"the input {path}{name}") from error
        elif isinstance(node, LinkNode):
            os.symlink(node.target, name, dir_fd=folder)
            os.utime(name, (time, time), dir_fd=folder, follow_symlinks=False)
        else:
            os.mkdir(name, mode, dir_fd=folder)
            below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            try:
                if mode & (looks.umask | ~0o777):  # mkdir(2) gives no others
                    os.fchmod(below, mode)
                _folder(below, node, blobs, looks, f"{path}{name}/")
            finally:
                os.close(below)
    own = looks.time(path.rstrip("/")) if fixed is None else fixed
    os.utime(folder, (own, own))


def _file(folder: int, name: str, node: FileNode, blobs: Blobs, time: int, mode: int, umask: int) -> None:
    target = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode, dir_fd=folder)
    try:
        if node.blob.size <= _WHOLE:
            _write(target, blobs.get(node.blob))
        else:
            with blobs.open(node.blob) as stream:
                while piece := stream.read(_PIECE):
                    _write(target, piece)
        if mode & umask:  # which must not show
            os.fchmod(target, mode)
        os.utime(target, (time, time))
    finally:
        os.close(target)


def _write(target: int, data: bytes) -> None:
    written = os.write(target, data) if data else 0
    while written < len(data):  # as a rule all of it was taken at once
        written += os.write(target, memoryview(data)[written:])

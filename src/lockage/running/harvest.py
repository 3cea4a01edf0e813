"""Reads declared outputs out of a sandbox that has ended, and keeps them in the blobs.

Invariants: nothing outside the workspace is ever opened, as no symbolic link is followed; what is found is a function
of the workspace alone; either every output is kept or :class:`Unharvestable` says which is not as it should be.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from lockage.base.path import RelPath, link_stays_inside
from lockage.base.tree import Directory, FileNode, LinkNode, Node, Tree
from lockage.base.units import human_size
from lockage.record.result import Exceeded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockage.base.digest import BlobRef
    from lockage.ports import Blobs

__all__ = ["Unharvestable", "harvest"]

#: Files up to this size are kept many at a time; larger ones are streamed.
_SMALL = 1 << 20
_BATCH = 32 << 20
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Unharvestable(Exception):
    """An output is missing or not allowed; ``reason`` is a code of docs/errors.md."""

    def __init__(self, reason: str, message: str, exceeded: Exceeded | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.exceeded = exceeded
        self.message = message


def harvest(workspace: int, outputs: Iterable[RelPath], blobs: Blobs, *, limit: int) -> BlobRef:
    """The tree of the outputs below the open folder; ``limit`` bounds the sum of their sizes, as a sparse file costs no disk."""
    harvester = _Harvester(blobs, limit)
    for output in outputs:
        harvester.output(workspace, output)
    harvester.flush()
    ref, directories = Tree.of(harvester.nodes).encode()
    blobs.put_messages(directories, doubting=True)
    return ref


class _Harvester:
    def __init__(self, blobs: Blobs, limit: int) -> None:
        self.nodes: list[Node] = []
        self._blobs = blobs
        self._left = limit
        self._limit = limit
        self._waiting: list[tuple[RelPath, bytes, bool]] = []
        self._held = 0

    def output(self, workspace: int, path: RelPath) -> None:
        folder, opened = workspace, []
        try:
            for part in path.parts[:-1]:
                folder = _enter(folder, part)
                opened.append(folder)
            self._node(folder, path.name, path)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                raise Unharvestable("output-missing", f"the step did not make its output {path}") from error
            raise
        finally:
            for descriptor in opened:
                os.close(descriptor)

    def flush(self) -> None:
        refs = self._blobs.put_soon([data for _, data, _ in self._waiting])
        self.nodes += [FileNode(path, ref, executable) for (path, _, executable), ref in zip(self._waiting, refs, strict=True)]
        self._waiting.clear()
        self._held = 0

    def _node(self, folder: int, name: str, path: RelPath) -> None:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISREG(status.st_mode):
            self._file(folder, name, path, status)
        elif stat.S_ISDIR(status.st_mode):
            self._folder(folder, name, path)
        elif stat.S_ISLNK(status.st_mode):
            self._link(folder, name, path)
        else:
            kind = "device" if stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode) else "socket or named pipe"
            raise Unharvestable("output-special-file", f"the output {path} is a {kind}; outputs are files, directories and links")

    def _folder(self, folder: int, name: str, path: RelPath) -> None:
        below = _enter(folder, name)
        try:
            names = sorted(os.fsencode(entry) for entry in os.listdir(below))  # noqa: PTH208 (by descriptor)
            if not names:
                self.nodes.append(Directory(path))
            for raw in names:
                self._node(below, os.fsdecode(raw), path.joined(_text(raw, path)))
        finally:
            os.close(below)

    def _link(self, folder: int, name: str, path: RelPath) -> None:
        target = _text(os.readlink(os.fsencode(name), dir_fd=folder), path)
        if not link_stays_inside(path, target):
            raise Unharvestable("output-unsafe-link", f"the output {path} is a link that leads out of the tree, to {target}")
        self.nodes.append(LinkNode(path, target))

    def _file(self, folder: int, name: str, path: RelPath, status: os.stat_result) -> None:
        self._left -= status.st_size
        if self._left < 0:
            exceeded = Exceeded(limit="disk", allowed=self._limit, reached=self._limit - self._left)
            message = f"the outputs up to {path} hold {human_size(exceeded.reached)}, more than the step's disk limit of"
            raise Unharvestable("disk-limit", f"{message} {human_size(self._limit)}", exceeded)
        if not status.st_mode & 0o400:
            os.chmod(name, stat.S_IMODE(status.st_mode) | 0o400, dir_fd=folder)
        executable = bool(status.st_mode & 0o111)
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        if status.st_size > _SMALL:
            with os.fdopen(descriptor, "rb", buffering=0) as stream:
                self.nodes.append(FileNode(path, self._blobs.put_stream(stream), executable))
            return
        try:
            data = os.read(descriptor, status.st_size)  # nothing writes to it any more
            while len(data) < status.st_size and (more := os.read(descriptor, status.st_size - len(data))):
                data += more
        finally:
            os.close(descriptor)
        self._waiting.append((path, data, executable))
        self._held += len(data)
        if self._held > _BATCH:
            self.flush()


def _enter(folder: int, name: str) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=folder)
    except PermissionError:  # a step may take its own permissions away; the folder is ours all the same
        os.chmod(name, 0o700, dir_fd=folder)
        return os.open(name, _FOLDER, dir_fd=folder)


def _text(raw: bytes, near: RelPath) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise Unharvestable("output-bad-name", f"a name or link in the output {near} is not UTF-8: {raw!r}") from error

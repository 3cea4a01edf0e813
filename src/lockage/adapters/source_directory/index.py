"""What a directory held when it was last read: for every file what lstat(2) said of it and its sha256, as git's index has it.

Invariant: a file counts as unchanged only if size, mtime, ctime, inode, device and mode are what they were, and if it was older than
the coarsest time stamp of any file system when it was read. A younger one could be written again within the same tick, and would look
the same (git calls that racily clean: Documentation/technical/racy-git). It is not kept, so the next reading reads it again.
An index saves reading; which bytes a tree has is said by blobs, which are verified whenever they are read.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import msgspec

from lockage.base.digest import BlobRef, Digest

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from lockage.ports import Memo

__all__ = [
    "DIRECTORY_MEMO",
    "NOTHING",
    "Index",
    "SeenFile",
    "SeenFolder",
    "is_settled",
    "read_index",
    "read_seen",
    "write_index",
    "write_seen",
]

#: The meaning of a remembered directory; to be raised when the same files are to become another tree.
DIRECTORY_MEMO = "directory-1"
#: The same of files of a directory that were read by their names.
_SEEN_MEMO = "directory-files-1"
#: Nanoseconds: FAT has the coarsest time stamps, of two seconds; one more for a clock that is read in whole seconds.
_COARSEST = 3_000_000_000


class SeenFile(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A regular file as lstat(2) saw it, and its content."""

    name: str
    size: int
    modified: int
    changed: int
    inode: int
    device: int
    mode: int
    sha256: str

    @classmethod
    def of(cls, name: str, status: os.stat_result, ref: BlobRef) -> SeenFile:
        """A file that was read after lstat(2) gave this."""
        return cls(
            name, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev, status.st_mode, str(ref.digest)
        )

    def is_still(self, status: os.stat_result) -> bool:
        """Whether nothing that lstat(2) can tell has changed."""
        return (
            self.modified == status.st_mtime_ns
            and self.changed == status.st_ctime_ns
            and self.size == status.st_size
            and self.inode == status.st_ino
            and self.device == status.st_dev
            and self.mode == status.st_mode
        )

    @property
    def ref(self) -> BlobRef:
        # What an index holds was a digest when it was written, and the memo is checked as a whole.
        return BlobRef(str.__new__(Digest, self.sha256), self.size)

    @property
    def executable(self) -> bool:
        return bool(self.mode & stat.S_IXUSR)


class SeenFolder(msgspec.Struct, array_like=True, frozen=True):
    """A folder: its files that can be known again, in the order of their names; what else is in it; the blob of its Directory message.

    ``whole`` says that all of its files are here.
    """

    files: tuple[SeenFile, ...]
    links: tuple[tuple[str, str], ...]
    folders: tuple[str, ...]
    sha256: str
    size: int
    whole: bool

    @property
    def ref(self) -> BlobRef:
        return BlobRef(str.__new__(Digest, self.sha256), self.size)


class Index(msgspec.Struct, array_like=True, frozen=True):
    """Every folder by its path below the top, which is ``""``."""

    folders: dict[str, SeenFolder]


NOTHING = Index({})


def is_settled(status: os.stat_result, now: int) -> bool:
    """Whether a file that is read from ``now`` on (seconds) cannot change any more without lstat(2) telling."""
    return max(status.st_mtime_ns, status.st_ctime_ns) + _COARSEST < now * 1_000_000_000


def read_index(memo: Memo, folder: Path) -> Index:
    """What is remembered of a folder; nothing if there is nothing or if it cannot be read."""
    kept = memo.get(DIRECTORY_MEMO, _key(folder))
    try:
        return NOTHING if kept is None else msgspec.msgpack.decode(kept, type=Index)
    except msgspec.MsgspecError:
        return NOTHING  # a memo counts for nothing


def write_index(memo: Memo, folder: Path, index: Index) -> None:
    """Remember a folder."""
    memo.put(DIRECTORY_MEMO, _key(folder), msgspec.msgpack.encode(index))


def read_seen(memo: Memo, folder: Path) -> dict[str, SeenFile]:
    """What is remembered of single files below a folder, by path; nothing if there is nothing or if it cannot be read."""
    kept = memo.get(_SEEN_MEMO, _key(folder))
    try:
        return {} if kept is None else {seen.name: seen for seen in msgspec.msgpack.decode(kept, type=list[SeenFile])}
    except msgspec.MsgspecError:
        return {}  # a memo counts for nothing


def write_seen(memo: Memo, folder: Path, seen: Iterable[SeenFile]) -> None:
    """Remember single files below a folder, whose names are their paths, in the place of those of before."""
    memo.put(_SEEN_MEMO, _key(folder), msgspec.msgpack.encode(list(seen)))


def _key(folder: Path) -> str:
    return os.fsencode(folder).decode("utf-8", "backslashreplace")

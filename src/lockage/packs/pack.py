"""One pack as a file, and how packs are called: by when they were written, so that the names' order is theirs."""

from __future__ import annotations

import os
from bisect import bisect_left
from typing import TYPE_CHECKING

from lockage.packs.form import HEAD, Table, head_of, table_of
from lockage.portable import READ

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Pack", "load", "name_after", "name_of", "pack_name", "stamp_of"]

#: How many digits the first number of a name has: nanoseconds.
_DIGITS = 20
#: So much of a file is read at once; the table of most is in it.
_FIRST = 1 << 14


class Pack:
    """A pack, and its time of change in nanoseconds and its inode as they were when it was read or written."""

    __slots__ = ("facts", "name", "path", "size", "table")

    def __init__(self, folder: str, name: str, table: Table, facts: tuple[int, int]) -> None:
        self.name, self.path, self.table, self.facts, self.size = name, f"{folder}{os.sep}{name}", table, facts, table.end

    def looks(self) -> tuple[int, int] | None:
        """Time of change and inode as they are now; None if there is no file of its size. Raises OSError."""
        try:
            state = os.stat(self.path)  # noqa: PTH116  # asked hundreds of times
        except (FileNotFoundError, NotADirectoryError):
            return None
        return (state.st_mtime_ns, state.st_ino) if state.st_size == self.size else None

    def place(self, digest: str) -> tuple[int, int] | None:
        """Where in the file the bytes of a name begin, and how many they are."""
        names, raw = self.table.names, bytes.fromhex(digest)
        at = bisect_left(range(len(self.table)), raw, key=lambda number: names[32 * number : 32 * number + 32])
        return (self.table.offsets[at], self.table.sizes[at]) if names[32 * at : 32 * at + 32] == raw else None

    def read(self, offset: int, size: int) -> bytes | None:
        """Bytes of it, as many as there are; None if the file is gone. Raises OSError."""
        try:
            handle = os.open(self.path, READ)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            if offset:
                os.lseek(handle, offset, os.SEEK_SET)
            return os.read(handle, size)
        finally:
            os.close(handle)


def load(path: Path) -> Pack:
    """Read a pack's table. Raises ValueError if it is none, and OSError."""
    handle = os.open(path, READ)
    try:
        state = os.fstat(handle)
        data = os.read(handle, _FIRST)
        end = HEAD + head_of(data[:HEAD])
        while len(data) < end <= state.st_size and (more := os.read(handle, end - len(data))):
            data += more
    finally:
        os.close(handle)
    table = table_of(data[:HEAD], data[HEAD:end], state.st_size)
    return Pack(str(path.parent), path.name, table, (state.st_mtime_ns, state.st_ino))


def name_of(stamp: int, turn: int = 0) -> str:
    """A new name, which nobody else gives."""
    return f"{stamp:0{_DIGITS}}-{turn:04}-{os.getpid()}-{os.urandom(4).hex()}"


def name_after(name: str) -> str:
    """A new name that comes after this one, and before those that are given later."""
    return name_of(stamp_of(name), int(name[_DIGITS + 1 :].partition("-")[0]) + 1)


def stamp_of(name: str) -> int:
    """When what has this name was written first."""
    return int(name[:_DIGITS])


def pack_name(name: str) -> bool:
    """Whether a file of this name is a pack."""
    return name[:_DIGITS].isdecimal() and name[_DIGITS : _DIGITS + 1] == "-"

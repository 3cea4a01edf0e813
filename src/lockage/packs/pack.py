"""One pack: its bytes (docs/formats/pack.md), its file, and its name, which says when it was written, so that the names' order is theirs.

The bytes are a line that says what they are, a table with its own sha256, and what the table names. Invariants: the names are sorted; what
they name lies in their order, without gaps, up to the end of the file. What cannot be read as that raises ValueError; what is whole in it
all the same :func:`salvaged` finds, as each name says what its bytes have to be.
"""

from __future__ import annotations

import os
import sys
from array import array
from itertools import accumulate
from typing import TYPE_CHECKING

from lockage.base.digest import sha256
from lockage.portable import READ

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = [
    "HEAD",
    "Pack",
    "Table",
    "encoded",
    "head_of",
    "load",
    "name_after",
    "name_of",
    "pack_name",
    "rows",
    "salvaged",
    "stamp_of",
    "table_of",
]

#: How many digits the first number of a name has: nanoseconds.
_DIGITS = 20
#: So much of a file is read at once; the table of most is in it.
_FIRST = 1 << 14
_MAGIC = b"lockage pack 1\n\n"
_COUNT = 8
_DIGEST = 32
_HEX = 2 * _DIGEST
#: Bytes before the table.
HEAD = len(_MAGIC) + _COUNT + _DIGEST
_ROW = _DIGEST + 8 + 8


class Table:
    """What a pack holds: ``names`` of 32 bytes in a row, and where in the file each begins and how long it is."""

    __slots__ = ("names", "offsets", "sizes")

    def __init__(self, names: bytes, offsets: Sequence[int], sizes: Sequence[int]) -> None:
        self.names, self.offsets, self.sizes = names, offsets, sizes

    def __len__(self) -> int:
        return len(self.offsets)

    @property
    def end(self) -> int:
        """How long the file is."""
        return self.offsets[-1] + self.sizes[-1] if self.offsets else HEAD

    def texts(self) -> list[str]:
        """The names as hex digits."""
        text = self.names.hex()
        return [text[at : at + _HEX] for at in range(0, len(text), _HEX)]


def encoded(items: Mapping[str, bytes]) -> tuple[list[bytes], Table]:
    """A pack of what the names, of hex digits, name; as pieces to be written one after the other."""
    texts = sorted(items)
    parts = [items[text] for text in texts]
    sizes = tuple(map(len, parts))
    begin = HEAD + _ROW * len(parts)
    offsets = tuple(accumulate(sizes[:-1], initial=begin)) if parts else ()
    table = Table(bytes.fromhex("".join(texts)), offsets, sizes)
    body = table.names + _little(array("Q", [*offsets, *sizes])).tobytes()
    count = len(parts).to_bytes(_COUNT, "little")
    return [_MAGIC, count, sha256(count + body), body, *parts], table


def head_of(head: bytes) -> int:
    """How many bytes the table has behind these first ones."""
    if len(head) < HEAD or not head.startswith(_MAGIC):
        raise ValueError("it does not begin as a pack does")
    return _ROW * int.from_bytes(head[len(_MAGIC) : len(_MAGIC) + _COUNT], "little")


def table_of(head: bytes, body: bytes, size: int) -> Table:
    """The table of a file of that size, proven by its sha256."""
    if len(body) != head_of(head) or sha256(head[len(_MAGIC) : len(_MAGIC) + _COUNT] + body) != head[HEAD - _DIGEST : HEAD]:
        raise ValueError("its table does not fit its checksum")
    table = _parsed(body)
    if table.end != size:
        raise ValueError(f"it has {size} bytes, not {table.end}")
    return table


def _parsed(body: bytes) -> Table:
    count = len(body) // _ROW
    numbers = _little(array("Q", body[_DIGEST * count :]))  # of which no object is made for each
    return Table(body[: _DIGEST * count], numbers[:count], numbers[count:])


def salvaged(data: bytes, whole: Callable[[str, bytes], bool]) -> Iterator[tuple[str, bytes | None]]:
    """What a table names that may be damaged, as all else in ``data``: the bytes of each that are ``whole``, None for the others."""
    count = _counted(data)
    if count is None:
        return
    table = _parsed(data[HEAD : HEAD + _ROW * count])
    for name, offset, size in zip(table.texts(), table.offsets, table.sizes, strict=True):
        found = data[offset : offset + size] if offset + size <= len(data) else None
        yield name, found if found is not None and whole(name, found) else None


def _counted(data: bytes) -> int | None:
    """How many rows the table has: as the head says, or, if that is damaged, so many that what comes first begins where they end."""
    said = int.from_bytes(data[len(_MAGIC) : len(_MAGIC) + _COUNT], "little")
    most = max(len(data) - HEAD, 0) // _ROW
    counts: list[int] = [said, *range(1, most + 1)]
    for count in counts:
        at = HEAD + _DIGEST * count
        if count <= most and int.from_bytes(data[at : at + 8], "little") == HEAD + _ROW * count:
            return count
    return said if said <= most else None


def _little(numbers: array[int]) -> array[int]:
    """Numbers of this machine's order in the order of a pack, or the other way round."""
    if sys.byteorder != "little":
        numbers.byteswap()
    return numbers


class Pack:
    """A pack, and its time of change in nanoseconds and its inode as they were when it was read or written."""

    __slots__ = ("facts", "hits", "name", "path", "size", "table")

    def __init__(self, folder: str, name: str, table: Table, facts: tuple[int, int]) -> None:
        self.name, self.path, self.table, self.facts, self.size = name, f"{folder}{os.sep}{name}", table, facts, table.end
        #: How often something was found in its table.
        self.hits = 0

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
        low, high = 0, len(self.table)
        while low < high:
            middle = (low + high) // 2
            if names[32 * middle : 32 * middle + 32] < raw:
                low = middle + 1
            else:
                high = middle
        return (self.table.offsets[low], self.table.sizes[low]) if names[32 * low : 32 * low + 32] == raw else None

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


def rows(pack: Pack, data: bytes) -> Iterator[tuple[str, bytes]]:
    """Each name of a pack and its bytes in ``data``, which is all of it."""
    table = pack.table
    for name, offset, size in zip(table.texts(), table.offsets, table.sizes, strict=True):
        yield name, data[offset : offset + size]

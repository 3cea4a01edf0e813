"""The bytes of a pack (docs/formats/pack.md): a line that says what it is, a table with its own sha256, and what the table names.

Invariants: the names are sorted; what they name lies in their order, without gaps, up to the end of the file. What cannot be read as that
raises ValueError; what is whole in it all the same :func:`salvaged` finds, as each name says what its bytes have to be.
"""

from __future__ import annotations

import struct
from itertools import accumulate
from typing import TYPE_CHECKING

from lockage.base.digest import sha256

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["HEAD", "Table", "encoded", "head_of", "salvaged", "table_of"]

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

    def __init__(self, names: bytes, offsets: tuple[int, ...], sizes: tuple[int, ...]) -> None:
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
    body = table.names + struct.pack(f"<{2 * len(parts)}Q", *offsets, *sizes)
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
    numbers = struct.unpack_from(f"<{2 * count}Q", body, _DIGEST * count)
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

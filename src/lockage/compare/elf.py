"""Where in an ELF file a byte lies: its section, and the symbol that covers it (System V ABI, chapters 4 and 5)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Section", "is_elf", "place_of", "sections"]

_MAGIC = b"\x7fELF"
_SYMTAB, _NOBITS, _DYNSYM = 2, 8, 11
#: A damaged header must not make us walk for ever.
_SECTIONS, _SYMBOLS, _NAME = 10_000, 2_000_000, 200


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """One section header: where its bytes lie in the file and in memory, and which section it refers to."""

    name: str
    kind: int
    address: int
    offset: int
    size: int
    link: int
    entry_size: int


def is_elf(data: bytes) -> bool:
    """Whether the bytes begin as an ELF file does."""
    return data.startswith(_MAGIC) and len(data) > 64 and data[4] in (1, 2) and data[5] in (1, 2)


def sections(data: bytes) -> tuple[Section, ...]:
    """The sections of an ELF file in the order of their headers; empty if its headers do not hold."""
    if not is_elf(data):
        return ()
    order, wide = "<" if data[5] == 1 else ">", data[4] == 2
    try:
        if wide:
            start, size, count, names = (*struct.unpack_from(f"{order}Q", data, 40), *struct.unpack_from(f"{order}HHH", data, 58))
        else:
            start, size, count, names = (*struct.unpack_from(f"{order}I", data, 32), *struct.unpack_from(f"{order}HHH", data, 46))
        form = f"{order}IIQQQQIIQQ" if wide else f"{order}IIIIIIIIII"
        rows = [struct.unpack_from(form, data, start + number * size) for number in range(min(count, _SECTIONS))] if start else []
        table = rows[names][4] if names < len(rows) else 0
        return tuple(
            Section(
                name=_text(data, table + row[0]) if table else "",
                kind=row[1],
                address=row[3],
                offset=row[4],
                size=row[5],
                link=row[6],
                entry_size=row[9],
            )
            for row in rows
        )
    except (struct.error, OverflowError):
        return ()


def place_of(data: bytes, offset: int) -> str:
    """The section that a byte of the file lies in, with the symbol that covers it if there is one; empty if there is no section."""
    found = sections(data)
    inside = next((each for each in found if each.kind not in (0, _NOBITS) and each.offset <= offset < each.offset + each.size), None)
    if inside is None:
        return ""
    if not inside.address:
        return inside.name
    address = inside.address + offset - inside.offset
    name = next((name for start, size, name in _symbols(data, found) if start <= address < start + size), "")
    return f"{inside.name}, {name}" if name else inside.name


def _symbols(data: bytes, found: tuple[Section, ...]) -> Iterator[tuple[int, int, str]]:
    """Address, size and name of every symbol that has a size, those of the full table first."""
    order, wide = "<" if data[5] == 1 else ">", data[4] == 2
    form = f"{order}IBBHQQ" if wide else f"{order}IIIBBH"
    for table in sorted((each for each in found if each.kind in (_SYMTAB, _DYNSYM)), key=lambda each: each.kind):
        if table.entry_size != struct.calcsize(form) or table.link >= len(found):
            continue
        names = found[table.link].offset
        stop = min(table.offset + table.size, len(data), table.offset + _SYMBOLS * table.entry_size)
        whole = data[table.offset : table.offset + (stop - table.offset) // table.entry_size * table.entry_size]
        for row in struct.iter_unpack(form, whole):
            address, size = (row[4], row[5]) if wide else (row[1], row[2])
            if size:
                yield address, size, _text(data, names + row[0])


def _text(data: bytes, offset: int) -> str:
    end = data.find(b"\0", offset, offset + _NAME)
    return data[offset : end if end >= 0 else offset + _NAME].decode(errors="replace")

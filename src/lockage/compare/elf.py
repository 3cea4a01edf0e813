"""Reads ELF files: sections, symbols, the dynamic section, and where a byte lies (System V ABI, chapters 4 and 5).

Invariant: nothing here raises for what the bytes are; what cannot be read is not there.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["NOBITS", "Elf", "Section", "Symbol", "is_elf", "place_of", "sections"]

_MAGIC = b"\x7fELF"
_SYMTAB, NOBITS, _DYNSYM = 2, 8, 11
_DYNAMIC, _NOTE = 6, 7
#: Kinds of symbols that name no place in the program: sections and source files.
_NAMELESS = (3, 4)
_THREAD_LOCAL = 6
#: So many symbols that begin before an address may end before it, and one before them still cover it.
_OVERLAPPING = 16
#: A damaged header must not make us walk for ever.
_SECTIONS, _SYMBOLS, _NAME, _ENTRIES = 10_000, 2_000_000, 4096, 100_000


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """One section header: where its bytes lie in the file and in memory, and which section it refers to."""

    name: str
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    entry_size: int


class Symbol(msgspec.Struct, frozen=True):
    """One symbol: its address and size, the number of its section (0: it is defined elsewhere), binding and kind in ``info``."""

    name: str
    address: int
    size: int
    section: int
    info: int


def is_elf(data: bytes) -> bool:
    """Whether the bytes begin as an ELF file does."""
    return data.startswith(_MAGIC) and len(data) > 64 and data[4] in (1, 2) and data[5] in (1, 2)


def sections(data: bytes) -> tuple[Section, ...]:
    """The sections of an ELF file in the order of their headers; empty if its headers do not hold."""
    return Elf(data).sections if is_elf(data) else ()


def place_of(data: bytes, offset: int) -> str:
    """Where a byte of the file lies; empty if that is no section of an ELF file."""
    return Elf(data).place(offset) if is_elf(data) else ""


class Elf:
    """An ELF file of either width and byte order; what is asked for is read then, and once."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.order, self.wide = "<" if data[5] == 1 else ">", data[4] == 2

    def share(self, other: Elf) -> None:
        """Have the symbols of another file, which must have the same tables: they need not be read twice."""
        self.symbols, self._placed = other.symbols, other._placed

    def header(self) -> dict[str, str]:
        """What the file header says of the whole file."""
        kind, machine = struct.unpack_from(f"{self.order}HH", self.data, 16)
        entry = self._number(24)
        (flags,) = struct.unpack_from(f"{self.order}I", self.data, 48 if self.wide else 36)
        width = f"{64 if self.wide else 32}-bit, {'little' if self.order == '<' else 'big'} endian"
        found = {"class": width, "type": str(kind), "machine": str(machine), "flags": hex(flags), "entry point": hex(entry)}
        return found | {"system": str(self.data[7]), "version of the system": str(self.data[8])}

    def _number(self, at: int) -> int:
        found: int = struct.unpack_from(f"{self.order}{'Q' if self.wide else 'I'}", self.data, at)[0]
        return found

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        data, order = self.data, self.order
        try:
            start = self._number(40 if self.wide else 32)
            size, count, names = struct.unpack_from(f"{order}HHH", data, 58 if self.wide else 46)
            form = f"{order}IIQQQQIIQQ" if self.wide else f"{order}IIIIIIIIII"
            rows = [struct.unpack_from(form, data, start + number * size) for number in range(min(count, _SECTIONS))] if start else []
            table = rows[names][4] if names < len(rows) else 0
            return tuple(
                Section(
                    name=_text(data, table + row[0]) if table else "",
                    kind=row[1],
                    flags=row[2],
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

    def content(self, section: Section) -> bytes:
        """The bytes of a section; none for one that has none in the file."""
        return b"" if section.kind == NOBITS else self.data[section.offset : section.offset + section.size]

    @cached_property
    def symbols(self) -> tuple[Symbol, ...]:
        """The symbols of the full table; of the dynamic one, if the file was stripped."""
        tables = [each for each in self.sections if each.kind in (_SYMTAB, _DYNSYM)]
        return tuple(symbol for table in sorted(tables, key=lambda each: each.kind)[:1] for symbol in self._table(table))

    def _table(self, table: Section) -> Iterator[Symbol]:
        form = f"{self.order}IBBHQQ" if self.wide else f"{self.order}IIIBBH"
        size = struct.calcsize(form)
        if table.entry_size != size or table.link >= len(self.sections):
            return
        names = self.sections[table.link].offset
        stop = min(table.offset + table.size, len(self.data), table.offset + _SYMBOLS * size)
        whole = self.data[table.offset : table.offset + max(stop - table.offset, 0) // size * size]
        for row in struct.iter_unpack(form, whole):
            name, info, section, address, extent = (
                (row[0], row[1], row[3], row[4], row[5]) if self.wide else (row[0], row[3], row[5], row[1], row[2])
            )
            if name and info & 15 not in _NAMELESS:
                yield Symbol(_text(self.data, names + name), address, extent, section, info)

    @cached_property
    def _placed(self) -> dict[int, tuple[list[int], list[Symbol]]]:
        """By section its symbols and their addresses, the longest of one address last. Thread-local ones have no place in the file."""
        found: dict[int, list[Symbol]] = {}
        for symbol in self.symbols:
            if symbol.section and symbol.info & 15 != _THREAD_LOCAL:
                found.setdefault(symbol.section, []).append(symbol)
        for placed in found.values():
            placed.sort(key=lambda each: (each.address, each.size))
        return {section: ([each.address for each in placed], placed) for section, placed in found.items()}

    @cached_property
    def dynamic(self) -> tuple[tuple[int, str], ...]:
        """The entries of the dynamic section, by tag; those that name something (tags 1, 14, 15, 29) with their text."""
        section = next((each for each in self.sections if each.kind == _DYNAMIC), None)
        if section is None or section.link >= len(self.sections):
            return ()
        names = self.sections[section.link].offset
        found: list[tuple[int, str]] = []
        form = f"{self.order}{'QQ' if self.wide else 'II'}"
        data = self.content(section)
        for tag, value in struct.iter_unpack(form, data[: len(data) // struct.calcsize(form) * struct.calcsize(form)]):
            if tag == 0 or len(found) > _ENTRIES:
                break
            found.append((tag, _text(self.data, names + value) if tag in (1, 14, 15, 29) else hex(value)))
        return tuple(found)

    def notes(self) -> dict[str, str]:
        """Every note as owner and kind, with its content in hex; the build-id is GNU's kind 3."""
        found: dict[str, str] = {}
        for section in self.sections:
            data, at = self.content(section) if section.kind == _NOTE else b"", 0
            while at + 12 <= len(data) and len(found) < 100:
                owner_size, size, kind = struct.unpack_from(f"{self.order}III", data, at)
                body = at + 12 + -(-owner_size // 4) * 4
                owner = data[at + 12 : at + 12 + owner_size].rstrip(b"\0").decode(errors="replace")
                found[f"{owner} note {kind}" if (owner, kind) != ("GNU", 3) else "build-id"] = data[body : body + size].hex()
                at = body + -(-size // 4) * 4
        return found

    def place(self, offset: int) -> str:
        """The section that a byte lies in, and the symbol that covers it with the distance from its beginning.

        Where none covers it, the nearest before it in the same section, as ``near``. Empty if there is no section.
        """
        sections = enumerate(self.sections)
        inside = ((n, each) for n, each in sections if each.kind not in (0, NOBITS) and each.offset <= offset < each.offset + each.size)
        number, section = next(inside, (0, None))
        if section is None:
            return ""
        address = section.address + offset - section.offset
        starts, placed = self._placed.get(number, ([], []))
        index = bisect_right(starts, address)
        for symbol in reversed(placed[max(index - _OVERLAPPING, 0) : index]):
            if symbol.address <= address < symbol.address + symbol.size:
                return f"{section.name}, {symbol.name}+{hex(address - symbol.address)}"
        if index:
            return f"{section.name}, near {placed[index - 1].name}+{hex(address - placed[index - 1].address)}"
        return section.name


def _text(data: bytes, offset: int) -> str:
    end = data.find(b"\0", offset, offset + _NAME)
    return data[offset : end if end >= 0 else offset + _NAME].decode(errors="replace")

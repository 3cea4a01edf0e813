"""Places in ELF files: of a real compiler's output, of both widths and byte orders, and of what only claims to be one."""

from __future__ import annotations

import struct

import pytest

from lockage.compare.elf import is_elf, place_of, sections


def elf(*, wide: bool = True, little: bool = True, text: bytes = b"CODE" * 8, name: bytes = b"main") -> bytes:
    """A minimal ELF file: .text at address 0x1000 with one symbol over its first 16 bytes, .note without an address."""
    order = "<" if little else ">"
    strings = b"\0.text\0.note\0.symtab\0.strtab\0"
    names = {each: strings.index(each) for each in (b".text", b".note", b".symtab", b".strtab")}
    symbol_names = b"\0" + name + b"\0"
    form = f"{order}IBBHQQ" if wide else f"{order}IIIBBH"
    symbol = struct.pack(form, 1, 0x12, 0, 1, 0x1000, 16) if wide else struct.pack(form, 1, 0x1000, 16, 0x12, 0, 1)
    symbols = bytes(len(symbol)) + symbol
    head = 64 if wide else 52
    parts = [text, b"note", symbols, symbol_names, strings]
    offsets = [head + sum(map(len, parts[:index])) for index in range(len(parts))]
    header = struct.Struct(f"{order}IIQQQQIIQQ" if wide else f"{order}IIIIIIIIII")
    rows = [
        (0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
        (names[b".text"], 1, 6, 0x1000, offsets[0], len(parts[0]), 0, 0, 4, 0),
        (names[b".note"], 7, 0, 0, offsets[1], len(parts[1]), 0, 0, 1, 0),
        (names[b".symtab"], 2, 0, 0, offsets[2], len(parts[2]), 4, 0, 8, len(symbol)),
        (names[b".strtab"], 3, 0, 0, offsets[3], len(parts[3]), 0, 0, 1, 0),
        (names[b".strtab"], 3, 0, 0, offsets[4], len(parts[4]), 0, 0, 1, 0),
    ]
    table = head + sum(map(len, parts))
    ident = b"\x7fELF" + bytes((2 if wide else 1, 1 if little else 2, 1)) + bytes(9)
    tail = (header.size, len(rows), 5)
    start = struct.pack(f"{order}HHIQQQIHHHHHH", 3, 62, 1, 0, 0, table, 0, 64, 0, 0, *tail) if wide else b""
    start = start or struct.pack(f"{order}HHIIIIIHHHHHH", 3, 3, 1, 0, 0, table, 0, 52, 0, 0, *tail)
    return ident + start + b"".join(parts) + b"".join(header.pack(*row) for row in rows)


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("little", [True, False])
def test_a_byte_lies_in_a_section_and_a_symbol(wide: bool, little: bool) -> None:
    data = elf(wide=wide, little=little)
    assert [section.name for section in sections(data)] == ["", ".text", ".note", ".symtab", ".strtab", ".strtab"]
    assert place_of(data, data.index(b"CODE") + 15) == ".text, main+0xf"
    assert place_of(data, data.index(b"CODE") + 16) == ".text, near main+0x10"
    assert place_of(data, data.index(b"note")) == ".note"
    assert place_of(data, 8) == ""


@pytest.mark.parametrize("cut", range(1, 400, 13))
def test_what_is_cut_off_has_no_places(cut: int) -> None:
    data = elf()[:-cut]
    assert place_of(data, min(70, len(data))) in ("", ".text, main+0x6", ".text")


def test_what_is_none() -> None:
    assert not is_elf(b"\x7fELF")
    assert sections(b"\x7fELF" + b"\xff" * 100) == ()
    assert place_of(b"text " * 40, 3) == ""


def test_every_header_may_lie() -> None:
    data = elf()
    for at in range(len(data)):
        place_of(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :], 70)

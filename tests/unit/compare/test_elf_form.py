"""What is told of two ELF files, of both widths and byte orders, made here section by section; and of damaged ones."""

from __future__ import annotations

import struct

import pytest

from lockage.compare.elf_form import compare_elf

#: Kinds of sections: program bits, symbols, names, dynamic entries, notes, no bits.
BITS, SYMTAB, STRTAB, DYNAMIC, NOTE, NOBITS = 1, 2, 3, 6, 7, 8


class Maker:
    """Puts an ELF file together; sections are numbered from 1 in the order in which they are added."""

    def __init__(self, *, wide: bool = True, little: bool = True) -> None:
        self.wide, self.order = wide, "<" if little else ">"
        self.rows: list[tuple[str, int, int, bytes, int, int]] = []

    def add(self, name: str, kind: int, data: bytes, *, address: int = 0, link: int = 0, entry: int = 0) -> int:
        self.rows.append((name, kind, address, data, link, entry))
        return len(self.rows)

    def pack(self, wide: str, narrow: str, *values: int) -> bytes:
        return struct.pack(self.order + (wide if self.wide else narrow), *values)

    def symbols(self, *found: tuple[str, int, int]) -> None:
        """Functions of section 1: name, address, size."""
        names = b"\0" + b"".join(name.encode() + b"\0" for name, _, _ in found)
        table = bytes(24 if self.wide else 16)
        for name, address, size in found:
            at = names.index(name.encode() + b"\0")
            table += (
                self.pack("IBBHQQ", "", at, 0x12, 0, 1, address, size)
                if self.wide
                else struct.pack(f"{self.order}IIIBBH", at, address, size, 0x12, 0, 1)
            )
        self.add(".symtab", SYMTAB, table, link=len(self.rows) + 2, entry=24 if self.wide else 16)
        self.add(".strtab", STRTAB, names)

    def dynamic(self, *entries: tuple[int, str]) -> None:
        names = b"\0" + b"".join(text.encode() + b"\0" for _, text in entries)
        table = b"".join(self.pack("QQ", "II", tag, names.index(text.encode() + b"\0")) for tag, text in entries)
        self.add(".dynamic", DYNAMIC, table + self.pack("QQ", "II", 0, 0), link=len(self.rows) + 2)
        self.add(".dynstr", STRTAB, names)

    def note(self, build_id: bytes) -> None:
        self.add(".note.gnu.build-id", NOTE, struct.pack(f"{self.order}III", 4, len(build_id), 3) + b"GNU\0" + build_id)

    def made(self) -> bytes:
        names = b"\0" + b"".join(row[0].encode() + b"\0" for row in self.rows) + b".shstrtab\0"
        rows = [*self.rows, (".shstrtab", STRTAB, 0, names, 0, 0)]
        at = 64 if self.wide else 52
        headers = bytes(64 if self.wide else 40)
        body = b""
        for name, kind, address, data, link, entry in rows:
            where = (names.index(b"\0" + name.encode() + b"\0") + 1, kind, 0, address, at + len(body), len(data), link, 0, 1, entry)
            headers += self.pack("IIQQQQIIQQ", "IIIIIIIIII", *where)
            body += b"" if kind == NOBITS else data
        ident = b"\x7fELF" + bytes((2 if self.wide else 1, 1 if self.order == "<" else 2, 1)) + bytes(9)
        table, size = at + len(body), 64 if self.wide else 40
        head = self.pack("HHIQQQIHHHHHH", "HHIIIIIHHHHHH", 3, 62, 1, 0, 0, table, 0, at, 0, 0, size, len(rows) + 1, len(rows))
        return ident + head + body + headers


def library(code: bytes = b"CODE" * 16, *, wide: bool = True, little: bool = True, path: str = "/old", build: bytes = b"1234") -> bytes:
    maker = Maker(wide=wide, little=little)
    maker.add(".text", BITS, code, address=0x1000)
    maker.symbols(("first", 0x1000, 16), ("second", 0x1010, 32))
    maker.dynamic((1, "libc.so.6"), (14, "libx.so"), (29, path))
    maker.note(build)
    maker.add(".comment", BITS, b"GCC 12\0")
    maker.add(".bss", NOBITS, bytes(64), address=0x2000)
    return maker.made()


def told(a: bytes, b: bytes) -> dict[tuple[str, str], tuple[str | None, str | None]]:
    return {(detail.kind, detail.name): (detail.a, detail.b) for detail in compare_elf(a, b).details}


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("little", [True, False])
def test_a_byte_has_a_section_a_symbol_and_both_values(wide: bool, little: bool) -> None:
    code = b"CODE" * 16
    found = compare_elf(library(code, wide=wide, little=little), library(code[:20] + b"!" + code[21:], wide=wide, little=little))
    assert found.ranges is not None
    (span,) = found.ranges.spans
    assert (span.place, span.a, span.b, span.offset) == (".text, second+0x4", "43", "21", (64 if wide else 52) + 20)
    assert [(detail.kind, detail.name) for detail in found.details] == [("section", ".text")]
    assert found.details[0].a == "1 of 64 bytes differ, in 1 ranges, from 0x14 on, second+0x4"


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("little", [True, False])
def test_paths_and_ids(wide: bool, little: bool) -> None:
    found = told(library(wide=wide, little=little), library(wide=wide, little=little, path="/new", build=b"5678"))
    assert found["RUNPATH", "/old"] == ("present", None)
    assert found["RUNPATH", "/new"] == (None, "present")
    assert found["note", "build-id"] == (b"1234".hex(), b"5678".hex())
    assert found["text in .dynstr", "/new"] == (None, "present")


def test_sections_and_symbols_of_one_side() -> None:
    one, two = Maker(), Maker()
    for maker in (one, two):
        maker.add(".text", BITS, b"CODE" * 16, address=0x1000)
    one.symbols(("both", 0x1000, 16), ("gone", 0x1010, 8))
    two.symbols(("both", 0x1000, 32), ("come", 0x1020, 8))
    two.add(".debug_str", BITS, b"/home/me\0")
    found = told(one.made(), two.made())
    assert found["section", ".debug_str"] == (None, "9 bytes")
    assert found["symbol", "both"] == ("global function, 16 bytes", "global function, 32 bytes")
    assert found["symbol", "gone"] == ("global function, 8 bytes", None)
    assert found["symbol", "come"] == (None, "global function, 8 bytes")


def test_symbols_that_only_moved() -> None:
    one, two = Maker(), Maker()
    for maker, at in ((one, 0x1000), (two, 0x1010)):
        maker.add(".text", BITS, b"CODE" * 16, address=0x1000)
        maker.symbols(("f", at, 16))
    assert told(one.made(), two.made())["symbol", "f"] == ("at 0x1000", "at 0x1010")


def test_a_section_that_grew_does_not_hide_the_others() -> None:
    one, two = Maker(), Maker()
    for maker, text, data in ((one, b"short", b"DATA1"), (two, b"much longer", b"DATA2")):
        maker.add(".rodata", BITS, text, address=0x1000)
        maker.add(".data", BITS, data, address=0x3000)
    found = compare_elf(one.made(), two.made())
    details = {(detail.kind, detail.name): (detail.a, detail.b) for detail in found.details}
    assert details["section", ".rodata"] == ("5 bytes", "11 bytes")
    assert (details["section", ".data"][0] or "").startswith("1 of 5 bytes differ")
    assert found.ranges is not None
    assert [span.place for span in found.ranges.spans][:2] == [".rodata", ".data"]


def test_every_header_may_lie() -> None:
    from lockage.compare.budget import Budget, Nesting
    from lockage.compare.forms import inspect

    nesting = Nesting(0, Budget())
    data = library()
    for at in range(len(data)):
        for value in (0xFF, 0x00):
            inspect("x.so", data, data[:at] + bytes([value]) + data[at + 1 :], nesting=nesting)
        inspect("x.so", data, data[:at], nesting=nesting)

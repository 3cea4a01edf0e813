"""How two ELF files differ: header, sections, symbols, libraries, paths, notes and the texts they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.compare.content import Ranges, ranges_of
from lockage.compare.difference import Detail
from lockage.compare.elf import NOBITS, Elf
from lockage.compare.finding import Finding, fields_differing, sets_differing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockage.compare.elf import Section, Symbol

__all__ = ["compare_elf"]

#: Tags of the dynamic section that name something, and the two that say how it is linked (System V ABI, figure 5-10).
_TAGS = {1: "needed library", 14: "soname", 15: "RPATH", 29: "RUNPATH", 30: "flags", 0x6FFFFFFB: "flags 1"}
#: Sections of texts, each ended by a NUL.
_TEXTS = (".comment", ".interp", ".dynstr", ".strtab", ".shstrtab", ".debug_str", ".debug_line_str", ".gnu_debuglink")
_TEXT_LIMIT = 1 << 24
_SPANS = 16
#: Kinds of sections that symbols and their names are in.
_SYMBOLS = (2, 3, 11)
#: The kind of sections that are code or data, and those of them that only describe others.
_PROGRAM, _TABLES = 1, (".eh_frame", ".plt", ".debug")


def compare_elf(a: bytes, b: bytes) -> Finding:
    """The structural difference of two ELF files, the most telling first."""
    one, two = Elf(a), Elf(b)
    if _tables(one) == _tables(two):
        two.share(one)
    details = [*fields_differing("header", one.header(), two.header())]
    details += _dynamic(one, two)
    details += fields_differing("note", one.notes(), two.notes())
    details += _sections(one, two)
    details += _symbols(one, two)
    details += _texts(one, two)
    laid_out = [[(each.name, each.offset, each.size) for each in side.sections] for side in (one, two)]
    if laid_out[0] == laid_out[1] and len(a) == len(b):
        ranges = ranges_of(a, b, place=lambda offset: two.place(offset) or one.place(offset))
        return Finding(form="ELF", details=tuple(details), ranges=ranges)
    moved = _by_section(one, two)
    return Finding(form="ELF", details=tuple(details), ranges=moved if moved.count else ranges_of(a, b, place=one.place))


def _tables(elf: Elf) -> list[tuple[Section, bytes]]:
    """What places are named by: the sections as they lie, and what the tables of symbols and names hold."""
    return [(each, elf.content(each) if each.kind in _SYMBOLS else b"") for each in elf.sections]


def _named(elf: Elf) -> dict[str, Section]:
    found: dict[str, Section] = {}
    for section in elf.sections:
        if section.kind:
            name, number = section.name or "(without a name)", 2
            while name in found:
                name, number = f"{section.name} ({number})", number + 1
            found[name] = section
    return found


def _sections(one: Elf, two: Elf) -> Iterator[Detail]:
    in_a, in_b = _named(one), _named(two)
    for name in dict.fromkeys((*in_a, *in_b)):
        a, b = in_a.get(name), in_b.get(name)
        if a is None or b is None:
            yield Detail(kind="section", name=name, a=_size(a), b=_size(b))
            continue
        mine, others = one.content(a), two.content(b)
        if a.size != b.size:
            yield Detail(kind="section", name=name, a=_size(a), b=_size(b))
        elif mine != others:
            ranges = ranges_of(mine, others, listed=1)
            at = ranges.spans[0].offset
            said = f"{ranges.differing} of {a.size} bytes differ, in {ranges.count} ranges, from {hex(at)} on"
            places = one.place(a.offset + at).removeprefix(a.name), two.place(b.offset + at).removeprefix(b.name)
            yield Detail(kind="section", name=name, a=said + places[0], b=said + places[1])
        if (a.kind, a.flags) != (b.kind, b.flags):
            yield Detail(kind="section", name=name, a=f"type {a.kind}, flags {hex(a.flags)}", b=f"type {b.kind}, flags {hex(b.flags)}")
    if [name for name in in_a if name in in_b] != [name for name in in_b if name in in_a]:
        yield Detail(kind="section", name="", a="the same sections", b="in another order")


def _size(section: Section | None) -> str | None:
    return None if section is None else f"{section.size} bytes" + (" of zeros" if section.kind == NOBITS else "")


def _symbols(one: Elf, two: Elf) -> Iterator[Detail]:
    """Symbols of one side only, and of other sizes; other addresses only if all sizes are the same, else they follow."""
    in_a, in_b = ({symbol.name: symbol for symbol in elf.symbols} for elf in (one, two))
    resized = False
    for name in dict.fromkeys((*in_a, *in_b)):
        a, b = in_a.get(name), in_b.get(name)
        if a is None or b is None or (a.size, a.info, not a.section) != (b.size, b.info, not b.section):
            resized = True
            yield Detail(kind="symbol", name=name, a=_described(a), b=_described(b))
    if not resized:
        for name, a in in_a.items():
            b = in_b[name]
            if a.address != b.address:
                yield Detail(kind="symbol", name=name, a=f"at {hex(a.address)}", b=f"at {hex(b.address)}")


def _described(symbol: Symbol | None) -> str | None:
    if symbol is None:
        return None
    binding = {0: "local", 1: "global", 2: "weak"}.get(symbol.info >> 4, f"binding {symbol.info >> 4}")
    kind = {0: "untyped", 1: "object", 2: "function", 6: "thread-local"}.get(symbol.info & 15, f"type {symbol.info & 15}")
    return f"{binding} {kind}, " + (f"{symbol.size} bytes" if symbol.section else "defined elsewhere")


def _dynamic(one: Elf, two: Elf) -> Iterator[Detail]:
    for tag, name in _TAGS.items():
        a, b = ([text for each, text in elf.dynamic if each == tag] for elf in (one, two))
        if a != b:
            yield from sets_differing(name, a, b)
            if sorted(a) == sorted(b):
                yield Detail(kind=name, name="order", a=", ".join(a), b=", ".join(b))


def _texts(one: Elf, two: Elf) -> Iterator[Detail]:
    in_a, in_b = _named(one), _named(two)
    for name in _TEXTS:
        a, b = in_a.get(name), in_b.get(name)
        if a is None or b is None or max(a.size, b.size) > _TEXT_LIMIT or a.flags & 0x800 or b.flags & 0x800:  # compressed
            continue
        mine, others = one.content(a), two.content(b)
        if mine != others:
            yield from sets_differing(f"text in {name}", _split(mine), _split(others))


def _split(data: bytes) -> list[str]:
    return [text.decode(errors="replace") for text in data.split(b"\0") if text]


def _by_section(one: Elf, two: Elf) -> Ranges:
    """The ranges within sections of one name, where sections have moved, code and data first: offsets are those in a."""
    in_a, in_b = _named(one), _named(two)
    found: list[Ranges] = []
    for name, a in sorted(in_a.items(), key=lambda item: item[1].kind != _PROGRAM or item[0].startswith(_TABLES)):
        b = in_b.get(name)
        if b is not None and (mine := one.content(a)) != (others := two.content(b)):
            found.append(ranges_of(mine, others, place=one.place, base=a.offset))
    spans = tuple(span for ranges in found for span in ranges.spans)
    return Ranges(spans=spans[:_SPANS], count=sum(each.count for each in found), differing=sum(each.differing for each in found))

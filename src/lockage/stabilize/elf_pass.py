"""The pass `elf`, off unless it is asked for: random folder names in RPATH and debug sections, and the build id that follows from them.

Flags are the better way: `-ffile-prefix-map`, `-Wl,-rpath` with `$ORIGIN`, `-Wl,--build-id=sha1` and a fixed build path leave nothing
to edit. Every edit is of the same length, so that nothing moves.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from lockage.base.digest import Digest
from lockage.stabilize.errors import MalformedArchive, Unhandled
from lockage.stabilize.places import RANDOM_FOLDER

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator

    from lockage.stabilize.job import Job

__all__ = ["stabilize_elf"]

#: System V ABI, "Sections", "Dynamic Section" and "Note Section".
_NOTE, _NOBITS, _DYNAMIC = 7, 8, 6
_RPATH, _RUNPATH = 15, 29
_COMPRESSED = 0x800
_BUILD_ID = 3
_DEBUG = (b".debug_str", b".debug_line_str", b".debug_line", b".debug_info", b".debug_macro")


class _Section:
    __slots__ = ("flags", "kind", "link", "name", "size", "start")

    def __init__(self, name: bytes, kind: int, flags: int, start: int, size: int, link: int) -> None:
        self.name, self.kind, self.flags, self.start, self.size, self.link = name, kind, flags, start, size, link


def stabilize_elf(data: bytes, job: Job) -> bytes:
    """An ELF file without random folder names, its build id made from its bytes. Raises :class:`MalformedArchive`."""
    order = {1: "<", 2: ">"}.get(data[5] if len(data) > 5 else 0)
    if order is None or data[4] not in (1, 2):
        raise Unhandled("an ELF file of unknown class or byte order")
    wide = data[4] == 2
    out = bytearray(data)
    try:
        sections = _sections(data, order, wide)
        for section in sections:
            if section.name in _DEBUG and not section.flags & _COMPRESSED:
                _mask(out, section.start, section.start + section.size, section.name.decode(), job)
        for field, start, stop in _search_paths(data, sections, order, wide):
            _mask(out, start, stop, field, job)
        _identify(out, sections, order, job)
    except (struct.error, IndexError) as error:
        raise MalformedArchive("an ELF file is cut short or damaged") from error
    return bytes(out)


def _sections(data: bytes, order: str, wide: bool) -> list[_Section]:
    if wide:
        (start,), (size, count, names) = struct.unpack_from(f"{order}Q", data, 40), struct.unpack_from(f"{order}3H", data, 58)
    else:
        (start,), (size, count, names) = struct.unpack_from(f"{order}L", data, 32), struct.unpack_from(f"{order}3H", data, 46)
    heads = []
    for number in range(count if start else 0):
        form = f"{order}2L4Q2L" if wide else f"{order}8L"
        name, kind, flags, _, at, length, link, _ = struct.unpack_from(form, data, start + number * size)
        if kind != _NOBITS and at + length > len(data):
            raise MalformedArchive("an ELF file is cut short: a section lies behind its end")
        heads.append((name, kind, flags, at, length, link))
    texts = data[heads[names][3] : heads[names][3] + heads[names][4]] if heads else b""
    return [_Section(texts[name : texts.find(b"\0", name)], *rest) for name, *rest in heads]


def _mask(out: bytearray, start: int, stop: int, field: str, job: Job) -> None:
    """Zeros for the random part of every temporary folder's name between the two places."""

    def masked(found: re.Match[bytes]) -> bytes:
        place = found.start(found.lastindex or 0) - found.start()
        size = len(found[found.lastindex or 0])
        after = found[0][:place] + b"0" * size + found[0][place + size :]
        job.change("", field, found[0].decode("ascii", "replace"), after.decode("ascii", "replace"))
        return after

    out[start:stop] = RANDOM_FOLDER.sub(masked, bytes(out[start:stop]))


def _search_paths(data: bytes, sections: list[_Section], order: str, wide: bool) -> Iterator[tuple[str, int, int]]:
    """Where the texts of RPATH and RUNPATH lie, their ends included."""
    for section in sections:
        if section.kind != _DYNAMIC:
            continue
        form = f"{order}2Q" if wide else f"{order}2L"
        texts = sections[section.link]
        for at in range(section.start, section.start + section.size, struct.calcsize(form)):
            tag, value = struct.unpack_from(form, data, at)
            if tag in (_RPATH, _RUNPATH):
                start = texts.start + value
                yield "RPATH" if tag == _RPATH else "RUNPATH", start, data.find(b"\0", start) + 1


def _identify(out: bytearray, sections: list[_Section], order: str, job: Job) -> None:
    """The build id becomes a digest of the file without it, as long as it was."""
    for section in sections:
        if section.kind != _NOTE or section.name != b".note.gnu.build-id":
            continue
        name_size, size, kind = struct.unpack_from(f"{order}3L", out, section.start)
        start = section.start + 12 + -(-name_size // 4) * 4
        if kind != _BUILD_ID or not 8 <= size <= 32 or start + size > section.start + section.size:
            continue
        before = bytes(out[start : start + size])
        out[start : start + size] = bytes(size)
        after = Digest.of(bytes(out)).raw[:size]
        out[start : start + size] = after
        job.change("", "build id", before.hex(), after.hex())

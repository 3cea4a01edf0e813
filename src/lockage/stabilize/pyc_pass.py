"""The pass `pyc`: compiled Python of CPython 3.8 to 3.14.

Whether an object in a marshalled stream is marked as one that may be referred to depends on how many references it had while it was
written. The mark stays only where something refers to it, and the references are renumbered: the same places, the same size,
and what is loaded has the same values that are the same objects.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.stabilize.errors import MalformedArchive, Unhandled
from lockage.stabilize.model import DATE

if TYPE_CHECKING:
    from lockage.base.instant import Instant
    from lockage.stabilize.job import Job

__all__ = ["stabilize_pyc"]

#: Magic number, flags, and the source's time and size or its hash (PEP 552).
_HEADER = 16
#: CPython's magic numbers by the layout of a code object (Lib/importlib/_bootstrap_external.py).
_UNTIL_3_10, _SINCE_3_11 = range(3400, 3450), range(3450, 3650)
#: A code object's fields in order (Python/marshal.c): i, a 32-bit integer; o, an object.
_CODE_UNTIL_3_10, _CODE_SINCE_3_11 = "iiiiii" + "oooooooo" + "io", "iiiii" + "oooooooo" + "ioo"
_MARK = 0x80
_DICT = "d"
#: Types that nothing can refer to, fixed sizes, and sizes that lead: (bytes of the size).
_PLAIN = frozenset(b"0NFTS.")
_FIXED = {ord("i"): 4, ord("I"): 8, ord("g"): 8, ord("y"): 16}
_SIZED = {**dict.fromkeys(b"sutaA", 4), **dict.fromkeys(b"zZ", 1)}
_MANY = {ord(")"): 1, **dict.fromkeys(b"([<>", 4)}


def stabilize_pyc(data: bytes, job: Job) -> bytes:
    """Compiled Python with the date as its source's time, and with marks only where something refers to them.

    Raises :class:`MalformedArchive` for a damaged stream, :class:`Unhandled` for other Pythons.
    """
    magic = int.from_bytes(data[:2], "little")
    if data[2:4] != b"\r\n" or len(data) <= _HEADER:
        raise Unhandled("not compiled Python")
    if magic not in _UNTIL_3_10 and magic not in _SINCE_3_11:
        raise Unhandled(f"compiled by a Python other than 3.8 to 3.14 (magic number {magic})")
    out = bytearray(data)
    flags = int.from_bytes(data[4:8], "little")
    if flags & ~3:
        raise Unhandled(f"compiled Python with unknown flags ({flags})")
    if not flags & 1:
        before, after = int.from_bytes(data[8:12], "little"), _seconds(job.date)
        job.change("", "source time", before, DATE if before != after else before)
        out[8:12] = after.to_bytes(4, "little")
    _Stream(data, _CODE_UNTIL_3_10 if magic in _UNTIL_3_10 else _CODE_SINCE_3_11).settle(out, job)
    return bytes(out)


def _seconds(date: Instant) -> int:
    return min(max(int(date), 0), 0xFFFFFFFF)


class _Stream:
    """One walk through a marshalled object: where its marks are, in the order of their numbers, and who refers to which."""

    def __init__(self, data: bytes, code: str) -> None:
        self._data, self._code = data, code
        self._at = _HEADER
        self.marks: list[int] = []
        #: Place of a reference's number → the number.
        self.references: dict[int, int] = {}
        pending = ["o"]
        while pending:
            what = pending.pop()
            if what == "i":
                self._take(4)
            elif what == _DICT:
                if self._peek() == ord("0"):
                    self._take(1)
                else:
                    pending += [_DICT, "o", "o"]
            else:
                pending += self._object()
        if self._at != len(data):
            raise Unhandled(f"{len(data) - self._at} bytes follow the code")

    def _peek(self) -> int:
        if self._at >= len(self._data):
            raise MalformedArchive("compiled Python is cut short")
        return self._data[self._at]

    def _take(self, size: int) -> int:
        """Pass over so many bytes; returns them as a number."""
        stop = self._at + size
        if stop > len(self._data):
            raise MalformedArchive("compiled Python is cut short")
        number = int.from_bytes(self._data[self._at : stop], "little") if size <= 8 else 0
        self._at = stop
        return number

    def _object(self) -> list[str]:
        """Pass over an object's head; what is to come for it, last first."""
        place = self._at
        kind = self._take(1)
        marked, kind = bool(kind & _MARK), kind & ~_MARK
        if kind == ord("r"):
            number = self._take(4)
            if number >= len(self.marks):
                raise MalformedArchive("compiled Python refers to what is not there")
            self.references[self._at - 4] = number
            return []
        if kind in _PLAIN:
            if marked:
                raise Unhandled(f"an object of type {chr(kind)!r} is marked")
            return []
        if marked:
            self.marks.append(place)
        if kind in _FIXED:
            self._take(_FIXED[kind])
        elif kind in _SIZED:
            self._take(self._take(_SIZED[kind]))
        elif kind == ord("l"):
            number = self._take(4)
            self._take(2 * abs(number - (1 << 32) if number >> 31 else number))
        elif kind in (ord("f"), ord("x")):
            for _ in range(1 + (kind == ord("x"))):
                self._take(self._take(1))
        else:
            return self._parts(kind)
        return []

    def _parts(self, kind: int) -> list[str]:
        if kind in _MANY:
            count = self._take(_MANY[kind])
            if count > len(self._data) - self._at:
                raise MalformedArchive("compiled Python is cut short")
            return ["o"] * count
        if kind == ord("{"):
            return [_DICT]
        if kind == ord(":"):
            return ["o"] * 3
        if kind == ord("c"):
            return list(reversed(self._code))
        raise Unhandled(f"an object of unknown type {chr(kind)!r}")

    def settle(self, out: bytearray, job: Job) -> None:
        """Take the marks away that nothing refers to, and renumber the references."""
        used = set(self.references.values())
        numbers = {number: new for new, number in enumerate(sorted(used))}
        for number, place in enumerate(self.marks):
            if number not in used:
                out[place] &= ~_MARK
        for place, number in self.references.items():
            out[place : place + 4] = numbers[number].to_bytes(4, "little")
        lost = len(self.marks) - len(used)
        job.change("", "objects marked without being referred to", lost, 0)

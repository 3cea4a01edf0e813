"""Where two byte strings differ. Linear in their length, whatever they hold."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from lockage.compare.difference import Span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Ranges", "first_difference", "last_difference", "ranges_of", "window"]

_CHUNK = 1 << 16
#: Differences with fewer equal bytes between them are one range.
_GAP = 7
_RUN = re.compile(rb"[^\0]+(?:\0{1,%d}[^\0]+)*" % _GAP)
_LISTED = 16


class Ranges(msgspec.Struct, frozen=True, kw_only=True):
    """The first ranges that differ, how many there are, and how many bytes differ in all (of the longer side)."""

    spans: tuple[Span, ...]
    count: int
    differing: int


def first_difference(a: bytes, b: bytes) -> int | None:
    """The offset of the first byte that differs, the shorter length if one continues the other, None if they are equal."""
    common = min(len(a), len(b))
    for start in range(0, common, _CHUNK):
        stop = min(start + _CHUNK, common)
        if a[start:stop] != b[start:stop]:
            return next(index for index in range(start, stop) if a[index] != b[index])
    return None if len(a) == len(b) else common


def last_difference(a: bytes, b: bytes) -> int:
    """How many bytes at the end are the same, of what follows the first difference; the rest, up to there, is the range that differs."""
    most = min(len(a), len(b)) - (first_difference(a, b) or 0)
    same = 0
    while same < most:
        step = min(_CHUNK, most - same)
        one, two = (data[len(data) - same - step : len(data) - same] for data in (a, b))
        if one != two:
            return same + next(index for index in range(step) if one[-1 - index] != two[-1 - index])
        same += step
    return same


def window(data: bytes, offset: int, length: int = 16) -> str:
    """Up to 16 bytes from the offset on, in hex."""
    return data[offset : offset + min(length, 16)].hex(" ")


def ranges_of(a: bytes, b: bytes, *, place: Callable[[int], str] = lambda _: "", base: int = 0, listed: int = _LISTED) -> Ranges:
    """Every range that differs, the first ``listed`` with their bytes; of two lengths there is one, between what is the same at both ends.

    ``place`` names what lies at an offset, ``base`` is added to every offset.
    """
    if len(a) != len(b):
        offset = first_difference(a, b) or 0
        tail = last_difference(a, b)
        lengths = len(a) - tail - offset, len(b) - tail - offset
        whole = _span(a, b, offset, lengths, place, base)
        return Ranges(spans=(whole,), count=1, differing=max(lengths))
    spans: list[Span] = []
    count = differing = 0
    for start, stop, bytes_differing in _runs(a, b):
        count += 1
        differing += bytes_differing
        if len(spans) < listed:
            spans.append(_span(a, b, start, (stop - start, stop - start), place, base))
    return Ranges(spans=tuple(spans), count=count, differing=differing)


def _runs(a: bytes, b: bytes) -> Iterator[tuple[int, int, int]]:
    """Every range of two equally long byte strings that differs: its first byte, the one after its last, how many bytes in it differ."""
    begun = ended = found = 0
    for start in range(0, len(a), _CHUNK):
        one, two = a[start : start + _CHUNK], b[start : start + _CHUNK]
        if one == two:
            continue
        mixed = (int.from_bytes(one) ^ int.from_bytes(two)).to_bytes(len(one))
        for run in _RUN.finditer(mixed):
            if found and start + run.start() - ended > _GAP:  # not the rest of one that began in the chunk before
                yield begun, ended, found
                found = 0
            begun = begun if found else start + run.start()
            ended = start + run.end()
            found += len(run[0]) - run[0].count(0)
    if found:
        yield begun, ended, found


def _span(a: bytes, b: bytes, offset: int, lengths: tuple[int, int], place: Callable[[int], str], base: int) -> Span:
    return Span(
        offset=base + offset,
        lengths=lengths,
        a=window(a, offset, lengths[0]),
        b=window(b, offset, lengths[1]),
        place=place(base + offset),
    )

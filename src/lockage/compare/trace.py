"""What the differing bytes themselves tell: whose value stands there, a time, an order, something random.

Invariant: a mark is a suspicion, found in the bytes of both sides. It is proven, or not, by rebuilding.
"""

from __future__ import annotations

import re
import struct
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from lockage.compare.content import first_difference, last_difference
from lockage.compare.elf import is_elf, place_of

if TYPE_CHECKING:
    from lockage.variation import World

__all__ = ["Mark", "Trace", "trace"]

#: How many bytes before and after the first difference are looked at, and up to which size orders are compared.
_BEFORE, _AFTER, _ORDERED = 96, 512, 1 << 22
#: A value of so many bytes does not stand in a file by chance.
_DISTINCTIVE = 8
#: The name of a variable with so many letters does.
_SHORT = 3
#: Times of files and builds lie between these, in seconds since 1970.
_EARLIEST, _LATEST = 946_684_800, 2_208_988_800


class Mark(StrEnum):
    """One thing that differing bytes can show."""

    BUILD_PATH = "build-path"
    TEMPORARY = "temporary-path"
    USER = "user"
    HOME = "home"
    HOSTNAME = "hostname"
    TIMEZONE = "timezone"
    LOCALE = "locale"
    VARIABLE = "variable"
    HASH_SEED = "hash-seed"
    TIME = "time"
    ORDER = "order"
    CASE = "case"
    RANDOM = "random"
    ADDRESS = "address"
    NUMBER = "number"


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """The bytes from the first difference to the last, in a member of both sides; ``place`` is the section of an ELF file."""

    offset: int
    length: int
    marks: frozenset[Mark] = frozenset()
    place: str = ""


#: Bytes of ordinary text, line ends and tabs included.
_TEXT = frozenset((*range(32, 127), 9, 10, 13))
_TIMES = (
    re.compile(rb"(?<!\d)1\d{9}(?!\d)"),
    re.compile(rb"(?<!\d)(?:19|20)\d\d[-/.]?[01]\d[-/.]?[0-3]\d"),
    re.compile(rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]* +\d{1,2}"),
    re.compile(rb"\d{1,2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"),
    re.compile(rb"(?<!\d)[0-2]\d:[0-5]\d(?::[0-5]\d)?(?!\d)"),
)
_ADDRESS = re.compile(rb"0x[0-9a-f]{7,16}", re.IGNORECASE)
_RANDOM = re.compile(
    rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|(?<![0-9a-z])[0-9a-f]{12,128}(?![0-9a-z])"
    rb"|(?<=tmp)[a-z0-9_]{8}|(?<=cc)[A-Za-z0-9]{6}(?=\.)|[A-Za-z0-9+/]{40,}={0,2}",
    re.IGNORECASE,
)
_NUMBER = re.compile(rb"(?<![\w.])\d{1,9}(?:\.\d{1,9})*(?![\w.])")


def trace(a: bytes, b: bytes, one: World, two: World) -> Trace:
    """What the difference between ``a``, made in world ``one``, and ``b``, made in world ``two``, shows. The bytes must differ.

    ``place`` is that of a value of a world, if one stands there, else that of the first difference.
    """
    offset = first_difference(a, b)
    assert offset is not None
    tails = last_difference(a, b)
    length = max(len(a), len(b)) - offset - tails
    start = max(0, offset - _BEFORE)
    here, there = a[start : offset + _AFTER], b[start : offset + _AFTER]
    marks = {mark for mark, mine, others in _values(one, two) if mine != others and mine in here and others in there}
    marks |= _patterns(here, there, offset - start)
    if _binary_time(a, b, offset):
        marks.add(Mark.TIME)
    if max(len(a), len(b)) <= _ORDERED:
        marks |= _arrangement(a, b)
    if any(len(name) > _SHORT and name.encode() in there and name.encode() not in here for name, _ in two.added):
        marks.add(Mark.VARIABLE)
    at = offset
    for mark, mine, others in _values(one, two):
        # Where something before it has moved, a value need not stand near the first difference.
        if at == offset and len(others) >= _DISTINCTIVE and others not in a and mine in a and (found := b.find(others)) >= 0:
            marks.add(mark)
            at = found
    place = (place_of(b, at) or place_of(a, offset)) if is_elf(b) else ""
    return Trace(offset=offset, length=length, marks=frozenset(marks), place=place)


def _values(one: World, two: World) -> list[tuple[Mark, bytes, bytes]]:
    """Values of both worlds that may stand in a file."""
    texts = (
        (Mark.BUILD_PATH, one.build_path, two.build_path),
        (Mark.TEMPORARY, one.temporary, two.temporary),
        (Mark.USER, one.user, two.user),
        (Mark.USER, str(one.uid), str(two.uid)),
        (Mark.USER, str(one.gid), str(two.gid)),
        (Mark.USER, one.group, two.group),
        (Mark.USER, one.full_name, two.full_name),
        (Mark.HOME, one.home, two.home),
        (Mark.HOSTNAME, one.hostname, two.hostname),
        (Mark.TIMEZONE, one.timezone, two.timezone),
        (Mark.TIMEZONE, "+0000", {"Asia/Kathmandu": "+0545", "Etc/GMT+12": "-1200", "Etc/GMT-14": "+1400"}.get(two.timezone, "")),
        (Mark.LOCALE, one.locale.split(".")[0], two.locale.split(".")[0]),
        (Mark.HASH_SEED, one.hash_seed, two.hash_seed),
    )
    return [(mark, mine.encode(), others.encode()) for mark, mine, others in texts if len(others) > 1 and mine != others]


def _patterns(here: bytes, there: bytes, at: int) -> set[Mark]:
    """Forms that stand in both windows, over the first difference, with other values."""
    found: set[Mark] = set()
    for mark, forms in ((Mark.TIME, _TIMES), (Mark.ADDRESS, (_ADDRESS,)), (Mark.RANDOM, (_RANDOM,)), (Mark.NUMBER, (_NUMBER,))):
        for form in forms:
            mine, others = (next((m[0] for m in form.finditer(text) if m.start() <= at < m.end()), None) for text in (here, there))
            if mine is not None and others is not None and mine != others:
                found.add(mark)
    return found


def _binary_time(a: bytes, b: bytes, offset: int) -> bool:
    """Whether a 32-bit time stands where they begin to differ, in either byte order, and nowhere near is text."""
    for start in range(max(0, offset - 3), offset + 1):
        for form in ("<I", ">I"):
            try:
                mine, others = struct.unpack_from(form, a, start)[0], struct.unpack_from(form, b, start)[0]
            except struct.error:
                continue
            text = all(byte in _TEXT for byte in a[start : start + 4] + b[start : start + 4])
            if not text and _EARLIEST < mine < _LATEST and _EARLIEST < others < _LATEST and 0 < abs(mine - others) < 40_000_000:
                return True
    return False


def _arrangement(a: bytes, b: bytes) -> set[Mark]:
    """Whether both hold the same things in another order, or the same letters in another case."""
    found: set[Mark] = set()
    if len(a) == len(b) and (sorted(a.splitlines()) == sorted(b.splitlines()) or sorted(_words(a)) == sorted(_words(b))):
        found.add(Mark.ORDER)
    if a.lower() == b.lower() or _without_dots(a) == _without_dots(b):
        found.add(Mark.CASE)
    return found


def _words(data: bytes) -> list[bytes]:
    return re.split(rb"[\s,;:()\[\]{}\"'\0]+", data)


def _without_dots(data: bytes) -> str:
    """In Turkish the capital of i has a dot (U+0130), and the small letter of I has none (U+0131)."""
    return data.decode(errors="replace").replace("\u0130", "i").replace("\u0131", "i").casefold()

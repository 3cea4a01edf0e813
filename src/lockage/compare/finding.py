"""What a form found out about two files, and the ways in which forms tell it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from lockage.compare.content import Ranges
from lockage.compare.difference import Comparison, Detail

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Finding", "cut", "fields_differing", "sets_differing"]

_VALUE = 200


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """How two files of one form differ. No ``ranges``: those of all their bytes. ``follows``: see MemberDifference."""

    form: str
    details: tuple[Detail, ...] = ()
    diff: tuple[str, ...] = ()
    ranges: Ranges | None = None
    nested: Comparison | None = None
    follows: str = ""


def cut(text: str) -> str:
    """A value that is not too long to be read."""
    return text if len(text) <= _VALUE else f"{text[: _VALUE - 1]}…"


def fields_differing(kind: str, a: Mapping[str, str], b: Mapping[str, str]) -> Iterator[Detail]:
    """Fields by name, in the order of a, whose values differ or that one side lacks."""
    for name in dict.fromkeys((*a, *b)):
        mine, others = a.get(name), b.get(name)
        if mine != others:
            yield Detail(kind=kind, name=cut(name), a=None if mine is None else cut(mine), b=None if others is None else cut(others))


def sets_differing(kind: str, a: Iterable[str], b: Iterable[str]) -> Iterator[Detail]:
    """Things that one side has and the other lacks, or has more often."""
    in_a, in_b = Counter(a), Counter(b)
    for name in dict.fromkeys((*in_a, *in_b)):
        mine, others = in_a[name], in_b[name]
        if mine != others:
            yield Detail(kind=kind, name=cut(name), a=_times(mine), b=_times(others))


def _times(count: int) -> str | None:
    return None if not count else "present" if count == 1 else f"{count} times"

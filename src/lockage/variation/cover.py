"""Covering arrays of strength two: few rebuilds in which every pair of values of two axes occurs somewhere.

What two axes do together one rebuild with everything varied does not show if they cancel each other out. Being left as the contract has
it is a value of every axis, too. Rows are made one after another by the density method (Bryce and Colbourn, *Software Testing,
Verification and Reliability* 17, 2007), without chance: each covers at least 1/(a·b) of the pairs that are left, where a and b are the
largest numbers of values of two axes, so that at most about a·b·ln(pairs) rows are needed; in practice far fewer.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["count_pairs", "covering", "flaky_at_most"]

#: A row as numbers: for each column which of its values, 0 for being left out.
_Row = tuple[int, ...]
_Pair = tuple[int, int, int, int]


def covering(columns: Sequence[Sequence[str]]) -> Iterator[tuple[str, ...]]:
    """The rows, each the choices to vary in one rebuild, in the order of the columns; the first has the first choice of every column.

    A column holds the choices of one axis. All rows together hold every pair of choices of two columns, every choice beside each other
    axis left out, and every two axes left out together. Of a single column they are its choices.
    """
    if len(columns) == 1:
        yield from ((choice,) for choice in columns[0])
        return
    sizes = [len(column) + 1 for column in columns]
    left = _every_pair(sizes)
    row: _Row = (1,) * len(columns)
    while True:
        yield tuple(columns[place][value - 1] for place, value in enumerate(row) if value)
        left -= _pairs_of(row)
        if not left:
            return
        row = _densest(sizes, left)


def count_pairs(columns: Sequence[Sequence[str]], rows: Sequence[Sequence[str]]) -> tuple[int, int]:
    """How many pairs of values of two columns occur in the rows, and how many there are."""
    sizes = [len(column) + 1 for column in columns]
    every = _every_pair(sizes)
    found: set[_Pair] = set()
    for row in rows:
        chosen = set(row)
        found |= _pairs_of(tuple(next((at + 1 for at, choice in enumerate(column) if choice in chosen), 0) for column in columns))
    return len(found & every), len(every)


def flaky_at_most(rebuilds: int, *, doubt: float = 0.05) -> float:
    """The share of rebuilds in which a build may differ by itself although ``rebuilds`` did not, but for a chance of ``doubt``.

    A build that differs with the probability p comes out the same n times with (1 - p)^n; that is less than ``doubt`` for a p above this.
    """
    return 1.0 if rebuilds < 1 else 1 - math.pow(doubt, 1 / rebuilds)


def _every_pair(sizes: Sequence[int]) -> set[_Pair]:
    return {
        (one, two, a, b)
        for one in range(len(sizes))
        for two in range(one + 1, len(sizes))
        for a in range(sizes[one])
        for b in range(sizes[two])
    }


def _pairs_of(row: _Row) -> set[_Pair]:
    return {(one, two, row[one], row[two]) for one in range(len(row)) for two in range(one + 1, len(row))}


def _densest(sizes: Sequence[int], left: set[_Pair]) -> _Row:
    """The row in which column by column the value is taken that promises most of the pairs that are left.

    What is promised is counted exactly: a pair with a value that is chosen already in whole, one with a column still open by the
    chance of its value among that column's.
    """
    scale = math.lcm(*sizes)
    partners: dict[tuple[int, int], dict[int, set[int]]] = {}
    for one, two, a, b in left:
        partners.setdefault((one, a), {}).setdefault(two, set()).add(b)
        partners.setdefault((two, b), {}).setdefault(one, set()).add(a)
    chosen: dict[int, int] = {}

    def promise(column: int, value: int) -> int:
        found = 0
        for other, values in partners.get((column, value), {}).items():
            if other in chosen:
                found += scale * (chosen[other] in values)
            else:
                found += len(values) * (scale // sizes[other])
        return found

    # columns of many values first: their pairs are the hardest to place
    for column in sorted(range(len(sizes)), key=lambda column: (-sizes[column], column)):
        chosen[column] = max(range(sizes[column]), key=lambda value: (promise(column, value), value))
    return tuple(chosen[column] for column in range(len(sizes)))

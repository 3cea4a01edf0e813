"""Things of which there are so many units: who may take how many, and who is next.

Latches are pools of one unit. Invariants: units in use never exceed the size; whoever waits for units is not passed by one of lower
rank that wants the same thing. Ranks are numbers, the lower the more urgent. An operation costs O(log n) for each thing it concerns.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Claims", "Thing"]

#: What kind of thing, and its name.
Thing = tuple[str, str]


class Claims:
    """How many units are free, and the ranks that wait for some. A rank that waits stays until it takes what it wants."""

    def __init__(self, sizes: Mapping[Thing, int]) -> None:
        self._free = dict(sizes)
        self._waiting: dict[Thing, list[int]] = {}
        self._claimed: set[int] = set()

    def admits(self, rank: int, wants: Mapping[Thing, int]) -> bool:
        """Whether all of it is free and nobody more urgent waits for any of it."""
        for thing, units in wants.items():
            first = self._first(thing)
            if self._free[thing] < units or (first is not None and first < rank):
                return False
        return True

    def wait(self, rank: int, wants: Iterable[Thing]) -> None:
        """It wants these things and waits; to wait again changes nothing."""
        if rank not in self._claimed:
            self._claimed.add(rank)
            for thing in wants:
                heappush(self._waiting.setdefault(thing, []), rank)

    def take(self, rank: int, wants: Mapping[Thing, int]) -> list[int]:
        """Take what was admitted. Returns the ranks that may be admitted now that this one does not wait any more."""
        for thing, units in wants.items():
            self._free[thing] -= units
        self._claimed.discard(rank)
        return self._next(wants)

    def give_back(self, wants: Mapping[Thing, int]) -> list[int]:
        """Units are free again. Returns the ranks that may be admitted now."""
        for thing, units in wants.items():
            self._free[thing] += units
        return self._next(wants)

    def _next(self, things: Iterable[Thing]) -> list[int]:
        return [first for thing in things if self._free[thing] and (first := self._first(thing)) is not None]

    def _first(self, thing: Thing) -> int | None:
        waiting = self._waiting.get(thing)
        while waiting and waiting[0] not in self._claimed:
            heappop(waiting)  # it was admitted since
        return waiting[0] if waiting else None

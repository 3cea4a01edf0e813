"""Latches in one process."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from lockage.base.name import LatchName

__all__ = ["MemoryLatches"]


class MemoryLatches:
    """Implements :class:`lockage.ports.Latches`; ``taken`` lists what was taken, in order."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._held: set[LatchName] = set()
        self._interruptions = 0
        self.taken: list[LatchName] = []

    def interrupt(self) -> None:
        with self._changed:
            self._interruptions += 1
            self._changed.notify_all()

    @contextmanager
    def held(self, names: Collection[LatchName], blocked: Callable[[LatchName], None] | None = None) -> Iterator[bool]:
        wanted = set(names)
        with self._changed:
            interruptions = self._interruptions
            if blocked is not None and not self._held.isdisjoint(wanted):
                blocked(min(self._held & wanted))
            self._changed.wait_for(lambda: self._held.isdisjoint(wanted) or self._interruptions != interruptions)
            free = self._held.isdisjoint(wanted)
            if free:
                self._held |= wanted
                self.taken += sorted(wanted)
        try:
            yield free
        finally:
            if free:
                with self._changed:
                    self._held -= wanted
                    self._changed.notify_all()

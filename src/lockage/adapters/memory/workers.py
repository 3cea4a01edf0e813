"""Workers without threads: what was started runs when it is waited for, in an order that follows from a seed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from lockage.base.digest import Digest
from lockage.running.pieces import in_one_go

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from lockage.ports.workers import Performance

__all__ = ["MemoryWorkers"]


class MemoryWorkers:
    """Implements :class:`lockage.ports.Workers`; ``most`` is the largest number of tasks that were under way at one time.

    ``held`` are performances that were begun and not released; ``prepared`` are those that others were waited for before.
    """

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._count = 0
        self._started: list[tuple[str, Callable[[], object]]] = []
        self.most = 0
        self.held: dict[str, Performance] = {}
        self.prepared: list[str] = []

    @property
    def waiting(self) -> tuple[str, ...]:
        """What was started and has not ended."""
        return tuple(key for key, _ in self._started)

    def start(self, key: str, task: Callable[[], object]) -> None:
        self._started.append((key, task))
        self.most = max(self.most, len(self._started))

    def begin(self, key: str, performance: Performance) -> None:
        self.held[key] = performance

    def release(self, key: str) -> None:
        self.start(key, partial(in_one_go, self.held.pop(key)))

    def dismiss(self, keys: Collection[str]) -> None:
        for key in keys:
            self.held.pop(key).close()

    def wait(self) -> tuple[str, object]:
        self.prepared += [key for key in self.held if key not in self.prepared]
        if not self._started:
            raise RuntimeError("nothing was started")
        key, task = self._started.pop(self._chosen())
        try:
            return key, task()
        except BaseException as error:  # noqa: BLE001 (what a task raised is its result)
            return key, error

    def _chosen(self) -> int:
        self._count += 1
        return int(Digest.of(f"{self._seed} {self._count}".encode())[:12], 16) % len(self._started)

    def abandon(self, interrupt: Callable[[], None]) -> None:
        if self._started:
            interrupt()
        self._started.clear()
        self.held.clear()

"""Workers without threads: what was started runs when it is waited for, in an order that follows from a seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MemoryWorkers"]


class MemoryWorkers:
    """Implements :class:`lockage.ports.Workers`; ``most`` is the largest number of tasks that were under way at one time."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._count = 0
        self._started: list[tuple[str, Callable[[], object]]] = []
        self.most = 0

    @property
    def waiting(self) -> tuple[str, ...]:
        """What was started and has not ended."""
        return tuple(key for key, _ in self._started)

    def start(self, key: str, task: Callable[[], object]) -> None:
        self._started.append((key, task))
        self.most = max(self.most, len(self._started))

    def wait(self) -> tuple[str, object]:
        if not self._started:
            raise RuntimeError("nothing was started")
        self._count += 1
        chosen = int(Digest.of(f"{self._seed} {self._count}".encode())[:12], 16) % len(self._started)
        key, task = self._started.pop(chosen)
        try:
            return key, task()
        except BaseException as error:  # noqa: BLE001 (what a task raised is its result)
            return key, error

    def abandon(self, interrupt: Callable[[], None]) -> None:
        if self._started:
            interrupt()
        self._started.clear()

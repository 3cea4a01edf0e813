"""Tasks beside each other on threads that live as long as the process: a sandbox's parent-death signal follows its thread."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ThreadWorkers"]


class ThreadWorkers:
    """Implements :class:`lockage.ports.Workers`; as many threads as there are tasks at one time, reused."""

    def __init__(self) -> None:
        self._tasks: queue.SimpleQueue[tuple[str, Callable[[], object]]] = queue.SimpleQueue()
        self._ended: queue.SimpleQueue[tuple[str, object]] = queue.SimpleQueue()
        self._threads = 0
        self._busy = 0

    def start(self, key: str, task: Callable[[], object]) -> None:
        if self._busy == self._threads:
            threading.Thread(target=self._serve, name=f"worker-{self._threads + 1}", daemon=True).start()
            self._threads += 1
        self._busy += 1
        self._tasks.put((key, task))

    def wait(self) -> tuple[str, object]:
        if not self._busy:
            raise RuntimeError("nothing was started")
        while True:
            try:
                ended = self._ended.get(timeout=1.0)
                break
            except queue.Empty:
                continue  # wake up regularly so that a signal's handler runs on the main thread
        self._busy -= 1
        return ended

    def _serve(self) -> None:
        while True:
            key, task = self._tasks.get()
            try:
                self._ended.put((key, task()))
            except BaseException as error:  # noqa: BLE001 (handed to the waiting thread)
                self._ended.put((key, error))

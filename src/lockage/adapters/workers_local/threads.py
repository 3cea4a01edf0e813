"""Tasks on threads that live as long as they: a sandbox's parent-death signal follows its thread."""

from __future__ import annotations

import queue
import threading
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ThreadWorkers"]

#: Seconds between two calls of what interrupts the tasks that are to end.
_AGAIN = 0.05

_Task = tuple[str, "Callable[[], object]"]


class _Crew:
    """The two queues that a group of threads shares; ``over`` tells them that nobody waits for them any more."""

    def __init__(self) -> None:
        self.tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self.ended: queue.SimpleQueue[tuple[str, object]] = queue.SimpleQueue()
        self.over = False
        #: Called when a task has ended, by its thread.
        self.told: Callable[[], None] | None = None


class _Worker(threading.Thread):
    def __init__(self, crew: _Crew, number: int) -> None:
        super().__init__(name=f"worker-{number}", daemon=True)
        self.crew = crew

    def run(self) -> None:
        while self._done():
            pass
        self.crew.tasks.put(None)  # the one that said this to us is for all of the crew

    def _done(self) -> bool:
        """Do the next task, if there is to be one; nothing of it is held while another is waited for."""
        task = self.crew.tasks.get()
        if task is None or self.crew.over:
            return False
        key, call = task
        try:
            self.crew.ended.put((key, call()))
        except BaseException as error:  # noqa: BLE001 (handed to the waiting thread)
            self.crew.ended.put((key, error))
        if self.crew.told is not None:
            self.crew.told()
        return True


class ThreadWorkers:
    """As many threads as there are tasks at one time, reused; what :class:`LoopWorkers` does that may wait."""

    def __init__(self) -> None:
        self._crew = self._new_crew()
        self._threads = 0
        self._busy = 0

    def _new_crew(self) -> _Crew:
        """A crew that goes when these workers do."""
        crew = _Crew()
        weakref.finalize(self, crew.tasks.put, None).atexit = False
        return crew

    def start(self, key: str, task: Callable[[], object]) -> None:
        if self._busy == self._threads:
            _Worker(self._crew, self._threads + 1).start()
            self._threads += 1
        self._busy += 1
        self._crew.tasks.put((key, task))

    def wait(self) -> tuple[str, object]:
        if not self._busy:
            raise RuntimeError("nothing was started")
        while True:
            try:
                ended = self._crew.ended.get(timeout=1.0)
                break
            except queue.Empty:
                continue  # wake up regularly so that a signal's handler runs on the main thread
        self._busy -= 1
        return ended

    def taken(self) -> tuple[str, object] | None:
        """As :meth:`wait`, of a task that has ended by now; None if there is none."""
        try:
            ended = self._crew.ended.get_nowait()
        except queue.Empty:
            return None
        self._busy -= 1
        return ended

    def tell_by(self, told: Callable[[], None]) -> None:
        """Let this be called whenever a task has ended, from its thread."""
        self._crew.told = told

    def abandon(self, interrupt: Callable[[], None]) -> None:
        # A signal may have come between any two instructions of the methods above, so their counts say nothing here, and a
        # result may have been taken from its queue and lost: only a thread that has ended is sure to do no more.
        crew, self._crew, self._threads, self._busy = self._crew, self._new_crew(), 0, 0
        crew.over = True
        crew.tasks.put(None)
        while left := [thread for thread in threading.enumerate() if isinstance(thread, _Worker) and thread.crew is crew]:
            interrupt()
            left[0].join(_AGAIN)

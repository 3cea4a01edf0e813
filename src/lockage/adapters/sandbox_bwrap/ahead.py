"""A sandbox made before its turn, while others run: bubblewrap mostly waits for the kernel, and a CPU would wait with it.

Invariants: it is made by a thread that lives as long as the process, as a sandbox's parent-death signal follows its thread; nothing of its
step runs before it is taken; what is not taken leaves nothing behind.
"""

from __future__ import annotations

import os
import queue
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockage.adapters.sandbox_bwrap.sandbox import Sandbox
    from lockage.ports import ExecutionRequest
    from lockage.running.log import Log
    from lockage.running.watch import Watch

__all__ = ["Ahead", "Early"]


class Early:
    """One sandbox on its way, with what watches its step and what takes its log in."""

    __slots__ = ("_begun", "_error", "_folders", "_made", "log", "request", "sandbox", "watch")

    def __init__(self, request: ExecutionRequest, sandbox: Sandbox, watch: Watch, log: Log) -> None:
        self.request = request
        self.sandbox = sandbox
        self.watch = watch
        self.log = log
        self._begun = threading.Lock()
        self._made = threading.Lock()  # held until it is made: an event is several objects, and there is one for every step
        self._made.acquire()
        self._folders: list[int] = []
        self._error: BaseException | None = None

    def make(self, make: Callable[[Early], list[int]]) -> None:
        """Keep what making gives or raises, for whoever takes it; nothing is made once it is discarded."""
        if not self._begun.acquire(blocking=False):
            return
        try:
            self._folders = make(self)
        except BaseException as error:  # noqa: BLE001 (handed to whoever takes it)
            self._error = error
        finally:
            self._made.release()

    def taken(self) -> list[int]:
        """The writable folders' descriptors, once it is made. Raises what making raised."""
        with self._made:
            pass
        if self._error is not None:
            raise self._error
        return self._folders

    def discard(self) -> None:
        """Leave nothing of it. A signal may have come before its making was ordered: then it never begins, and is not waited for."""
        if self._begun.acquire(blocking=False):
            self._made.release()
        elif self._made.locked():
            self.sandbox.kill()
            with self._made:
                pass
        self.sandbox.close()
        self.log.close()


class Ahead:
    """Makes one sandbox ahead at a time; may be used from several threads. Its own is begun when it is first needed."""

    def __init__(self, make: Callable[[Early], list[int]]) -> None:
        self._make = make
        self._orders: queue.SimpleQueue[Early] = queue.SimpleQueue()
        #: The process that the thread is one of: a fork has none.
        self._process = -1
        self._early: Early | None = None
        self._lock = threading.Lock()

    def begin(self, begun: Callable[[], Early]) -> None:
        """Begin to make a sandbox, unless one waits to be taken."""
        with self._lock:
            if self._early is not None:
                return
            self._early = begun()
            if self._process != os.getpid():
                threading.Thread(target=self._serve, name="sandbox-maker", daemon=True).start()
                self._process = os.getpid()
            self._orders.put(self._early)

    def take(self, request: ExecutionRequest) -> Early | None:
        """What was begun for this very request, if it was; it is the caller's from here on."""
        with self._lock:
            early = self._early
            if early is None or early.request is not request:
                return None
            self._early = None
            return early

    def cancel(self, message: str) -> None:
        """End what is being made; whoever takes it sees why. Takes no lock, so that a signal's handler may call it."""
        early = self._early
        if early is not None:
            early.watch.end("cancelled", message)

    def dismiss(self) -> None:
        """Discard what nobody takes."""
        with self._lock:
            early, self._early = self._early, None
        if early is not None:
            early.discard()

    def _serve(self) -> None:
        while True:
            self._orders.get().make(self._make)

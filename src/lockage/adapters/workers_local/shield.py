"""Keeps the handlers of signals from raising where a process might be left that nobody knows."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType, TracebackType

__all__ = ["Shield"]

#: Those that end a command; of a system that has them.
_ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Shield:
    """While it is put up, a signal that comes within its context is handled when that is left; may be entered again."""

    __slots__ = ("_came", "_depth", "_handlers")

    def __init__(self) -> None:
        self._depth = 0
        self._came: list[int] = []
        self._handlers: dict[int, Any] = {}  # Any: what signal.getsignal gives

    def put_up(self) -> None:
        """Stand before the handlers that there are. Handlers run in the main thread only: for another nothing is to be done."""
        if self._handlers or threading.current_thread() is not threading.main_thread():
            return
        for number in _ENDING:
            handler = signal.getsignal(number)
            if callable(handler):
                self._handlers[number] = handler
                signal.signal(number, self._come)

    def take_down(self) -> None:
        """Let the handlers be as they were, but for those that somebody has changed since."""
        while self._handlers:
            number, handler = self._handlers.popitem()
            if signal.getsignal(number) == self._come:
                signal.signal(number, handler)

    def forgive(self) -> None:
        """Forget what has come: it is being ended anyway."""
        self._came.clear()

    def _come(self, number: int, frame: FrameType | None) -> None:
        if self._depth:
            self._came.append(number)
        elif number in self._handlers:
            self._handlers[number](number, frame)

    def __enter__(self) -> None:
        self._depth += 1

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._depth -= 1
        while self._came and not self._depth:
            self._come(self._came.pop(0), None)

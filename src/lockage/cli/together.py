"""Lines of steps that end in quick succession are printed together: each by itself costs more than all that is decided about its step.

Invariants: nothing waits longer than a tenth of a second, and nothing at all once :meth:`Together.settle` has been called; what is
told comes in the order in which it was heard; what could not be printed is raised by the next call.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockage.record.event import StepEnded

__all__ = ["Together"]

#: Seconds for which one line may wait for others, if another was printed that short a time ago.
_PAUSE = 0.1


class Together:
    """Hears of steps and hands them to ``tell``, several at a time where they come quickly; may be used from several threads."""

    def __init__(self, tell: Callable[[list[StepEnded]], None]) -> None:
        self._tell = tell
        self._lock = threading.RLock()  # a signal's handler may print while its thread has it
        self._waiting: list[StepEnded] = []
        self._told = 0.0
        self._error: OSError | ValueError | None = None
        #: As long as lines come quickly: it keeps whatever can be told of.
        self._thread: threading.Thread | None = None

    def hear(self, event: StepEnded) -> None:
        """Tell of a step, at once or a moment later."""
        with self._lock:
            self._waiting.append(event)
            if len(self._waiting) > 1:
                return
            if self._error is not None or time.monotonic() - self._told >= _PAUSE:
                self.settle()
                return
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="teller", daemon=True)
                self._thread.start()

    def settle(self) -> None:
        """Tell all that waits. Raises what printing raises, or raised before."""
        with self._lock:
            error, self._error = self._error, None
            if error is not None:
                raise error
            if self._waiting:
                waiting, self._waiting = self._waiting, []
                self._told = time.monotonic()
                self._tell(waiting)

    def _run(self) -> None:
        while True:
            time.sleep(_PAUSE)
            with self._lock:
                if not self._waiting:
                    self._thread = None
                    return
                try:
                    self.settle()
                except (OSError, ValueError) as error:  # standard error is gone or closed
                    self._error = error

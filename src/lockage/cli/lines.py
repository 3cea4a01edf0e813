"""Lines on standard error that come one by one are printed at once; those that come quickly a tenth of a second later, many at once.

Invariant: lines appear in the order in which they were told, and all of them before :meth:`Lines.close` returns. To print each of a
thousand lines by itself would make every thread of a build wait for the terminal, the pipe or the file, and for each other.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Lines"]

#: How long a line may wait for others, in seconds: as long as a live view does.
_PAUSE = 0.1
#: How long the end waits for who prints, in seconds; a reader may have stopped reading.
_PATIENCE = 2.0


class Lines:
    """Prints from any thread. What goes wrong while lines are printed later is raised when the next are, or at the end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[str] = []
        self._printed = -_PAUSE
        self._later: threading.Thread | None = None
        self._error: OSError | None = None

    def print(self, lines: Iterable[str]) -> None:
        """Print lines, or have them printed in a moment. Raises OSError."""
        with self._lock:
            self._waiting += lines
            if self._later is not None:
                return
            now = time.monotonic()
            if now - self._printed >= _PAUSE:
                self._printed = now
                self._write()
            else:
                self._later = threading.Thread(target=self._print_later, name="lines", daemon=True)
                self._later.start()

    def close(self) -> None:
        """Print what waits; more may come. Raises OSError."""
        if self._lock.acquire(timeout=_PATIENCE):
            try:
                self._write()
            finally:
                self._lock.release()

    def _print_later(self) -> None:
        """As long as lines come quickly."""
        while True:
            time.sleep(_PAUSE)
            with self._lock:
                if not self._waiting or self._error is not None:
                    self._later = None
                    return
                try:
                    self._write()
                except OSError as error:
                    self._error = error
                self._printed = time.monotonic()

    def _write(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error
        if self._waiting:
            text = "\n".join([*self._waiting, ""])
            self._waiting = []
            sys.stderr.write(text)
            sys.stderr.flush()

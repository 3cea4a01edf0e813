"""Progress on standard error: a live view on a terminal, plain lines elsewhere, folded sections in the log of a CI service.

Invariants: nothing is drawn before something has taken a third of a second, and what draws is imported only then; whatever
is printed next finds the live view gone and the cursor back (:func:`settle`).
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Protocol

from lockage.wiring.settings import observed
from lockage.wiring.terminal import Log, terminal_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockage.base.digest import BlobRef
    from lockage.base.instant import Instant
    from lockage.cli.live import History, Painter
    from lockage.cli.plain import Plain
    from lockage.cli.together import Together
    from lockage.record.event import Event, StepEnded

__all__ = ["Observer", "Progress", "end_observers", "ignore", "observe", "observers", "settle"]


class Observer(Protocol):
    """Hears of everything that a command tells, for other programs than the terminal."""

    def hear(self, event: Event) -> None:
        """Take an event in, from any thread. Raises nothing."""
        ...

    def end(self, exit_code: int, error: str | None) -> None:
        """The command has ended with this exit code, and with the error of that code if there is one. Raises nothing."""
        ...


#: Who hears of this process's command beside the terminal.
_observers: list[Observer] = []
#: The progress that is being shown; a process shows one at a time.
_shown: list[Progress] = []


def settle() -> None:
    """End what is drawn, so that something else can be printed; does nothing where nothing is."""
    while _shown:
        _shown.pop().close()


def observe(observer: Observer) -> None:
    """Let it hear of all that is told from now on, up to the end of the command."""
    _observers.append(observer)


def ignore(observer: Observer) -> None:
    """Let it hear of nothing any more; it may say so while it hears."""
    _observers.remove(observer)


def observers() -> tuple[Observer, ...]:
    """Those who observe this command."""
    return tuple(_observers)


def end_observers(exit_code: int, error: str | None) -> None:
    """Tell those who observe that the command has ended."""
    while _observers:
        _observers.pop(0).end(exit_code, error)


class Progress:
    """Hears of events, from any thread."""

    def __init__(self, *, quiet: bool) -> None:
        if observed():
            from lockage.cli.observers import attend_settings

            attend_settings()
        self._quiet = quiet
        self._terminal = terminal_of(sys.stderr)
        self._folds = self._terminal.log is not Log.PLAIN
        self._painter: Painter | None = None
        self._read: Callable[[BlobRef], bytes] | None = None
        self._now: Callable[[], Instant] | None = None
        self._history: History | None = None
        self._plain: Plain | None = None
        self._together: Together | None = None

    def attend(self, read: Callable[[BlobRef], bytes], now: Callable[[], Instant], history: History | None = None) -> None:
        """Say where the output of steps can be read, what time it is, for logs that fold; and how long steps took before, for the view."""
        self._read, self._now, self._history = read, now, history

    def __call__(self, event: Event) -> None:
        if _observers:
            for observer in tuple(_observers):
                observer.hear(event)
        if self._quiet:
            return
        if self._terminal.live:
            self._draw(event)
            return
        if self._plain is None:
            from lockage.cli.plain import Plain  # a command without progress pays nothing

            self._plain = Plain()
        plain = self._plain
        if type(event) in plain.SILENT:  # two of three
            return
        if self not in _shown:
            _shown.append(self)  # what was counted is told at the latest when something else is printed
        executed = plain.executed(event)
        if executed is None or self._folds:
            if self._together is not None:
                self._together.settle()
            if lines := plain.told(event):
                self._say(event, lines)
            return
        if self._together is None:
            from lockage.cli.together import Together  # a command that executes nothing pays nothing

            self._together = Together(self._tell)
        self._together.hear(executed)

    def _tell(self, ended: list[StepEnded]) -> None:
        """Print the lines of steps that were executed."""
        assert self._plain is not None
        self._print([line for event in ended for line in self._plain.told(event)])

    def _draw(self, event: Event) -> None:
        painter = self._painter
        if painter is None:
            from lockage.cli.live import Painter
            from lockage.cli.view import View
            from lockage.record.event import Fetched

            if isinstance(event, Fetched):
                return  # from a thread that has not heard of the end yet
            painter = self._painter = Painter(View(), self._terminal, self._history)
            _shown.append(self)
        painter.hear(event, time.monotonic())

    def close(self) -> None:
        """Take the live view away; what it said of a phase stays as a line."""
        painter, self._painter = self._painter, None
        if painter is not None:
            painter.close(time.monotonic())
        if self._together is not None:
            self._together.settle()
        if self._plain is not None:
            self._print(self._plain.closed())

    def _say(self, event: Event, lines: list[str]) -> None:
        """Print what an event leaves; the output of a step that ran goes with it where a log folds."""
        if self._folds and self._read is not None:
            from lockage.cli.folded import folded
            from lockage.record.event import StepEnded

            if isinstance(event, StepEnded) and not event.cached and event.log is not None and (output := self._read(event.log)):
                assert self._now is not None
                ended = self._now()
                began, (line,) = ended - event.wall_ms // 1000, lines
                text = folded(self._terminal.log, event.step, line.strip(), output, secret=event.log.digest, began=began, ended=ended)
                lines = [text]
        self._print(lines)

    def _print(self, lines: list[str]) -> None:
        if lines:
            sys.stderr.write("\n".join([*lines, ""]))
            sys.stderr.flush()

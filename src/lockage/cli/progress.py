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
    from lockage.cli.view import Hits
    from lockage.record.event import Event, StepEnded

__all__ = ["Observer", "Progress", "end_observers", "observe", "observers", "settle"]


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
        self._painter: Painter | None = None
        self._read: Callable[[BlobRef], bytes] | None = None
        self._now: Callable[[], Instant] | None = None
        self._history: History | None = None
        self._hits: Hits | None = None

    def attend(self, read: Callable[[BlobRef], bytes], now: Callable[[], Instant], history: History | None = None) -> None:
        """Say where the output of steps can be read, what time it is, for logs that fold; and how long steps took before, for the view."""
        self._read, self._now, self._history = read, now, history

    def __call__(self, event: Event) -> None:
        # Imported here, so that a command without progress pays nothing; under one name, as this is asked thousands of times.
        from lockage.record import event as kinds

        for observer in _observers:
            observer.hear(event)
        if self._quiet:
            return
        if self._terminal.live:
            self._draw(event)
            return
        match event:
            case kinds.Phase(text=text):
                self._line(f"  {text}")
            case kinds.StepEnded():
                self._ended(event)
            case kinds.StepRetried() | kinds.StepSkipped() | kinds.StepBlocked():
                from lockage.cli.view import step_line

                self._line(f"  {step_line(event)}")
            case kinds.HostUsed():
                from lockage.cli.view import host_line

                self._line(f"  {host_line(event)}")
            case kinds.BlobsLost():
                from lockage.cli.view import lost_line

                self._line(f"  {lost_line(event)}")
            case kinds.Planned(steps=steps):
                self._tell_hits(steps=len(steps))
            case kinds.RunRecorded():
                self._tell_hits()
            case kinds.Fetched() | kinds.StepQueued() | kinds.StepStarted() | kinds.StepUnblocked() | kinds.ArtifactDelivered():
                pass

    def _tell_hits(self, *, steps: int | None = None) -> None:
        """Say how many steps were counted that have no line of their own; with ``steps`` a plan of so many begins."""
        if self._hits is None and steps is not None:
            from lockage.cli.view import Hits

            self._hits = Hits()
        if self._hits is not None:
            for line in self._hits.told():
                self._line(line)
            if steps is not None:
                self._hits.planned(steps)
                if self not in _shown:
                    _shown.append(self)  # what was counted is told at the latest when something else is printed

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
        self._tell_hits()

    def _ended(self, event: StepEnded) -> None:
        from lockage.cli.view import ended_line

        if self._hits is not None and self._hits.takes(event):
            return
        line = ended_line(event)
        output = b""
        if self._terminal.log is not Log.PLAIN and not event.cached and event.log is not None and self._read is not None:
            output = self._read(event.log)
        if not output:
            self._line(f"  {line}")
            return
        from lockage.cli.folded import folded

        assert event.log is not None
        assert self._now is not None
        ended = self._now()
        self._line(
            folded(self._terminal.log, event.step, line, output, secret=event.log.digest, began=ended - event.wall_ms // 1000, ended=ended)
        )

    def _line(self, text: str) -> None:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

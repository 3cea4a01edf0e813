"""Draws a view on the terminal, about ten times a second, on a thread of its own; rich knows how."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from lockage.base.name import ProjectName, StepName
    from lockage.cli.view import View
    from lockage.record.event import Event
    from lockage.wiring.terminal import Terminal

    #: How long the steps of a project took before, in milliseconds. Raises nothing.
    History = Callable[[ProjectName], Mapping[StepName, int]]

__all__ = ["Painter"]

#: What takes less is not drawn at all, in seconds.
_PATIENCE = 0.3
_INTERVAL = 0.1
#: How long to wait for the last drawing to be taken away, in seconds.
_JOIN = 2.0
#: Show the cursor: DECTCEM of the VT510.
_CURSOR = "\x1b[?25h"


class Painter(threading.Thread):
    """Prints the lines that stay, and below them the view while it is busy. :meth:`close` leaves the terminal as it was."""

    def __init__(self, view: View, terminal: Terminal, history: History | None = None) -> None:
        super().__init__(name="painter", daemon=True)
        self._view = view
        self._terminal = terminal
        self._history = history
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._live: Live | None = None
        self._console: Console | None = None

    def hear(self, event: Event, at: float) -> None:
        """Take an event in; starts drawing if that is needed."""
        with self._lock:
            self._stay(self._view.told(event, at))
            if self.ident is None and self._view.busy:
                self.start()

    def close(self, at: float) -> None:
        """Stop drawing; returns when the cursor is back."""
        self._over.set()
        if self.ident is not None:
            self.join(_JOIN)
            if self.is_alive():  # a signal may have broken off this thread while it held the lock
                sys.stderr.write(_CURSOR)
                return
        with self._lock:
            self._stay(self._view.closed(at))

    def run(self) -> None:
        with suppress(OSError):  # the terminal may have been closed; then nobody looks any more
            self._draw()

    def _draw(self) -> None:
        while not self._over.wait(_INTERVAL if self._live is not None else _PATIENCE):
            self._look_back()
            with self._lock:
                if self._live is None and self._view.busy:
                    self._begin()
                elif self._live is not None:
                    self._live.refresh()
        with self._lock:
            live, self._live = self._live, None
            if live is not None:
                live.stop()

    def _look_back(self) -> None:
        """Ask once a plan how long its steps took before. Not while the lock is held: whoever builds is not to wait for that."""
        project = self._view.project
        if project is not None and self._history is not None:
            known = self._history(project)
            with self._lock:
                self._view.expect(known)

    def _begin(self) -> None:
        from rich.console import Console  # some 30 ms: only when there is something to wait for
        from rich.live import Live

        self._console = Console(
            file=sys.stderr, force_terminal=True, color_system="standard" if self._terminal.colour else None, highlight=False
        )
        live = Live(
            console=self._console,
            get_renderable=self._shown,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )
        live.start(refresh=True)
        self._live = live

    def _shown(self) -> Text:
        from rich.text import Text

        assert self._console is not None
        width = max(self._console.size.width - 1, 1)  # the last column makes some terminals wrap
        lines = self._view.lines(time.monotonic(), width, unicode=self._terminal.unicode)
        return Text("\n".join(lines), style="cyan", no_wrap=True, overflow="crop", end="")

    def _stay(self, lines: list[str]) -> None:
        """Print lines that stay: above the view if it is drawn."""
        if self._live is not None and self._console is not None:
            for line in lines:
                self._console.print(line, markup=False, highlight=False, soft_wrap=True)
        elif lines:
            sys.stderr.write("".join(f"{line}\n" for line in lines))
            sys.stderr.flush()

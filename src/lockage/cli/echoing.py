"""A build with nothing to do is kept as an echo, which answers the same command from then on (docs/adr/0016-echo.md)."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from lockage.cli.plain import Plain
from lockage.cli.progress import ignore, observe, observers
from lockage.record.event import StepStarted
from lockage.wiring.terminal import terminal_of

if TYPE_CHECKING:
    from pathlib import Path

    from lockage.cli.view import View
    from lockage.record.event import Event
    from lockage.wiring import Wiring
    from lockage.work.build import Built
    from lockage.work.prepare import Project

__all__ = ["Overheard"]


class Overheard:
    """What a command prints of its progress, as if everything had happened at once; implements :class:`.progress.Observer`.

    It ends with the first step that is executed: then there is nothing to echo.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._lines: list[str] = []
        self._plain: Plain | None = None
        self._view: View | None = None
        if not quiet and not terminal_of(sys.stderr).live:
            self._plain = Plain()
        elif not quiet:
            from lockage.cli.view import View

            self._view = View()
        observe(self)

    def hear(self, event: Event) -> None:
        if isinstance(event, StepStarted):
            self._plain = self._view = None
            ignore(self)  # of what thousands of steps tell
        elif self._plain is not None:
            self._lines += self._plain.told(event)
        elif self._view is not None:
            self._lines += self._view.told(event, 0.0)

    def end(self, exit_code: int, error: str | None) -> None:
        """Nothing waits for it."""

    def said(self) -> str:
        """All of it, up to the end of the command."""
        if self._plain is not None:
            self._lines += self._plain.closed()
        elif self._view is not None:
            self._lines += self._view.closed(0.0)
        return "".join(f"{line}\n" for line in self._lines)

    def keep(self, wiring: Wiring, project: Project, built: Built, *, output: str, out: Path, lock_file: Path | None) -> None:
        """Keep what was printed as an echo, if nothing had to be done and only the user was told of it."""
        if built.basis is None or any(observer is not self for observer in observers()):
            return
        if any(environment.root.is_host for environment in project.lock.environments.values()):
            return  # an echo looks at the source and the store, and not at the machine
        from lockage.wiring.echoes import keep_echo  # only after a build that did nothing

        words = click.get_current_context().find_root().obj
        keep_echo(wiring, words, project, built, printed=(self.said(), output), out=out, lock_file=lock_file)

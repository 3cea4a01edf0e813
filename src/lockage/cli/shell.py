"""``lockage shell``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lockage.cli.completion import steps
from lockage.cli.options import lock_option, source_argument, wanted_options

if TYPE_CHECKING:
    from pathlib import Path

    from lockage.recipe.wanted import Wanted
    from lockage.work.shell import Entrance

__all__ = ["command"]


@click.command("shell")
@click.argument("step", shell_complete=steps)
@source_argument
@lock_option
@wanted_options
@click.option("--command", "-c", "line", metavar="LINE", help="Run this line instead of a prompt, and exit as it does.")
def command(step: str, source: str, lock_file: Path | None, wanted: Wanted, line: str | None) -> int:
    """Open a prompt in the sandbox of STEP: the same root, variables and folder, with its inputs and what its needs made.

    What the step would run is shown, and stands in LOCKAGE_RUN. Without a terminal the lines to run are read from standard input.
    Nothing is recorded or cached, and what is written there is gone at the end. The steps of a source without lockage.toml are
    `sdist`, `wheel`, and `build-requirements`, which asks the build backend what it needs.

    \b
    Examples:
      lockage shell wheel
      lockage shell wheel lxml-6.0.0.tar.gz --add libxml2-dev
      lockage shell unit -c 'ls -l'
      lockage shell unit -c 'eval "$LOCKAGE_RUN"'
    """
    import sys

    from lockage.base.name import StepName
    from lockage.cli.project import open_project
    from lockage.ports import Attached
    from lockage.recipe.hooks import HOOK_STEP
    from lockage.work.shell import enter, entrance

    wiring, project = open_project(source, lock_file=lock_file, wanted=wanted, asking=step == HOOK_STEP)
    place = entrance(wiring, project, StepName(step))
    terminal = line is None and sys.stdin.isatty() and sys.stdout.isatty()
    if line is None:
        _show(place, prompt=terminal)
    attached = Attached.OUTPUT if line is not None else Attached.TERMINAL if terminal else Attached.STREAMS
    return enter(wiring, place, line, attached, terminal_kind=wiring.terminal_kind)


def _show(place: Entrance, *, prompt: bool) -> None:
    """What the step would run, before anything else is seen; not among what a command prints."""
    import sys

    step = place.planned.step
    lines = [f"step {step.name} in environment {step.environment} would run:", *(f"    {text}" for text in place.shown.splitlines())]
    if step.outputs:
        lines.append(f"and make {', '.join(step.outputs)}.")
    if prompt:
        lines.append('`eval "$LOCKAGE_RUN"` runs it; `exit` leaves, and nothing is kept.')
    sys.stderr.write("\n".join(lines) + "\n")
    sys.stderr.flush()

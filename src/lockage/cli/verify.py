"""``lockage verify``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lockage.cli.options import add_option, json_option, lock_option, source_argument

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["command"]


@click.command("verify")
@source_argument
@lock_option
@add_option
@click.option("--rounds", type=click.IntRange(1, 20), default=1, show_default=True, help="Rebuilds for each of the two claims.")
@click.option("--axes", help="Only these axes, separated by commas (docs/verify.md lists them).")
@click.option("--jobs", "-j", type=click.IntRange(1), help="How many steps may run beside each other.")
@json_option
def command(
    source: str, lock_file: Path | None, added: tuple[str, ...], rounds: int, axes: str | None, jobs: int | None, as_json: bool
) -> int:
    """Rebuild SOURCE with everything varied and compare the bytes.

    First only the host is varied (`reproduced`), then also what the sandbox fixes: build path, user, locale, clock and more
    (`robust`). The result is signed and recorded, good or bad. Exit 4 unless every artifact came out identical.
    """
    from lockage.base.errors import ExitCode, Usage
    from lockage.cli.project import open_project
    from lockage.cli.screen import print_json, say, table
    from lockage.variation import AXES
    from lockage.work.verify import verify_project

    chosen = None if axes is None else tuple(name.strip() for name in axes.split(",") if name.strip())
    known = [axis.name for axis in AXES]
    if chosen is not None and (unknown := sorted(set(chosen) - set(known))):
        raise Usage(f"no such axis: {', '.join(unknown)}", hint=f"The axes are {', '.join(known)}.")
    wiring, project = open_project(source, lock_file=lock_file, added=added, jobs=jobs, quiet=as_json)
    found = verify_project(wiring, project, rounds=rounds, axes=chosen)
    if as_json:
        print_json(
            {
                "reproduced": found.reproduced,
                "robust": found.robust,
                "rounds": len(found.rounds),
                "axes": found.axes,
                "unavailable": found.unavailable,
                "artifacts": found.artifacts,
                "failures": [round_.failure for round_ in found.rounds if round_.failure],
                "last_lines": [round_.last_lines for round_ in found.rounds if round_.failure],
            }
        )
        return int(ExitCode.DONE if found.identical else ExitCode.NOT_REPRODUCED)
    rows = [(verdict.filename, verdict.reproduced, verdict.robust, verdict.raw) for verdict in found.artifacts]
    for line in table(rows, header=("artifact", "reproduced", "robust", "before passes")):
        say(line)
    for verdict in found.artifacts:
        for line in verdict.lines():
            say(line)
    for round_ in found.rounds:
        if round_.failure:
            say(f"  a rebuild for `{round_.claim}` failed: {round_.failure}")
            for line in round_.last_lines:
                say(f"    {line}")
    say(f"{len(found.rounds)} rebuilds, {len(found.axes)} axes varied: {', '.join(found.axes)}")
    if found.unavailable:
        say(f"not varied on this machine: {', '.join(found.unavailable)}")
    return int(ExitCode.DONE if found.identical else ExitCode.NOT_REPRODUCED)

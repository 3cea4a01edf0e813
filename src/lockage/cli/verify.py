"""``lockage verify``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lockage.cli.options import json_option, lock_option, source_argument, wanted_options

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lockage.recipe.wanted import Wanted
    from lockage.work.verify import Verification

__all__ = ["command"]


@click.command("verify")
@source_argument
@lock_option
@wanted_options
@click.option("--rounds", type=click.IntRange(1, 20), default=1, show_default=True, help="Rebuilds for each of the two claims.")
@click.option("--axes", help="Only these axes, separated by commas (docs/verify.md lists them).")
@click.option("--blame/--no-blame", "blaming", default=True, help="Find out what makes it differ, if it does, by further rebuilds.")
@click.option("--blame-rebuilds", type=click.IntRange(0), default=60, show_default=True, help="How many rebuilds that may take.")
@click.option("--jobs", "-j", type=click.IntRange(1), help="How many steps may run beside each other.")
@json_option
def command(
    source: str,
    lock_file: Path | None,
    wanted: Wanted,
    rounds: int,
    axes: str | None,
    blaming: bool,
    blame_rebuilds: int,
    jobs: int | None,
    as_json: bool,
) -> int:
    """Rebuild SOURCE with everything varied and compare the bytes.

    First only the host is varied (`reproduced`), then also what the sandbox fixes: build path, user, locale, clock and more
    (`robust`). The result is signed and recorded, good or bad. Exit 4 unless every artifact came out identical; then further
    rebuilds find out which axes, step, bytes and cause are to blame.

    \b
    Examples:
      lockage verify
      lockage verify --axes timezone,locale,umask
      lockage verify shop-1.2.0.tar.gz --lock dist/lockage.lock --rounds 3
    """
    from lockage.base.errors import ExitCode, Usage
    from lockage.cli.blame import blame_lines
    from lockage.cli.project import open_project
    from lockage.cli.screen import print_json, say, say_prose, table
    from lockage.variation import AXES
    from lockage.work.verify import verify_project

    chosen = None if axes is None else tuple(name.strip() for name in axes.split(",") if name.strip())
    known = [axis.name for axis in AXES]
    if chosen is not None and (unknown := sorted(set(chosen) - set(known))):
        raise Usage(f"no such axis: {', '.join(unknown)}", hint=f"The axes are {', '.join(known)}.")
    wiring, project = open_project(source, lock_file=lock_file, wanted=wanted, jobs=jobs, quiet=as_json)
    found = verify_project(wiring, project, rounds=rounds, axes=chosen, blaming=blame_rebuilds if blaming else 0)
    if as_json:
        print_json(
            {
                "reproduced": found.reproduced,
                "robust": found.robust,
                "rounds": len(found.rounds),
                "axes": found.axes,
                "unavailable": found.unavailable,
                "held": found.held,
                "artifacts": found.artifacts,
                "failures": [round_.failure for round_ in found.rounds if round_.failure],
                "blame": found.blamed.found if found.blamed else (),
                "blame_rebuilds": found.blamed.rebuilds if found.blamed else 0,
                "blame_exhausted": found.blamed.exhausted if found.blamed else False,
                "last_lines": [round_.last_lines for round_ in found.rounds if round_.failure],
            }
        )
        return int(ExitCode.DONE if found.identical else ExitCode.NOT_REPRODUCED)
    rows = [(verdict.filename, verdict.reproduced, verdict.robust, verdict.raw) for verdict in found.artifacts]
    for line in table(rows, header=("artifact", "reproduced", "robust", "before passes"), least=(3, 0)):
        say(line)
    for verdict in found.artifacts:
        for line in verdict.lines():
            say(line)
    for round_ in found.rounds:
        if round_.failure:
            say(f"  a rebuild for `{round_.claim}` failed: {round_.failure}")
            for line in round_.last_lines:
                say(f"    {line}")
    if found.blamed is not None:
        for line in blame_lines(found.blamed):
            say(line)
    say_prose(f"{len(found.rounds)} rebuilds, {len(found.axes)} axes varied: {', '.join(found.axes)}")
    for line in _not_varied(found):
        say_prose(line)
    return int(ExitCode.DONE if found.identical else ExitCode.NOT_REPRODUCED)


def _not_varied(found: Verification) -> Iterator[str]:
    for step, still in found.held.items():
        yield f"held still by modes of step {step}: {', '.join(still)}"
    if found.unavailable:
        yield f"not varied: {', '.join(found.unavailable)}"

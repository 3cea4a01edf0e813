"""``lockage verify``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lockage.cli.options import json_option, lock_option, source_argument, wanted_options

if TYPE_CHECKING:
    from pathlib import Path

    from lockage.recipe.wanted import Wanted
    from lockage.work.verify import Verification

__all__ = ["command"]


@click.command("verify")
@source_argument
@lock_option
@wanted_options
@click.option("--rounds", type=click.IntRange(1, 1000), default=1, show_default=True, help="Rebuilds for each of the two claims.")
@click.option("--pairwise", is_flag=True, help="As many rebuilds as it takes to vary every two values of two axes together.")
@click.option("--axes", help="Only these axes, separated by commas (docs/verify.md lists them); `timezone=GMT-14` is one level of an axis.")
@click.option("--all", "severe", is_flag=True, help="Also the axes that are dear, or that a sound build may fail on.")
@click.option("--blame/--no-blame", "blaming", default=True, help="Find out what makes it differ, if it does, by further rebuilds.")
@click.option("--blame-rebuilds", type=click.IntRange(0), default=60, show_default=True, help="How many rebuilds that may take.")
@click.option("--jobs", "-j", type=click.IntRange(1), help="How many steps may run beside each other.")
@json_option
def command(
    source: str,
    lock_file: Path | None,
    wanted: Wanted,
    rounds: int,
    pairwise: bool,
    axes: str | None,
    severe: bool,
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
      lockage verify --axes timezone,locale=et_EE,umask
      lockage verify --all --pairwise
      lockage verify shop-1.2.0.tar.gz --lock dist/lockage.lock --rounds 3
    """
    from lockage.base.errors import ExitCode, Usage
    from lockage.cli.project import open_project
    from lockage.cli.screen import print_json
    from lockage.variation import AXES, unknown
    from lockage.work.verify import verify_project

    chosen = None if axes is None else tuple(name.strip() for name in axes.split(",") if name.strip())
    if strange := unknown(chosen or ()):
        levels = [choice for axis in AXES for choice in axis.choices(severe=True)]
        raise Usage(f"no such axis: {', '.join(strange)}", hint=f"The axes are {', '.join(levels)}.")
    wiring, project = open_project(source, lock_file=lock_file, wanted=wanted, jobs=jobs, quiet=as_json)
    found = verify_project(
        wiring, project, rounds=None if pairwise else rounds, axes=chosen, severe=severe, blaming=blame_rebuilds if blaming else 0
    )
    if as_json:
        print_json(_document(found))
    else:
        _say(found)
    return int(ExitCode.DONE if found.identical else ExitCode.NOT_REPRODUCED)


def _document(found: Verification) -> dict[str, object]:
    failed = [round_ for round_ in found.rounds if round_.failure]
    return {
        "reproduced": found.reproduced,
        "robust": found.robust,
        "rounds": len(found.rounds),
        "flaky_at_most": found.flaky_at_most,
        "pairs": {"varied": found.pairs[0], "of": found.pairs[1]},
        "axes": found.axes,
        "unavailable": tuple(found.unavailable),
        "unavailable_because": found.unavailable,
        "artifacts": found.artifacts,
        "failures": [round_.failure for round_ in failed],
        "blame": found.blamed.found if found.blamed else (),
        "blame_rebuilds": found.blamed.rebuilds if found.blamed else 0,
        "blame_exhausted": found.blamed.exhausted if found.blamed else False,
        "blame_unobserved": found.blamed.unobserved if found.blamed else None,
        "last_lines": [round_.last_lines for round_ in failed],
    }


def _say(found: Verification) -> None:
    from lockage.cli.blame import blame_lines
    from lockage.cli.screen import say, say_prose, table

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
    if found.pairs[1]:
        say_prose(f"varied together: {found.pairs[0]} of {found.pairs[1]} pairs of values")
    if found.flaky_at_most is not None:
        say_prose(f"confidence: with 95 % certainty it differs by itself in at most {found.flaky_at_most:.1%} of rebuilds")
    for choice, why in found.unavailable.items():
        say_prose(f"not varied here: {choice}: {why}")

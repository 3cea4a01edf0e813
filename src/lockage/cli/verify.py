"""``lockage verify``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from lockage.cli.fix import fix_document, fix_lines, recipe_folder
from lockage.cli.options import events_option, json_option, lock_option, wanted_options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockage.catalog.model import ReleaseRecord
    from lockage.recipe.wanted import Wanted
    from lockage.wiring import Wiring
    from lockage.work.fix import Fix
    from lockage.work.prepare import Project
    from lockage.work.verify import Verification

__all__ = ["command"]


@click.command("verify")
@click.argument("source", default=".", metavar="[SOURCE|RELEASE]")
@click.option("--source", "from_source", metavar="SOURCE", help="For a RELEASE whose source the store has not: where it is.")
@lock_option
@wanted_options
@click.option("--rounds", type=click.IntRange(1, 1000), default=1, show_default=True, help="Rebuilds for each of the two claims.")
@click.option("--pairwise", is_flag=True, help="As many rebuilds as it takes to vary every two values of two axes together.")
@click.option("--axes", help="Only these axes, separated by commas (docs/verify.md lists them); `timezone=GMT-14` is one level of an axis.")
@click.option("--all", "severe", is_flag=True, help="Also the axes that are dear, or that a sound build may fail on.")
@click.option("--blame/--no-blame", "blaming", default=True, help="Find out what makes it differ, if it does, by further rebuilds.")
@click.option("--blame-rebuilds", type=click.IntRange(0), default=60, show_default=True, help="How many rebuilds that may take.")
@click.option("--fix", "fixing", is_flag=True, help="Find what in the recipe mends it, prove that by rebuilding, and write it there.")
@click.option("--fix-to", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write the mended recipe to FILE instead.")
@click.option("--fix-rebuilds", type=click.IntRange(1), default=200, show_default=True, help="How many rebuilds the search may take.")
@click.option("--jobs", "-j", type=click.IntRange(1), help="How many steps may run beside each other.")
@events_option
@json_option
def command(
    source: str,
    from_source: str | None,
    lock_file: Path | None,
    wanted: Wanted,
    rounds: int,
    pairwise: bool,
    axes: str | None,
    severe: bool,
    blaming: bool,
    blame_rebuilds: int,
    fixing: bool,
    fix_to: Path | None,
    fix_rebuilds: int,
    jobs: int | None,
    as_json: bool,
) -> int:
    """Rebuild SOURCE or a RELEASE with everything varied and compare the bytes.

    First only the host is varied (`reproduced`), then also what the sandbox fixes: build path, user, locale, clock and more
    (`robust`). The result is signed and recorded, good or bad. Exit 4 unless every artifact came out identical; then further
    rebuilds find out which axes, step, bytes and cause are to blame.

    With --fix the smallest set of mitigations (variables, modes, passes) is looked for that makes everything identical, proven by
    rebuilding, and written into lockage.toml with its reasons. What no recipe can mend is told, and its exit code stays 4.

    What exists as a path, holds a slash or is an address is a SOURCE. Else it is a RELEASE of the store (PROJECT, PROJECT@VERSION,
    PROJECT@VERSION-BUILD or its digest), which is rebuilt from its recorded source and lock, wherever HEAD is now, and compared with what
    was released.

    \b
    Examples:
      lockage verify
      lockage verify --axes timezone,locale=et_EE,umask
      lockage verify --all --pairwise
      lockage verify shop@1.2.0-1
      lockage verify --fix
      lockage verify shop-1.2.0.tar.gz --fix --fix-to lockage.toml
      lockage verify shop-1.2.0.tar.gz --lock dist/lockage.lock --rounds 3
    """
    from lockage.base.errors import ExitCode, Usage
    from lockage.cli.project import open_project
    from lockage.cli.released import open_release
    from lockage.cli.screen import print_json, say
    from lockage.variation import AXES, unknown

    chosen = None if axes is None else tuple(name.strip() for name in axes.split(",") if name.strip())
    if strange := unknown(chosen or ()):
        levels = [choice for axis in AXES for choice in axis.choices(severe=True)]
        raise Usage(f"no such axis: {', '.join(strange)}", hint=f"The axes are {', '.join(levels)}.")
    _check_fixing(fixing=fixing, fix_to=fix_to, blaming=blaming and blame_rebuilds > 0)
    asked = Asked(
        rounds=None if pairwise else rounds,
        axes=chosen,
        severe=severe,
        blaming=blame_rebuilds if blaming else 0,
        fixing=fix_rebuilds if fixing else 0,
        fix_to=fix_to,
    )
    named = open_release(source, jobs=jobs, quiet=as_json)
    if named is None:
        if from_source is not None:
            raise Usage("--source is for a RELEASE", hint="Name the source as the argument: `lockage verify SOURCE`.")
        wiring, project = open_project(source, lock_file=lock_file, wanted=wanted, jobs=jobs, quiet=as_json)
        found, fixed = _verified(wiring, project, source, asked)
    else:
        found, fixed = _verified_release(*named, from_source, lock_file, wanted, asked), None
    if as_json:
        print_json(
            {"release": _title(named[1]) if named is not None else None, **_document(found), "fix": fix_document(fixed, source, fix_to)}
        )
    else:
        _say(found)
        for line in fix_lines(fixed, source, fix_to) if fixed is not None else ():
            say(line)
    return int(ExitCode.DONE if found.identical or (fixed is not None and fixed.identical) else ExitCode.NOT_REPRODUCED)


class Asked(NamedTuple):
    """What the options ask for; ``blaming`` and ``fixing`` are numbers of rebuilds, 0 for none; no ``rounds``: as many as pairs need."""

    rounds: int | None
    axes: tuple[str, ...] | None
    severe: bool
    blaming: int
    fixing: int
    fix_to: Path | None


def _title(record: ReleaseRecord) -> str:
    from lockage.work.release import release_title  # loaded already where there is a release

    return release_title(record)


def _verified_release(
    wiring: Wiring, record: ReleaseRecord, source: str | None, lock_file: Path | None, wanted: Wanted, asked: Asked
) -> Verification:
    from lockage.base.errors import Usage
    from lockage.work.released import built_of_release  # verifying a source needs none of it
    from lockage.work.verify import verify_release

    if asked.fixing:
        raise Usage("a release is closed, so nothing of it can be mended", hint="Mend its source: `lockage verify --fix SOURCE`.")
    lock = lock_file.read_bytes() if lock_file is not None else None
    plan, built = built_of_release(wiring, record, source=source, lock=lock, wanted=wanted)
    return verify_release(wiring, plan, built, rounds=asked.rounds, axes=asked.axes, severe=asked.severe, blaming=asked.blaming)


def _verified(wiring: Wiring, project: Project, source: str, asked: Asked) -> tuple[Verification, Fix | None]:
    if not asked.fixing:
        from lockage.work.verify import verify_project

        found = verify_project(wiring, project, rounds=asked.rounds, axes=asked.axes, severe=asked.severe, blaming=asked.blaming)
        return found, None
    from lockage.work.mend import fix_project  # it reads and edits recipes, which verifying has no need of

    folder = recipe_folder(source, asked.fix_to)
    found, fixed = fix_project(
        wiring,
        source,
        project,
        folder=folder,
        rounds=asked.rounds,
        axes=asked.axes,
        severe=asked.severe,
        blaming=asked.blaming,
        most=asked.fixing,
    )
    if fixed is not None and fixed.text is not None and asked.fix_to is not None:
        wiring.folders.write(asked.fix_to.parent, asked.fix_to.name, fixed.text.encode())
    return found, fixed


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
        "held": found.held,
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

    rows = [(verdict.filename, verdict.reproduced, verdict.robust, verdict.raw or "not known") for verdict in found.artifacts]
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
    for line in _not_varied(found):
        say_prose(line)


def _not_varied(found: Verification) -> Iterator[str]:
    for step, still in found.held.items():
        yield f"held still by modes or services of step {step}: {', '.join(still)}"
    for choice, why in found.unavailable.items():
        yield f"not varied here: {choice}: {why}"


def _check_fixing(*, fixing: bool, fix_to: Path | None, blaming: bool) -> None:
    from lockage.base.errors import Usage

    if fix_to is not None and not fixing:
        raise Usage("--fix-to says where a mended recipe goes, and none is looked for", hint="Add --fix.")
    if fixing and not blaming:
        raise Usage("--fix needs to know what is to blame", hint="Leave out --no-blame and `--blame-rebuilds 0`.")

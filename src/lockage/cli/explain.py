"""``lockage explain``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lockage.cli.completion import steps
from lockage.cli.options import json_option, lock_option, source_argument, wanted_options

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lockage.plan.difference import Change
    from lockage.recipe.wanted import Wanted
    from lockage.work.explain import Explanation

__all__ = ["command", "explanation_lines"]

#: Of each kind, more changes than this are counted, not listed.
_MOST = 20
_LONGEST = 60


@click.command("explain")
@click.argument("step", shell_complete=steps)
@source_argument
@lock_option
@wanted_options
@json_option
def command(step: str, source: str, lock_file: Path | None, wanted: Wanted, as_json: bool) -> None:
    """Say why STEP of SOURCE would run now, or need not: what has changed since which run.

    Input files, outputs of other steps, the command, variables, flags, stamps, packages of the environment. Nothing is run. What it
    compares with are the runs that this store remembers.

    \b
    Examples:
      lockage explain wheel
      lockage explain unit ../shop --json
    """
    from lockage.base.name import StepName
    from lockage.cli.project import open_project
    from lockage.cli.screen import print_json, say
    from lockage.recipe.hooks import HOOK_STEP
    from lockage.work.explain import explain

    wiring, project = open_project(source, lock_file=lock_file, wanted=wanted, quiet=as_json, asking=step == HOOK_STEP)
    found = explain(wiring, project, StepName(step))
    if as_json:
        print_json(found)
    else:
        for line in explanation_lines(found):
            say(line)


def explanation_lines(found: Explanation) -> Iterator[str]:
    """What a build would do, and under it what changed."""
    from itertools import groupby

    from lockage.cli.screen import table

    yield f"{found.step}: {_verdict(found)}"
    if found.since is None:
        return
    if not found.changes:
        yield f"  nothing else has changed since {found.since}"
        return
    yield f"  it ran in {found.run} because since {found.since} these had changed:" if found.run else f"  changed since {found.since}:"
    for _, group in groupby(found.changes, key=lambda change: (change.kind, change.step)):
        changes = list(group)
        yield from table([_row(change) for change in changes[:_MOST]], indent=4)
        if len(changes) > _MOST:
            yield f"      and {len(changes) - _MOST:,} more; --json lists them all"


def _verdict(found: Explanation) -> str:
    from lockage.work.explain import State

    match found.state:
        case State.KEPT:
            return "unchanged, its result is kept"
        case State.CHANGED:
            return "would run, it has changed"
        case State.FAILED:
            return f"would run, it is unchanged but failed in {found.run}"
        case State.LOST:
            return f"would run, it is unchanged since {found.run} but its result is not in the store any more"
        case State.NEW:
            return "would run, no run that this store remembers has it"
        case State.WAITS:
            return f"not known before these have run: {', '.join(found.waits_for)}"


def _row(change: Change) -> tuple[str, str, str]:
    what = f"{change.kind} of {change.step}" if change.step else str(change.kind)
    sign = "+" if change.before is None else "-" if change.after is None else "~"
    return (f"{sign} {what}", change.name, _values(change))


def _values(change: Change) -> str:
    from lockage.plan.difference import ChangeKind

    before, after = change.before, change.after
    match change.kind:
        case ChangeKind.INPUT | ChangeKind.NEED | ChangeKind.FETCH | ChangeKind.CRATE:
            return _of_file(before, after)
        case ChangeKind.SERVICE if before is not None and after is not None:
            return "its recording or its declaration"
        case ChangeKind.SERVICE:
            return ""
        case ChangeKind.ROOT:
            return f"{str(before)[:12]} → {str(after)[:12]}"
        case _ if before == after:
            return f"{before}, other bytes"
        case _:
            return " → ".join(_short(value) for value in (before, after) if value is not None)


def _of_file(before: str | None, after: str | None) -> str:
    """What of a file is not the same, where that is not just its bytes."""
    if before is None or after is None:
        return ""
    if any(text.startswith("->") or text == "directory" for text in (before, after)):
        return " → ".join(
            text if text == "directory" else f"link to {text[3:]}" if text.startswith("->") else "file" for text in (before, after)
        )
    was, now = (text.endswith(" executable") for text in (before, after))
    return "" if was == now else "executable now" if now else "no longer executable"


def _short(value: str) -> str:
    text = " ".join(value.split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."

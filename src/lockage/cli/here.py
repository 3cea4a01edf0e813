"""``lockage`` alone: where you are, and what to type next."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lockage.base.units import human_ago
from lockage.cli.screen import print_json, say_prose, table
from lockage.wiring import Wiring
from lockage.wiring.terminal import terminal_of
from lockage.work.here import LockState, here

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockage.base.instant import Instant
    from lockage.work.here import Here

__all__ = ["here_lines", "show_here"]

_LOCKS = {
    LockState.MISSING: "lockage.lock is missing",
    LockState.FITS: "lockage.lock fits the recipe",
    LockState.DRIFTED: "lockage.lock does not fit the recipe",
    LockState.UNREADABLE: "lockage.lock cannot be read",
}


def show_here(*, as_json: bool) -> None:
    """Print it; the store is not made by this."""
    wiring = Wiring.from_process()
    found = here(wiring, Path.cwd())
    if as_json:
        print_json(found)
        return
    for line in here_lines(found, now=wiring.clock.now(), width=terminal_of(sys.stdout).width):
        say_prose(line)


def here_lines(found: Here, *, now: Instant, width: int | None = None) -> Iterator[str]:
    """The same for people."""
    yield f"{found.project or 'no project'} in {found.folder}" if found.project or found.python else f"no project in {found.folder}"
    yield from table(list(_facts(found, now)), indent=2)
    for number, trouble in enumerate(line for text in found.trouble for line in text.splitlines()):
        yield f"  {'trouble:' if number == 0 else '        '} {trouble}"
    if found.next:
        yield ""
        yield "next:"
        yield from _todo(found, width)


def _todo(found: Here, width: int | None) -> Iterator[str]:
    """The commands, never cut: where what they are for does not fit beside them it stands below."""
    longest = max(len(step.command) for step in found.next)
    beside = width is None or 4 + longest + max(len(step.why) for step in found.next) <= width
    for step in found.next:
        if beside:
            yield f"  {step.command.ljust(longest)}  {step.why}"
        else:
            yield from (f"  {step.command}", f"    {step.why}")


def _facts(found: Here, now: Instant) -> Iterator[tuple[str, str]]:
    if found.repository:
        yield "source", _source(found)
    if found.recipe is not None:
        yield "recipe", f"{found.recipe}: {', '.join(found.steps)}" if found.steps else f"{found.recipe}, with faults"
    elif found.python:
        yield "recipe", "none; it will be inferred"
    if found.lock in _LOCKS:
        yield "lock", _LOCKS[found.lock]
    if found.last is not None:
        of = "" if found.last.current else "; not of what stands here now"
        yield "last run", f"{found.last.run}, {human_ago(now - found.last.finished)}: {_result(found)}{of}"
    if found.built:
        yield "tests", found.proof.tests or "not run yet"
        yield "rebuilds", _rebuilds(found)
    if found.release is not None:
        yield "release", found.release
    for channel in found.channels:
        held = f" (held: {channel.held})" if channel.held else ""
        yield channel.channel, f"{channel.release or '-'}{held}"


def _source(found: Here) -> str:
    if found.commit is None:
        return "a git repository without a commit"
    on = f" on {found.branch}" if found.branch else ""
    if not found.changes:
        return f"commit {found.commit[:12]}{on}, nothing uncommitted"
    more = f" and {len(found.changes) - 3} more" if len(found.changes) > 3 else ""
    return f"commit {found.commit[:12]}{on}, uncommitted: {', '.join(found.changes[:3])}{more}"


def _result(found: Here) -> str:
    assert found.last is not None
    if found.last.failed is not None:
        return f"the step {found.last.failed} failed (`lockage logs {found.last.run} {found.last.failed}`)"
    if not found.last.executed:
        return "all steps unchanged"
    return f"{found.last.executed} of {len(found.last.steps)} steps executed, none failed"


def _rebuilds(found: Here) -> str:
    claims = (("reproduced", found.proof.reproduced), ("robust", found.proof.robust))
    return ", ".join(f"{claim}: {grade}" for claim, grade in claims if grade) or "not verified yet"

"""What the times of runs say: the chain of steps that decided how long one took, and how long steps may be expected to take.

Pure, and information only: nothing that is built depends on any of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lockage.base.name import StepName
    from lockage.record.artifact import Run, StepRun

__all__ = ["began", "critical_path", "wall_times"]


def began(step: StepRun) -> int | None:
    """When the first attempt at a step began, in milliseconds; None if that was not recorded."""
    return step.attempts[0].started_ms if step.attempts and step.attempts[0].started_ms is not None else step.started_ms


def critical_path(steps: Sequence[StepRun], needs: Mapping[StepName, Sequence[StepName]]) -> tuple[StepName, ...]:
    """The executed steps that led to the end of the run, each needed by the next and the last of its needs to end; the first one first.

    Empty if nothing was executed or no times were recorded. Of those that ended at one time the earlier in plan order counts.
    """
    ended = {step.step: step.finished_ms for step in steps if not step.cached and step.finished_ms is not None}
    if not ended:
        return ()
    path = [max(ended, key=ended.__getitem__)]
    while before := [need for need in needs.get(path[-1], ()) if need in ended]:
        path.append(max(before, key=ended.__getitem__))
    return tuple(reversed(path))


def wall_times(runs: Iterable[Run]) -> dict[StepName, int]:
    """How long each step took when it was last executed with success, in milliseconds; ``runs`` begin with the newest.

    A step that was taken from the cache has the time of the execution that its result is of.
    """
    found: dict[StepName, int] = {}
    for run in runs:
        for step in run.steps:
            if step.failure is None:
                found.setdefault(step.step, step.usage.wall_ms)
    return found

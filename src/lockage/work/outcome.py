"""What executions came to, as it stands in the record of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.digest import BlobRef
from lockage.ports import ExecutionFailed
from lockage.record.artifact import Skipped, StepRun
from lockage.record.event import StepEnded
from lockage.record.result import Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockage.base.name import StepName
    from lockage.plan.plan import Plan
    from lockage.record.artifact import Attempt, Lost
    from lockage.record.result import ActionResult

__all__ = ["Attempts", "ended", "failure_of", "may_pass", "run_of", "skipped"]

#: Limits of which another attempt may stay within, where a step declares retries: the others depend on what the step does.
_PASSING = frozenset({"timeout", "killed"})


class Attempts:
    """What all attempts at one build have come to: what was lost, and the steps that were executed by those that were broken off."""

    def __init__(self) -> None:
        self.lost: list[Lost] = []
        self.ran: dict[StepName, StepRun] = {}

    def take(self, results: dict[StepName, StepRun]) -> None:
        """Note the steps that were executed; one that an earlier attempt executed was not found in the cache by this build."""
        for name, run in results.items():
            before = self.ran.get(name)
            if not run.cached:
                self.ran[name] = run
            elif before is not None and (before.action, before.outputs) == (run.action, run.outputs):
                results[name] = before


def run_of(
    step: StepName,
    action: BlobRef,
    outcome: ActionResult | ExecutionFailed,
    *,
    cached: bool,
    attempts: tuple[Attempt, ...] = (),
) -> StepRun:
    """The record of a step whose execution, or kept result, this is; ``attempts`` are those before it."""
    done = None if isinstance(outcome, ExecutionFailed) else outcome
    return StepRun(
        step=step,
        action=action,
        exit_code=-1 if done is None else done.exit_code,
        cached=cached,
        outputs=BlobRef.of(b"") if done is None else done.outputs,
        log=outcome.log,
        usage=Usage() if done is None else done.usage,
        failure=failure_of(outcome),
        attempts=attempts,
    )


def ended(run: StepRun) -> StepEnded:
    """The event of a step that has a result."""
    return StepEnded(step=run.step, cached=run.cached, failure=run.failure, wall_ms=run.usage.wall_ms, log=run.log)


def failure_of(outcome: ActionResult | ExecutionFailed) -> str | None:
    """Why it is a failure, as it stands in the record; None if it is none."""
    if isinstance(outcome, ExecutionFailed):
        return f"{outcome.reason}: {outcome.message}"
    return None if outcome.exit_code == 0 else f"exit-code: the command exited with {outcome.exit_code}"


def may_pass(outcome: ActionResult | ExecutionFailed) -> bool:
    """Whether it is a failure that another attempt may not have."""
    return outcome.reason in _PASSING if isinstance(outcome, ExecutionFailed) else outcome.exit_code != 0


def skipped(plan: Plan, results: Mapping[StepName, StepRun]) -> tuple[Skipped, ...]:
    """The steps without a result that need, directly or not, steps that failed; in plan order."""
    behind: dict[StepName, frozenset[StepName]] = {}
    found: list[Skipped] = []
    order = {planned.name: place for place, planned in enumerate(plan.steps)}
    for planned in plan.steps:
        run = results.get(planned.name)
        if run is not None:
            behind[planned.name] = frozenset() if run.failure is None else frozenset({planned.name})
            continue
        behind[planned.name] = frozenset().union(*(behind[need] for need in planned.step.needs))
        if behind[planned.name]:
            found.append(Skipped(step=planned.name, failed=tuple(sorted(behind[planned.name], key=order.__getitem__))))
    return tuple(found)

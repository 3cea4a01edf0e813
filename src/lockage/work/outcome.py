"""What executions came to, as it stands in the record of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.digest import BlobRef
from lockage.ports import ExecutionFailed
from lockage.record.artifact import Skipped, StepRun
from lockage.record.event import ArtifactDelivered, Planned, RunRecorded, StepEnded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lockage.base.name import StepName
    from lockage.plan.plan import Plan
    from lockage.record.artifact import Attempt, Lost, Run
    from lockage.record.event import Event
    from lockage.record.result import ActionResult

__all__ = ["Attempts", "ended", "failure_of", "may_pass", "over", "planned_steps", "run_of", "skipped"]

#: Limits of which another attempt may stay within, where a step declares retries: the others depend on what the step does.
_PASSING = frozenset({"timeout", "killed", "host-memory"})


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
    times: tuple[int, int] | None = None,
) -> StepRun:
    """The record of a step whose execution, or kept result, this is; ``attempts`` are those before it, ``times`` its begin and end."""
    done = None if isinstance(outcome, ExecutionFailed) else outcome
    return StepRun(
        step=step,
        action=action,
        exit_code=-1 if done is None else done.exit_code,
        cached=cached,
        outputs=BlobRef.of(b"") if done is None else done.outputs,
        log=outcome.log,
        usage=outcome.usage,
        failure=failure_of(outcome),
        attempts=attempts,
        exceeded=outcome.exceeded if isinstance(outcome, ExecutionFailed) else None,
        started_ms=None if times is None else times[0],
        finished_ms=None if times is None else times[1],
    )


def planned_steps(plan: Plan, jobs: int) -> Planned:
    """The event of a plan whose steps are looked at now, so many of them beside each other."""
    needs = {planned.name: planned.step.needs for planned in plan.steps if planned.step.needs}
    return Planned(steps=tuple(planned.name for planned in plan.steps), project=plan.recipe.project, needs=needs, jobs=jobs)


def ended(run: StepRun) -> StepEnded:
    """The event of a step that has a result."""
    return StepEnded(
        step=run.step,
        cached=run.cached,
        failure=run.failure,
        wall_ms=run.usage.wall_ms,
        log=run.log,
        action=run.action.digest,
        usage=None if run.cached else run.usage,
        attempts=len(run.attempts) + 1,
    )


def over(run: Run, run_id: str, *, repeated: bool = False) -> Iterator[Event]:
    """The events of a run that is over: what it delivered, and what it is called here; ``repeated``: it is one of before."""
    for one in run.artifacts:
        yield ArtifactDelivered(name=one.name, blob=one.blob, content_digest=one.content_digest, step=one.step)
    executed = [step for step in run.steps if not step.cached]
    yield RunRecorded(
        run=run_id,
        executed=len(executed),
        cached=len(run.steps) - len(executed),
        failed=sum(step.failure is not None for step in executed),
        skipped=len(run.skipped),
        repeated=repeated,
    )


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

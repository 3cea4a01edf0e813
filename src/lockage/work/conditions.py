"""Conditions: on what machines the steps of a run were executed, also those whose results it took from the cache.

What executed a step is found in this order: the run's own record; what was found of the same steps before, which is remembered; the last
few records. What is in none of them is told as not known, which no policy that asks for it lets pass.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from lockage.base.digest import Digest
from lockage.compare.grade import Grade
from lockage.record.conditions import Conditions, ExecutedOn, deviations_of_environments, failed_attempts, repaired

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from lockage.base.name import StepName
    from lockage.plan.plan import Plan
    from lockage.record.artifact import Run
    from lockage.record.conditions import Deviation
    from lockage.work.services import Services

__all__ = ["conditions_here", "conditions_of_run"]

_MEMO = "conditions"
#: So many records are looked into for what executed a step.
_RECORDS = 20


class _Machine(msgspec.Struct, frozen=True, array_like=True):
    """What one run executed: by action's sha256 why each attempt failed that was followed by another."""

    run: str | None
    host: dict[str, str]
    actions: dict[str, tuple[str, ...]]


def conditions_here(services: Services, plan: Plan) -> Conditions:
    """The conditions of a plan that this machine executes now, all of it and outside of any run."""
    steps = tuple(planned.name for planned in plan.steps)
    return Conditions(executions=(ExecutedOn(steps=steps, host=services.host),), deviations=tuple(_of_environments(plan, steps)))


def conditions_of_run(services: Services, plan: Plan, run_id: str, names: Collection[StepName]) -> Conditions:
    """The conditions of these steps of a run of the plan. Raises StoreUnreadable."""
    kept = services.runs.get(run_id)
    run = None if kept is None else kept[0]
    actions = {} if run is None else {step.step: str(step.action.digest) for step in run.steps if step.step in names}
    memo = Digest.of("\0".join((plan.recipe.project, *(planned.name for planned in plan.steps))).encode())
    machines = [] if run is None else _machines(_told(services, run_id, run, memo), actions.values())
    services.memo.put(_MEMO, memo, msgspec.msgpack.encode(machines))
    known = {action: attempts for machine in machines for action, attempts in machine.actions.items()}
    executions = [
        ExecutedOn(steps=tuple(name for name, action in actions.items() if action in machine.actions), host=machine.host, run=machine.run)
        for machine in machines
    ]
    unknown = tuple(planned.name for planned in plan.steps if planned.name in names and actions.get(planned.name) not in known)
    executions += [ExecutedOn(steps=unknown, host={})] if unknown else []
    deviations = [*_of_environments(plan, names)]
    for name, action in actions.items():
        deviations += failed_attempts(name, known.get(action, ()))
    deviations += repaired(() if run is None else run.lost)
    return Conditions(executions=tuple(executions), deviations=tuple(deviations))


def _machines(told: Iterable[_Machine], wanted: Iterable[str]) -> list[_Machine]:
    """What executed each of the actions, as far as it is told; who is told of first counts."""
    left = dict.fromkeys(wanted)
    found: list[_Machine] = []
    for one in told:
        mine = {action: one.actions[action] for action in left if action in one.actions}
        if mine:
            found.append(msgspec.structs.replace(one, actions=mine))
            left = {action: None for action in left if action not in mine}
        if not left:
            break
    return found


def _told(services: Services, run_id: str, run: Run, memo: Digest) -> Iterator[_Machine]:
    """Where it may be told what executed a step, the newest first."""
    yield _machine(run_id, run)
    with suppress(msgspec.MsgspecError):  # a memo that makes no sense counts for nothing
        yield from msgspec.msgpack.decode(services.memo.get(_MEMO, memo) or b"\x90", type=list[_Machine])
    for earlier in services.runs.recent(_RECORDS):
        kept = None if earlier == run_id else services.runs.get(earlier)
        if kept is not None and kept[0].project == run.project:
            yield _machine(earlier, kept[0])


def _machine(run_id: str, run: Run) -> _Machine:
    """What a run executed: the steps that it did not take from the cache, and those whose kept result it got again."""
    actions = {str(step.action.digest): tuple(one.failure for one in step.attempts) for step in run.steps if not step.cached}
    if run.reexecuted is not None:
        actions |= {str(again.action.digest): () for again in run.reexecuted.steps if again.grade == Grade.IDENTICAL}
    return _Machine(run=run_id, host=run.host, actions=actions)


def _of_environments(plan: Plan, names: Collection[StepName]) -> Iterator[Deviation]:
    return deviations_of_environments({str(one.step.environment): one.environment for one in plan.steps if one.name in names})

"""Who has its turn: the schedule's answers performed, until all that can be done is done (docs/scheduling.md).

Not imported by a build of which everything is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from lockage.ports import TooManyCpus
from lockage.record.event import StepQueued
from lockage.schedule.job import UNKNOWN_DURATION, Job
from lockage.schedule.schedule import Schedule
from lockage.work.expected import expected_durations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockage.base.name import StepName
    from lockage.plan.plan import Plan
    from lockage.ports import Clock
    from lockage.record.artifact import StepRun
    from lockage.work.services import Services

__all__ = ["Performer", "take_turns"]

#: So many steps at most are looked at one after the other while others run, for about so many milliseconds, as nothing is started
#: meanwhile. Between two sandboxes nothing of lockage is in the processor's caches: looked at one by one, a step takes twice as long.
_IN_A_ROW, _AT_ONCE = 48, 2


class Performer(Protocol):
    """What can be done with the steps of a plan."""

    def known(self, name: StepName) -> StepRun | None:
        """The step's result, if nothing has to be executed for it; all that it needs has results."""
        ...

    @property
    def prepares(self) -> bool:
        """Whether anything can be done for a step before there is room for it."""
        ...

    def prepare(self, name: StepName) -> None:
        """Do for a step what can be done before its turn; most likely it is started next."""
        ...

    def start(self, name: StepName) -> None:
        """Begin to execute a step."""
        ...

    def wait(self, *, again: bool) -> StepRun | None:
        """The result of the next execution that ends; None if its step is executed again, as it may be only with ``again``."""
        ...


def take_turns(services: Services, plan: Plan, performer: Performer, *, keep_going: bool) -> None:
    """Perform all steps in turn. Raises :class:`TooManyCpus` before anything is executed, and what the performer raises."""
    capacity = msgspec.structs.replace(services.capacity, pools=plan.recipe.pools)
    schedule = Schedule(_jobs(services, plan), capacity, keep_going=keep_going)
    untold: dict[StepName, None] = {}  # queued, and nobody has been told
    _refuse_what_is_too_large(schedule, plan, performer, capacity.most_cpus, untold)
    while True:
        while (job := schedule.start()) is not None:
            untold.pop(job.name, None)
            performer.start(job.name)
        if (job := schedule.look()) is not None:
            _look_at(schedule, job.name, performer, untold)
        elif schedule.running:
            if untold and not schedule.stopped:
                tell = services.tell
                for name in untold:
                    tell(StepQueued(step=name))
                untold.clear()
            _prepare_next(schedule, performer, untold, services.clock)
            done = performer.wait(again=not schedule.stopped)
            if done is not None:
                schedule.finished(done.step, succeeded=done.failure is None)
        else:
            return


def _prepare_next(schedule: Schedule, performer: Performer, untold: dict[StepName, None], clock: Clock) -> None:
    """While others run, have ready what the step needs that is next, so that no CPU waits for it when there is room.

    When none is ready, several are looked at in a row. That one waits is told when another step has ended and it waits still: as a rule
    the turn of the next has come by then.
    """
    if schedule.stopped or not performer.prepares:
        return
    ahead = schedule.ahead()
    if ahead is None:
        until = clock.steady() + _AT_ONCE
        for _ in range(_IN_A_ROW):
            if (job := schedule.look(ahead=True)) is None:
                break
            _look_at(schedule, job.name, performer, untold)
            if clock.steady() > until:
                break
        ahead = schedule.ahead()
    if ahead is not None:
        performer.prepare(ahead.name)


def _jobs(services: Services, plan: Plan) -> Iterator[Job]:
    expected = expected_durations(services.memo, plan)
    for planned in plan.steps:
        step = planned.step
        yield Job(
            name=step.name,
            needs=frozenset(step.needs),
            cpus=step.cpus,
            memory=step.resources.memory,
            exclusive=frozenset(step.exclusive),
            pools=step.pools,
            expected=expected.get(step.name, UNKNOWN_DURATION),
        )


def _refuse_what_is_too_large(schedule: Schedule, plan: Plan, performer: Performer, most: int, untold: dict[StepName, None]) -> None:
    """Refuse steps that this host has too few CPUs for, unless their results are known.

    All that is known is found out first, so that the answer does not depend on the order of steps.
    """
    large = [planned.step for planned in plan.steps if planned.step.cpus > most]
    while large and (job := schedule.look(ahead=True)) is not None:
        _look_at(schedule, job.name, performer, untold)
    for step in large:
        if step.name not in schedule.done:
            message = f"step {step.name!r} declares {step.cpus} CPUs, this host has {most}"
            raise TooManyCpus(message, step=step.name, expected=step.cpus, found=most)


def _look_at(schedule: Schedule, name: StepName, performer: Performer, untold: dict[StepName, None]) -> None:
    known = performer.known(name)
    if known is None:
        schedule.queue(name)
        untold[name] = None
    else:
        schedule.finished(name, succeeded=known.failure is None)

"""Which step next: a pure state machine over a plan's steps. Threads and processes are an adapter's.

Invariants: a step starts after everything it needs has succeeded; declared CPUs and memory of running steps never exceed
the capacity (a step that alone exceeds it runs alone); among those that can start, the plan's order decides. After a failure
nothing new starts, or, where the schedule keeps going, everything that does not need what failed: which steps those are
follows from the plan and from what failed, not from the order in which steps end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import msgspec

from lockage.base.name import StepName

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Capacity", "Job", "Schedule"]


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """What may be in use at one time: CPUs, bytes of memory, and number of steps."""

    cpus: int
    memory: int
    jobs: int


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What the schedule knows of a step."""

    name: StepName
    needs: frozenset[StepName]
    cpus: int
    memory: int


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """One state: what waits (in plan order), runs, is done or has failed. Every transition returns the next state.

    ``skipped`` are, where it is ``keep_going``, those that need what failed, directly or not.
    """

    capacity: Capacity
    waiting: tuple[Job, ...]
    running: tuple[Job, ...] = ()
    done: frozenset[StepName] = frozenset()
    failed: frozenset[StepName] = frozenset()
    skipped: frozenset[StepName] = frozenset()
    keep_going: bool = False

    @classmethod
    def of(cls, jobs: Iterable[Job], capacity: Capacity, *, keep_going: bool = False) -> Self:
        """The state before anything has begun; a job stands after all that it needs."""
        return cls(capacity=capacity, waiting=tuple(jobs), keep_going=keep_going)

    def startable(self) -> tuple[Job, ...]:
        """The jobs to start now, in order. None after a failure, unless it keeps going: what runs is waited for, nothing new begins."""
        if self.failed and not self.keep_going:
            return ()
        chosen: list[Job] = []
        cpus = self.capacity.cpus - sum(job.cpus for job in self.running)
        memory = self.capacity.memory - sum(job.memory for job in self.running)
        slots = self.capacity.jobs - len(self.running)
        for job in self.waiting:
            if slots <= 0:
                break
            if not job.needs <= self.done:
                continue
            alone = not self.running and not chosen
            if alone or (job.cpus <= cpus and job.memory <= memory):
                chosen.append(job)
                cpus, memory, slots = cpus - job.cpus, memory - job.memory, slots - 1
        return tuple(chosen)

    def started(self, name: StepName) -> Self:
        job = next(job for job in self.waiting if job.name == name)
        return msgspec.structs.replace(self, waiting=tuple(j for j in self.waiting if j is not job), running=(*self.running, job))

    def finished(self, name: StepName, *, succeeded: bool) -> Self:
        running = tuple(job for job in self.running if job.name != name)
        if succeeded:
            return msgspec.structs.replace(self, running=running, done=self.done | {name})
        failed = self.failed | {name}
        if not self.keep_going:
            return msgspec.structs.replace(self, running=running, failed=failed)
        lost = failed | self.skipped
        for job in self.waiting:  # in plan order, so that what needs a skipped job is found in the same pass
            if not job.needs.isdisjoint(lost):
                lost |= {job.name}
        waiting = tuple(job for job in self.waiting if job.name not in lost)
        return msgspec.structs.replace(self, running=running, failed=failed, waiting=waiting, skipped=lost - failed)

    @property
    def finished_all(self) -> bool:
        """Whether nothing runs and nothing can start any more."""
        return not self.running and not self.startable()

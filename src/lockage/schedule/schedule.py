"""Which step next: a pure state machine over a plan's steps. Threads and processes are an adapter's.

Invariants: a step starts after everything it needs has succeeded; declared CPUs and memory of running steps never exceed
the capacity (a step that alone exceeds it runs alone); among those that can start, the plan's order decides.
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
    """One state: what waits (in plan order), runs, is done or has failed. Every transition returns the next state."""

    capacity: Capacity
    waiting: tuple[Job, ...]
    running: tuple[Job, ...] = ()
    done: frozenset[StepName] = frozenset()
    failed: frozenset[StepName] = frozenset()

    @classmethod
    def of(cls, jobs: Iterable[Job], capacity: Capacity) -> Self:
        return cls(capacity=capacity, waiting=tuple(jobs))

    def startable(self) -> tuple[Job, ...]:
        """The jobs to start now, in order. None after a failure: what runs is waited for, nothing new begins."""
        if self.failed:
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
        return msgspec.structs.replace(self, running=running, failed=self.failed | {name})

    @property
    def finished_all(self) -> bool:
        """Whether nothing runs and nothing can start any more."""
        return not self.running and not self.startable()

"""Which step next: a state machine over a plan's steps that touches nothing outside. Threads and processes are an adapter's.

Invariants:

- A job is looked at after everything it needs has succeeded; then its result is known, or it is queued and started once.
- What running jobs declare never exceeds the capacity: CPUs, memory, number of jobs, units of pools, one holder of a latch. A job that
  declares more CPUs or memory than there are takes them all, so that it runs alone.
- The most urgent comes first (:func:`lockage.schedule.job.ranked`). One that waits for a latch or a pool lets others pass that do not
  want it. One that waits for CPUs, memory or a place lets less urgent ones pass as long as more urgent ones alone would keep it
  waiting; from then on nothing less urgent starts before it, so that it is not passed for ever.
- After a failure nothing is looked at or started, or, where it keeps going, everything is that does not need what failed: which
  jobs those are follows from the plan and from what failed, not from durations nor from the order in which jobs end.

The object changes with every call. A call costs O(log n) for each job and thing that it concerns, amortised over a plan's run, and
something for each job that runs and each different demand of CPUs and memory among those that wait.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from types import MappingProxyType
from typing import TYPE_CHECKING

from lockage.schedule.claims import Claims, Thing
from lockage.schedule.job import ranked

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lockage.base.name import StepName
    from lockage.schedule.job import Capacity, Job

__all__ = ["Schedule"]


class Schedule:
    """The state of one run over jobs in plan order. ``running`` and ``done``, ``failed`` and ``skipped`` are for reading.

    ``skipped`` are, where it is ``keep_going``, those that need what failed, directly or not.
    Raises ValueError if a job does not stand after all that it needs, or wants more units of a pool than there are.
    """

    def __init__(self, jobs: Iterable[Job], capacity: Capacity, *, keep_going: bool = False) -> None:
        jobs = tuple(jobs)
        place_of = {job.name: place for place, job in enumerate(jobs)}
        dependents: list[list[int]] = [[] for _ in jobs]
        for place, job in enumerate(jobs):
            for need in job.needs:
                if place_of.get(need, place) >= place:
                    raise ValueError(f"{job.name} does not stand after {need}, which it needs")
                dependents[place_of[need]].append(place)
        order = ranked(jobs, dependents)
        ranks = {place: rank for rank, place in enumerate(order)}
        self._jobs = [jobs[place] for place in order]
        self._rank = {job.name: rank for rank, job in enumerate(self._jobs)}
        self._dependents = [tuple([ranks[other] for other in dependents[place]]) for place in order]
        self._missing = [len(job.needs) for job in self._jobs]
        self._wants = [_wants(job, capacity) for job in self._jobs]
        latches = {thing: 1 for wants in self._wants for thing in wants}
        self._claims = Claims(latches | {("pool", name): size for name, size in capacity.pools.items()})
        self._whole = capacity
        self._cpus, self._memory, self._places = capacity.cpus, capacity.memory, capacity.jobs
        self._keep_going = keep_going
        self._stopped = False
        self._ready = [rank for rank, missing in enumerate(self._missing) if not missing]
        heapify(self._ready)
        self._looked_at: set[StepName] = set()
        self._takes = [(min(job.cpus, capacity.cpus), min(job.memory, capacity.memory)) for job in self._jobs]
        self._queues: dict[tuple[int, int], list[int]] = {}  # by what they take: where the first does not fit no other does
        self._parked: set[int] = set()
        self.running: dict[StepName, Job] = {}
        self.done: set[StepName] = set()
        self.failed: set[StepName] = set()
        self.skipped: set[StepName] = set()

    @property
    def stopped(self) -> bool:
        """Whether nothing new begins any more, since something failed."""
        return self._stopped

    def look(self, *, ahead: bool = False) -> Job | None:
        """The next job of which to find out whether its result is known: then :meth:`finished` is told, else :meth:`queue`.

        None if there is none, or nothing could be started in its place; ``ahead``: even then.
        """
        if self._stopped or not self._ready or not (ahead or self._room_for(self._ready[0])):
            return None
        job = self._jobs[heappop(self._ready)]
        self._looked_at.add(job.name)
        return job

    def _room_for(self, rank: int) -> bool:
        """Whether there is something left, and no more urgent job for which it is kept."""
        return self._something_left() and all(self._may_be_passed(other) for other in self._first() if other < rank)

    def _something_left(self) -> bool:
        return self._places > 0 and self._cpus > 0 and self._memory > 0

    def _first(self) -> list[int]:
        """The most urgent of those that wait for each demand of CPUs and memory."""
        if len(self._queues) == 1:  # as in most plans
            return [next(iter(self._queues.values()))[0]]
        first = [queue[0] for queue in self._queues.values()]
        first.sort()
        return first

    def queue(self, name: StepName) -> None:
        """The job has to be run. Raises KeyError if it was not looked at."""
        self._looked_at.remove(name)
        self._enqueue(self._rank[name])

    def _enqueue(self, rank: int) -> None:
        heappush(self._queues.setdefault(self._takes[rank], []), rank)

    def _dequeue(self, rank: int) -> None:
        takes = self._takes[rank]
        queue = self._queues[takes]
        heappop(queue)
        if not queue:
            del self._queues[takes]

    def start(self) -> Job | None:
        """The next job to be started now, which counts as running from here on; None if there is none.

        None also if one that is more urgent than all that could be started is to be looked at first.
        """
        while not self._stopped and self._something_left():
            for rank in self._first():
                if self._ready and self._ready[0] < rank:
                    return None
                wants = self._wants[rank]
                if wants and not self._claims.admits(rank, wants):
                    self._claims.wait(rank, wants)
                    self._dequeue(rank)
                    self._parked.add(rank)
                    break
                cpus, memory = self._takes[rank]
                if self._places and cpus <= self._cpus and memory <= self._memory:
                    return self._begin(rank)
                if not self._may_be_passed(rank):
                    return None
            else:
                return None
        return None

    def ahead(self) -> Job | None:
        """The job that will be started as soon as there is room for it, as far as can be told; None if none waits for room alone."""
        if self._stopped or not self._queues:
            return None
        rank = self._first()[0]
        return None if self._wants[rank] else self._jobs[rank]

    def _may_be_passed(self, rank: int) -> bool:
        """Whether the running jobs that are more urgent would be enough to keep it waiting."""
        urgent = [self._takes[other] for name in self.running if (other := self._rank[name]) < rank]
        cpus, memory = self._takes[rank]
        return (
            len(urgent) >= self._whole.jobs
            or sum(taken for taken, _ in urgent) + cpus > self._whole.cpus
            or sum(taken for _, taken in urgent) + memory > self._whole.memory
        )

    def _begin(self, rank: int) -> Job:
        job = self._jobs[rank]
        cpus, memory = self._takes[rank]
        self._dequeue(rank)
        self._cpus, self._memory, self._places = self._cpus - cpus, self._memory - memory, self._places - 1
        self.running[job.name] = job
        if wants := self._wants[rank]:
            self._wake(self._claims.take(rank, wants))
        return job

    def _wake(self, ranks: Iterable[int]) -> None:
        for rank in ranks:
            if rank in self._parked:
                self._parked.remove(rank)
                self._enqueue(rank)

    def finished(self, name: StepName, *, succeeded: bool) -> None:
        """A job that was looked at has a result, or one that was running has ended. Raises KeyError if it was neither."""
        rank = self._rank[name]
        job = self.running.pop(name, None)
        if job is None:
            self._looked_at.remove(name)
        else:
            cpus, memory = self._takes[rank]
            self._cpus, self._memory, self._places = self._cpus + cpus, self._memory + memory, self._places + 1
            if wants := self._wants[rank]:
                self._wake(self._claims.give_back(wants))
        if succeeded:
            self._succeeded(rank)
        else:
            self._failed(rank)

    def _succeeded(self, rank: int) -> None:
        self.done.add(self._jobs[rank].name)
        for other in self._dependents[rank]:
            self._missing[other] -= 1
            if not self._missing[other]:
                heappush(self._ready, other)

    def _failed(self, rank: int) -> None:
        self.failed.add(self._jobs[rank].name)
        if not self._keep_going:
            self._stopped = True
            return
        lost = [rank]
        while lost:
            for other in self._dependents[lost.pop()]:
                if self._jobs[other].name not in self.skipped:
                    self.skipped.add(self._jobs[other].name)
                    lost.append(other)


_NOTHING: Mapping[Thing, int] = MappingProxyType({})


def _wants(job: Job, capacity: Capacity) -> Mapping[Thing, int]:
    """The latches and units of pools that a job holds while it runs."""
    if not job.exclusive and not job.pools:
        return _NOTHING
    for pool, units in job.pools.items():
        if units > capacity.pools.get(pool, 0):
            raise ValueError(f"{job.name} wants {units} of the pool {pool}, which has {capacity.pools.get(pool, 0)}")
    return {("latch", name): 1 for name in job.exclusive} | {("pool", name): units for name, units in job.pools.items()}

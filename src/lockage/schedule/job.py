"""What a schedule is made for: jobs, what each takes while it runs, and what there is to take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.name import LatchName, PoolName, StepName

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["UNKNOWN_DURATION", "Capacity", "Job", "ranked"]

#: Milliseconds that a job is taken to last of which nothing is known.
UNKNOWN_DURATION = 1000


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """What may be in use at one time: CPUs, bytes of memory, number of steps, and of each pool so many units.

    ``host_cpus`` is how many CPUs a single step may see; None: as many as may be in use.
    """

    cpus: int
    memory: int
    jobs: int
    pools: dict[PoolName, int] = {}
    host_cpus: int | None = None

    @property
    def most_cpus(self) -> int:
        """More CPUs than this no step can be given."""
        return self.cpus if self.host_cpus is None else self.host_cpus


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What the schedule knows of a step: what it takes while it runs, and how long (milliseconds) that is expected to be."""

    name: StepName
    needs: frozenset[StepName]
    cpus: int
    memory: int
    exclusive: frozenset[LatchName] = frozenset()
    pools: dict[PoolName, int] = {}
    expected: int = UNKNOWN_DURATION


def ranked(jobs: Sequence[Job], dependents: Sequence[Sequence[int]]) -> list[int]:
    """The places of the jobs, the most urgent first: by the longest chain of expected durations from its start to the end of the plan.

    Ties are in plan order. ``dependents`` are, for each job, the places of those that need it, all after its own.
    """
    remaining = [0] * len(jobs)
    for place in range(len(jobs) - 1, -1, -1):
        behind = max((remaining[other] for other in dependents[place]), default=0)
        remaining[place] = max(jobs[place].expected, 1) + behind
    return sorted(range(len(jobs)), key=lambda place: -remaining[place])  # a sort that is stable

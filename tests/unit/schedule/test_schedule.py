"""The schedule over random plans with a simulated executor."""

import random

from hypothesis import given
from hypothesis import strategies as st

from lockage.base.name import StepName
from lockage.schedule import Capacity, Job, Schedule

CAPACITIES = st.builds(Capacity, cpus=st.integers(1, 6), memory=st.integers(1, 10), jobs=st.integers(1, 4))


@st.composite
def plans(draw: st.DrawFn) -> list[Job]:
    size = draw(st.integers(0, 12))
    names = [StepName(f"s{number}") for number in range(size)]
    return [
        Job(
            name=name,
            needs=frozenset(draw(st.lists(st.sampled_from(names[:number]), max_size=3))) if number else frozenset(),
            cpus=draw(st.integers(1, 4)),
            memory=draw(st.integers(1, 8)),
        )
        for number, name in enumerate(names)
    ]


def simulate(
    jobs: list[Job], capacity: Capacity, seed: int, fails: frozenset[StepName] = frozenset(), *, keep_going: bool = False
) -> tuple[Schedule, list[StepName]]:
    """Run everything, ending steps in an order that the seed decides; checks the promises at every state."""
    rng = random.Random(seed)
    schedule, ended = Schedule.of(jobs, capacity, keep_going=keep_going), []
    while not schedule.finished_all:
        for job in schedule.startable():
            assert job.needs <= schedule.done
            schedule = schedule.started(job.name)
        if len(schedule.running) > 1:
            assert sum(job.cpus for job in schedule.running) <= capacity.cpus
            assert sum(job.memory for job in schedule.running) <= capacity.memory
        assert len(schedule.running) <= capacity.jobs
        job = rng.choice(schedule.running)
        ended.append(job.name)
        schedule = schedule.finished(job.name, succeeded=job.name not in fails)
    return schedule, ended


@given(plans(), CAPACITIES, st.integers())
def test_everything_runs_once_after_its_needs_within_capacity(jobs: list[Job], capacity: Capacity, seed: int) -> None:
    schedule, ended = simulate(jobs, capacity, seed)
    assert sorted(ended) == sorted(job.name for job in jobs)
    assert schedule.done == {job.name for job in jobs}
    assert not schedule.waiting


@given(plans().filter(bool), st.integers())
def test_after_a_failure_nothing_new_starts(jobs: list[Job], seed: int) -> None:
    fails = frozenset({jobs[0].name})
    schedule, ended = simulate(jobs, Capacity(cpus=1, memory=100, jobs=1), seed, fails)
    assert ended == [jobs[0].name]
    assert schedule.failed == fails


@given(plans(), CAPACITIES, st.integers(), st.frozensets(st.integers(0, 11).map(lambda number: StepName(f"s{number}")), max_size=4))
def test_what_keeps_going_runs_all_but_what_needs_a_failed_step(
    jobs: list[Job], capacity: Capacity, seed: int, fails: frozenset[StepName]
) -> None:
    schedule, ended = simulate(jobs, capacity, seed, fails, keep_going=True)
    lost: set[StepName] = set()
    for job in jobs:
        if job.needs & (lost | fails):
            lost.add(job.name)
    assert schedule.skipped == lost
    assert sorted(ended) == sorted(job.name for job in jobs if job.name not in lost)
    assert schedule.failed == {job.name for job in jobs if job.name in fails} - lost
    assert not schedule.waiting


def test_one_job_at_a_time_keeps_the_order_of_the_plan() -> None:
    jobs = [Job(name=StepName(f"s{n}"), needs=frozenset(), cpus=1, memory=1) for n in range(5)]
    _, ended = simulate(jobs, Capacity(cpus=1, memory=1, jobs=1), 0)
    assert ended == [job.name for job in jobs]

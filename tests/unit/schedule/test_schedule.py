"""The schedule over random plans, run by a simulated executor: in an order that is drawn, or by a simulated clock."""

from __future__ import annotations

from collections import Counter
from heapq import heappop, heappush
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockage.base.name import LatchName, PoolName, StepName
from lockage.schedule.job import Capacity, Job
from lockage.schedule.schedule import Schedule

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable, Sequence

POOL, OTHER = PoolName("licence"), PoolName("other")
CAPACITIES = st.builds(
    Capacity,
    cpus=st.integers(1, 6),
    memory=st.integers(1, 10),
    jobs=st.integers(1, 4),
    pools=st.fixed_dictionaries({POOL: st.integers(2, 3), OTHER: st.just(2)}),
)
LATCHES = st.frozensets(st.sampled_from([LatchName("a"), LatchName("b"), LatchName("c")]), max_size=2)
POOLS = st.dictionaries(st.sampled_from([POOL, OTHER]), st.integers(1, 2))
FAILS = st.frozensets(st.integers(0, 11).map(lambda number: StepName(f"s{number}")), max_size=4)
RANDOM = st.randoms(use_true_random=False)
ROOMY = Capacity(cpus=100, memory=100, jobs=100)


def job(name: str, *needs: str, cpus: int = 1, memory: int = 1, expected: int = 1, latches: str = "", **pools: int) -> Job:
    return Job(
        name=StepName(name),
        needs=frozenset(map(StepName, needs)),
        cpus=cpus,
        memory=memory,
        exclusive=frozenset(map(LatchName, latches)),
        pools={PoolName(pool): units for pool, units in pools.items()},
        expected=expected,
    )


@st.composite
def plans(draw: st.DrawFn, *, plain: bool = False) -> list[Job]:
    """Jobs that need each other; where they are ``plain``, each takes one CPU and little memory and holds nothing."""
    names = [StepName(f"s{number}") for number in range(draw(st.integers(0, 12)))]
    return [
        Job(
            name=name,
            needs=draw(st.frozensets(st.sampled_from(names[:number]), max_size=3)) if number else frozenset(),
            cpus=1 if plain else draw(st.integers(1, 8)),
            memory=1 if plain else draw(st.integers(1, 12)),
            exclusive=frozenset() if plain else draw(LATCHES),
            pools={} if plain else draw(POOLS),
            expected=draw(st.integers(0, 9)),
        )
        for number, name in enumerate(names)
    ]


def within(running: Iterable[Job], capacity: Capacity) -> bool:
    """Whether nothing is taken twice; what is larger than all there is may run alone."""
    running = list(running)
    latches = Counter(latch for one in running for latch in one.exclusive)
    pools = Counter({pool: sum(one.pools.get(pool, 0) for one in running) for pool in capacity.pools})
    alone = len(running) <= 1
    return (
        len(running) <= capacity.jobs
        and (alone or sum(one.cpus for one in running) <= capacity.cpus)
        and (alone or sum(one.memory for one in running) <= capacity.memory)
        and all(holders == 1 for holders in latches.values())
        and all(pools[pool] <= size for pool, size in capacity.pools.items())
    )


def simulate(
    jobs: Sequence[Job],
    capacity: Capacity,
    rng: random.Random,
    fails: frozenset[StepName] = frozenset(),
    known: frozenset[StepName] = frozenset(),
    *,
    keep_going: bool = False,
) -> tuple[Schedule, list[StepName]]:
    """Run everything, ending jobs in a drawn order; checks the promises at every state. Returns what ran, as it ended."""
    schedule, ended = Schedule(jobs, capacity, keep_going=keep_going), []
    while True:
        while (started := schedule.start()) is not None:
            assert started.needs <= schedule.done
            assert not schedule.stopped
            assert within(schedule.running.values(), capacity)
        if (seen := schedule.look(ahead=rng.choice([False, True]))) is not None:
            assert seen.needs <= schedule.done
            if seen.name in known:
                schedule.finished(seen.name, succeeded=seen.name not in fails)
            else:
                schedule.queue(seen.name)
        elif schedule.running:
            name = rng.choice(sorted(schedule.running))
            ended.append(name)
            schedule.finished(name, succeeded=name not in fails)
        else:
            return schedule, ended


def lost(jobs: Sequence[Job], fails: frozenset[StepName]) -> set[StepName]:
    """The jobs that need what fails, directly or not."""
    found: set[StepName] = set()
    for one in jobs:
        if one.needs & (found | fails):
            found.add(one.name)
    return found


@given(plans(), CAPACITIES, RANDOM, FAILS)
def test_everything_runs_once_after_its_needs_within_capacity(
    jobs: list[Job], capacity: Capacity, rng: random.Random, known: frozenset[StepName]
) -> None:
    schedule, ended = simulate(jobs, capacity, rng, known=known)
    assert sorted(ended) == sorted(one.name for one in jobs if one.name not in known)
    assert schedule.done == {one.name for one in jobs}


@given(plans(), CAPACITIES, RANDOM, FAILS)
def test_after_a_failure_nothing_new_starts(jobs: list[Job], capacity: Capacity, rng: random.Random, fails: frozenset[StepName]) -> None:
    schedule, ended = simulate(jobs, capacity, rng, fails)
    assert bool(schedule.failed) == any(one.name in fails for one in jobs)
    assert schedule.failed == set(ended) & fails
    assert schedule.done == set(ended) - fails
    assert not schedule.skipped


@given(plans(), CAPACITIES, RANDOM, FAILS, FAILS)
def test_what_keeps_going_runs_all_but_what_needs_a_failed_step(
    jobs: list[Job], capacity: Capacity, rng: random.Random, fails: frozenset[StepName], known: frozenset[StepName]
) -> None:
    schedule, ended = simulate(jobs, capacity, rng, fails, known, keep_going=True)
    left_out = lost(jobs, fails)
    assert schedule.skipped == left_out
    assert sorted(ended) == sorted(one.name for one in jobs if one.name not in left_out | known)
    assert schedule.failed == {one.name for one in jobs if one.name in fails} - left_out
    assert schedule.done | schedule.failed | schedule.skipped == {one.name for one in jobs}


# The most urgent first


def clocked(jobs: Sequence[Job], capacity: Capacity) -> tuple[int, list[StepName]]:
    """Run everything by a simulated clock, each job for as long as it is expected to. When all had ended, and the order of starts."""
    schedule, now = Schedule(jobs, capacity), 0
    started: list[StepName] = []
    ends: list[tuple[int, StepName]] = []
    while True:
        while (one := schedule.start()) is not None:
            started.append(one.name)
            heappush(ends, (now + max(one.expected, 1), one.name))
        if (one := schedule.look()) is not None:
            schedule.queue(one.name)
        elif ends:
            now, name = heappop(ends)
            schedule.finished(name, succeeded=True)
        else:
            return now, started


def longest_chain(jobs: Sequence[Job]) -> int:
    length: dict[StepName, int] = {}
    for one in jobs:
        length[one.name] = max(one.expected, 1) + max((length[need] for need in one.needs), default=0)
    return max(length.values(), default=0)


@given(plans(plain=True), st.integers(1, 5))
def test_no_schedule_is_longer_than_grahams_bound(jobs: list[Job], machines: int) -> None:
    """R. L. Graham, Bounds on multiprocessing timing anomalies (1969): work / m + (1 - 1/m) · longest chain."""
    took, _ = clocked(jobs, Capacity(cpus=machines, memory=100, jobs=machines))
    work, chain = sum(max(one.expected, 1) for one in jobs), longest_chain(jobs)
    assert machines * took <= work + (machines - 1) * chain
    assert took >= chain


def order(jobs: Sequence[Job], capacity: Capacity = Capacity(cpus=1, memory=100, jobs=1)) -> list[str]:  # noqa: B008 (frozen)
    return [str(name) for name in clocked(jobs, capacity)[1]]


def test_what_has_the_longest_chain_behind_it_starts_first_and_ties_are_in_plan_order() -> None:
    jobs = [job("x"), job("y"), job("a", expected=2), job("b", "a", expected=5), job("long", expected=6), job("z")]
    assert order(jobs) == ["a", "long", "b", "x", "y", "z"]
    assert order([job(f"s{n}") for n in range(5)]) == [f"s{n}" for n in range(5)]


def test_the_chain_counts_durations_and_not_steps() -> None:
    assert order([job("a"), job("b", "a"), job("c", "b"), job("slow", expected=100)]) == ["slow", "a", "b", "c"]


# What is kept for whom


def starts(schedule: Schedule) -> list[str]:
    """Look at all that can be, and start all that can be."""
    found: list[str] = []
    while True:
        while (one := schedule.start()) is not None:
            found.append(one.name)
        if (one := schedule.look(ahead=True)) is None:
            return found
        schedule.queue(one.name)


def ends(schedule: Schedule, name: str) -> list[str]:
    schedule.finished(StepName(name), succeeded=True)
    return starts(schedule)


def test_a_large_job_is_passed_only_as_long_as_more_urgent_ones_keep_it_waiting() -> None:
    jobs = [job("first", expected=50), job("large", cpus=4, expected=40), *(job(f"s{n}", expected=9 - n) for n in range(6))]
    schedule = Schedule(jobs, Capacity(cpus=4, memory=100, jobs=4))
    assert starts(schedule) == ["first", "s0", "s1", "s2"], "they use what would be idle"
    assert ends(schedule, "s1") == ["s3"]
    assert ends(schedule, "first") == [], "only less urgent ones stand in its way now"
    assert ends(schedule, "s0") == []
    assert ends(schedule, "s2") == []
    assert ends(schedule, "s3") == ["large"]
    assert ends(schedule, "large") == ["s4", "s5"]


def test_the_same_holds_for_memory() -> None:
    jobs = [job("first", memory=9, expected=50), job("large", memory=10, expected=40), *(job(f"s{n}") for n in range(3))]
    schedule = Schedule(jobs, Capacity(cpus=9, memory=10, jobs=9))
    assert starts(schedule) == ["first", "s0"]
    assert ends(schedule, "first") == []
    assert ends(schedule, "s0") == ["large"]
    assert ends(schedule, "large") == ["s1", "s2"]


def test_a_more_urgent_job_that_appears_later_comes_before_one_that_waits() -> None:
    jobs = [job("a", expected=100), job("large", cpus=4, expected=5), job("b", "a", expected=50)]
    schedule = Schedule(jobs, Capacity(cpus=4, memory=100, jobs=4))
    assert starts(schedule) == ["a"]
    assert ends(schedule, "a") == ["b"]
    assert ends(schedule, "b") == ["large"]


def test_who_waits_for_a_latch_lets_those_pass_that_do_not_want_it() -> None:
    jobs = [job("holder", latches="x", expected=9), job("waits", latches="x", expected=8), job("other"), job("also", latches="x")]
    schedule = Schedule(jobs, Capacity(cpus=9, memory=100, jobs=9))
    assert starts(schedule) == ["holder", "other"]
    assert ends(schedule, "holder") == ["waits"]
    assert ends(schedule, "waits") == ["also"]


def test_who_wants_two_latches_is_not_passed_by_those_that_want_one() -> None:
    jobs = [job("h", latches="x", expected=9), job("both", latches="xy", expected=8), job("y1", latches="y"), job("y2", latches="y")]
    schedule = Schedule(jobs, ROOMY)
    assert starts(schedule) == ["h"], "y is kept for who wants both"
    assert ends(schedule, "h") == ["both"]
    assert ends(schedule, "both") == ["y1"]


def test_units_of_a_pool_are_kept_for_who_wants_many() -> None:
    jobs = [job("one", licence=1, expected=9), job("all", licence=3, expected=8), *(job(f"s{n}", licence=1) for n in range(4))]
    schedule = Schedule(jobs, Capacity(cpus=9, memory=100, jobs=9, pools={POOL: 3}))
    assert starts(schedule) == ["one"]
    assert ends(schedule, "one") == ["all"]
    assert ends(schedule, "all") == ["s0", "s1", "s2"]
    assert ends(schedule, "s1") == ["s3"]


def test_a_job_larger_than_the_capacity_runs_alone() -> None:
    jobs = [job("a", expected=3), job("large", memory=1000, expected=2), job("b")]
    schedule = Schedule(jobs, Capacity(cpus=4, memory=10, jobs=4))
    assert starts(schedule) == ["a", "b"]
    assert ends(schedule, "a") == []
    assert ends(schedule, "b") == ["large"]


def test_nothing_is_looked_at_that_could_not_be_started() -> None:
    schedule = Schedule([job("a"), job("b")], Capacity(cpus=1, memory=100, jobs=4))
    first = schedule.look()
    assert first is not None
    schedule.queue(first.name)
    assert schedule.start() == first
    assert schedule.look() is None
    assert schedule.look(ahead=True) is not None


# What it refuses


@pytest.mark.parametrize(
    ("jobs", "said"),
    [
        ([job("b", "a"), job("a")], "b does not stand after a"),
        ([job("a", "a")], "a does not stand after a"),
        ([job("a", "nowhere")], "a does not stand after nowhere"),
        ([job("a", licence=2)], "a wants 2 of the pool licence, which has 1"),
        ([job("a", other=1)], "a wants 1 of the pool other, which has 0"),
    ],
    ids=["later", "itself", "unknown", "too-many-units", "no-such-pool"],
)
def test_jobs_that_are_no_plan(jobs: list[Job], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Schedule(jobs, Capacity(cpus=1, memory=1, jobs=1, pools={POOL: 1}))


@pytest.mark.parametrize(
    "told",
    [
        lambda s: s.queue(StepName("b")),
        lambda s: s.finished(StepName("b"), succeeded=True),
        lambda s: s.finished(StepName("x"), succeeded=True),
    ],
    ids=["queued-unseen", "finished-unseen", "unknown"],
)
def test_what_was_not_handed_out_cannot_be_told_of(told: Callable[[Schedule], None]) -> None:
    with pytest.raises(KeyError):
        told(Schedule([job("a"), job("b", "a")], ROOMY))


# What can be made ready before there is room


def test_the_most_urgent_that_waits_for_room_alone_is_ahead() -> None:
    schedule = Schedule([job("a"), job("b"), job("c", latches="a")], Capacity(cpus=1, memory=9, jobs=1))
    assert schedule.ahead() is None
    looked = [schedule.look(ahead=True) for _ in range(3)]
    for one in looked[:2]:
        assert one is not None
        schedule.queue(one.name)
    first = schedule.start()
    assert first is not None
    found = schedule.ahead()
    assert found is not None
    assert {first.name, found.name} == {"a", "b"}
    schedule.finished(first.name, succeeded=True)
    assert schedule.start() is found
    assert schedule.ahead() is None
    assert looked[2] is not None
    schedule.queue(looked[2].name)
    assert schedule.ahead() is None, "it wants a latch as well"


def test_nothing_is_ahead_once_something_has_failed() -> None:
    schedule = Schedule([job("a"), job("b")], Capacity(cpus=1, memory=9, jobs=1))
    for _ in range(2):
        found = schedule.look(ahead=True)
        assert found is not None
        schedule.queue(found.name)
    started = schedule.start()
    assert started is not None
    assert schedule.ahead() is not None
    schedule.finished(started.name, succeeded=False)
    assert schedule.ahead() is None

"""How long what is left may take."""

from hypothesis import given
from hypothesis import strategies as st

from lockage.base.name import StepName
from lockage.record.forecast import Forecast

A, B, C, D = map(StepName, "abcd")
NEEDS = {C: (A,), D: (C, B)}


def test_a_chain_is_as_long_as_its_steps_and_wide_work_as_the_lanes() -> None:
    known = {A: 100, B: 40, C: 50, D: 10}
    assert Forecast((A, B, C, D), NEEDS, 8, known).left(0) == 160
    assert Forecast((A, B, C, D), {}, 2, known).left(0) == 100
    assert Forecast((A, B, C, D), {}, 1, known).left(0) == 200


def test_it_shrinks_as_steps_run_and_end() -> None:
    forecast = Forecast((A, B, C, D), NEEDS, 2, {A: 100, B: 40, C: 50, D: 10})
    forecast.started(A, 1_000)
    forecast.started(B, 1_000)
    assert forecast.left(1_030) == 130
    forecast.ended(B)
    assert forecast.left(1_090) == 70
    assert forecast.left(9_000) == 60  # it runs longer than ever: what comes after it is still to come
    forecast.ended(A)
    forecast.ended(C)  # taken from the cache
    assert forecast.left(9_000) == 10
    forecast.started(D, 9_000)
    forecast.ended(D)
    assert forecast.left(9_001) == 0


def test_a_step_that_is_new_counts_as_the_mean() -> None:
    assert Forecast((A, B, C), {}, 1, {A: 100, B: 40}).left(0) == 210


@given(st.lists(st.tuples(st.integers(0, 50), st.lists(st.integers(0, 30), max_size=3)), min_size=1, max_size=25), st.integers(1, 4))
def test_it_is_never_less_than_the_longest_chain_nor_than_the_work(steps: list[tuple[int, list[int]]], jobs: int) -> None:
    names = [StepName(f"s{number}") for number in range(len(steps))]
    needs = {names[n]: tuple({names[before] for before in wanted if before < n}) for n, (_, wanted) in enumerate(steps)}
    known = dict(zip(names, (time for time, _ in steps), strict=True))
    ends: dict[StepName, int] = {}
    for name in names:
        ends[name] = known[name] + max((ends[need] for need in needs[name]), default=0)
    forecast = Forecast(names, needs, jobs, known)
    assert forecast.left(0) == max(max(ends.values()), sum(known.values()) // jobs)
    for name in names:
        before = forecast.left(0)
        forecast.ended(name)
        assert forecast.left(0) <= before
    assert forecast.left(0) == 0

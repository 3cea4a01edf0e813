"""Clocks: the time of day, and one that only goes forward."""

import pytest

from lockage.adapters.clock_system import SystemClock
from lockage.adapters.memory import FixedClock
from lockage.base.instant import Instant
from lockage.ports import Clock


@pytest.fixture(params=[SystemClock, FixedClock])
def clock(request: pytest.FixtureRequest) -> Clock:
    found: Clock = request.param()
    return found


def test_the_time_of_day_is_an_instant(clock: Clock) -> None:
    assert isinstance(clock.now(), Instant)
    assert clock.now() > Instant.parse("2025-01-01T00:00:00Z")


def test_the_steady_clock_never_goes_back(clock: Clock) -> None:
    times = [clock.steady() for _ in range(1000)]
    assert times == sorted(times)
    assert all(isinstance(time, int) for time in times)


def test_the_steady_clock_is_not_set_with_the_other() -> None:
    clock = FixedClock()
    before = clock.steady()
    clock.advance(-3600)
    assert clock.steady() == before

"""Sizes and times for people."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockage.base.units import human_ago, human_duration, human_size, human_time
from lockage.recipe.quantity import duration


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (14_889_779, "14.2 MiB"),
        ((1 << 20) - 1, "1.0 MiB"),
        ((1 << 30) - 1, "1.0 GiB"),
        (5 << 40, "5.0 TiB"),
        (5000 << 40, "5000.0 TiB"),
    ],
)
def test_sizes(size: int, text: str) -> None:
    assert human_size(size) == text


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0.0 s"),
        (40, "0.0 s"),
        (50, "0.1 s"),
        (1234, "1.2 s"),
        (59_949, "59.9 s"),
        (59_950, "1 min 00 s"),
        (83_000, "1 min 23 s"),
        (3_599_499, "59 min 59 s"),
        (3_599_500, "1 h 00 min"),
        (7_500_000, "2 h 05 min"),
        (360_000_000, "100 h 00 min"),
    ],
)
def test_times(milliseconds: int, text: str) -> None:
    assert human_time(milliseconds) == text


@given(st.integers(0, 10**10))
def test_a_time_never_shows_sixty(milliseconds: int) -> None:
    assert not any(f"60 {unit}" in human_time(milliseconds) or "60.0" in human_time(milliseconds) for unit in ("s", "min"))


@pytest.mark.parametrize(("seconds", "text"), [(0, "0 s"), (2, "2 s"), (600, "10 min"), (3600, "1 h"), (5430, "1 h 30 min 30 s")])
def test_a_length_of_time_is_told_as_it_was_set(seconds: int, text: str) -> None:
    assert human_duration(seconds) == text
    assert duration(text) == seconds or seconds == 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "just now"),
        (59, "just now"),
        (60, "1 min ago"),
        (3599, "59 min ago"),
        (3600, "1 h ago"),
        (172_799, "47 h ago"),
        (172_800, "2 days ago"),
    ],
)
def test_how_long_ago(seconds: int, text: str) -> None:
    assert human_ago(seconds) == text

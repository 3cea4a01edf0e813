"""Sizes and durations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockage.recipe.quantity import duration, size


@pytest.mark.parametrize(
    ("text", "bytes_"),
    [
        ("1 GiB", 1 << 30),
        ("512 MiB", 512 << 20),
        ("512MiB", 512 << 20),
        ("1.5 GiB", 3 << 29),
        ("2 GB", 2 * 10**9),
        ("10 kB", 10_000),
        ("7 B", 7),
        ("0.5 KiB", 512),
    ],
)
def test_sizes(text: str, bytes_: int) -> None:
    assert size(text) == bytes_


@pytest.mark.parametrize(
    "text", ["", "1", "GiB", "1 gib", "1 Gib", "-1 B", "1.5 B", "1. GiB", "1e3 B", "1 GiB ", " 1 GiB", "1  GiB", "٣ B", "0.1 KiB"]
)
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        size(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90 s", 90), ("10 min", 600), ("1 h", 3600), ("1 h 30 min", 5400), ("1h30min5s", 5405), ("0 s", 0)]
)
def test_durations(text: str, seconds: int) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", " ", "10", "10 m", "10 minutes", "1.5 h", "5 s 1 h", " 5 s", "5 s ", "-1 s", "1 d"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        duration(text)


@given(st.integers(0, 99_999), st.integers(0, 59), st.integers(0, 59))
def test_the_parts_of_a_duration_add_up(hours: int, minutes: int, seconds: int) -> None:
    assert duration(f"{hours} h {minutes} min {seconds} s") == hours * 3600 + minutes * 60 + seconds

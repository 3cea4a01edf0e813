"""The line diff: what it says is true of both texts, and it ends in good time whatever they are."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockage.compare.lines import changed_blocks, unified

if TYPE_CHECKING:
    from collections.abc import Sequence

TEXTS = st.lists(st.sampled_from(["a", "b", "c", "d", "e", "f", "", "{", "}"]), max_size=40)


def patched(a: Sequence[str], b: Sequence[str]) -> list[str]:
    """``a`` with every block replaced by that of ``b``."""
    found: list[str] = []
    at = 0
    for start_a, stop_a, start_b, stop_b in changed_blocks(a, b):
        found += [*a[at:start_a], *b[start_b:stop_b]]
        at = stop_a
    return [*found, *a[at:]]


@given(TEXTS, TEXTS)
def test_a_with_every_block_replaced_is_b(a: list[str], b: list[str]) -> None:
    assert patched(a, b) == b


@given(TEXTS)
def test_a_text_does_not_differ_from_itself(a: list[str]) -> None:
    assert changed_blocks(a, list(a)) == []
    assert unified(a, list(a), most=10) == ()


def test_hunks_have_numbers_and_context() -> None:
    a = [f"line {number}" for number in range(100)]
    b = [*a[:10], "new", *a[10:50], *a[51:]]
    assert unified(a, b, most=60) == (
        "@@ -9,4 +9,5 @@",
        " line 8",
        " line 9",
        "+new",
        " line 10",
        " line 11",
        "@@ -49,5 +50,4 @@",
        " line 48",
        " line 49",
        "-line 50",
        " line 51",
        " line 52",
    )


def test_what_is_left_out_is_counted() -> None:
    shown = unified(["a"] * 500, ["b"] * 400, most=20)
    assert len(shown) == 21
    assert shown[-1] == "… in all 500 lines removed, 400 added"


def test_a_long_line_is_cut_around_what_differs() -> None:
    line = "x" * 100_000
    shown = unified([line], [f"{line[:50_000]}DIFFERENT{line[50_000:]}"], most=20)
    assert "DIFFERENT" in shown[2]
    assert all(len(each) <= 162 for each in shown)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (["same"] * 100_000, ["same"] * 90_000),
        ([str(number % 7) for number in range(100_000)], [str(number % 5) for number in range(100_000)]),
        ([str(number) for number in range(100_000)], [str(number) for number in reversed(range(100_000))]),
        ([part for number in range(30_000) for part in (str(number), "x", "y")], [p for n in range(30_000) for p in (str(n), "y", "x")]),
    ],
    ids=["the same lines", "few lines again and again", "backwards", "many small blocks"],
)
def test_no_text_takes_quadratic_time(a: list[str], b: list[str]) -> None:
    start = time.process_time()
    assert patched(a, b) == b
    assert time.process_time() - start < 8

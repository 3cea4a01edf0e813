"""Covering arrays: every pair of values occurs, in few rows, and always the same ones."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockage.variation import Side, axis_of, count_pairs, covering, flaky_at_most, select
from lockage.variation.axes import AXES

Columns = list[tuple[str, ...]]


@st.composite
def columns(draw: st.DrawFn) -> Columns:
    sizes = draw(st.lists(st.integers(1, 4), max_size=9))
    return [tuple(f"{number}.{level}" for level in range(size)) for number, size in enumerate(sizes)]


@given(columns())
def test_every_pair_of_values_occurs_in_some_row(given: Columns) -> None:
    """\"Strength two: in any two columns every pair of values is in some row\", left out being one of the values."""
    rows = [set(row) for row in covering(given)]
    for one, two in itertools.combinations(given, 2):
        for a in (None, *one):
            for b in (None, *two):
                assert any((a in row if a else row.isdisjoint(one)) and (b in row if b else row.isdisjoint(two)) for row in rows)


@given(columns())
def test_a_row_takes_one_choice_of_a_column_and_the_first_row_the_first_of_each(given: Columns) -> None:
    rows = list(covering(given))
    assert rows[0] == tuple(column[0] for column in given)
    for row in rows:
        assert all(len(set(row) & set(column)) <= 1 for column in given)
        assert list(row) == [choice for column in given for choice in column if choice in row]


@given(columns())
def test_there_are_no_more_rows_than_the_method_promises(given: Columns) -> None:
    """Each row takes at least 1/(a·b) of the pairs that are left, so that a·b·ln(pairs) + 1 rows leave less than one."""
    rows = list(covering(given))
    *_, b, a = sorted((1, 1, *(len(column) + 1 for column in given)))
    pairs = count_pairs(given, [])[1]
    assert len(rows) <= 2 + (a * b * math.log(pairs) if pairs else a)
    assert count_pairs(given, rows) == (pairs, pairs)


@pytest.mark.parametrize(("severe", "most"), [(False, 26), (True, 30)])
def test_the_axes_that_there_are_need_few_rebuilds(severe: bool, most: int) -> None:
    asked = select(severe=severe)
    rows = list(covering(asked))
    assert len(rows) <= most
    assert rows == list(covering(asked))
    host = {axis.name for axis in AXES if axis.side is Side.HOST}
    assert len(list(covering([choices for choices in asked if axis_of(choices[0]) in host]))) <= 9


def test_two_axes_that_cancel_each_other_are_parted() -> None:
    rows = list(covering([("a",), ("b",), ("c",)]))
    assert ("a", "b", "c") in rows
    assert any("a" in row and "b" not in row for row in rows)
    assert len(rows) <= 5


def test_nothing_to_vary_is_one_rebuild_with_nothing_varied() -> None:
    assert list(covering([])) == [()]
    assert list(covering([("a", "b")])) == [("a",), ("b",)], "one axis at each of its levels"
    assert count_pairs([("a", "b")], [("a",)]) == (0, 0)


@pytest.mark.parametrize(("rebuilds", "share"), [(0, 1.0), (1, 0.95), (2, 0.776), (13, 0.206), (59, 0.0495), (299, 0.00997)])
def test_the_share_that_may_differ_unseen(rebuilds: int, share: float) -> None:
    assert flaky_at_most(rebuilds) == pytest.approx(share, abs=0.0005)
    assert (1 - flaky_at_most(rebuilds)) ** rebuilds == pytest.approx(0.05 if rebuilds else 1)

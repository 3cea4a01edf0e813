"""The search for the smallest set of axes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lockage.compare.smallest import smallest

AXES = tuple(f"axis-{number:02d}" for number in range(18))


def counted(guilty: list[frozenset[str]]) -> tuple[list[frozenset[str]], object]:
    """What differs when all axes of one of the guilty sets are varied, and the sets that were asked about."""
    asked: list[frozenset[str]] = []

    def differs(chosen: frozenset[str]) -> bool:
        asked.append(chosen)
        return any(each <= chosen for each in guilty)

    return asked, differs


@given(st.lists(st.frozensets(st.sampled_from(AXES), max_size=3), min_size=1, max_size=3))
def test_it_differs_with_them_and_not_without_one_of_them(guilty: list[frozenset[str]]) -> None:
    asked, differs = counted(guilty)
    found = smallest(differs, AXES)  # type: ignore[arg-type]  # a function, as counted() says
    assert found is not None
    assert frozenset(found) in guilty
    assert not any(each < frozenset(found) for each in guilty)
    assert list(found) == [axis for axis in AXES if axis in found]
    assert len(asked) == len(set(asked)), "a rebuild was made twice"


@given(st.frozensets(st.sampled_from(AXES), min_size=1, max_size=2))
def test_few_rebuilds_are_needed(guilty: frozenset[str]) -> None:
    asked, differs = counted([guilty])
    smallest(differs, AXES)  # type: ignore[arg-type]  # a function, as counted() says
    assert len(asked) <= 2 + len(guilty) * 12


def test_what_does_not_differ_has_no_cause() -> None:
    asked, differs = counted([frozenset(("elsewhere",))])
    assert smallest(differs, AXES) is None  # type: ignore[arg-type]  # a function, as counted() says
    assert asked == [frozenset(AXES)]


def test_what_differs_by_itself_has_no_axes() -> None:
    asked, differs = counted([frozenset()])
    assert smallest(differs, AXES, suspects=("axis-03",)) == ()  # type: ignore[arg-type]  # a function, as counted() says
    assert len(asked) == 2


def test_a_suspicion_that_holds_saves_the_search() -> None:
    asked, differs = counted([frozenset((AXES[7],))])
    suspects = ("no axis of these", AXES[3], AXES[7])
    assert smallest(differs, AXES, suspects=suspects) == (AXES[7],)  # type: ignore[arg-type]  # a function, as counted() says
    assert len(asked) == 4

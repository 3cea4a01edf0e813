"""How an explanation is told."""

import pytest

from lockage.base.name import StepName
from lockage.cli.explain import explanation_lines
from lockage.plan.difference import Change, ChangeKind
from lockage.work.explain import Explanation, State

ONE, TWO = "1" * 64, "2" * 64


def told(*changes: Change, state: State = State.CHANGED, run: str | None = None) -> list[str]:
    found = Explanation(step=StepName("unit"), state=state, action=None, run=run, since="run-000001", changes=changes)
    return list(explanation_lines(found))


def changed(kind: str, before: str | None, after: str | None, name: str = "x") -> Change:
    return Change(kind=ChangeKind(kind), name=name, before=before, after=after)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (changed("input", ONE, TWO), "~ input  x"),
        (changed("input", ONE, None), "- input  x"),
        (changed("input", None, f"{ONE} executable"), "+ input  x"),
        (changed("input", ONE, f"{ONE} executable"), "~ input  x  executable now"),
        (changed("input", f"{ONE} executable", TWO), "~ input  x  no longer executable"),
        (changed("input", "-> a", "-> b"), "~ input  x  link to a → link to b"),
        (changed("input", ONE, "directory"), "~ input  x  file → directory"),
        (changed("package", "1.0", "1.1"), "~ package  x  1.0 → 1.1"),
        (changed("package", "1.0", "1.0"), "~ package  x  1.0, other bytes"),
        (changed("package", None, "1.0"), "+ package  x  1.0"),
        (changed("variable", "a", None), "- variable  x  a"),
        (changed("root", ONE, TWO, name=""), "~ root    111111111111 → 222222222222"),
        (changed("command", "make  a\nmake b", "m" * 61, name=""), f"~ command    make a make b → {'m' * 57}..."),
    ],
)
def test_a_change_is_a_line(change: Change, line: str) -> None:
    assert told(change) == ["unit: would run, it has changed", "  changed since run-000001:", f"    {line}"]


def test_many_files_are_counted_and_what_else_changed_is_still_told() -> None:
    files = [changed("input", None, ONE, name=f"f{number:04}") for number in range(1500)]
    lines = told(*files, changed("cpus", "1", "2", name=""))
    assert len(lines) == 2 + 20 + 1 + 1
    assert lines[-2:] == ["      and 1,480 more; --json lists them all", "    ~ cpus    1 → 2"]


@pytest.mark.parametrize(
    ("state", "run", "verdict"),
    [
        (State.KEPT, "run-000002", "unchanged, its result is kept"),
        (State.FAILED, "run-000002", "would run, it is unchanged but failed in run-000002"),
        (State.LOST, "run-000002", "would run, it is unchanged since run-000002 but its result is not in the store any more"),
    ],
)
def test_why_it_ran_is_said_of_the_run_in_which_it_did(state: State, run: str, verdict: str) -> None:
    lines = told(changed("cpus", "1", "2"), state=state, run=run)
    assert lines[:2] == [f"unit: {verdict}", "  it ran in run-000002 because since run-000001 these had changed:"]


def test_nothing_else_than_what_it_waits_for() -> None:
    assert told(state=State.WAITS)[1:] == ["  nothing else has changed since run-000001"]

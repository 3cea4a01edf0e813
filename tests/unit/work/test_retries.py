"""Steps that are run again: which failures, how often, and what stays of every attempt."""

from collections.abc import Callable

import pytest

from lockage.adapters.memory.executor import Workspace
from lockage.adapters.memory.services import MemoryServices
from lockage.plan.plan import make_plan
from lockage.record.event import StepRetried
from lockage.work.build import StepNotDone, build
from lockage.work.execute import Execution
from lockage.work.prepare import Project

Commit = Callable[..., Project]

FLAKY = """
[step.flaky]
inputs = []
run = ["flaky"]
outputs = ["x"]
artifacts = ["x"]
{retries}
"""


class Flaky:
    """A command that does this at its first runs and then succeeds; -1 is a success that makes nothing."""

    def __init__(self, *ends: int | type[BaseException]) -> None:
        self._ends = ends
        self.runs = 0

    def __call__(self, workspace: Workspace) -> int:
        self.runs += 1
        workspace.log += f"run {self.runs}\n".encode()
        end = self._ends[self.runs - 1] if self.runs <= len(self._ends) else 0
        if isinstance(end, type):
            raise end
        if end == 0:
            workspace.write("x", b"made")
        return max(end, 0)


def project(services: MemoryServices, commit: Commit, command: Flaky, retries: int | None) -> Project:
    services.commands["flaky"] = command
    return commit(services, recipe=FLAKY.format(retries="" if retries is None else f"retries = {retries}"))


def test_an_attempt_that_succeeds_counts_and_all_are_recorded(services: MemoryServices, commit: Commit) -> None:
    plan = project(services, commit, command := Flaky(1, TimeoutError), 5)
    built = build(services, make_plan(plan.recipe, plan.lock, plan.source))
    (step,) = built.run.steps
    assert command.runs == 3
    assert step.failure is None
    failures = ("exit-code: the command exited with 1", "timeout: the step ran longer than its limit of 1 h")
    assert tuple(attempt.failure for attempt in step.attempts) == failures
    assert [services.blobs.get(attempt.log) for attempt in step.attempts] == [b"run 1\n", b"run 2\n"]
    retried = [event for event in services.told if isinstance(event, StepRetried)]
    assert [(event.attempt, event.attempts, event.failure) for event in retried] == [(1, 6, failures[0]), (2, 6, failures[1])]
    log = services.blobs.get(services.runs.kept[built.run_id][1]).decode().splitlines()[1:]
    assert log == [
        "run 1",
        f"== flaky · attempt 1 of 6: {failures[0]}",
        "run 2",
        f"== flaky · attempt 2 of 6: {failures[1]}",
        "run 3",
        "== flaky · done",
    ]
    again = build(services, make_plan(plan.recipe, plan.lock, plan.source))
    assert (again.executed, command.runs, again.artifacts) == (0, 3, built.artifacts)


def test_the_last_attempt_decides(services: MemoryServices, commit: Commit) -> None:
    plan = project(services, commit, command := Flaky(1, 2, 3, 4), 2)
    with pytest.raises(StepNotDone, match="'flaky' failed at each of 3 attempts: the command exited with 3") as caught:
        build(services, make_plan(plan.recipe, plan.lock, plan.source))
    assert command.runs == 3
    assert caught.value.details["last_lines"] == ("run 3",)
    assert len(services.runs.kept["run-000001"][0].steps[0].attempts) == 2


@pytest.mark.parametrize(
    ("ends", "retries"), [((1, 1), None), ((1, 1), 0), ((-1, 1), 3)], ids=["not-declared", "none", "missing-output-is-what-it-does"]
)
def test_other_failures_and_other_steps_are_not_run_again(
    services: MemoryServices, commit: Commit, ends: tuple[int, ...], retries: int | None
) -> None:
    plan = project(services, commit, command := Flaky(*ends), retries)
    with pytest.raises(StepNotDone, match="'flaky' failed: "):
        build(services, make_plan(plan.recipe, plan.lock, plan.source))
    assert command.runs == 1


def test_a_rebuild_runs_nothing_again(services: MemoryServices, commit: Commit) -> None:
    made = project(services, commit, command := Flaky(1), 5)
    execution = Execution(services, make_plan(made.recipe, made.lock, made.source), fresh=True)
    execution.run()
    assert command.runs == 1
    assert [run.failure for run in execution.results.values()] == ["exit-code: the command exited with 1"]


def test_retries_are_no_part_of_an_action_and_their_absence_none_of_a_recipe(services: MemoryServices, commit: Commit) -> None:
    plain, zero, some = (project(services, commit, Flaky(), retries) for retries in (None, 0, 3))
    assert plain.recipe.digest == zero.recipe.digest != some.recipe.digest
    first = build(services, make_plan(plain.recipe, plain.lock, plain.source))
    assert build(services, make_plan(some.recipe, some.lock, some.source)).executed == 0
    assert first.executed == 1

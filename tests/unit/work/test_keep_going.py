"""A build that keeps going after a failure: what runs, what does not, what is told, and that no interleaving shows."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockage.adapters.memory.executor import Workspace
from lockage.adapters.memory.services import MemoryServices
from lockage.base.errors import ExitCode, StepFailed
from lockage.base.name import StepName
from lockage.plan.plan import make_plan
from lockage.record.artifact import Run, Skipped
from lockage.record.event import StepSkipped
from lockage.work.build import StepNotDone, build
from lockage.work.failure import StepsNotDone
from lockage.work.hand_over import hand_over
from lockage.work.prepare import Project
from lockage.work.test import test_project as run_tests

Commit = Callable[..., Project]
Commands = Mapping[str, Callable[[Workspace], int]]

#: bad ← after ← last; worse; good, which delivers.
FAILING = """
[step.bad]
inputs = []
run = ["fail", "bad"]
outputs = ["bad"]
[step.after]
inputs = []
needs = ["bad"]
run = ["cat", "after"]
outputs = ["after"]
[step.last]
inputs = []
needs = ["after"]
run = ["cat", "last"]
outputs = ["last"]
[step.worse]
inputs = []
run = ["{worse}", "worse"]
outputs = ["worse"]
[step.good]
inputs = []
run = ["constant", "good"]
outputs = ["good"]
artifacts = ["good"]
"""


def kept_going(services: MemoryServices, project: Project, *, keep: Path | None = None) -> tuple[StepFailed, Run, str]:
    """The failure, the record and the canonical log of a build that fails."""
    with pytest.raises(StepFailed) as caught:
        build(services, make_plan(project.recipe, project.lock, project.source), keep_going=True, keep=keep)
    run, log = services.runs.kept["run-000001"]
    return caught.value, run, services.blobs.get(log).decode()


def test_all_failures_are_told_and_what_needs_them_is_not_started(services: MemoryServices, commit: Commit) -> None:
    error, run, log = kept_going(services, commit(services, recipe=FAILING.format(worse="fail")))
    assert isinstance(error, StepsNotDone)
    assert error.exit_code is ExitCode.STEP_FAILED
    assert error.details["steps"] == ("bad", "worse")
    assert error.details["not_started"] == ("after (needs bad)", "last (needs bad)")
    assert error.details["last_lines"] == ("== bad", "it broke", "== worse", "it broke")
    assert "`lockage logs run-000001 bad`" in error.hint
    assert "`lockage logs run-000001 worse`" in error.hint
    assert [step.step for step in run.steps] == ["bad", "worse", "good"]
    left_out = [(StepName(name), (StepName("bad"),)) for name in ("after", "last")]
    assert run.skipped == tuple(Skipped(step=step, failed=failed) for step, failed in left_out)
    assert [event for event in services.told if isinstance(event, StepSkipped)] == [StepSkipped(step=s, failed=f) for s, f in left_out]
    assert "== last · not started: it needs bad, which failed\n" in log


def test_one_failure_is_told_as_itself(services: MemoryServices, commit: Commit, tmp_path: Path) -> None:
    error, _, _ = kept_going(services, commit(services, recipe=FAILING.format(worse="constant")), keep=tmp_path)
    assert isinstance(error, StepNotDone)
    assert error.details["step"] == "bad"
    assert error.details["kept"] == str(tmp_path / "bad")
    assert error.details["not_started"] == ("after (needs bad)", "last (needs bad)")


def test_a_folder_gets_nothing_of_a_build_of_which_a_step_failed(services: MemoryServices, commit: Commit) -> None:
    project, out = commit(services, recipe=FAILING.format(worse="fail")), Path("/out")
    with pytest.raises(StepsNotDone):
        hand_over(services, project, out=out, keep_going=True)
    assert services.folders.read(out, "good") is None
    assert [artifact.name for artifact in services.runs.kept["run-000001"][0].artifacts] == ["good"]


def test_what_was_built_beside_a_failure_is_not_built_again(services: MemoryServices, commit: Commit) -> None:
    project = commit(services, recipe=FAILING.format(worse="fail"))
    kept_going(services, project)
    services.executor.ran.clear()
    with pytest.raises(StepsNotDone):
        build(services, make_plan(project.recipe, project.lock, project.source), keep_going=True)
    assert sorted(run.arguments[-1] for run in services.executor.ran) == ["bad", "worse"]


@pytest.mark.parametrize("keep_going", [True, False])
def test_two_that_fail_beside_each_other_are_both_told(commands: Commands, commit: Commit, keep_going: bool) -> None:
    services = MemoryServices(dict(commands), jobs=4)
    project = commit(services, recipe=FAILING.format(worse="fail"))
    with pytest.raises(StepsNotDone) as caught:
        build(services, make_plan(project.recipe, project.lock, project.source), keep_going=keep_going)
    assert caught.value.details["steps"] == ("bad", "worse")


# Tests

TESTS = """
[step.package]
inputs = ["src/**"]
stamp = ["version"]
run = ["wheel"]
outputs = ["dist"]
artifacts = ["dist/*.whl"]
[step.broken]
inputs = []
run = ["{broken}", "broken"]
outputs = ["broken"]
[step.one]
kind = "test"
needs = ["package"]
inputs = []
run = ["fail", "one"]
[step.two]
kind = "test"
needs = ["broken"]
inputs = []
run = ["unit", "two"]
[step.three]
kind = "check"
inputs = []
run = ["unit", "three"]
"""


def test_every_test_is_run_and_the_result_signed(services: MemoryServices, commit: Commit) -> None:
    outcome = run_tests(services, commit(services, recipe=TESTS.format(broken="constant")), keep_going=True)
    assert [(step.step, step.failure is None) for step in outcome.steps] == [("one", False), ("two", True), ("three", True)]
    assert not outcome.passed
    assert outcome.failure(services).details["step"] == "one"
    assert services.ledger.data


def test_tests_that_need_no_failed_build_are_run_and_nothing_is_signed(services: MemoryServices, commit: Commit) -> None:
    with pytest.raises(StepsNotDone) as caught:
        run_tests(services, commit(services, recipe=TESTS.format(broken="fail")), keep_going=True)
    assert caught.value.details["steps"] == ("broken", "one")
    assert caught.value.details["not_started"] == ("two (needs broken)",)
    assert "three" in [run.arguments[-1] for run in services.executor.ran]
    assert not services.ledger.data


# Any number of jobs, any interleaving


@st.composite
def recipes(draw: st.DrawFn) -> str:
    """Steps that need each other, some of which fail."""
    lines = []
    for number in range(draw(st.integers(1, 8))):
        needs = sorted(draw(st.sets(st.integers(0, number - 1), max_size=2))) if number else []
        lines += [
            f"[step.s{number}]",
            "inputs = []",
            "needs = [" + ", ".join(f'"s{need}"' for need in needs) + "]",
            f'run = ["{draw(st.sampled_from(["cat", "cat", "fail"]))}", "o{number}"]',
            f'outputs = ["o{number}"]',
            f'artifacts = ["o{number}"]',
            f"cpus = {draw(st.integers(1, 3))}",
        ]
    return "\n".join(lines) + "\n"


@given(recipe=recipes(), jobs=st.integers(2, 5), seed=st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_log_artifacts_and_exit_do_not_depend_on_jobs_nor_on_what_ends_first(
    commands: Commands, commit: Commit, recipe: str, jobs: int, seed: int
) -> None:
    found = []
    for services in (MemoryServices(dict(commands), jobs=1), MemoryServices(dict(commands), jobs=jobs, seed=seed)):
        project = commit(services, recipe=recipe)
        told: StepFailed | None = None
        try:
            build(services, make_plan(project.recipe, project.lock, project.source), keep_going=True)
        except StepFailed as error:
            told = error
        run, log = services.runs.kept["run-000001"]
        said = None if told is None else (told.exit_code, told.message, told.hint, told.details)
        found.append((said, run, services.blobs.get(log)))
    assert found[0] == found[1]

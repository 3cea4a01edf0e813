"""Why a step would run, or need not."""

from collections.abc import Callable

import pytest

from lockage.adapters.memory.services import MemoryServices
from lockage.base.name import StepName
from lockage.cli.explain import explanation_lines
from lockage.plan.difference import ChangeKind
from lockage.plan.plan import NoSuchStep, make_plan
from lockage.work.build import StepNotDone, build
from lockage.work.explain import Explanation, State, explain
from lockage.work.prepare import Project

Commit = Callable[..., Project]

RECIPE = """
[flags]
fast = {flag}
[step.first]
inputs = ["src/**"]
run = ["cat", "one"]
outputs = ["one"]
[step.second]
needs = ["first"]
inputs = ["docs/**"]
stamp = ["version"]
flags = ["fast"]
variables = {{ LEVEL = "{level}" }}
run = ["{run}", "two"]
outputs = ["two"]
artifacts = ["two"]
"""


def committed(
    services: MemoryServices,
    commit: Commit,
    *,
    src: bytes = b"1",
    docs: bytes = b"1",
    level: int = 1,
    flag: bool = False,
    run: str = "cat",
    version: str = "1.0",
) -> Project:
    recipe = RECIPE.format(level=level, flag=str(flag).lower(), run=run)
    return commit(services, {"src/x": src, "docs/a": docs}, recipe=recipe, version=version)


def done(services: MemoryServices, project: Project) -> Project:
    build(services, make_plan(project.recipe, project.lock, project.source))
    return project


def asked(services: MemoryServices, project: Project, step: str = "second") -> Explanation:
    services.executor.ran.clear()
    found = explain(services, project, StepName(step))
    assert services.executor.ran == []
    return found


def changes(found: Explanation) -> list[tuple[str, str]]:
    return [(str(change.kind), change.name) for change in found.changes]


def test_a_step_that_never_ran(services: MemoryServices, commit: Commit) -> None:
    found = asked(services, committed(services, commit), "first")
    assert (found.state, found.run, found.since, found.changes) == (State.NEW, None, None, ())
    assert list(explanation_lines(found)) == ["first: would run, no run that this store remembers has it"]


def test_a_step_whose_result_is_kept(services: MemoryServices, commit: Commit) -> None:
    found = asked(services, done(services, committed(services, commit)))
    assert (found.state, found.run, found.since) == (State.KEPT, "run-000001", None)
    assert list(explanation_lines(found)) == ["second: unchanged, its result is kept"]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"docs": b"2"}, ("input", "docs/a")),
        ({"level": 2}, ("variable", "LEVEL")),
        ({"flag": True}, ("flag", "LOCKAGE_FLAG_FAST")),
        ({"version": "1.1"}, ("stamp", "LOCKAGE_VERSION")),
        ({"run": "constant"}, ("command", "")),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_what_changed_is_told_before_and_after_it_ran(
    services: MemoryServices, commit: Commit, changed: dict[str, bytes], told: tuple[str, str]
) -> None:
    done(services, committed(services, commit))
    project = committed(services, commit, **changed)  # type: ignore[arg-type]  # one of several keywords
    found = asked(services, project)
    assert (found.state, found.since, found.run) == (State.CHANGED, "run-000001", None)
    assert changes(found) == [told]
    found = asked(services, done(services, project))
    assert (found.state, found.since, found.run) == (State.KEPT, "run-000001", "run-000002")
    assert changes(found) == [told]
    assert "  it ran in run-000002 because since run-000001 these had changed:" in list(explanation_lines(found))


def test_a_need_that_would_run_is_named_and_the_rest_compared(services: MemoryServices, commit: Commit) -> None:
    done(services, committed(services, commit))
    found = asked(services, committed(services, commit, src=b"2", level=2))
    assert (found.state, found.action, found.waits_for, found.since) == (State.WAITS, None, ("first",), "run-000001")
    assert changes(found) == [("variable", "LEVEL")]
    assert list(explanation_lines(found)) == [
        "second: not known before these have run: first",
        "  changed since run-000001:",
        "    ~ variable  LEVEL  1 → 2",
    ]


def test_the_output_of_a_need_is_told_with_its_step(services: MemoryServices, commit: Commit) -> None:
    done(services, committed(services, commit))
    project = done(services, committed(services, commit, src=b"2"))
    found = asked(services, project)
    assert [(change.kind, change.name, change.step) for change in found.changes] == [(ChangeKind.NEED, "one", "first")]
    assert "    ~ output of first  one" in list(explanation_lines(found))


def test_a_step_that_failed_with_just_this(services: MemoryServices, commit: Commit) -> None:
    project = committed(services, commit, run="fail")
    with pytest.raises(StepNotDone):
        done(services, project)
    found = asked(services, project)
    assert (found.state, found.run) == (State.FAILED, "run-000001")
    assert list(explanation_lines(found)) == ["second: would run, it is unchanged but failed in run-000001"]


def test_a_result_that_is_gone(services: MemoryServices, commit: Commit) -> None:
    project = done(services, committed(services, commit))
    (run, _) = services.runs.kept["run-000001"]
    del services.blobs.data[run.steps[1].log.digest]
    assert asked(services, project).state is State.LOST


def test_packages_of_another_environment_are_told_by_name(services: MemoryServices, commit: Commit) -> None:
    done(services, committed(services, commit))
    services.publish("dash", "0.5.12-3")
    found = asked(services, committed(services, commit), "first")
    assert found.state is State.CHANGED
    (change,) = found.changes
    assert (change.kind, change.name, change.before, change.after) == (ChangeKind.PACKAGE, "dash", "0.5.12-2", "0.5.12-3")


@pytest.mark.parametrize("lost", ["action", "environments"])
def test_what_is_not_remembered_any_more_is_not_guessed(services: MemoryServices, commit: Commit, lost: str) -> None:
    done(services, committed(services, commit))
    (run, _) = services.runs.kept["run-000001"]
    for digest in [run.steps[0].action.digest] if lost == "action" else [ref.digest for ref in run.environments.values()]:
        del services.blobs.data[digest]
    services.publish("dash", "0.5.12-3")
    found = asked(services, committed(services, commit), "first")
    assert found.state is State.CHANGED
    assert [change.kind for change in found.changes] == ([] if lost == "action" else [ChangeKind.ROOT])


def test_a_step_that_the_recipe_does_not_have(services: MemoryServices, commit: Commit) -> None:
    with pytest.raises(NoSuchStep):
        asked(services, committed(services, commit), "third")

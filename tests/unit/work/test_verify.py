"""Verification and tests over fakes: grades, evidence for both claims, and that a rebuild never meets the action cache."""

from collections.abc import Callable

import pytest

from lockage.adapters.memory import MemoryActionCache
from lockage.adapters.memory.executor import Workspace
from lockage.adapters.memory.services import MemoryServices
from lockage.base.digest import BlobRef
from lockage.compare.grade import Grade
from lockage.evidence.facts import Evidence, ReproductionFact, TestFact, gather
from lockage.evidence.predicate import TestVerdict
from lockage.plan.plan import make_plan
from lockage.ports import PackageVanished
from lockage.record.result import ActionResult
from lockage.variation import AXES, CONTRACT, Claim, Side, axis_of, flaky_at_most, select
from lockage.work.artifacts import NoArtifacts
from lockage.work.book import Book
from lockage.work.build import StepNotDone, build
from lockage.work.prepare import Project
from lockage.work.test import test_project as run_tests
from lockage.work.verify import Verification, verify, verify_project

Commit = Callable[..., Project]
OF_HOST = {axis.name for axis in AXES if axis.side is Side.HOST}
ALL = tuple(choices[0] for choices in select())
HOST = tuple(choice for choice in ALL if axis_of(choice) in OF_HOST)


class Untouchable(MemoryActionCache):
    """An action cache that a rebuild must not come near."""

    def get(self, action: BlobRef) -> ActionResult | None:
        raise AssertionError(f"{action} was read from the action cache")

    def put(self, action: BlobRef, result: ActionResult) -> None:
        raise AssertionError(f"{action} was put into the action cache")


def facts(services: MemoryServices) -> list[object]:
    """Every fact that the ledger's evidence proves, oldest first."""
    book = Book.open(services, make=False)
    subjects = set(services.blobs.data)
    known = sorted(book.catalog.evidence(*subjects), key=lambda record: record.sequence)
    evidence = [Evidence(data=services.blobs.data[record.bundle], recorded=record.at) for record in known]
    found, rejected = gather(evidence, book.root, now=services.clock.now(), about=subjects)
    assert rejected == ()
    return list(found)


def reproductions(services: MemoryServices) -> dict[Claim, ReproductionFact]:
    found = [fact for fact in facts(services) if isinstance(fact, ReproductionFact)]
    assert len({fact.claim for fact in found}) == len(found)
    return {fact.claim: fact for fact in found}


def test_what_depends_on_nothing_is_identical_and_both_claims_are_recorded(services: MemoryServices, commit: Commit) -> None:
    found = verify_project(services, commit(services))
    assert found.identical
    assert (found.reproduced, found.robust) == (Grade.IDENTICAL, Grade.IDENTICAL)
    assert [(round_.claim, round_.axes) for round_ in found.rounds] == [(Claim.REPRODUCED, HOST), (Claim.ROBUST, ALL)]
    assert found.axes == ALL
    recorded = reproductions(services)
    assert {claim: fact.grade for claim, fact in recorded.items()} == dict.fromkeys(Claim, Grade.IDENTICAL)
    assert {claim: set(fact.axes) for claim, fact in recorded.items()} == {Claim.REPRODUCED: set(HOST), Claim.ROBUST: set(ALL)}


def test_every_rebuild_runs_in_its_own_world(services: MemoryServices, commit: Commit) -> None:
    worlds = []
    inner = services.commands["wheel"]

    def noting(workspace: Workspace) -> int:
        worlds.append((workspace.request.world, workspace.request.instruments is not None, workspace.variables["CARGO_BUILD_RUSTFLAGS"]))
        return inner(workspace)

    services.commands["wheel"] = noting
    verify_project(services, commit(services))
    assert [world == CONTRACT for world, _, _ in worlds] == [True, False, False]
    assert [instruments for _, instruments, _ in worlds] == [False, True, True]
    flags = [text for _, _, text in worlds]
    assert flags[0] == flags[1]
    assert f"={worlds[2][0].build_path}=" in flags[2]


def test_a_rebuild_neither_reads_nor_writes_the_action_cache(services: MemoryServices, commit: Commit) -> None:
    project = commit(services)
    plan = make_plan(project.recipe, project.lock, project.source)
    built = build(services, plan)
    services.cache = Untouchable()
    assert verify(services, plan, built).identical


def test_what_differs_is_named_and_recorded_as_it_is(services: MemoryServices, commit: Commit) -> None:
    found = verify_project(services, commit(services, {"src/unstable": b""}))
    assert not found.identical
    assert (found.reproduced, found.robust) == (Grade.IDENTICAL, Grade.DIFFERENT)
    (verdict,) = found.artifacts
    assert len(verdict.sha256) == 3
    assert len(set(verdict.sha256)) == 2
    assert any("shop/host.py" in line for line in verdict.lines())
    assert {claim: fact.grade for claim, fact in reproductions(services).items()} == {
        Claim.REPRODUCED: Grade.IDENTICAL,
        Claim.ROBUST: Grade.DIFFERENT,
    }


def test_a_rebuild_that_fails_has_the_grade_failed(services: MemoryServices, commit: Commit) -> None:
    found = verify_project(services, commit(services, {"src/unlucky": b""}))
    assert (found.reproduced, found.robust) == (Grade.IDENTICAL, Grade.FAILED)
    assert found.rounds[1].failure == "package: exit-code: the command exited with 1"
    assert found.artifacts[0].lines() == []
    assert reproductions(services)[Claim.ROBUST].grade is Grade.FAILED


@pytest.mark.parametrize("made", [b"not a wheel at all", None], ids=["malformed", "another name"])
def test_a_rebuild_whose_artifacts_cannot_be_delivered_has_the_grade_failed(
    services: MemoryServices, commit: Commit, made: bytes | None
) -> None:
    inner = services.commands["wheel"]

    def sometimes(workspace: Workspace) -> int:
        if workspace.request.world == CONTRACT:
            return inner(workspace)
        workspace.write("dist/shop-1.0-py3-none-any.whl" if made else "dist/other.txt", made or b"")
        return 0

    services.commands["wheel"] = sometimes
    found = verify_project(services, commit(services))
    assert (found.reproduced, found.robust, found.artifacts[0].raw) == (Grade.FAILED, Grade.FAILED, Grade.FAILED)
    assert all(round_.failure for round_ in found.rounds)


def test_the_worst_round_counts(services: MemoryServices, commit: Commit) -> None:
    rounds = []
    inner = services.commands["wheel"]

    def third_time_unlucky(workspace: Workspace) -> int:
        rounds.append(workspace)
        return 1 if len(rounds) == 3 else inner(workspace)

    services.commands["wheel"] = third_time_unlucky
    found = verify_project(services, commit(services), rounds=2)
    assert len(found.rounds) == 4
    assert (found.reproduced, found.robust) == (Grade.FAILED, Grade.FAILED)


def test_two_axes_that_cancel_each_other_are_found_by_further_rounds(services: MemoryServices, commit: Commit) -> None:
    inner = services.commands["wheel"]

    def one_without_the_other(workspace: Workspace) -> int:
        world = workspace.request.world
        return inner(workspace) if (world.umask == CONTRACT.umask) == (world.home == CONTRACT.home) else 1

    services.commands["wheel"] = one_without_the_other
    project = commit(services)
    assert verify_project(services, project).identical
    found = verify_project(services, project, rounds=None)
    assert found.robust is Grade.FAILED
    assert found.pairs[0] == found.pairs[1]
    assert found.flaky_at_most is None


def test_rounds_follow_the_array_and_begin_it_again(services: MemoryServices, commit: Commit) -> None:
    project = commit(services)
    found = verify_project(services, project, axes=["umask=private", "home"], rounds=7)
    varied = [axes for claim, axes in told(found) if claim is Claim.ROBUST]
    assert len(varied) == 7
    assert varied[0] == ("home", "umask")
    assert set(varied) == {("home", "umask"), ("home",), ("umask",), ()}
    assert found.flaky_at_most == flaky_at_most(14)
    assert verify_project(services, project, axes=["timezone"], rounds=None).rounds[-1].axes == ("timezone=GMT-14",)


def told(found: Verification) -> list[tuple[Claim, tuple[str, ...]]]:
    return [(round_.claim, round_.axes) for round_ in found.rounds]


def test_only_the_axes_asked_for_and_available_are_varied(services: MemoryServices, commit: Commit) -> None:
    project = commit(services)
    services.unavailable = ("clock", "clock=next-month", "kernel", "locale")
    found = verify_project(services, project, axes=["clock", "user"])
    assert told(found) == [(Claim.REPRODUCED, ()), (Claim.ROBUST, ("user",))]
    assert found.unavailable == dict.fromkeys(("clock", "clock=next-month"), "not in memory")
    found = verify_project(services, project, axes=["kernel", "priority"])
    assert told(found) == [(Claim.REPRODUCED, ("priority",))]
    assert tuple(found.unavailable) == ("kernel",)
    found = verify_project(services, project)
    assert "clock" not in found.axes
    assert "locale=et_EE" in found.rounds[-1].axes, "a level that can be, where the first cannot"
    assert "load" not in found.axes
    assert "load" in verify_project(services, project, severe=True).axes


def test_what_modes_hold_still_is_told_and_not_counted_where_all_do(services: MemoryServices, commit: Commit) -> None:
    steps = "".join(
        f'[step.{name}]\nrun = ["constant", "{name}"]\noutputs = ["{name}"]\nartifacts = ["{name}"]\nmodes = {modes}\n'
        for name, modes in (("a", '["frozen-clock", "single-cpu"]'), ("b", '["frozen-clock"]'), ("c", "[]"))
    )
    found = verify_project(services, commit(services, recipe=steps))
    assert found.held == {"a": ("clock", "cpu-count"), "b": ("clock",)}
    assert {"clock", "cpu-count"} <= set(found.axes)
    without = steps[: steps.index("[step.c]")]
    found = verify_project(services, commit(services, recipe=without))
    assert "clock" not in found.axes
    assert found.unavailable["clock"] == "a mode holds it still"
    assert "cpu-count" in found.axes


def test_packages_that_are_gone_are_fetched_before_anything_is_rebuilt(services: MemoryServices, commit: Commit) -> None:
    project = commit(services)
    plan = make_plan(project.recipe, project.lock, project.source)
    built = build(services, plan)
    for package in project.lock.environments["build"].instruments:
        del services.blobs.data[package.sha256]
    assert verify(services, plan, built).identical
    for package in project.lock.environments["build"].packages:
        del services.blobs.data[package.sha256]
    services.os_packages.pool.clear()
    with pytest.raises(PackageVanished):
        verify(services, plan, built)


def test_a_project_without_artifacts_has_nothing_to_verify(services: MemoryServices, commit: Commit) -> None:
    with pytest.raises(NoArtifacts, match="shop has no artifacts"):
        verify_project(services, commit(services, recipe='[step.a]\nrun = ["constant", "x"]\noutputs = ["x"]\n'))


# Tests


def results_of(services: MemoryServices) -> list[TestFact]:
    return [fact for fact in facts(services) if isinstance(fact, TestFact)]


@pytest.mark.parametrize("failing", [False, True])
def test_results_are_recorded_whatever_they_are(services: MemoryServices, commit: Commit, failing: bool) -> None:
    project = commit(services, {"tests/failing": b""} if failing else {})
    outcome = run_tests(services, project)
    assert outcome.passed is not failing
    (fact,) = results_of(services)
    assert fact.result is (TestVerdict.FAILED if failing else TestVerdict.PASSED)
    assert (fact.passed, fact.failed) == ((), ("unit",)) if failing else (("unit",), ())
    assert fact.declared == ("unit",)
    run, log = services.runs.kept[outcome.run_id]
    assert b"running\n" in services.blobs.get(log)
    assert {step.step for step in run.steps} == {"package", "unit"}


def test_a_recipe_without_tests_says_so(services: MemoryServices, commit: Commit) -> None:
    recipe = '[step.a]\nrun = ["constant", "x"]\noutputs = ["x"]\nartifacts = ["x"]\n'
    outcome = run_tests(services, commit(services, recipe=recipe))
    assert outcome.passed
    assert outcome.steps == ()
    (fact,) = results_of(services)
    assert fact.declared == ()


def test_nothing_is_tested_that_cannot_be_built(services: MemoryServices, commit: Commit) -> None:
    services.commands["wheel"] = services.commands["fail"]
    with pytest.raises(StepNotDone):
        run_tests(services, commit(services))
    assert services.ledger.data == []

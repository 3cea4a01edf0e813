"""On what machines the steps of a build were executed: signed once, and known also of what was taken from the cache."""

from collections.abc import Callable

import msgspec
import pytest

from lockage.adapters.memory.services import MemoryServices
from lockage.base.canonical import decode
from lockage.base.digest import BlobRef
from lockage.base.tree import FileNode, read_tree
from lockage.environment.base import HostBase
from lockage.environment.lock import UNPINNED, LockedSuite
from lockage.evidence import Evidence, ProvenanceFact, ReproductionFact, TestFact, TrustRoot, verify_evidence
from lockage.evidence.facts import Fact
from lockage.ledger.entry import EvidenceRecorded, decode_entry
from lockage.plan.plan import make_plan
from lockage.record.conditions import Conditions, DeviationKind, deviations_of_environments
from lockage.work.book import Book
from lockage.work.conditions import conditions_of_run
from lockage.work.find import FoundRun
from lockage.work.hand_over import build_project
from lockage.work.prepare import Project
from lockage.work.show import show_run
from lockage.work.test import test_project as run_tests
from lockage.work.verify import verify_project
from lockage.work.whole import CacheUse, Sample

Commit = Callable[..., Project]
OLD, NEW = {"kernel": "5.10"}, {"kernel": "6.1"}

TWO = """
[step.first]
inputs = ["src/a"]
run = ["cat", "first.out"]
outputs = ["first.out"]
[step.second]
needs = ["first"]
inputs = ["src/b"]
run = ["cat", "second.out"]
outputs = ["second.out"]
artifacts = ["second.out"]
"""
EVERYTHING = CacheUse(sample=Sample(seed="s", percent=100))


def facts(services: MemoryServices, kind: type[Fact]) -> list[Fact]:
    """What was signed, in the order of the ledger."""
    root: TrustRoot = Book.open(services, make=False).root
    found = []
    for entry in map(decode_entry, services.ledger.data):
        if isinstance(entry, EvidenceRecorded):
            ref = services.blobs.locate(entry.bundle)
            assert isinstance(ref, BlobRef)
            fact = verify_evidence(Evidence(data=services.blobs.get(ref)), root, now=services.clock.now())
            if isinstance(fact, kind):
                found.append(fact)
    return found


def last(services: MemoryServices, kind: type[Fact]) -> Conditions:
    conditions = facts(services, kind)[-1].conditions
    assert conditions is not None
    return conditions


def told(conditions: Conditions) -> list[tuple[tuple[str, ...], dict[str, str], str | None]]:
    return [(tuple(map(str, one.steps)), one.host, one.run) for one in conditions.executions]


def test_each_step_is_told_with_the_machine_that_executed_it(services: MemoryServices, commit: Commit) -> None:
    services.host = OLD
    build_project(services, commit(services, {"src/a": b"1", "src/b": b"1"}, recipe=TWO))
    assert told(last(services, ProvenanceFact)) == [(("first", "second"), OLD, "run-000001")]
    services.host = NEW
    build_project(services, commit(services, {"src/a": b"1", "src/b": b"2"}, recipe=TWO))
    assert told(last(services, ProvenanceFact)) == [(("second",), NEW, "run-000002"), (("first",), OLD, "run-000001")]


def test_it_is_known_as_well_once_the_records_are_gone_and_once_what_is_remembered_is(services: MemoryServices, commit: Commit) -> None:
    def build(second: bytes) -> Conditions:
        build_project(services, commit(services, {"src/a": b"1", "src/b": second}, recipe=TWO))
        return last(services, ProvenanceFact)

    services.host = OLD
    build(b"1")
    services.host = NEW
    services.runs.remove("run-000001")
    assert told(build(b"2"))[1] == (("first",), OLD, "run-000001")
    services.memo.values.clear()
    assert told(build(b"3"))[1] == (("first",), {}, None)


def test_the_memo_may_be_rubbish(services: MemoryServices, commit: Commit) -> None:
    services.host = OLD
    build_project(services, commit(services, {"src/a": b"1", "src/b": b"1"}, recipe=TWO))
    for key in [key for key in services.memo.values if key[0] == "conditions"]:
        services.memo.values[key] = b"rubbish"
    build_project(services, commit(services, {"src/a": b"1", "src/b": b"2"}, recipe=TWO))
    assert told(last(services, ProvenanceFact))[1] == (("first",), OLD, "run-000001")


def test_nothing_executed_is_nothing_signed(services: MemoryServices, commit: Commit) -> None:
    project = commit(services)
    for host in (OLD, NEW, NEW):
        services.host = host
        build_project(services, project)
    assert len(facts(services, ProvenanceFact)) == 1


def test_what_is_executed_again_with_the_same_result_was_executed_here(services: MemoryServices, commit: Commit) -> None:
    project = commit(services)
    services.host = OLD
    build_project(services, project)
    services.host = NEW
    build_project(services, project, use=EVERYTHING)
    assert told(last(services, ProvenanceFact)) == [(("package",), NEW, "run-000002")]
    build_project(services, project, use=EVERYTHING)
    assert len(facts(services, ProvenanceFact)) == 2  # the machine was the same again
    build_project(services, project)
    assert len(facts(services, ProvenanceFact)) == 2


def test_tests_and_rebuilds_have_conditions_of_their_own(services: MemoryServices, commit: Commit) -> None:
    project = commit(services)
    services.host = OLD
    build_project(services, project)
    services.host = NEW
    run_tests(services, project)
    assert told(last(services, TestFact)) == [(("unit",), NEW, "run-000002")]
    services.host = OLD
    verify_project(services, project)
    assert told(last(services, ReproductionFact)) == [(("package",), OLD, None)]
    assert told(last(services, ProvenanceFact)) == [(("package",), OLD, "run-000001")]


@pytest.mark.parametrize("builder", [False, True])
def test_a_suite_that_was_out_of_date(services: MemoryServices, commit: Commit, builder: bool) -> None:
    project = commit(services)
    name, environment = next(iter(project.lock.environments.items()))
    suite = '{"suite":"sid","release_date":"2026-07-11","release_sha256":"%s","stale":true}' % ("0" * 64)
    stale = msgspec.structs.replace(environment, suites=(decode(suite.encode(), LockedSuite),))
    if builder:
        stale = msgspec.structs.replace(environment, builders={"build": stale})
    lock = msgspec.structs.replace(project.lock, environments={name: stale})
    plan = make_plan(project.recipe, lock, project.source)
    (found,) = conditions_of_run(services, plan, "run-000009", [planned.name for planned in plan.steps]).deviations
    assert found.kind == DeviationKind.STALE_SUITE
    assert found.subject == ("environment build, to build build" if builder else "environment build")
    assert found.what == "sid, whose Release file is of 2026-07-11"


def test_an_environment_that_is_the_host(services: MemoryServices, commit: Commit) -> None:
    project = commit(services)
    name, environment = next(iter(project.lock.environments.items()))
    host = msgspec.structs.replace(
        environment, os=msgspec.UNSET, release_date=msgspec.UNSET, release_sha256=msgspec.UNSET, host=HostBase(), packages=(), root=UNPINNED
    )
    (found,) = deviations_of_environments({name: host})
    assert (found.kind, found.subject) == (DeviationKind.HOST_ENVIRONMENT, "environment build")
    assert found.what == "the machine itself, of which nothing is pinned"


def test_a_run_that_is_not_kept_is_not_known(services: MemoryServices, commit: Commit) -> None:
    project = commit(services)
    plan = make_plan(project.recipe, project.lock, project.source)
    assert told(conditions_of_run(services, plan, "run-000009", [plan.steps[0].name])) == [(("package",), {}, None)]


def test_a_step_that_was_run_again_is_a_deviation_and_shown(services: MemoryServices, commit: Commit) -> None:
    failures = [1]

    def flaky(workspace: object) -> int:
        if failures:
            return failures.pop()
        services.commands["wheel"](workspace)  # type: ignore[arg-type]  # a workspace, whatever this test knows of it
        return 0

    services.commands["flaky"] = flaky
    recipe = """
[step.package]
inputs = ["src/**"]
stamp = ["version"]
retries = 1
run = ["flaky"]
outputs = ["dist"]
artifacts = ["dist/*.whl"]
"""
    _, built = build_project(services, commit(services, recipe=recipe))
    (found,) = last(services, ProvenanceFact).deviations
    assert (found.kind, found.subject) == (DeviationKind.RETRIED_STEP, "step package")
    assert found.what == "attempt 1 failed (exit-code: the command exited with 1)"
    kept = services.runs.get(built.run_id)
    assert kept is not None
    assert show_run(services, FoundRun(run_id=built.run_id, run=kept[0], log=kept[1])).deviations == (found,)
    build_project(services, commit(services, recipe=recipe), use=EVERYTHING)
    assert last(services, ProvenanceFact).deviations == ()


def test_damage_of_the_store_is_a_deviation_of_the_run_that_found_it(services: MemoryServices, commit: Commit) -> None:
    project = commit(services, {"src/a": b"1", "src/b": b"1"}, recipe=TWO)
    _, built = build_project(services, project)
    first = next(node.blob for node in read_tree(built.run.steps[0].outputs, services.blobs.get) if isinstance(node, FileNode))
    del services.blobs.data[first.digest]
    build_project(services, project)
    assert [(one.kind, one.subject) for one in last(services, ProvenanceFact).deviations] == [("store-damage", "what step first gave")]

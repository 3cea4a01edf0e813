"""Collecting garbage over fakes: whatever happened before, what is kept is whole afterwards, and the rest is gone."""

import os
from collections.abc import Callable, Collection
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockage.adapters.action_cache_local import LocalActionCache
from lockage.adapters.memory.executor import Workspace
from lockage.adapters.memory.services import MemoryServices
from lockage.adapters.memory.store import MemoryActionCache, MemoryBlobs
from lockage.base.digest import BlobRef, Digest
from lockage.base.instant import Instant
from lockage.base.name import ChannelName, ProjectName
from lockage.base.tree import FileNode, read_tree
from lockage.environment.lock import Lock
from lockage.plan.action import read_action
from lockage.ports.storage import BlobSweep
from lockage.record.artifact import Run
from lockage.record.release import Release
from lockage.record.result import ActionResult
from lockage.record.source import CommitOrigin
from lockage.work.book import Book
from lockage.work.gc import KeepRule, collect_garbage
from lockage.work.hand_over import build_project
from lockage.work.prepare import Project
from lockage.work.promote import promote
from lockage.work.pull import pull
from lockage.work.release import release_project
from lockage.work.store import check_store
from lockage.work.test import test_project as run_tests

Commit = Callable[..., Project]
ONE_RUN = KeepRule(runs=1, age=0)
DAY = 86400


def version(services: MemoryServices, commit: Commit, number: int, *, name: str = "shop") -> Project:
    services.clock.advance(60)
    return commit(services, {"src/shop/x.py": b"%d" % number}, locator=f"{name}-{number}", name=name, version=f"1.{number}")


def readable(services: MemoryServices, run: Run) -> bool:
    """Whether everything of a run can be read."""
    get = services.blobs.get
    trees = [run.source.tree, *(step.outputs for step in run.steps), *(read_action(step.action, get).workspace for step in run.steps)]
    refs = [node.blob for tree in trees for node in read_tree(tree, get) if isinstance(node, FileNode)]
    refs += [step.log for step in run.steps] + [artifact.blob for artifact in run.artifacts] + list(run.environments.values())
    return all(BlobRef.of(get(ref)) == ref for ref in refs)


def whole(services: MemoryServices) -> bool:
    """Whether all that the store's ledger and records speak of can be read, and no result refers to what is gone."""
    found = check_store(services)
    get = services.blobs.get
    for record in Book.open(services, make=False).catalog.releases(ProjectName("shop")) if services.ledger.head() else ():
        release = Release.decode(get(services.blobs.locate(record.release) or BlobRef.of(b"?")))
        lock = Lock.decode(get(services.blobs.locate(record.lock) or BlobRef.of(b"?")))
        files = [node.blob for node in read_tree(release.source.tree, get) if isinstance(node, FileNode)]
        packages = [package.ref for environment in lock.environments.values() for package in environment.packages]
        for ref in [*files, *packages, *(artifact.ref for artifact in release.artifacts)]:
            assert BlobRef.of(get(ref)) == ref
    assert all(readable(services, run) for run, _ in services.runs.kept.values())
    return found.whole and found.stale_results == 0


def test_what_only_old_runs_need_goes_and_what_the_last_needs_stays(services: MemoryServices, commit: Commit) -> None:
    old, new = (build_project(services, version(services, commit, number))[1] for number in (1, 2))
    services.clock.advance(60)
    before = len(services.blobs.data)
    dry = collect_garbage(services, ONE_RUN, dry=True)
    assert len(services.blobs.data) == before
    assert dry.gone["runs"].size > 0
    found = collect_garbage(services, ONE_RUN)
    assert (found.gone["runs"].count, found.gone["results"].count, found.runs) == (1, 1, 1)
    assert found.gone["blobs"].count == dry.gone["blobs"].count == before - len(services.blobs.data) > 5
    assert not services.blobs.has(old.artifacts[0].blob)
    assert services.blobs.has(new.artifacts[0].blob)
    assert set(services.runs.kept) == {new.run_id}
    assert whole(services)
    assert collect_garbage(services, ONE_RUN).size == 0
    assert build_project(services, version(services, commit, 2))[1].executed == 0
    assert build_project(services, version(services, commit, 1))[1].executed == 1


def test_nothing_young_goes_and_the_last_runs_stay_however_old(services: MemoryServices, commit: Commit) -> None:
    for number in range(5):
        build_project(services, version(services, commit, number))
    assert collect_garbage(services, KeepRule(runs=0, age=DAY)).gone["runs"].count == 0
    services.clock.advance(2 * DAY)
    assert collect_garbage(services, KeepRule(runs=3, age=DAY)).gone["runs"].count == 2
    assert list(services.runs.kept) == ["run-000003", "run-000004", "run-000005"]
    assert whole(services)


def test_the_last_run_of_every_project_stays(services: MemoryServices, commit: Commit) -> None:
    for name in ("shop", "other"):
        for number in range(2):
            build_project(services, version(services, commit, number, name=name))
    services.clock.advance(DAY)
    collect_garbage(services, KeepRule(runs=0, age=0))
    assert [str(run.project) for run, _ in services.runs.kept.values()] == ["shop", "other"]
    assert whole(services)


def test_a_release_keeps_all_that_it_was_made_of_and_can_still_be_pulled(services: MemoryServices, commit: Commit) -> None:
    first = version(services, commit, 1)
    run_tests(services, first)
    release_project(services, first)
    promote(services, "shop@1.1", ChannelName("dev"))
    for number in range(2, 5):
        build_project(services, version(services, commit, number))
    services.clock.advance(DAY)
    collect_garbage(services, ONE_RUN)
    assert whole(services)
    assert pull(services, ProjectName("shop"), ChannelName("dev"), Path("/srv/shop")).generation == 1


def test_what_a_step_attempted_and_what_was_executed_again_stays_with_its_run(services: MemoryServices, commit: Commit) -> None:
    project = version(services, commit, 1)
    _, built = build_project(services, project)
    run, log = services.runs.kept[built.run_id]
    assert isinstance(run.source.origin, CommitOrigin)
    services.clock.advance(DAY)
    collect_garbage(services, ONE_RUN)
    assert services.blobs.get(log)
    assert readable(services, run)


def test_what_a_known_lock_names_stays_though_nothing_was_built_with_it(services: MemoryServices, commit: Commit) -> None:
    project = version(services, commit, 1)
    packages = [package.ref for package in project.lock.environments["build"].packages]
    services.storage.know_lock(services.blobs.put(project.lock.encode()).digest)
    collect_garbage(services, ONE_RUN)
    assert packages
    assert all(services.blobs.has(ref) for ref in packages)
    services.storage.locks.clear()
    collect_garbage(services, ONE_RUN)
    assert not any(services.blobs.has(ref) for ref in packages)


CHAIN = """
[step.first]
inputs = ["src/**"]
run = ["cat", "first.out"]
outputs = ["first.out"]
[step.second]
needs = ["first"]
run = ["second"]
outputs = ["second.out"]
artifacts = ["second.out"]
"""


def second(workspace: Workspace) -> int:
    workspace.write("second.out", b"second")
    return 0


@pytest.mark.parametrize("cached", [False, True])
def test_what_a_build_has_got_done_or_taken_is_kept_by_it_though_a_sweep_came_between(
    services: MemoryServices, commit: Commit, cached: bool
) -> None:
    class Leased(MemoryBlobs):
        def sweep(self, needed: Callable[[], Collection[Digest]], before: Instant, *, dry: bool = False) -> BlobSweep:
            needed()
            return BlobSweep()  # what a running build may have seen is not deleted

    services.blobs.__class__ = Leased

    def collecting(workspace: Workspace) -> int:
        assert collect_garbage(services, ONE_RUN).gone["results"].count == 1
        assert services.cache.results == {}
        return second(workspace)

    def project(name: str) -> Project:
        return commit(services, recipe=CHAIN.replace('run = ["second"]', f'run = ["{name}"]'), locator=name)

    services.commands |= {"collecting": collecting, "second": second}
    if cached:
        _, before = build_project(services, project("second"))
        del services.cache.results[before.run.steps[1].action]  # the sweep is to find the first step's alone
        del services.runs.kept[before.run_id]
    _, built = build_project(services, project("collecting"))
    assert built.executed == (1 if cached else 2)
    assert services.cache.holds([step.action for step in built.run.steps])
    assert [services.cache.get(step.action) for step in built.run.steps] == [
        ActionResult(exit_code=0, outputs=step.outputs, log=step.log, usage=step.usage) for step in built.run.steps
    ]
    services.commands["collecting"] = second
    assert build_project(services, project("collecting"))[1].executed == 0


def test_a_run_that_is_recorded_while_results_are_swept_keeps_them(services: MemoryServices, commit: Commit) -> None:
    class Sweeping(MemoryActionCache):
        def sweep(self, needed: Collection[BlobRef], before: Instant, *, dry: bool = False) -> dict[BlobRef, int]:
            if not dry and services.runs.latest() is None:
                services.runs.put(run, log)  # a build that has looked whether its results are there, and ends now
            return super().sweep(needed, before, dry=dry)

    project = version(services, commit, 1)
    _, built = build_project(services, project)
    run, log = services.runs.kept.pop(built.run_id)
    kept, services.cache = services.cache.results, Sweeping()
    services.cache.results = kept
    assert collect_garbage(services, ONE_RUN).gone["results"].count == 0
    assert services.cache.holds([step.action for step in run.steps])
    assert build_project(services, project)[1].executed == 0
    assert whole(services)


def test_what_was_kept_since_the_oldest_running_command_may_have_begun_stays(
    services: MemoryServices, commit: Commit, tmp_path: Path
) -> None:
    services.cache = LocalActionCache(tmp_path)  # type: ignore[assignment]  # its entries have an age
    _, built = build_project(services, version(services, commit, 1))
    services.runs.kept.clear()
    (entry,) = tmp_path.glob("packs/*")
    os.utime(entry, (1000, 1000))
    for used, gone in ((Instant(1000), 0), (Instant(1001), 1)):
        services.blobs.used = used
        assert collect_garbage(services, ONE_RUN, dry=True).gone["results"].count == gone
    services.blobs.used = Instant(1000)
    collect_garbage(services, ONE_RUN)
    assert services.cache.holds([built.run.steps[0].action])
    assert whole(services)
    services.blobs.used = None
    assert collect_garbage(services, ONE_RUN).gone["results"].count == 1


def test_an_empty_store_is_collected(services: MemoryServices) -> None:
    services.blobs.data.clear()
    found = collect_garbage(services, ONE_RUN)
    assert (found.size, found.runs) == (0, 0)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from(["build", "release", "test", "wait", "collect"]), st.integers(0, 3), st.sampled_from(["shop", "other"])),
        max_size=12,
    ),
    st.integers(0, 3),
)
def test_whatever_happened_what_is_kept_is_whole(
    commit: Commit, commands: dict[str, Callable[..., int]], events: list[tuple[str, int, str]], runs: int
) -> None:
    services = MemoryServices(dict(commands))
    rule = KeepRule(runs=runs, age=DAY)
    for what, number, name in events:
        match what:
            case "build":
                build_project(services, version(services, commit, number, name=name))
            case "release":
                release_project(services, version(services, commit, number))
            case "test":
                run_tests(services, version(services, commit, number, name=name))
            case "wait":
                services.clock.advance(DAY)
            case _:
                collect_garbage(services, rule)
                assert whole(services)
    services.clock.advance(2 * DAY)
    collect_garbage(services, rule)
    assert whole(services)
    assert collect_garbage(services, rule, dry=True).gone["blobs"].count == 0


@pytest.mark.parametrize("dry", [False, True])
def test_a_store_whose_ledger_is_damaged_is_left_as_it_is(services: MemoryServices, commit: Commit, dry: bool) -> None:
    release_project(services, version(services, commit, 1))
    services.clock.advance(DAY)
    before = dict(services.blobs.data)

    def broken(start: int = 0, stop: int | None = None) -> object:
        raise OSError("unreadable")

    services.ledger.entries = broken  # type: ignore[method-assign,assignment]  # as a disk would
    with pytest.raises(OSError, match="unreadable"):
        collect_garbage(services, ONE_RUN, dry=dry)
    assert services.blobs.data == before

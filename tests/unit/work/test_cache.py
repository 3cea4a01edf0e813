"""Kept results are taken only whole: what is damaged, changed or gone is found, told, and brought back."""

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from lockage.adapters.action_cache_local import LocalActionCache
from lockage.adapters.blobs_local import LocalBlobs
from lockage.adapters.memo_local import LocalMemo
from lockage.adapters.memory import MemoryBlobs
from lockage.adapters.memory.downloads import MemoryDownloads
from lockage.adapters.memory.executor import MemoryExecutor, Workspace
from lockage.adapters.memory.folders import MemoryFolders
from lockage.adapters.memory.os_packages import MemoryOsPackages
from lockage.adapters.memory.roots import MemoryRoots
from lockage.adapters.memory.services import MemoryServices
from lockage.adapters.memory.sources import MemorySources
from lockage.base.digest import BlobRef
from lockage.base.tree import FileNode, read_tree
from lockage.plan.plan import make_plan
from lockage.ports import BlobCorrupt, BlobMissing
from lockage.record.artifact import Reexecution, Run
from lockage.record.event import BlobsLost
from lockage.work.build import Built, StepNotDone, build
from lockage.work.hand_over import build_project, hand_over
from lockage.work.prepare import Project
from lockage.work.reexecute import ReexecutionDiffers
from lockage.work.whole import CacheUse, Sample

Commit = Callable[..., Project]

CHAIN = """
[step.first]
inputs = ["src/**"]
run = ["cat", "one"]
outputs = ["one"]
[step.second]
inputs = []
needs = ["first"]
run = ["{second}", "two"]
outputs = ["two"]
artifacts = ["two"]
"""


@pytest.fixture
def local(commands: dict[str, Callable[[Workspace], int]], tmp_path: Path) -> MemoryServices:
    """Services whose blobs, results and memos are files."""
    services = MemoryServices(dict(commands))
    blobs = LocalBlobs(tmp_path / "blobs")
    services.blobs = blobs  # type: ignore[assignment]  # the port is the same
    services.cache = LocalActionCache(tmp_path / "actions")  # type: ignore[assignment]
    services.memo = LocalMemo(tmp_path / "memo")  # type: ignore[assignment]
    services.executor = MemoryExecutor(blobs, services.commands)
    services.sources = MemorySources(blobs)
    services.folders = MemoryFolders(blobs)
    services.downloads = MemoryDownloads(blobs)
    services.roots = MemoryRoots(blobs)
    services.os_packages = MemoryOsPackages(blobs)
    for name, version in (("dash", "0.5.12-2"), ("libc6", "2.36-9")):
        services.publish(name, version)
    return services


def path_of(services: MemoryServices, ref: BlobRef) -> Path:
    blobs: object = services.blobs
    assert isinstance(blobs, LocalBlobs)
    return blobs._path(ref.digest)


def flip(path: Path, *, hidden: bool) -> None:
    """Another first byte; ``hidden``: nothing of the file tells."""
    before = path.stat()
    path.chmod(0o644)
    data = path.read_bytes()
    with path.open("r+b") as file:
        file.write(bytes([data[0] ^ 1]))
    if hidden:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    else:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))


def output(services: MemoryServices, built: Built, step: str = "first") -> BlobRef:
    run = next(run for run in built.run.steps if run.step == step)
    (node,) = read_tree(run.outputs, services.blobs.get)
    assert isinstance(node, FileNode)
    return node.blob


def executed(built: Built) -> list[str]:
    return [str(run.step) for run in built.run.steps if not run.cached]


def lost(services: MemoryServices) -> list[BlobsLost]:
    return [event for event in services.told if isinstance(event, BlobsLost)]


def chain(services: MemoryServices, commit: Commit, second: str = "cat") -> Project:
    return commit(services, {"src/a": b"a"}, recipe=CHAIN.format(second=second))


@pytest.mark.parametrize("how", ["flipped", "truncated", "emptied", "deleted", "replaced by other bytes"])
def test_a_hit_is_none_if_a_blob_of_it_is_not_whole(local: MemoryServices, commit: Commit, how: str) -> None:
    project = chain(local, commit)
    _, built = build_project(local, project)
    assert build_project(local, project)[1].executed == 0
    ref = output(local, built)
    path, data = path_of(local, ref), local.blobs.get(ref)
    if how == "flipped":
        flip(path, hidden=False)
    elif how == "deleted":
        path.unlink()
    elif how == "replaced by other bytes":
        other = path.with_name("other")
        other.write_bytes(bytes(len(data)))
        os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
        other.replace(path)
    else:
        path.chmod(0o644)
        path.write_bytes(data[:-1] if how == "truncated" else b"")
    _, again = build_project(local, project)
    assert executed(again) == ["first"]
    assert [(event.what, event.blobs) for event in lost(local)] == [("what step first gave", (ref.digest,))]
    assert [(one.what, one.blobs) for one in again.run.lost] == [("what step first gave", (ref.digest,))]
    assert local.runs.kept[again.run_id][0].lost == again.run.lost
    assert local.blobs.get(ref) == data
    assert again.artifacts == built.artifacts
    assert build_project(local, project)[1].executed == 0


def test_a_file_that_was_replaced_by_the_same_bytes_is_hashed_and_taken(local: MemoryServices, commit: Commit) -> None:
    project = chain(local, commit)
    _, built = build_project(local, project)
    path = path_of(local, output(local, built))
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    copy.replace(path)
    assert build_project(local, project)[1].executed == 0
    assert lost(local) == []


def test_what_nothing_tells_is_found_by_a_recheck(local: MemoryServices, commit: Commit) -> None:
    project = chain(local, commit)
    _, built = build_project(local, project)
    ref = output(local, built)
    flip(path_of(local, ref), hidden=True)
    assert build_project(local, project)[1].executed == 0
    assert executed(build_project(local, project, use=CacheUse(recheck=True))[1]) == ["first"]
    assert local.blobs.has(ref)
    assert build_project(local, project, use=CacheUse(recheck=True))[1].executed == 0


def test_a_damaged_log_and_a_damaged_folder_are_no_hit(local: MemoryServices, commit: Commit) -> None:
    project = chain(local, commit)
    for part in ("log", "outputs"):
        _, built = build_project(local, project)
        ref = getattr(built.run.steps[1], part)
        flip(path_of(local, ref), hidden=False)
        assert executed(build_project(local, project)[1]) == ["second"]


def test_an_input_that_is_found_damaged_while_a_step_is_made_ready_is_made_again(local: MemoryServices, commit: Commit) -> None:
    _, built = build_project(local, chain(local, commit))
    ref = output(local, built)
    flip(path_of(local, ref), hidden=True)
    changed = chain(local, commit, "constant")  # another second step, which reads what the first gave
    _, again = build_project(local, changed)
    assert sorted(executed(again)) == ["first", "second"]
    assert again.run.lost[0].blobs == (ref.digest,)
    assert local.blobs.has(ref)
    assert build_project(local, changed)[1].executed == 0


def test_a_damaged_file_of_the_source_is_read_again(local: MemoryServices, commit: Commit) -> None:
    project = chain(local, commit)
    ref = BlobRef.of(b"a")
    flip(path_of(local, ref), hidden=True)
    _, built = build_project(local, project)
    assert executed(built) == ["first", "second"]
    assert [one.blobs for one in built.run.lost] == [(ref.digest,)]
    assert local.blobs.get(ref) == b"a"


def test_a_damaged_file_of_a_source_that_has_changed_is_an_error_that_says_so(local: MemoryServices, commit: Commit) -> None:
    project = chain(local, commit)
    flip(path_of(local, BlobRef.of(b"a")), hidden=True)
    local.sources.add("shop", {"src/a": b"other"})
    with pytest.raises(BlobCorrupt, match=BlobRef.of(b"a").digest) as caught:
        build_project(local, project)
    assert "changed since it was read" in caught.value.hint
    assert caught.value.exit_code == 6


def test_an_artifact_that_is_found_damaged_when_it_is_delivered_is_made_again(
    local: MemoryServices, commit: Commit, tmp_path: Path
) -> None:
    project = commit(local, {"src/shop/x.py": b"x"})
    built = hand_over(local, project, out=tmp_path / "out")
    (artifact,) = built.artifacts
    assert artifact.blob != artifact.raw
    flip(path_of(local, artifact.blob), hidden=True)
    again = hand_over(local, project, out=tmp_path / "elsewhere")
    assert again.artifacts == built.artifacts
    assert [one.blobs for one in again.run.lost] == [(artifact.blob.digest,)]
    assert local.blobs.has(artifact.blob)


@pytest.mark.parametrize("damage", ["flipped", "deleted"])
def test_an_artifact_that_is_made_again_from_what_its_step_wrote_is_recorded_as_lost(
    local: MemoryServices, commit: Commit, damage: str
) -> None:
    project = commit(local, {"src/shop/x.py": b"x"})
    _, built = build_project(local, project)
    (artifact,) = built.artifacts
    path = path_of(local, artifact.blob)
    if damage == "flipped":
        flip(path, hidden=False)
    else:
        path.unlink()
    _, again = build_project(local, project)
    assert (again.executed, again.artifacts) == (0, built.artifacts)
    assert [(one.what, one.blobs) for one in again.run.lost] == [("the artifacts of step package", (artifact.blob.digest,))]
    assert [(event.what, event.blobs) for event in lost(local)] == [("the artifacts of step package", (artifact.blob.digest,))]
    assert local.runs.kept[again.run_id][0].lost == again.run.lost
    assert build_project(local, project)[1].run.lost == ()


def test_what_is_lost_again_and_again_is_an_error(services: MemoryServices, commit: Commit) -> None:
    def losing(workspace: Workspace) -> int:
        services.blobs.data[BlobRef.of(b"src/a=a\nsrc/shop/__init__.py=\n").digest] = b"bad"
        return commands(workspace)

    commands = services.commands["constant"]
    services.commands["losing"] = losing
    project = commit(
        services,
        {"src/a": b"a"},
        recipe=CHAIN.format(second="losing")
        + '[step.third]\ninputs = []\nneeds = ["first", "second"]\nrun = ["cat", "x"]\noutputs = ["x"]',
    )
    with pytest.raises((BlobCorrupt, BlobMissing)):
        build(services, make_plan(project.recipe, project.lock, project.source))


def test_what_a_step_wrote_again_over_damage_is_not_kept_damaged(commit: Commit, commands: dict[str, Callable[[Workspace], int]]) -> None:
    services = MemoryServices(dict(commands))
    services.blobs.data[BlobRef.of(b"always the same").digest] = b"Always the same"  # of the right size, so it is not written again
    project = commit(services, {"src/a": b"a"}, recipe=CHAIN.format(second="constant"))
    _, built = build_project(services, project)
    assert services.blobs.get(output(services, built, "second")) == b"always the same"
    assert [one.what for one in built.run.lost] == ["what step second gave"]
    assert isinstance(services.blobs, MemoryBlobs)


# Failures

FAILING = """
[step.only]
inputs = ["src/**"]
run = ["{run}", "x"]
outputs = ["x"]
artifacts = ["x"]
"""
KEEPING = CacheUse(failures=True)


def test_a_failure_is_kept_only_if_that_is_asked_for(services: MemoryServices, commit: Commit) -> None:
    project = commit(services, {"src/a": b"a"}, recipe=FAILING.format(run="fail"))

    def failed(use: CacheUse) -> int:
        with pytest.raises(StepNotDone, match="exited with 3"):
            build_project(services, project, use=use)
        return len(services.executor.ran)

    assert [failed(use) for use in (CacheUse(), CacheUse(), KEEPING, KEEPING, CacheUse(), KEEPING)] == [1, 2, 3, 3, 4, 4]


def test_a_kept_failure_says_that_it_was_kept(services: MemoryServices, commit: Commit) -> None:
    project = commit(services, {"src/a": b"a"}, recipe=FAILING.format(run="fail"))
    with pytest.raises(StepNotDone):
        build_project(services, project, use=KEEPING)
    with pytest.raises(StepNotDone) as caught:
        build_project(services, project, use=KEEPING)
    assert "failed before" in caught.value.message
    assert "without --cache-failures" in caught.value.hint
    assert caught.value.details["last_lines"] == ("it broke",)


def test_a_limit_that_was_exceeded_is_never_kept(services: MemoryServices, commit: Commit) -> None:
    def slow(workspace: Workspace) -> int:
        raise TimeoutError

    services.commands["slow"] = slow
    project = commit(services, {"src/a": b"a"}, recipe=FAILING.format(run="slow"))
    for count in (1, 2):
        with pytest.raises(StepNotDone, match="longer than its limit"):
            build_project(services, project, use=KEEPING)
        assert len(services.executor.ran) == count


def test_a_failure_never_takes_the_place_of_a_success(services: MemoryServices, commit: Commit) -> None:
    ends = [0, 1]
    constant = services.commands["constant"]

    def flaky(workspace: Workspace) -> int:
        return ends.pop(0) or constant(workspace)

    services.commands["flaky"] = flaky
    project = commit(services, {"src/a": b"a"}, recipe=FAILING.format(run="flaky"))
    _, built = build_project(services, project, use=KEEPING)
    ((action, result),) = services.cache.entries()
    services.memo.values.clear()
    del services.blobs.data[output(services, built, "only").digest]  # lost, so that it runs again, and fails
    with pytest.raises(StepNotDone):
        build_project(services, project, use=KEEPING)
    assert services.cache.get(action) == result


def test_a_kept_failure_is_run_again_where_its_workspace_is_wanted(services: MemoryServices, commit: Commit, tmp_path: Path) -> None:
    project = commit(services, {"src/a": b"a"}, recipe=FAILING.format(run="fail"))
    for keep, count in ((None, 1), (tmp_path, 2)):
        with pytest.raises(StepNotDone):
            build_project(services, project, use=KEEPING, keep=keep)
        assert len(services.executor.ran) == count


# A sample is executed again

MANY = "".join(f'[step.s{n}]\ninputs = []\nrun = ["constant", "x{n}"]\noutputs = ["x{n}"]\nartifacts = ["x{n}"]\n' for n in range(10))


def sampled(services: MemoryServices, project: Project, **sample: int | str) -> Run:
    use = CacheUse(sample=msgspec.convert({"seed": "", **sample}, Sample))
    return build_project(services, project, use=use)[1].run


def test_a_sample_of_what_is_unchanged_is_executed_again(services: MemoryServices, commit: Commit) -> None:
    project = commit(services, recipe=MANY)
    assert sampled(services, project, percent=100).reexecuted == Reexecution(seed="seed", steps=())  # nothing was kept
    before = len(services.executor.ran)
    run = sampled(services, project, percent=25)
    assert run.reexecuted is not None
    assert len(services.executor.ran) - before == len(run.reexecuted.steps) == 3
    assert {step.grade for step in run.reexecuted.steps} == {"identical"}
    assert all(step.cached for step in run.steps)
    assert services.runs.kept[services.runs.latest() or ""][0].reexecuted == run.reexecuted

    def names(**sample: int | str) -> set[str]:
        found = sampled(services, project, **sample).reexecuted
        assert found is not None
        return {str(step.step) for step in found.steps}

    assert names(count=4, seed="a") == names(count=4, seed="a")
    assert len({frozenset(names(count=4, seed=seed)) for seed in "abcdefgh"}) > 1
    assert len(names(count=99)) == 10
    assert names(percent=0) == set()


def test_a_step_that_gives_something_else_is_named_with_what_differs(local: MemoryServices, commit: Commit, tmp_path: Path) -> None:
    count = 0

    def counting(workspace: Workspace) -> int:
        nonlocal count
        count += 1
        workspace.write("two", str(count).encode())
        return 0

    local.commands["counting"] = counting
    project = chain(local, commit, "counting")
    built = hand_over(local, project, out=tmp_path / "out")
    kept = dict(local.cache.entries())
    with pytest.raises(ReexecutionDiffers) as caught:
        hand_over(local, project, out=tmp_path / "other", use=CacheUse(sample=Sample(seed="s", percent=100)))
    error = caught.value
    assert error.exit_code == 4
    one, two = BlobRef.of(b"1").digest, BlobRef.of(b"2").digest
    assert error.details["steps"] == ("second",)
    assert error.details["differences"] == ("second: different", f"  two: kept {one}, found {two}")
    assert f"lockage diff {one} {two}" in error.hint
    assert local.blobs.get(BlobRef.of(b"2")) == b"2"
    assert dict(local.cache.entries()) == kept
    recorded = local.runs.kept[local.runs.latest() or ""][0].reexecuted
    assert recorded is not None
    assert [step.grade for step in recorded.steps] == ["identical", "different"]
    assert hand_over(local, project, out=tmp_path / "out").artifacts == built.artifacts


def test_a_step_that_fails_when_it_is_executed_again_is_a_difference(services: MemoryServices, commit: Commit) -> None:
    constant = services.commands["constant"]
    project = commit(services, {"src/a": b"a"}, recipe=FAILING.format(run="constant"))
    build_project(services, project)
    services.commands["constant"] = services.commands["fail"]
    with pytest.raises(ReexecutionDiffers) as caught:
        sampled(services, project, count=1)
    assert caught.value.details["differences"] == ("only: failed (exit-code: the command exited with 3)",)
    services.commands["constant"] = constant
    assert build_project(services, project)[1].executed == 0

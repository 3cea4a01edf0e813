"""Building over fakes: what is run again and what is not, in which order, and what a failure leaves."""

import base64
import io
import json
import zipfile
from collections.abc import Callable, Mapping

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockage.adapters.memory.executor import MemoryExecutor, Workspace
from lockage.adapters.memory.services import MemoryServices
from lockage.base.canonical import decode
from lockage.base.digest import BlobRef
from lockage.base.name import StepName
from lockage.plan.plan import make_plan
from lockage.ports import PackageVanished, RootDrift, SandboxUnavailable, TooManyCpus
from lockage.recipe.model import Recipe
from lockage.record.event import ArtifactDelivered, Planned, Reason, RunRecorded, StepEnded, StepStarted
from lockage.record.result import Usage
from lockage.work.artifacts import NoArtifacts
from lockage.work.build import Built, StepNotDone, build
from lockage.work.execute import execute
from lockage.work.hand_over import build_project
from lockage.work.prepare import Project

Commit = Callable[..., Project]
Commands = Mapping[str, Callable[[Workspace], int]]

YEAR = 365 * 86_400
CHAIN = """
[step.first]
inputs = ["src/**"]
run = ["{first}", "one"]
outputs = ["one"]
[step.second]
needs = ["first"]
inputs = []
run = ["cat", "two"]
outputs = ["two"]
artifacts = ["two"]
[step.manual]
inputs = ["docs/**"]
run = ["cat", "manual"]
outputs = ["manual"]
artifacts = ["manual"]
"""


def built(services: MemoryServices, project: Project) -> Built:
    return build(services, make_plan(project.recipe, project.lock, project.source))


def executed(services: MemoryServices) -> list[str]:
    """What was run since this was asked last."""
    found = [run.arguments[-1] for run in services.executor.ran]
    services.executor.ran.clear()
    return found


def test_the_second_build_runs_nothing_and_gives_the_same(services: MemoryServices, commit: Commit) -> None:
    project = commit(services, {"docs/a": b"1"}, recipe=CHAIN.format(first="cat"))
    first = built(services, project)
    assert sorted(executed(services)) == ["manual", "one", "two"]
    assert first.executed == 3
    second = built(services, project)
    assert executed(services) == []
    assert second.executed == 0
    assert second.artifacts == first.artifacts
    assert second.run_id == first.run_id
    assert len(services.runs.kept) == 1


def test_a_second_build_touches_neither_roots_nor_packages(services: MemoryServices, commit: Commit) -> None:
    project = commit(services, {"docs/a": b"1"}, recipe=CHAIN.format(first="cat"))
    built(services, project)
    for package in project.lock.environments["build"].packages:
        del services.blobs.data[package.sha256]
    services.os_packages.pool.clear()
    assert built(services, project).executed == 0


@pytest.mark.parametrize("lost", ["memo", "nothing"])
def test_what_is_only_remembered_may_be_forgotten(services: MemoryServices, commit: Commit, lost: str) -> None:
    project = commit(services, {"docs/a": b"1"}, recipe=CHAIN.format(first="cat"))
    first = built(services, project)
    if lost == "memo":
        services.memo.values.clear()
    again = built(services, project)
    assert again.artifacts == first.artifacts
    assert again.executed == 0


@pytest.mark.parametrize("value", [b"", b"{", b"\xff", b'{"action":"x"}', b'{"artifacts":[{}]}'])
def test_a_memo_that_makes_no_sense_counts_for_nothing(services: MemoryServices, commit: Commit, value: bytes) -> None:
    project = commit(services, {"docs/a": b"1"}, recipe=CHAIN.format(first="cat"))
    first = built(services, project)
    for key in services.memo.values:
        services.memo.values[key] = value
    assert built(services, project).artifacts == first.artifacts


def test_the_same_output_again_runs_nothing_downstream(services: MemoryServices, commit: Commit) -> None:
    built(services, commit(services, {"docs/a": b"1", "src/x": b"1"}, recipe=CHAIN.format(first="constant")))
    executed(services)
    built(services, commit(services, {"docs/a": b"1", "src/x": b"2"}, recipe=CHAIN.format(first="constant")))
    assert executed(services) == ["one"]


def test_another_output_runs_what_needs_it_and_nothing_else(services: MemoryServices, commit: Commit) -> None:
    built(services, commit(services, {"docs/a": b"1", "src/x": b"1"}, recipe=CHAIN.format(first="cat")))
    executed(services)
    built(services, commit(services, {"docs/a": b"1", "src/x": b"2"}, recipe=CHAIN.format(first="cat")))
    assert executed(services) == ["one", "two"]


def test_a_step_without_a_stamp_is_untouched_by_a_new_commit(services: MemoryServices, commit: Commit) -> None:
    project = commit(services, {"docs/a": b"1", "src/x": b"1"}, recipe=CHAIN.format(first="cat"))
    built(services, project)
    executed(services)
    later = msgspec.structs.replace(project.source, date=type(project.source.date)(1_900_000_000))
    built(services, msgspec.structs.replace(project, source=later))
    assert executed(services) == []
    built(services, commit(services, {"docs/a": b"2", "src/x": b"1"}, recipe=CHAIN.format(first="cat")))
    assert executed(services) == ["manual"]


@pytest.mark.parametrize("which", ["log", "outputs", "file"])
def test_a_cached_result_whose_bytes_are_gone_is_not_used(services: MemoryServices, commit: Commit, which: str) -> None:
    project = commit(services, {"docs/a": b"1"}, recipe=CHAIN.format(first="cat"))
    first = built(services, project)
    executed(services)
    run = next(step for step in first.run.steps if step.step == "manual")
    lost = {"log": run.log, "outputs": run.outputs, "file": first.artifacts[0].raw}[which]
    del services.blobs.data[lost.digest]
    again = built(services, project)
    assert executed(services) == ["manual"]
    assert again.artifacts == first.artifacts
    assert services.blobs.has(lost)


def test_a_delivered_artifact_that_is_gone_is_made_again_from_what_the_step_wrote(services: MemoryServices, commit: Commit) -> None:
    project = commit(services)
    (artifact,) = build(services, make_plan(project.recipe, project.lock, project.source, only=[StepName("package")])).artifacts
    assert artifact.blob != artifact.raw
    del services.blobs.data[artifact.blob.digest]
    executed(services)
    assert built(services, project).artifacts == (artifact,)
    assert services.blobs.has(artifact.blob)
    assert executed(services) == ["unit"]


# Failures

PARALLEL = """
[step.bad]
inputs = []
run = ["fail", "bad"]
outputs = ["bad"]
[step.good]
inputs = []
run = ["constant", "good"]
outputs = ["good"]
[step.after]
inputs = []
needs = ["good"]
run = ["cat", "after"]
outputs = ["after"]
"""


@pytest.mark.parametrize("seed", range(4))
def test_after_a_failure_nothing_new_starts_and_what_runs_is_waited_for(commands: Commands, commit: Commit, seed: int) -> None:
    services = MemoryServices(dict(commands), jobs=2, seed=seed)
    project = commit(services, recipe=PARALLEL)
    with pytest.raises(StepNotDone) as caught:
        built(services, project)
    assert caught.value.details["step"] == "bad"
    assert caught.value.details["last_lines"] == ("it broke",)
    assert services.workers.waiting == ()
    ran = executed(services)
    assert ("after" in ran) == (ran.index("good") < ran.index("bad"))
    (run, log) = services.runs.kept["run-000001"]
    assert services.blobs.get(log).count(b"it broke\n") == 1
    assert [step.step for step in run.steps if step.failure is not None] == ["bad"]
    assert "run-000001" in caught.value.hint


def test_a_failed_command_is_not_remembered(services: MemoryServices, commit: Commit) -> None:
    project = commit(services, recipe=PARALLEL)
    for _ in range(2):
        with pytest.raises(StepNotDone):
            built(services, project)
        assert "bad" in executed(services)


def test_a_missing_output_and_a_time_limit_are_failures_with_their_reason(services: MemoryServices, commit: Commit) -> None:
    def slow(_: Workspace) -> int:
        raise TimeoutError

    services.commands["nothing"] = lambda _: 0
    services.commands["slow"] = slow
    for command, reason in (("nothing", "output-missing"), ("slow", "timeout")):
        with pytest.raises(StepNotDone) as caught:
            built(services, commit(services, recipe=f'[step.a]\nrun = ["{command}"]\noutputs = ["x"]\n'))
        assert caught.value.details["reason"] == reason


class Interrupted(BaseException):
    """As a signal's handler raises."""


@pytest.mark.parametrize("error", [SandboxUnavailable("no"), Interrupted(), ValueError("a fault")], ids=repr)
@pytest.mark.parametrize("seed", range(3))
def test_what_an_executor_raises_arrives_and_the_rest_is_cancelled_and_waited_for(
    commands: Commands, commit: Commit, error: BaseException, seed: int
) -> None:
    under_way: list[str] = []

    def broken(_: Workspace) -> int:
        under_way.extend(services.workers.waiting)
        raise error

    services = MemoryServices({**commands, "fail": broken}, seed=seed)
    project = commit(services, recipe=PARALLEL)
    with pytest.raises(type(error)) as caught:
        built(services, project)
    assert caught.value is error
    assert services.workers.waiting == ()
    assert services.executor.cancelled == bool(under_way)


def test_a_root_that_is_not_the_locks_stops_a_build_before_its_first_step(services: MemoryServices, commit: Commit) -> None:
    two = '[environment.other]\nos = "debian:bookworm"\n' + PARALLEL.replace(
        'run = ["constant"', 'environment = "other"\nrun = ["constant"'
    )
    two = two.replace('inputs = []\nrun = ["fail"', 'environment = "build"\ninputs = []\nrun = ["constant"')
    two = two.replace('needs = ["good"]', 'environment = "build"\nneeds = ["bad"]')  # so that it begins first
    project = commit(services, recipe=two)
    wrong = msgspec.structs.replace(project.lock.environments["build"].root, tree=BlobRef.of(b"another"))
    other = msgspec.structs.replace(project.lock.environments["other"], root=wrong)
    lock = msgspec.structs.replace(project.lock, environments={**project.lock.environments, "other": other})
    with pytest.raises(RootDrift) as caught:
        built(services, msgspec.structs.replace(project, lock=lock))
    assert executed(services) == []
    assert caught.value.details["environment"] == "other"
    assert caught.value.details["needed_by"] == ("good",)
    assert services.workers.waiting == ()


def test_where_nothing_has_begun_no_sandbox_is_asked_to_stop(services: MemoryServices, commit: Commit) -> None:
    class Unavailable(MemoryExecutor):
        def cancel(self) -> None:
            raise SandboxUnavailable("there is no sandbox here")

    project = commit(services, recipe=PARALLEL)
    services.executor = Unavailable(services.blobs, services.commands)
    for package in project.lock.environments["build"].packages:
        del services.blobs.data[package.sha256]
    services.os_packages.pool.clear()
    with pytest.raises(PackageVanished):
        built(services, project)


MANY_CPUS = """
[step.small]
inputs = []
run = ["{small}", "small"]
outputs = ["small"]
[step.large]
inputs = []
needs = ["small"]
run = ["cat", "large"]
outputs = ["large"]
cpus = 8
"""


def test_more_cpus_than_the_host_has_are_refused_before_anything_is_executed(services: MemoryServices, commit: Commit) -> None:
    project = commit(services, recipe=MANY_CPUS.format(small="constant"))
    with pytest.raises(TooManyCpus, match="step 'large' declares 8 CPUs, this host has 4") as caught:
        built(services, project)
    assert caught.value.details["step"] == "large"
    assert not services.executor.ran
    assert services.runs.latest() is None


def test_what_the_cache_knows_needs_no_cpus(services: MemoryServices, commit: Commit) -> None:
    project = commit(services, recipe=MANY_CPUS.format(small="constant"))
    small = services.capacity
    services.capacity = msgspec.structs.replace(small, cpus=8)
    built(services, project)
    services.capacity = small
    assert built(services, project).executed == 0
    changed = commit(
        services, recipe=MANY_CPUS.format(small="cat") + '[step.new]\ninputs = []\nrun = ["constant", "new"]\noutputs = ["new"]\n'
    )
    with pytest.raises(TooManyCpus):
        built(services, changed)  # `small` is another, and only its execution would tell whether `large` is known


def test_a_step_may_see_all_cpus_of_a_host_that_gives_only_some_of_their_time(services: MemoryServices, commit: Commit) -> None:
    services.capacity = msgspec.structs.replace(services.capacity, cpus=2, host_cpus=8)
    assert built(services, commit(services, recipe=MANY_CPUS.format(small="constant"))).executed == 2


def test_a_run_whose_artifacts_are_not_there_is_recorded_all_the_same(services: MemoryServices, commit: Commit) -> None:
    project = commit(services, recipe='[step.a]\nrun = ["constant", "x"]\noutputs = ["x"]\nartifacts = ["x/*.whl"]\n')
    with pytest.raises(NoArtifacts, match=r"x/\*\.whl"):
        built(services, project)
    assert services.runs.latest() is not None


def writing(files: dict[str, bytes]) -> Callable[[Workspace], int]:
    def run(workspace: Workspace) -> int:
        for path, data in files.items():
            workspace.write(path, data)
        return 0

    return run


TWO = """
[step.one]
run = ["{}", "a/x"]
outputs = ["a"]
artifacts = ["a/x"]
[step.two]
run = ["{}", "b/x"]
outputs = ["b"]
artifacts = ["b/x"]
"""


def test_two_artifacts_of_one_name_and_other_bytes_are_refused(services: MemoryServices, commit: Commit) -> None:
    services.commands["other"] = writing({"b/x": b"other bytes"})
    with pytest.raises(NoArtifacts, match="two artifacts of steps 'one' and 'two' have the name 'x' and different bytes") as caught:
        built(services, commit(services, recipe=TWO.format("constant", "other")))
    assert caught.value.details["steps"] == ("one", "two")
    digests = caught.value.details["sha256"]
    assert isinstance(digests, tuple)
    assert len(set(digests)) == 2


def test_the_same_bytes_from_two_steps_are_one_artifact(services: MemoryServices, commit: Commit) -> None:
    found = built(services, commit(services, recipe=TWO.format("constant", "constant")))
    assert [(artifact.name, artifact.step) for artifact in found.artifacts] == [("x", "one")]


def test_one_step_does_not_deliver_two_files_of_one_name_and_other_bytes(services: MemoryServices, commit: Commit) -> None:
    services.commands["both"] = writing({"a/x": b"1", "a/b/x": b"2"})
    with pytest.raises(NoArtifacts, match="two artifacts of step 'one' have"):
        built(services, commit(services, recipe='[step.one]\nrun = ["both"]\noutputs = ["a"]\nartifacts = ["a/**"]\n'))


def test_a_run_that_the_memo_knows_but_nobody_keeps_is_recorded_anew(services: MemoryServices, commit: Commit) -> None:
    project = commit(services, {"docs/a": b"1"}, recipe=CHAIN.format(first="cat"))
    built(services, project)
    services.runs.kept.clear()
    again = built(services, project)
    assert services.runs.get(again.run_id) is not None


@pytest.mark.parametrize(("says", "stands"), [(b"", ""), (b"one", "one\n"), (b"one\ntwo\n", "one\ntwo\n")])
def test_the_canonical_log_has_every_step_under_its_heading(services: MemoryServices, commit: Commit, says: bytes, stands: str) -> None:
    def saying(workspace: Workspace) -> int:
        workspace.log += says
        return 0

    services.commands["say"] = saying
    result = built(services, commit(services, recipe='[step.a]\nkind = "check"\nrun = ["say"]\n'))
    log = services.blobs.get(services.runs.kept[result.run_id][1]).decode()
    assert log == f"== a · action {result.run.steps[0].action.digest}\n{stands}== a · done\n"


def test_progress_is_told_as_it_happens(services: MemoryServices, commit: Commit) -> None:
    project = commit(services, recipe='[step.a]\nrun = ["constant", "x"]\noutputs = ["x"]\n')
    services.told.clear()
    built(services, project)
    built(services, project)
    (name, action) = ("a", services.runs.kept["run-000001"][0].steps[0].action.digest)
    planned = Planned(steps=(StepName(name),), project=project.recipe.project, jobs=2)
    started = StepStarted(step=StepName(name), action=action, reason=Reason.NOT_KEPT)
    ended = StepEnded(step=StepName(name), cached=False, failure=None, wall_ms=0, log=services.blobs.put(b""), action=action, usage=Usage())
    recorded = RunRecorded(run="run-000001", executed=1, cached=0)
    again = msgspec.structs.replace(ended, cached=True, usage=None)
    repeated = RunRecorded(run="run-000001", executed=0, cached=1, repeated=True)
    assert services.told == [planned, started, ended, recorded, planned, again, repeated]


def test_artifacts_and_what_is_run_again_are_told(services: MemoryServices, commit: Commit) -> None:
    project = commit(services)
    first = built(services, project)
    (artifact,) = first.artifacts
    told = [event for event in services.told if isinstance(event, ArtifactDelivered)]
    assert [(event.name, event.blob, event.step) for event in told] == [(artifact.name, artifact.blob, artifact.step)]
    del services.blobs.data[first.run.steps[0].outputs.digest]
    services.told.clear()
    built(services, project)
    assert [event.reason for event in services.told if isinstance(event, StepStarted)][:1] == [Reason.LOST]


def test_the_record_has_times_the_recipe_and_the_host(services: MemoryServices, commit: Commit) -> None:
    def slow(workspace: Workspace) -> int:
        services.clock.steady_ms += 250
        workspace.write("x", b"x")
        return 0

    services.commands["slow"] = slow
    steps = """
[step.a]
inputs = []
run = ["slow"]
outputs = ["x"]
[step.b]
needs = ["a"]
inputs = []
run = ["cat", "y"]
outputs = ["y"]
"""
    services.clock.steady_ms = 40_000
    result = built(services, commit(services, recipe=steps))
    a, b = result.run.steps
    assert (a.started_ms, a.finished_ms, b.started_ms, b.finished_ms) == (0, 250, 250, 250)
    kept = services.runs.kept[result.run_id][0]
    assert kept.host == services.host
    assert kept.recipe_document is not None
    assert [step.needs for step in decode(services.blobs.get(kept.recipe_document), Recipe).steps] == [(), ("a",)]


# Any number of jobs, any interleaving


@st.composite
def recipes(draw: st.DrawFn) -> str:
    """Steps that see some files and what they need; some deliver."""
    lines = []
    for number in range(draw(st.integers(1, 7))):
        needs = sorted(draw(st.sets(st.integers(0, number - 1), max_size=3))) if number else []
        inputs = draw(st.sampled_from(['["src/**"]', '["docs/**"]', "[]", '["**"]']))
        lines += [
            f"[step.s{number}]",
            f"inputs = {inputs}",
            "needs = [" + ", ".join(f'"s{need}"' for need in needs) + "]",
            f'run = ["cat", "o{number}"]',
            f'outputs = ["o{number}"]',
            f"cpus = {draw(st.integers(1, 3))}",
        ]
        if draw(st.booleans()):
            lines.append(f'artifacts = ["o{number}"]')
    return "\n".join(lines) + "\n"


@given(recipe=recipes(), jobs=st.integers(2, 5), seed=st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_jobs_and_their_interleaving_do_not_show(commands: Commands, commit: Commit, recipe: str, jobs: int, seed: int) -> None:
    found = []
    for services in (MemoryServices(dict(commands), jobs=1), MemoryServices(dict(commands), jobs=jobs, seed=seed)):
        project = commit(services, {"docs/a": b"1"}, recipe=recipe)
        result = built(services, project)
        log = services.runs.kept[result.run_id][1]
        found.append((services.blobs.get(log), result.run))
        assert services.workers.most <= services.capacity.jobs
        executed(services)
        assert execute(services, make_plan(project.recipe, project.lock, project.source)).keys() == {s.step for s in result.run.steps}
        assert executed(services) == []
    assert found[0] == found[1]


PAGES = """
[step.pages]
inputs = ["src/**"]
run = ["pages"]
outputs = ["dist"]
artifacts = ["dist/*"]
{more}
"""


def pages(workspace: Workspace) -> int:
    """A zip of the sources beside a page that a generator stamped."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("made.html", OLD + b"!")
        for path, data in workspace.files.items():
            archive.writestr(path, data)
    workspace.write("dist/docs.zip", out.getvalue())
    return 0


OLD, NEW = b"Last updated on Sep 02, 2019.", b"Last updated on Jan 01, 1980."


@pytest.mark.parametrize(
    ("more", "made"),
    [("", NEW + b"!"), ("stabilize = false", OLD + b"!"), ('stabilize = { off = ["html"] }', OLD + b"!"), ("stabilize = true", NEW + b"!")],
)
def test_members_are_stabilized_but_for_files_of_the_source(commit: Commit, more: str, made: bytes) -> None:
    services = MemoryServices({"pages": pages})
    project = commit(services, {"src/fixture.html": OLD}, recipe=PAGES.format(more=more))
    (artifact,) = built(services, project).artifacts
    with zipfile.ZipFile(io.BytesIO(services.blobs.get(artifact.blob))) as archive:
        assert archive.read("src/fixture.html") == OLD
        assert archive.read("made.html") == made


def test_a_build_with_nothing_to_do_does_not_read_the_source(commit: Commit, monkeypatch: pytest.MonkeyPatch) -> None:
    services = MemoryServices({"pages": pages})
    project = commit(services, recipe=PAGES.format(more=""))
    first = built(services, project)
    monkeypatch.delitem(services.blobs.data, project.source.tree.digest)
    assert built(services, project).artifacts == first.artifacts


def test_a_clock_that_is_set_back_ends_no_run_before_its_beginning_and_makes_no_evidence_from_the_future(
    services: MemoryServices, commit: Commit
) -> None:
    project = commit(services, {"docs/a": b"1"}, recipe=CHAIN.format(first="back"))

    def back(workspace: Workspace) -> int:
        services.clock.advance(-YEAR)
        workspace.write(workspace.request.action.arguments[1], b"")
        return 0

    services.commands["back"] = back
    begun = services.clock.now()
    plan, made = build_project(services, project)
    assert plan.recipe == project.recipe
    assert (made.run.started, made.run.finished) == (begun, begun)
    (bundle,) = (blob for blob in services.blobs.data.values() if b"dsseEnvelope" in blob and b"verificationMaterial" in blob)
    told = json.loads(base64.b64decode(json.loads(bundle)["dsseEnvelope"]["payload"]))
    metadata = told["predicate"]["runDetails"]["metadata"]
    assert metadata["startedOn"] == metadata["finishedOn"] == str(services.clock.now())

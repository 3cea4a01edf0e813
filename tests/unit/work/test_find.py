"""What is meant by a few characters; and what is shown of a run, an artifact, a release and an action, and their lineage."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from lockage.adapters.memory.executor import Workspace
from lockage.adapters.memory.services import MemoryServices
from lockage.base.digest import Digest
from lockage.base.name import ChannelName
from lockage.base.path import RelPath
from lockage.cli.lineage_text import lineage_lines
from lockage.cli.show_text import action_lines, artifact_lines, release_lines, run_lines
from lockage.plan.plan import make_plan
from lockage.record.artifact import DifferentOutput, Lost, Reexecuted, Reexecution
from lockage.record.result import Exceeded
from lockage.work.build import Built, StepNotDone, build
from lockage.work.find import AmbiguousId, Finder, FoundAction, FoundArtifact, FoundRelease, FoundRun, NothingFound
from lockage.work.lineage import lineage_of
from lockage.work.prepare import Project
from lockage.work.promote import promote
from lockage.work.release import release_project
from lockage.work.show import StepState, needs_of_run, show_action, show_artifact, show_release, show_run
from lockage.work.test import test_project as run_tests

Commit = Callable[..., Project]

STEPS = """
[step.gen]
inputs = ["docs/**"]
run = ["cat", "made"]
outputs = ["made"]
[step.other]
inputs = ["tests/**"]
run = ["cat", "other"]
outputs = ["other"]
[step.pack]
needs = ["gen"]
inputs = ["src/**"]
run = ["cat", "out"]
outputs = ["out"]
artifacts = ["out"]
"""


def built(services: MemoryServices, project: Project) -> Built:
    return build(services, make_plan(project.recipe, project.lock, project.source))


def test_a_run_is_found_by_id_number_or_as_the_latest(services: MemoryServices, commit: Commit) -> None:
    built(services, commit(services, {"docs/a": b"1"}, recipe=STEPS))
    for text in ("run-000001", "1", "000001", "latest"):
        found = Finder(services).find(text)
        assert isinstance(found, FoundRun)
        assert found.run_id == "run-000001"


def test_what_is_not_there_is_told_with_what_is_nearly_so_called(services: MemoryServices, commit: Commit) -> None:
    with pytest.raises(NothingFound, match="no run yet"):
        Finder(services).find("latest")
    project = commit(services)
    built(services, project)
    with pytest.raises(NothingFound, match="no run run-000009; the newest are run-000001"):
        Finder(services).find("run-000009")
    with pytest.raises(NothingFound) as raised:
        Finder(services).find("shop-1.0-py3-none-any.wh")
    assert raised.value.hint.startswith("Did you mean shop-1.0-py3-none-any.whl?")
    for text in ("", "0123456789abcdef", "z" * 300, "é", "../etc", "@", "-1"):
        with pytest.raises(NothingFound):
            Finder(services).find(text)


def test_a_digest_is_found_by_its_first_digits(services: MemoryServices, commit: Commit) -> None:
    run = built(services, commit(services, {"docs/a": b"1"}, recipe=STEPS)).run
    finder = Finder(services)
    artifact = finder.find(run.artifacts[0].blob.digest[:8])
    assert isinstance(artifact, FoundArtifact)
    assert [made.run_id for made in artifact.made] == ["run-000001"]
    action = finder.find(run.steps[0].action.digest)
    assert isinstance(action, FoundAction)
    assert action.steps == (("run-000001", "gen"),)
    with pytest.raises(NothingFound):
        finder.find(run.artifacts[0].blob.digest[:7])


def test_a_name_of_several_artifacts_is_refused_with_all_of_them(services: MemoryServices, commit: Commit) -> None:
    digests = [
        built(services, commit(services, {"docs/a": b"", "src/a": data}, recipe=STEPS)).artifacts[0].blob.digest for data in (b"1", b"2")
    ]
    with pytest.raises(AmbiguousId) as raised:
        Finder(services).find("out")
    assert all(digest[:12] in raised.value.message for digest in digests)


def test_a_run_that_is_shown(services: MemoryServices, commit: Commit) -> None:
    project = commit(services, {"docs/a": b"1"}, recipe=STEPS)
    built(services, project)
    built(services, commit(services, {"docs/a": b"1", "src/new": b""}, recipe=STEPS))
    found = Finder(services).run("latest")
    assert found is not None
    shown = show_run(services, found)
    assert {step.step: step.state for step in shown.steps} == {
        "gen": StepState.CACHED,
        "other": StepState.CACHED,
        "pack": StepState.DONE,
    }
    assert shown.critical_path == ("pack",)
    assert {str(step.kind) for step in shown.steps} == {"build"}
    assert needs_of_run(services, found.run)[found.run.steps[2].step] == ("gen",)
    text = "\n".join(run_lines(shown, full=False))
    assert "1 of 3 steps executed, 2 unchanged" in text
    assert "* pack   done" in text
    assert "kernel  none" in text


def test_a_limit_attempts_and_services_of_a_step_are_shown(services: MemoryServices, commit: Commit) -> None:
    def slow(_: Workspace) -> int:
        raise TimeoutError

    tries: list[int] = []

    def unlucky(workspace: Workspace) -> int:
        tries.append(1)
        workspace.write("out", b"done")
        return 1 if len(tries) < 3 else 0

    services.commands |= {"slow": slow, "unlucky": unlucky}
    recipe = """
[service.prices]
responses = "fixtures"
port = 80
[step.asking]
inputs = ["src/**"]
services = ["prices"]
run = ["unlucky"]
retries = 4
outputs = ["out"]
[step.slow]
needs = ["asking"]
run = ["slow"]
timeout = "90 s"
outputs = ["late"]
"""
    with pytest.raises(StepNotDone):
        built(services, commit(services, {"fixtures/GET/tea": b"3.50"}, recipe=recipe))
    found = Finder(services).run("latest")
    assert found is not None
    shown = show_run(services, found)
    asking, late = shown.steps
    assert (asking.retries, len(asking.attempts), asking.services, asking.exceeded) == (4, 2, ("prices",), None)
    assert late.exceeded == Exceeded(limit="timeout", allowed=90, reached=90)
    assert (late.retries, late.services) == (0, ())
    text = "\n".join(run_lines(shown, full=False))
    assert "done at attempt 3 of 5" in text
    assert "asking: attempt 2 of 5 failed (" in text
    assert "slow: timeout: the step ran longer than its limit of 1 min 30 s (`timeout`)" in text
    assert "asking: asks prices (recorded)" in text


def test_a_host_with_many_flags_has_one_line_for_them_unless_all_is_asked_for(services: MemoryServices, commit: Commit) -> None:
    services.host = {"kernel": "6.1", "cpu-features": " ".join(f"flag{number}" for number in range(100))}
    built(services, commit(services, {"docs/a": b"1"}, recipe=STEPS))
    found = Finder(services).run("latest")
    assert found is not None
    short, full = (list(run_lines(show_run(services, found), full=full)) for full in (False, True))
    assert [line.endswith(" …") for line in short if "flag" in line] == [True]
    assert sum("flag" in line for line in full) > 5
    assert "flag99" in full[-1]


def test_what_was_lost_and_what_was_executed_again_is_shown(services: MemoryServices, commit: Commit) -> None:
    project = commit(services, {"docs/a": b"1"}, recipe=STEPS)
    built(services, project)
    found = Finder(services).run("latest")
    assert found is not None
    assert not any("again" in line or "brought back" in line for line in run_lines(show_run(services, found), full=False))
    gen, other, pack = found.run.steps
    again = Reexecution(
        seed="pear",
        steps=(
            Reexecuted(step=gen.step, action=gen.action, grade="identical", outputs=gen.outputs, log=gen.log),
            Reexecuted(
                step=pack.step,
                action=pack.action,
                grade="different",
                outputs=pack.outputs,
                log=pack.log,
                different=tuple(
                    DifferentOutput(path=RelPath(f"out{number:02}"), grade="different", kept="nothing", found="a" * 64)
                    for number in range(12)
                ),
            ),
            Reexecuted(step=other.step, action=other.action, grade="failed", outputs=other.outputs, log=other.log, failure="exit-code: 3"),
        ),
    )
    lost = (Lost(what="what step gen gave", blobs=(gen.outputs.digest,)),)
    shown = show_run(services, replace(found, run=replace(found.run, lost=lost, reexecuted=again)))
    assert (shown.lost, shown.reexecuted) == (lost, again)
    text = "\n".join(run_lines(shown, full=False))
    assert f"brought back\n  what step gen gave  {gen.outputs.digest[:12]}" in text
    assert "executed again, and compared with what was kept (seed pear)" in text
    assert "  gen    identical" in text
    assert "  other  failed     exit-code: 3" in text
    assert "  pack: out00 is different: kept nothing, found aaaaaaaaaaaa\n" in text
    assert "  pack: and 2 more paths; --full lists them all" in text
    assert "out11" in "\n".join(run_lines(shown, full=True))
    nothing = replace(found, run=replace(found.run, reexecuted=Reexecution(seed="pear", steps=())))
    assert "executed again: nothing, as no result was taken from the cache (seed pear)" in list(
        run_lines(show_run(services, nothing), full=False)
    )


def test_of_many_runs_that_gave_the_same_bytes_the_newest_are_named(services: MemoryServices, commit: Commit) -> None:
    for number in range(6):
        built(services, commit(services, {"docs/a": b"1", "tests/x": b"%d" % number}, recipe=STEPS))
    finder = Finder(services)
    lineage = lineage_of(services, finder, finder.find("latest"))
    short, full = ("\n".join(lineage_lines(lineage, full=full)) for full in (False, True))
    assert "the same bytes came of 2 older runs and run-000003, run-000004, run-000005" in short
    assert "the same bytes came of run-000001, run-000002" in full


def test_lineage_names_the_recordings_that_steps_were_answered_from(services: MemoryServices, commit: Commit) -> None:
    services.commands["out"] = services.commands["constant"]
    recipe = """
[service.prices]
responses = "fixtures"
port = 80
[service.unused]
responses = "fixtures"
port = 81
[step.asking]
inputs = ["src/**"]
services = ["prices"]
run = ["out", "out"]
outputs = ["out"]
artifacts = ["out"]
[step.later]
kind = "test"
services = ["unused"]
run = ["out", "out"]
"""
    built(services, commit(services, {"fixtures/GET/tea": b"3.50", "fixtures-other": b""}, recipe=recipe))
    finder = Finder(services)
    lineage = lineage_of(services, finder, finder.find("latest"))
    (service,) = lineage.services
    assert lineage.steps[0].services == (service.name,) == ("prices",)
    assert (service.form, service.recording) == ("responses", "fixtures")
    assert [(file.path, file.sha256) for file in service.files] == [("fixtures/GET/tea", Digest.of(b"3.50"))]
    assert any("service prices, answered from fixtures: 1 file" in line for line in lineage_lines(lineage, full=False))
    assert any("fixtures/GET/tea  sha256" in line for line in lineage_lines(lineage, full=True))


def test_what_failed_and_what_was_not_started_is_shown(services: MemoryServices, commit: Commit) -> None:
    recipe = STEPS.replace('["cat", "made"]', '["fail"]')
    with pytest.raises(StepNotDone):
        build(services, make_plan((p := commit(services, {"docs/a": b""}, recipe=recipe)).recipe, p.lock, p.source), keep_going=True)
    found = Finder(services).run("latest")
    assert found is not None
    shown = show_run(services, found)
    assert [(step.step, step.state) for step in shown.steps if step.state is not StepState.DONE] == [
        ("gen", StepState.FAILED),
        ("pack", StepState.SKIPPED),
    ]
    text = "\n".join(run_lines(shown, full=False))
    assert "gen: exit-code: the command exited with 3" in text
    assert "not started, as it needs gen" in text


def test_of_many_steps_those_that_failed_are_listed(services: MemoryServices, commit: Commit) -> None:
    steps = "".join(f'[step.s{n}]\ninputs = []\nrun = ["cat", "o{n}"]\noutputs = ["o{n}"]\n' for n in range(60))
    recipe = steps + '[step.last]\ninputs = []\nrun = ["fail"]\noutputs = ["x"]\n'
    with pytest.raises(StepNotDone):
        built(services, commit(services, recipe=recipe))
    found = Finder(services).run("latest")
    assert found is not None
    lines = list(run_lines(show_run(services, found), full=False))
    assert any(line.startswith(("* last", "  last")) for line in lines)
    assert "  and 21 more steps; --full lists them all" in lines
    assert len([line for line in run_lines(show_run(services, found), full=True) if line[2:3] == "s" and line[3:4].isdigit()]) == 60


def test_a_release_an_artifact_and_an_action_that_are_shown(services: MemoryServices, commit: Commit) -> None:
    project = commit(services, {"docs/a": b"1"}, recipe=STEPS)
    release_project(services, project)
    finder = Finder(services)
    release = finder.find("shop")
    assert isinstance(release, FoundRelease)
    shown = show_release(services, finder.catalog, release)
    assert (shown.release, [one.built_name for one in shown.artifacts], shown.channels) == ("shop@1.0-1", ["out"], ())
    assert list(shown.evidence) == ["https://slsa.dev/provenance/v1"]
    assert "channels  no channel" in "\n".join(release_lines(shown))
    artifact = finder.find(shown.artifacts[0].name)
    assert finder.find(f"shop/{shown.artifacts[0].name}") == artifact
    assert isinstance(artifact, FoundArtifact)
    told = show_artifact(services, finder.catalog, artifact)
    assert (told.runs, list(told.releases), told.kept) == ((("run-000001", "pack"),), ["shop@1.0-1"], True)
    assert any(line.startswith("  release         shop@1.0-1, on no channel") for line in artifact_lines(told))
    action = finder.find(finder.runs()[0][1].steps[0].action.digest)
    assert isinstance(action, FoundAction)
    seen = show_action(services, action)
    assert (seen.run, seen.outputs, seen.kept) == (("cat", "made"), ("made",), True)
    assert "  command    cat made" in list(action_lines(seen))
    del services.blobs.data[action.action.digest]
    assert show_action(services, action).run == ()
    assert "  what it is made of is not in the store any more" in list(action_lines(show_action(services, action)))


def test_lineage_goes_back_to_files_packages_and_steps_and_no_further(services: MemoryServices, commit: Commit) -> None:
    project = commit(services, {"docs/a": b"1", "src/b": b"2"}, recipe=STEPS)
    release_project(services, project)
    finder = Finder(services)
    found = lineage_of(services, finder, finder.find("shop@1.0-1"))
    assert [step.step for step in found.steps] == ["gen", "pack"]
    assert {inputs.patterns: [file.path for file in inputs.files] for inputs in found.inputs} == {
        ("docs/**",): ["docs/a"],
        ("src/**",): ["src/b", "src/shop/__init__.py"],
    }
    assert found.inputs[0].files[0].sha256 == Digest.of(b"1")
    (environment,) = found.environments
    assert [(one.name, one.version) for one in environment.packages] == [("dash", "0.5.12-2")]
    (artifact,) = found.artifacts
    assert [one.release for one in artifact.releases] == ["shop@1.0-1"]
    assert [one.predicate for one in artifact.evidence] == ["https://slsa.dev/provenance/v1"]
    assert found.run is not None
    assert (found.run.run, found.missing) == ("run-000001", ())
    run = finder.runs()[0][1]
    assert {step.step: step.action for step in found.steps} == {
        one.step: one.action.digest for one in run.steps if one.step in ("gen", "pack")
    }
    assert lineage_of(services, finder, finder.find("latest")) == found


def test_lineage_names_the_channels_of_its_release(services: MemoryServices, commit: Commit) -> None:
    project = commit(services)
    run_tests(services, project)
    release_project(services, project)
    promote(services, "shop", ChannelName("dev"))
    finder = Finder(services)
    found = lineage_of(services, finder, finder.find("shop"))
    assert [one.channel for one in found.artifacts[0].releases[0].channels] == ["dev"]


def test_the_same_bytes_of_two_sources_are_told_of_the_one_that_was_released(services: MemoryServices, commit: Commit) -> None:
    constant = STEPS.replace('["cat", "out"]', '["constant", "out"]')
    release_project(services, commit(services, {"docs/a": b"", "src/b": b"1"}, recipe=constant))
    built(services, commit(services, {"docs/a": b"", "src/b": b"2"}, recipe=constant))
    finder = Finder(services)
    found = lineage_of(services, finder, finder.find("shop"))
    assert found.run is not None
    assert (found.run.run, found.run.others) == ("run-000001", ("run-000002",))


def test_without_the_run_it_is_told_from_the_release(services: MemoryServices, commit: Commit) -> None:
    release_project(services, commit(services, {"docs/a": b"1"}, recipe=STEPS))
    services.runs.kept.clear()
    finder = Finder(services)
    found = lineage_of(services, finder, finder.find("shop"))
    assert [(step.step, step.action) for step in found.steps] == [("gen", None), ("pack", None)]
    assert found.missing == ("no run that made it is recorded here: no actions are known",)
    assert "missing: no run that made it is recorded here: no actions are known" in list(lineage_lines(found, full=False))


def test_what_is_not_kept_is_named(services: MemoryServices, commit: Commit) -> None:
    run = built(services, commit(services, {"docs/a": b"1"}, recipe=STEPS)).run
    kept = services.runs.kept["run-000001"][0]
    assert kept.recipe_document is not None
    services.blobs.data.pop(run.lock, None)
    for ref in (run.source.tree, *kept.environments.values()):
        del services.blobs.data[ref.digest]
    finder = Finder(services)
    found = lineage_of(services, finder, finder.find("latest"))
    assert found.missing == (
        "the tree of the source is not kept: its files are not known",
        "what environment build was locked to is not kept",
    )
    del services.blobs.data[kept.recipe_document.digest]
    found = lineage_of(services, finder, finder.find("latest"))
    assert found.steps == ()
    assert "the recipe is not kept: which steps were needed, and what they saw, is not known" in found.missing


def test_what_has_no_artifacts_has_no_lineage(services: MemoryServices, commit: Commit) -> None:
    built(services, commit(services, recipe='[step.a]\ninputs = []\nrun = ["cat", "x"]\noutputs = ["x"]\n'))
    finder = Finder(services)
    with pytest.raises(NothingFound, match="no artifacts"):
        lineage_of(services, finder, finder.find("latest"))

"""Limits that a step reached, and services that it asks, as a build tells of them; over a store that is all fakes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from lockage.base.canonical import canonical, decode, plain
from lockage.base.digest import BlobRef
from lockage.base.name import StepName
from lockage.plan.plan import NoRecording, make_plan
from lockage.record.artifact import StepRun
from lockage.record.event import Phase
from lockage.record.result import ActionResult, Exceeded, Usage
from lockage.replay import InvalidRecording
from lockage.work.build import Built, StepNotDone, build
from lockage.work.limits import limit_hint

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockage.adapters.memory.executor import Workspace
    from lockage.adapters.memory.services import MemoryServices
    from lockage.work.prepare import Project

    Commit = Callable[..., Project]

RECIPE = """
[service.prices]
responses = "fixtures"
port = 80
[step.a]
inputs = ["src/**"]
services = ["prices"]
run = ["ask"]
outputs = ["x"]
"""
HAR = RECIPE.replace('responses = "fixtures"', 'har = "fixtures/GET/tea"')
ASKED = b'{"log": {"entries": [{"request": {"method": "GET", "url": "http://x/tea", "headers": [{"name": "Cookie", "value": "a"}]}, %s}]}}'
WHOLE = ASKED % b'"response": {"status": 200, "content": {"text": "3.50"}}'


def ask(workspace: Workspace) -> int:
    found = workspace.ask("prices", "GET", "/tea")
    workspace.write("x", b"none" if found is None else found.body)
    return 0


def built(services: MemoryServices, project: Project) -> Built:
    return build(services, make_plan(project.recipe, project.lock, project.source))


def slow(_: Workspace) -> int:
    raise TimeoutError


def test_a_limit_is_told_with_the_line_that_raises_it(services: MemoryServices, commit: Commit) -> None:
    services.commands["slow"] = slow
    project = commit(services, recipe='[step.a]\nrun = ["slow"]\noutputs = ["x"]\ntimeout = "90 s"\n')
    with pytest.raises(StepNotDone) as caught:
        built(services, project)
    details = caught.value.details
    assert (details["limit"], details["allowed"], details["reached"]) == ("timeout", 90, 90)
    text = services.sources.read("shop").recipe
    assert text is not None
    line = text.decode().splitlines().index('timeout = "90 s"') + 1
    assert f"raise `timeout` of step 'a' in lockage.toml:{line}, which is 1 min 30 s now" in caught.value.hint


@pytest.mark.parametrize(
    ("limit", "inferred", "said"),
    [
        ("memory", False, "raise `memory` of step 'a' in lockage.toml:8, which is 1.0 KiB now"),
        ("processes", False, "which is 1024 now"),
        ("disk", True, "in the lockage.toml that `lockage init` writes, which is 1.0 KiB now"),
        ("log", False, "write what it prints into a file"),
    ],
)
def test_every_limit_has_its_sentence(services: MemoryServices, commit: Commit, limit: str, inferred: bool, said: str) -> None:
    project = commit(services, recipe='[step.a]\nrun = ["slow"]\noutputs = ["x"]\n')
    plan = make_plan(project.recipe, project.lock, project.source)
    plan = msgspec.structs.replace(plan, recipe=msgspec.structs.replace(plan.recipe, inferred=inferred))
    nothing = BlobRef.of(b"")
    step = StepRun(step=StepName("a"), action=nothing, exit_code=-1, cached=False, outputs=nothing, log=nothing, usage=Usage())
    assert said in limit_hint(services, plan, step, Exceeded(limit=limit, allowed=1024, reached=2048))


def test_records_from_before_usage_was_measured_in_full_can_be_read() -> None:
    document = plain(ActionResult(exit_code=0, outputs=BlobRef.of(b""), log=BlobRef.of(b"")))
    document["usage"] = {"wall_ms": 1, "user_ms": 2, "system_ms": 3, "peak_memory": 4, "source": "rusage"}
    found = decode(canonical(document), ActionResult)
    assert found.usage == Usage(wall_ms=1, user_ms=2, system_ms=3, peak_memory=4)


@pytest.mark.parametrize("recipe", [RECIPE, HAR])
def test_a_step_is_answered_and_what_is_private_is_told(services: MemoryServices, commit: Commit, recipe: str) -> None:
    services.commands["ask"] = ask
    body = WHOLE if recipe is HAR else b"3.50"
    run = built(services, commit(services, {"fixtures/GET/tea": body}, recipe=recipe)).run
    assert [step.failure for step in run.steps] == [None]
    told = [event.text for event in services.told if isinstance(event, Phase) and "secret" in event.text]
    assert told == (["fixtures/GET/tea holds cookie: take out of recordings what is a secret (docs/services.md)"] if recipe is HAR else [])


def test_another_recording_runs_the_step_again_and_another_file_does_not(services: MemoryServices, commit: Commit) -> None:
    services.commands["ask"] = ask

    def cached(**files: bytes) -> bool:
        given = {"fixtures/GET/tea": b"3.50", **{name.replace("__", "/"): data for name, data in files.items()}}
        return built(services, commit(services, given, recipe=RECIPE)).run.steps[0].cached

    assert not cached()
    assert cached()
    assert cached(notes=b"not seen by the step")
    assert not cached(fixtures__GET__coffee=b"4.00")


def test_what_cannot_be_answered_from_ends_the_build_before_the_step(services: MemoryServices, commit: Commit) -> None:
    services.commands["ask"] = ask
    with pytest.raises(NoRecording):
        built(services, commit(services, recipe=RECIPE))
    with pytest.raises(InvalidRecording, match=r"^fixtures/GET/tea: log\.entries\[0\]\.response: missing"):
        built(services, commit(services, {"fixtures/GET/tea": ASKED % b'"x": 1'}, recipe=HAR))
    assert services.executor.ran == []


def test_what_was_not_recorded_is_told_with_what_to_do(services: MemoryServices, commit: Commit) -> None:
    services.commands["ask"] = ask
    with pytest.raises(StepNotDone, match="service 'prices' was asked for what is not recorded: GET /tea") as caught:
        built(services, commit(services, {"fixtures/GET/coffee": b"4.00"}, recipe=RECIPE))
    assert caught.value.details["reason"] == "service-mismatch"
    assert "record the answer" in caught.value.hint

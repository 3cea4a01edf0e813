"""What decides which step begins first, what steps hold while they run, and what of all that can be seen in a result."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from lockage.adapters.memory.services import MemoryServices
from lockage.adapters.workers_local import LoopWorkers
from lockage.base.canonical import canonical, parse
from lockage.base.name import LatchName, StepName
from lockage.evidence.bundle import parse_bundle
from lockage.evidence.predicate import PROVENANCE, TEST_RESULT
from lockage.plan.plan import make_plan
from lockage.recipe.model import StepKind
from lockage.recipe.parse import parse_recipe
from lockage.record.event import StepBlocked, StepQueued, StepRetried, StepStarted, StepUnblocked
from lockage.record.result import Usage
from lockage.work.attest import record_provenance
from lockage.work.build import StepNotDone, build
from lockage.work.expected import expected_durations, remember_durations
from lockage.work.test import test_project as run_tests

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lockage.adapters.memory.executor import Workspace
    from lockage.record.event import Event
    from lockage.work.build import Built
    from lockage.work.prepare import Project

    Commit = Callable[..., Project]
    Commands = Mapping[str, Callable[[Workspace], int]]

THREE = """
[step.quick]
inputs = []
run = ["constant", "quick"]
outputs = ["quick"]
artifacts = ["quick"]
[step.slow]
inputs = []
run = ["constant", "slow"]
outputs = ["slow"]
[step.last]
inputs = []
needs = ["quick"]
run = ["cat", "last"]
outputs = ["last"]
"""


def built(services: MemoryServices, project: Project) -> Built:
    return build(services, make_plan(project.recipe, project.lock, project.source))


def started(services: MemoryServices) -> list[str]:
    return [event.step for event in services.told if isinstance(event, StepStarted)]


# The order


@pytest.mark.parametrize(
    ("remembered", "order"),
    [
        (None, ["quick", "slow", "last"]),
        ({"slow": 5000}, ["slow", "quick", "last"]),
        ({"slow": 5000, "last": 6000}, ["quick", "last", "slow"]),
        ({"unheard-of": 1}, ["quick", "slow", "last"]),
    ],
    ids=["nothing", "a-long-step", "a-long-chain", "another-recipe"],
)
def test_what_steps_took_last_decides_the_order_and_nothing_else(
    commands: Commands, commit: Commit, remembered: dict[str, int] | None, order: list[str]
) -> None:
    plain, services = MemoryServices(dict(commands), jobs=1), MemoryServices(dict(commands), jobs=1)
    expected = built(plain, commit(plain, recipe=THREE))
    project = commit(services, recipe=THREE)
    if remembered is not None:
        services.memo.put("durations", "shop", canonical({"wall_ms": remembered}))
    found = built(services, project)
    assert started(services) == order
    assert (found.run, services.runs.kept) == (expected.run, plain.runs.kept)


@pytest.mark.parametrize("value", [b"", b"nonsense", b'{"wall_ms":7}', b'{"wall_ms":{"slow":"long"}}'])
def test_a_memory_that_makes_no_sense_counts_for_nothing(services: MemoryServices, commit: Commit, value: bytes) -> None:
    project = commit(services, recipe=THREE)
    services.memo.put("durations", "shop", value)
    assert built(services, project).executed == 3


def test_what_was_executed_and_succeeded_is_remembered(services: MemoryServices, commit: Commit) -> None:
    project = commit(services, recipe=THREE)
    plan = make_plan(project.recipe, project.lock, project.source)
    runs = list(build(services, plan).run.steps)
    assert expected_durations(services.memo, plan) == {"quick": 0, "slow": 0, "last": 0}
    took = [msgspec.structs.replace(run, usage=Usage(wall_ms=number)) for number, run in enumerate(runs, 1)]
    remember_durations(
        services.memo, plan, [took[0], msgspec.structs.replace(took[1], cached=True), msgspec.structs.replace(took[2], failure="x")]
    )
    assert expected_durations(services.memo, plan) == {"quick": 1, "slow": 0, "last": 0}
    smaller = commit(services, recipe=THREE[: THREE.index("[step.last]")])
    built(services, smaller)
    again = make_plan(smaller.recipe, smaller.lock, smaller.source)
    remember_durations(services.memo, again, [took[0]])
    assert expected_durations(services.memo, again) == {"quick": 1, "slow": 0}, "a step that is gone is forgotten"


# What they hold

HOLDING = """
[pools]
licence = 2
[step.a]
inputs = []
run = ["hold", "a"]
outputs = ["a"]
{held}
[step.b]
inputs = []
run = ["hold", "b"]
outputs = ["b"]
{held}
[step.c]
inputs = []
run = ["hold", "c"]
outputs = ["c"]
{held}
"""


@pytest.mark.parametrize(
    ("held", "together"),
    [("", 3), ('exclusive = ["port-5432"]', 1), ("pools = { licence = 1 }", 2), ("pools = { licence = 2 }", 1), ("cpus = 2", 2)],
)
def test_so_many_run_together_as_what_they_hold_allows(services: MemoryServices, commit: Commit, held: str, together: int) -> None:
    services.capacity = msgspec.structs.replace(services.capacity, jobs=4)
    services.commands["hold"] = services.commands["constant"]
    built(services, commit(services, recipe=HOLDING.format(held=held)))
    assert services.workers.most == together
    assert services.latches.taken == (["port-5432"] * 3 if "exclusive" in held else [])


def test_builds_of_one_store_exclude_each_other_by_the_names_of_latches(services: MemoryServices, commit: Commit) -> None:
    """Two builds with workers of their own and one set of latches, as two processes have."""
    inside, most, guard, met = [0], [0], threading.Lock(), threading.Event()

    def hold(workspace: Workspace) -> int:
        with guard:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        met.wait(0.02)
        with guard:
            inside[0] -= 1
        workspace.write(workspace.request.action.arguments[1], b"")
        return 0

    def one(name: str) -> None:
        own = MemoryServices({"hold": hold}, jobs=3)
        own.workers, own.latches = LoopWorkers(), services.latches  # type: ignore[assignment]  # real threads, and latches that are shared
        built(own, commit(own, recipe=HOLDING.format(held='exclusive = ["port-5432"]'), name=name))

    threads = [threading.Thread(target=one, args=(name,)) for name in ("one", "other")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(services.latches.taken) == 6
    assert most == [1]


def test_who_waits_for_a_latch_is_let_go_when_the_build_ends(services: MemoryServices, commit: Commit) -> None:
    def broken(_: Workspace) -> int:
        raise ZeroDivisionError

    services.commands |= {"hold": broken}
    services.workers = LoopWorkers()  # type: ignore[assignment]  # threads that wait
    recipe = HOLDING.replace("{held}", 'exclusive = ["port-5432"]', 2).format(held="")
    services.capacity = msgspec.structs.replace(services.capacity, jobs=4)
    before = set(threading.enumerate())
    with services.latches.held([LatchName("port-5432")]), pytest.raises(ZeroDivisionError):
        built(services, commit(services, recipe=recipe))
    assert services.executor.cancelled
    assert services.executor.ran == []
    assert set(threading.enumerate()) <= before, "a thread still waits"


def test_a_step_that_waits_for_its_turn_is_told_once_and_one_that_starts_at_once_is_not(services: MemoryServices, commit: Commit) -> None:
    services.capacity = msgspec.structs.replace(services.capacity, jobs=4)
    services.commands["hold"] = services.commands["constant"]
    project = commit(services, recipe=HOLDING.format(held='exclusive = ["port-5432"]'))
    built(services, project)
    told = [(type(event).__name__, event.step) for event in services.told if isinstance(event, StepQueued | StepStarted)]
    assert told == [("StepStarted", "a"), ("StepQueued", "b"), ("StepQueued", "c"), ("StepStarted", "b"), ("StepStarted", "c")]
    services.told.clear()
    built(services, project)
    assert not any(isinstance(event, StepQueued) for event in services.told), "nothing is queued where nothing is executed"
    other = commit(services, {"src/x": b""}, recipe=HOLDING.format(held="").replace("inputs = []", 'inputs = ["src/**"]'))
    built(services, other)
    assert not any(isinstance(event, StepQueued) for event in services.told), "all have a place"


def test_many_steps_that_wait_are_told_once_each(services: MemoryServices, commit: Commit) -> None:
    services.capacity = msgspec.structs.replace(services.capacity, jobs=2)
    steps = [f'[step.s{number}]\ninputs = []\nrun = ["constant", "o{number}"]\noutputs = ["o{number}"]\n' for number in range(300)]
    built(services, commit(services, recipe="".join(steps)))
    queued = [event.step for event in services.told if isinstance(event, StepQueued)]
    assert len(queued) == len(set(queued)) <= 300


def test_a_step_that_waits_for_another_build_is_told(services: MemoryServices, commit: Commit) -> None:
    services.commands["hold"] = services.commands["constant"]
    services.workers = LoopWorkers()  # type: ignore[assignment]  # threads that wait
    project = commit(services, recipe=HOLDING.replace("{held}", 'exclusive = ["port-5432"]', 1).format(held=""))
    told = services.tell
    with ExitStack() as other:
        other.enter_context(services.latches.held([LatchName("port-5432")]))

        def hear(event: Event) -> None:
            told(event)
            if isinstance(event, StepBlocked):
                other.close()

        services.tell = hear
        built(services, project)
    about = [event for event in services.told if isinstance(event, StepBlocked | StepUnblocked)]
    assert about == [StepBlocked(step=StepName("a"), latch=LatchName("port-5432")), StepUnblocked(step=StepName("a"))]


def minimal(more: str) -> bytes:
    text = '[project]\nname = "shop"\nversion = "1.0"\n[environment.build]\nos = "debian:bookworm"\n'
    return f'{text}[step.a]\ninputs = []\nrun = "true"\noutputs = ["x"]\n{more}'.encode()


def test_what_a_step_holds_is_no_part_of_its_action_and_nothing_held_none_of_a_recipe(services: MemoryServices, commit: Commit) -> None:
    services.commands["hold"] = services.commands["constant"]
    plain = commit(services, recipe=HOLDING.format(held=""))
    built(services, plain)
    held = commit(services, recipe=HOLDING.format(held='exclusive = ["x"]\npools = { licence = 1 }'))
    assert built(services, held).executed == 0
    assert held.recipe.digest != plain.recipe.digest


@pytest.mark.parametrize("more", ["", "exclusive = []", "pools = {}", "[pools]"])
def test_the_digest_of_a_recipe_without_latches_and_pools_is_what_it_was_before_there_were_any(more: str) -> None:
    assert parse_recipe(minimal(more)).digest == "78ca195a8be368ebe6e86eb84cf814695bc13afb0ec1de80126b18b79b7a2376"


# Steps that are run again


def test_nothing_is_run_again_after_another_step_failed(commands: Commands, commit: Commit) -> None:
    recipe = """
[step.bad]
inputs = []
run = ["fail", "bad"]
outputs = ["bad"]
[step.flaky]
inputs = []
run = ["fail", "flaky"]
outputs = ["flaky"]
retries = 5
"""
    for seed in range(6):
        services = MemoryServices(dict(commands), jobs=2, seed=seed)
        with pytest.raises(StepNotDone.__base__):  # type: ignore[arg-type]  # one step or both
            built(services, commit(services, recipe=recipe))
        runs = {run.step: run for run in services.runs.kept["run-000001"][0].steps}
        ran = [ended.arguments[-1] for ended in services.executor.ran]
        assert ran[ran.index("bad") + 1 :].count("flaky") <= 1, "the one that was under way"
        assert len(runs[StepName("flaky")].attempts) == ran.count("flaky") - 1
        assert len([event for event in services.told if isinstance(event, StepRetried)]) == len(runs[StepName("flaky")].attempts)


def evidence(services: MemoryServices, kind: str) -> list[dict[str, Any]]:  # Any: as documents are read
    """The predicates of one type that were signed."""
    found = []
    for data in services.blobs.data.values():
        if b"dsseEnvelope" in data:
            statement = parse(parse_bundle(data).envelope.payload)
            if statement["predicateType"] == kind:
                found.append(statement["predicate"])
    return found


FLAKY = """
[step.package]
inputs = []
run = ["flaky", "dist"]
outputs = ["dist"]
artifacts = ["dist"]
retries = 2
[step.unit]
kind = "test"
inputs = []
run = ["flaky", "unit"]
retries = 2
"""


@pytest.mark.parametrize("failures", [0, 2])
def test_attempts_that_failed_stand_in_evidence(services: MemoryServices, commit: Commit, failures: int) -> None:
    left = {"dist": failures, "unit": failures}

    def flaky(workspace: Workspace) -> int:
        name = workspace.request.action.arguments[1]
        left[name] -= 1
        if left[name] >= 0:
            return 7
        workspace.write(name, b"made")
        return 0

    services.commands["flaky"] = flaky
    project = commit(services, recipe=FLAKY)
    plan = make_plan(project.recipe, project.lock, project.source, kinds=(StepKind.BUILD,))
    record_provenance(services, plan, build(services, plan), recipe_path="lockage.toml")
    assert run_tests(services, project).passed
    why = ["exit-code: the command exited with 7"] * failures
    (tested,) = evidence(services, TEST_RESULT)
    assert tested.get("lockage_attempts") == ({"unit": why} if failures else None)
    (built,) = evidence(services, PROVENANCE)
    assert built["buildDefinition"]["internalParameters"].get("attempts") == ({"package": why} if failures else None)


# What is prepared while others run

SIX = "".join(f'[step.s{number}]\ninputs = []\nrun = ["constant", "o{number}"]\noutputs = ["o{number}"]\n' for number in range(6))


def test_the_next_step_is_prepared_while_others_run_and_results_are_the_same(commands: Commands, commit: Commit) -> None:
    found = []
    for prepares in (False, True):
        services = MemoryServices(dict(commands), jobs=2)
        services.executor.performs = prepares
        project = commit(services, recipe=SIX + THREE)
        found.append([(step.step, step.action, step.outputs, step.failure) for step in built(services, project).run.steps])
        assert not services.workers.held
        assert bool(services.workers.prepared) == prepares
    assert found[0] == found[1]


def test_what_was_prepared_is_given_up_where_a_step_fails(commands: Commands, commit: Commit) -> None:
    services = MemoryServices(dict(commands), jobs=1)
    services.executor.performs = True
    project = commit(services, recipe='[step.bad]\ninputs = []\nrun = ["no-such-command"]\noutputs = ["bad"]\n' + SIX)
    with pytest.raises(StepNotDone):
        built(services, project)
    assert services.workers.prepared
    assert not services.workers.held
    assert started(services) == ["bad"]


def test_a_step_that_holds_something_is_not_prepared(commands: Commands, commit: Commit) -> None:
    services = MemoryServices(dict(commands), jobs=1)
    services.executor.performs = True
    built(services, commit(services, recipe=SIX.replace("inputs = []", 'inputs = []\nexclusive = ["x"]')))
    assert not services.workers.prepared


def test_a_step_with_large_inputs_waits_for_its_turn(commands: Commands, commit: Commit, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies in a sandbox that is made early is memory that the schedule does not count."""
    monkeypatch.setattr("lockage.work.execute._MOST_EARLY", 9)
    for size in (9, 10):
        services = MemoryServices(dict(commands), jobs=1)
        services.executor.performs = True
        recipe = THREE.replace("[step.slow]\ninputs = []", '[step.slow]\ninputs = ["src/**"]')
        built(services, commit(services, {"src/a": b"1234", "src/b": b"5" * (size - 4)}, recipe=recipe))
        assert ("slow" in services.workers.prepared) == (size == 9)


def test_a_step_that_was_prepared_and_is_passed_by_a_more_urgent_one_is_told_once(commands: Commands, commit: Commit) -> None:
    services = MemoryServices(dict(commands), jobs=1)
    services.executor.performs = True
    recipe = THREE.replace("[step.slow]", "[step.free]").replace('"slow"', '"free"')
    project = commit(services, recipe=recipe)
    services.memo.put("durations", "shop", canonical({"wall_ms": {"quick": 10, "last": 9000}}))
    built(services, project)
    told = [(type(event).__name__, event.step) for event in services.told if isinstance(event, StepQueued | StepStarted)]
    assert told == [("StepStarted", "quick"), ("StepStarted", "last"), ("StepQueued", "free"), ("StepStarted", "free")]
    assert services.workers.prepared == ["free"]

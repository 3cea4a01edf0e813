"""A build that repeats the last one reads one memo: the same comes of it as without, and what is not there and whole counts for nothing."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from lockage.adapters.memory.services import MemoryServices
from lockage.base.digest import BlobRef
from lockage.base.name import StepName
from lockage.plan.plan import Plan, make_plan
from lockage.record.event import ArtifactDelivered, Planned, RunRecorded, StepEnded
from lockage.work import last_build
from lockage.work.build import Built, StepNotDone, build
from lockage.work.prepare import Project
from lockage.work.whole import AS_USUAL, CacheUse

Commit = Callable[..., Project]


def wide(width: int) -> str:
    """Steps that each read one file, and one that needs them all."""
    steps = [f'[step.s{n}]\ninputs = ["src/{n}"]\nrun = ["cat", "out{n}"]\noutputs = ["out{n}"]\n' for n in range(width)]
    needs = ", ".join(f'"s{n}"' for n in range(width))
    return "".join(steps) + f'[step.all]\ninputs = []\nneeds = [{needs}]\nrun = ["cat", "all"]\noutputs = ["all"]\nartifacts = ["all"]\n'


def files(width: int, **changed: bytes) -> dict[str, bytes]:
    return {f"src/{n}": str(n).encode() for n in range(width)} | {f"src/{name[1:]}": data for name, data in changed.items()}


def plan_of(project: Project) -> Plan:
    return make_plan(project.recipe, project.lock, project.source)


def built(services: MemoryServices, project: Project, use: CacheUse = AS_USUAL) -> Built:
    return build(services, plan_of(project), use=use)


def executed(services: MemoryServices) -> list[str]:
    found = [run.arguments[-1] for run in services.executor.ran]
    services.executor.ran.clear()
    return sorted(found)


def counted(services: MemoryServices, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each of these is asked from now on, by whoever is not one of them."""
    found: Counter[str] = Counter()
    within: list[str] = []

    def count(owner: object, name: str, method: str) -> None:
        real = getattr(owner, method)

        def asked(*arguments: Any, **named: Any) -> Any:
            if not within:
                found[f"{name}.{method}"] += 1
            within.append(name)
            try:
                return real(*arguments, **named)
            finally:
                within.pop()

        monkeypatch.setattr(owner, method, asked)

    for method in ("get", "put"):
        count(services.memo, "memo", method)
        count(services.cache, "cache", method)
        count(services.runs, "runs", method)
    for method in ("get", "open", "has", "put", "put_many", "vouch"):
        count(services.blobs, "blobs", method)
    return found


@pytest.mark.parametrize("width", [2, 40])
def test_a_build_with_nothing_to_do_reads_as_little_whatever_its_size(
    services: MemoryServices, commit: Commit, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    plan = plan_of(commit(services, files(width), recipe=wide(width)))
    build(services, plan)
    asked = counted(services, monkeypatch)
    assert build(services, plan).executed == 0
    assert asked == {"memo.get": 1, "blobs.vouch": 1}


@pytest.mark.parametrize("width", [4, 40])
def test_where_one_file_changed_only_what_sees_it_is_asked_about(
    services: MemoryServices, commit: Commit, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    built(services, commit(services, files(width), recipe=wide(width)))
    executed(services)
    plan = plan_of(commit(services, files(width, f1=b"changed"), recipe=wide(width)))
    asked = counted(services, monkeypatch)
    assert build(services, plan).executed == 2
    assert executed(services) == ["all", "out1"]
    assert asked["cache.get"] <= 4  # before and after each of the two
    assert asked["cache.put"] == 2
    assert asked["memo.get"] <= 8  # one of the last build; for two steps a resolution; what delivers and records
    assert asked["blobs.vouch"] <= 6


@pytest.mark.parametrize("width", [4, 40])
def test_where_what_ran_gave_the_same_again_little_is_asked_about_what_needs_it(
    services: MemoryServices, commit: Commit, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    steps = "".join(f'[step.s{n}]\ninputs = []\nneeds = ["first"]\nrun = ["cat", "out{n}"]\noutputs = ["out{n}"]\n' for n in range(width))
    recipe = '[step.first]\ninputs = ["src/0"]\nrun = ["constant", "first"]\noutputs = ["first"]\n' + steps
    built(services, commit(services, files(1), recipe=recipe))
    executed(services)
    plan = plan_of(commit(services, files(1, f0=b"changed"), recipe=recipe))
    asked = counted(services, monkeypatch)
    assert build(services, plan).executed == 1
    assert executed(services) == ["first"]
    assert asked["cache.get"] <= 2
    assert asked["memo.get"] <= 8
    assert asked["blobs.vouch"] <= 6
    asked.clear()
    assert build(services, plan).executed == 0
    assert asked == {"memo.get": 1, "blobs.vouch": 1}


def test_the_same_comes_of_it_with_the_memo_and_without(services: MemoryServices, commit: Commit) -> None:
    project = commit(services, files(5), recipe=wide(5))
    first = built(services, project)
    services.told.clear()
    with_memo = built(services, project)
    heard = list(services.told)
    for name in [name for name in services.memo.values if name[0] == "last-build"]:
        del services.memo.values[name]
    services.told.clear()
    without = built(services, project)
    assert msgspec.structs.replace(with_memo.run, environments={}) == msgspec.structs.replace(without.run, environments={})
    assert heard == services.told
    assert [type(event) for event in heard] == [Planned] + [StepEnded] * 6 + [ArtifactDelivered] * len(first.artifacts) + [RunRecorded]
    assert with_memo.run_id == first.run_id
    assert [step.cached for step in with_memo.run.steps] == [True] * 6


def test_a_partial_repetition_is_the_same_with_the_memo_and_without(services: MemoryServices, commit: Commit, commands: Any) -> None:
    other = MemoryServices(dict(commands))
    for one in (services, other):
        built(one, commit(one, files(5), recipe=wide(5)))
    other.memo.values.clear()
    runs = [built(one, commit(one, files(5, f2=b"changed"), recipe=wide(5))).run for one in (services, other)]
    assert runs[0] == runs[1]


def test_what_is_not_seen_by_a_step_is_nothing_to_it(services: MemoryServices, commit: Commit) -> None:
    built(services, commit(services, files(3), recipe=wide(3)))
    executed(services)
    assert built(services, commit(services, {**files(3), "docs/new": b"1"}, recipe=wide(3))).executed == 0
    assert executed(services) == []


def test_a_changed_step_is_another(services: MemoryServices, commit: Commit) -> None:
    built(services, commit(services, files(3), recipe=wide(3)))
    executed(services)
    changed = wide(3).replace('run = ["cat", "out1"]', 'run = ["constant", "out1"]')
    assert built(services, commit(services, files(3), recipe=changed)).executed == 2
    assert executed(services) == ["all", "out1"]
    assert built(services, commit(services, files(3), recipe=changed)).executed == 0


@pytest.mark.parametrize("harm", ["damaged", "gone"])
def test_what_is_not_whole_is_made_again(services: MemoryServices, commit: Commit, harm: str) -> None:
    project = commit(services, files(3), recipe=wide(3))
    first = built(services, project)
    executed(services)
    (artifact,) = first.artifacts
    if harm == "gone":
        del services.blobs.data[artifact.blob.digest]
    else:
        services.blobs.data[artifact.blob.digest] = b"other bytes"
    again = built(services, project)
    assert executed(services) == ["all"]
    assert again.artifacts == first.artifacts
    assert built(services, project).executed == 0


def test_a_result_that_the_cache_has_lost_is_made_again(services: MemoryServices, commit: Commit) -> None:
    project = commit(services, files(3), recipe=wide(3))
    first = built(services, project)
    executed(services)
    (action,) = (step.action for step in first.run.steps if step.step == "s1")
    del services.cache.results[action]
    built(services, project)
    assert executed(services) == ["out1"]


@pytest.mark.parametrize("value", [b"", b"\x90", b"nonsense", None])
def test_a_memo_that_makes_no_sense_counts_for_nothing(services: MemoryServices, commit: Commit, value: bytes | None) -> None:
    project = commit(services, files(3), recipe=wide(3))
    first = built(services, project)
    ((name, kept),) = ((key, kept) for key, kept in services.memo.values.items() if key[0] == "last-build")
    services.memo.values[name] = kept[:-9] if value is None else value
    again = built(services, project)
    assert (again.executed, again.artifacts, again.run_id) == (0, first.artifacts, first.run_id)
    assert services.memo.values[name] == kept


def test_a_record_that_is_gone_is_written_again(services: MemoryServices, commit: Commit) -> None:
    project = commit(services, files(3), recipe=wide(3))
    built(services, project)
    services.runs.kept.clear()
    again = built(services, project)
    assert again.executed == 0
    assert services.runs.get(again.run_id) is not None


def test_a_recheck_believes_nothing(services: MemoryServices, commit: Commit, monkeypatch: pytest.MonkeyPatch) -> None:
    project = commit(services, files(3), recipe=wide(3))
    built(services, project)
    asked = counted(services, monkeypatch)
    assert built(services, project, CacheUse(recheck=True)).executed == 0
    assert asked["cache.get"] >= 4


def test_what_succeeded_beside_a_failure_is_remembered(services: MemoryServices, commit: Commit, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = wide(3).replace('run = ["cat", "all"]', 'run = ["fail", "all"]')
    project = commit(services, files(3), recipe=failing)
    for _ in range(2):
        with pytest.raises(StepNotDone):
            built(services, project)
    assert executed(services) == ["all", "all", "out0", "out1", "out2"]
    plan = plan_of(commit(services, files(3), recipe=wide(3)))
    asked = counted(services, monkeypatch)
    assert build(services, plan).executed == 1
    assert asked["cache.get"] == 1


def test_large_results_are_not_hashed_where_something_was_executed(
    services: MemoryServices, commit: Commit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(last_build, "_AT_ONCE", 150)
    plan = plan_of(commit(services, files(3), recipe=wide(3)))
    asked = counted(services, monkeypatch)
    for known in (False, False, True):  # executed, then found one by one and remembered
        asked.clear()
        build(services, plan)
        assert (asked["cache.get"] == 0) == known
    assert asked == {"memo.get": 1, "blobs.vouch": 1}


def test_other_inputs_with_the_same_names_are_other_builds(services: MemoryServices, commit: Commit) -> None:
    one, other = (commit(services, files(3, f0=data), recipe=wide(3), locator=data.decode()) for data in (b"x", b"y"))
    results = [built(services, project).artifacts for project in (one, other, one, other)]
    assert results[0] == results[2] != results[1] == results[3]
    assert executed(services) == ["all", "all", "out0", "out0", "out1", "out2"]


def test_only_named_steps_are_a_build_of_their_own(services: MemoryServices, commit: Commit) -> None:
    project = commit(services, files(3), recipe=wide(3))
    built(services, project)
    some = build(services, make_plan(project.recipe, project.lock, project.source, only=[StepName("s1")]))
    assert [step.step for step in some.run.steps] == ["s1"]
    assert some.artifacts == ()


def test_a_memo_that_names_other_blobs_counts_for_nothing(services: MemoryServices, commit: Commit) -> None:
    project = commit(services, files(3), recipe=wide(3))
    first = built(services, project)
    ((name, data),) = ((key, kept) for key, kept in services.memo.values.items() if key[0] == "last-build")
    other = data.replace(first.artifacts[0].blob.digest.raw, BlobRef.of(b"never put").digest.raw)
    assert other != data
    services.memo.values[name] = other
    assert built(services, project).artifacts == first.artifacts

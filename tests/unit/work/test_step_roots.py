"""Roots of steps are made once for each environment, and instruments only where they may be needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from lockage.plan.plan import make_plan
from lockage.ports import RealisedRoot, RootDrift
from lockage.variation import CONTRACT
from lockage.work.step_roots import StepRoots

if TYPE_CHECKING:
    from tests.unit.work.conftest import Commit

    from lockage.adapters.memory.services import MemoryServices
    from lockage.environment.lock import LockedEnvironment


def test_each_root_is_made_once(services: MemoryServices, commit: Commit) -> None:
    project = commit(services, {"src/a.py": b"a", "tests/t.py": b"t"})
    plan = make_plan(project.recipe, project.lock, project.source)
    made: list[LockedEnvironment] = []

    def root_for(environment: LockedEnvironment) -> RealisedRoot:
        made.append(environment)
        return services.roots.realise(environment)

    roots = StepRoots(services, plan, {}, CONTRACT, root_for)
    roots.of_all()
    roots.of_all()
    assert {roots.of(planned).ref for planned in plan.steps} == {plan.steps[0].environment.root}
    assert len(made) == 1


def test_a_root_that_is_not_as_locked_names_the_steps_that_need_it(services: MemoryServices, commit: Commit) -> None:
    project = commit(services, {"src/a.py": b"a", "tests/t.py": b"t"})
    plan = make_plan(project.recipe, project.lock, project.source)

    def root_for(environment: LockedEnvironment) -> RealisedRoot:
        raise RootDrift(f"not as locked: {environment.root.tree}")

    with pytest.raises(RootDrift) as caught:
        StepRoots(services, plan, {}, CONTRACT, root_for).of_all()
    assert caught.value.details["environment"] == "build"
    assert caught.value.details["needed_by"] == ("package", "unit")


def test_only_another_world_needs_instruments(services: MemoryServices, commit: Commit, monkeypatch: pytest.MonkeyPatch) -> None:
    project = commit(services, {"src/a.py": b"a", "tests/t.py": b"t"})
    plan = make_plan(project.recipe, project.lock, project.source)
    asked: list[LockedEnvironment] = []
    monkeypatch.setattr(services.roots, "instruments", asked.append)
    StepRoots(services, plan, {}, CONTRACT).instruments(plan.steps[0])
    assert asked == []
    StepRoots(services, plan, {}, msgspec.structs.replace(CONTRACT, hostname="other")).instruments(plan.steps[0])
    assert asked == [plan.steps[0].environment]

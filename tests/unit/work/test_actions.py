"""What actions are made of is asked for once, and what is remembered of it counts for nothing where it makes no sense."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.plan.plan import make_plan
from lockage.work.actions import StepActions
from lockage.work.execute import Execution

if TYPE_CHECKING:
    from tests.unit.work.conftest import Commit

    from lockage.adapters.memory.services import MemoryServices


def test_an_action_is_remembered_by_what_it_is_made_of(services: MemoryServices, commit: Commit) -> None:
    first, second = (commit(services, {"src/a.py": b"a", "tests/t.py": text}) for text in (b"one", b"two"))
    plans = [make_plan(project.recipe, project.lock, project.source) for project in (first, second)]
    actions, others = (StepActions(services, plan, {}) for plan in plans)
    planned, other = plans[0].steps[0], plans[1].steps[0]
    assert actions.remembered(planned) is None
    ref = actions.resolve(planned).encoded.ref
    actions.remember(planned, ref)
    assert others.remembered(other) == ref, "it sees nothing of what differs"
    assert others.resolve(other).encoded.ref == ref
    services.memo.put("resolution", actions.key(planned), b"{}")
    assert actions.remembered(planned) is None


def test_results_that_come_are_what_later_actions_are_made_of(services: MemoryServices, commit: Commit) -> None:
    project = commit(services, {"src/a.py": b"a", "tests/t.py": b"t"})
    plan = make_plan(project.recipe, project.lock, project.source)
    execution = Execution(services, plan)
    execution.run()
    package, unit = plan.steps
    alone = StepActions(services, plan, {})
    complete = StepActions(services, plan, execution.results)
    assert alone.resolve(package).encoded.ref == execution.results[package.name].action
    assert complete.resolve(unit).encoded.ref == execution.results[unit.name].action
    assert alone.resolve(unit, partial=True).encoded.ref != execution.results[unit.name].action

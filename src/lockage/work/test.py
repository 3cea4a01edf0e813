"""Test: the recipe's test and check steps in the sandbox; their outcome, passed or failed, is signed evidence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lockage.plan.plan import Plan, make_plan
from lockage.recipe.model import StepKind
from lockage.record.artifact import StepRun
from lockage.work.attest import record_tests
from lockage.work.build import not_done, record_run
from lockage.work.execute import execute
from lockage.work.hand_over import build_project

if TYPE_CHECKING:
    from lockage.base.errors import StepFailed
    from lockage.work.prepare import Project
    from lockage.work.services import Services

__all__ = ["TestOutcome", "test_project"]


class TestOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """How the test steps ended, in plan order."""

    steps: tuple[StepRun, ...]
    run_id: str
    plan: Plan
    kept: Path | None = None

    @property
    def passed(self) -> bool:
        return all(step.failure is None for step in self.steps)

    def failure(self, services: Services) -> StepFailed:
        """The error that explains the first step that failed."""
        return not_done(services, self.plan, next(step for step in self.steps if step.failure is not None), self.run_id, keep=self.kept)


def test_project(services: Services, project: Project, *, keep: Path | None = None) -> TestOutcome:  # noqa: PT028 (not a test)
    """Build what is needed, run every test and check step, and record the result about all artifacts of the project.

    ``keep`` is where the workspaces of failed steps are kept.
    """
    _, built = build_project(services, project, keep=keep)
    plan = make_plan(project.recipe, project.lock, project.source, kinds=(StepKind.TEST, StepKind.CHECK))
    kinds = {planned.name: planned.step.kind for planned in plan.steps}
    results = execute(services, plan, keep=keep)
    run, run_id = record_run(services, plan, results, built.run.started)
    steps = tuple(step for step in run.steps if kinds[step.step] is not StepKind.BUILD)
    outcome = TestOutcome(steps=steps, run_id=run_id, plan=plan, kept=keep)
    record_tests(services, project, built, outcome.steps)
    return outcome

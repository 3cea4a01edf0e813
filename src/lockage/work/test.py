"""Test: the recipe's test and check steps in the sandbox; their outcome, passed or failed, is signed evidence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lockage.plan.plan import Plan, make_plan
from lockage.recipe.model import StepKind
from lockage.record.artifact import Run, StepRun
from lockage.work.attest import record_tests
from lockage.work.build import record_run
from lockage.work.execute import execute
from lockage.work.hand_over import attempted, build_project
from lockage.work.last_build import LastBuild
from lockage.work.whole import AS_USUAL

if TYPE_CHECKING:
    from lockage.base.errors import StepFailed
    from lockage.work.build import Built
    from lockage.work.outcome import Attempts
    from lockage.work.prepare import Project
    from lockage.work.services import Services
    from lockage.work.whole import CacheUse

__all__ = ["TestOutcome", "test_project"]


class TestOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """How the test steps ended, in plan order; ``run`` is the record of all that was executed for them."""

    steps: tuple[StepRun, ...]
    run: Run
    run_id: str
    plan: Plan
    kept: Path | None = None

    @property
    def passed(self) -> bool:
        return all(step.failure is None for step in self.steps)

    def failure(self, services: Services) -> StepFailed:
        """The error that explains every step that failed."""
        from lockage.work.failure import failure  # only on the way to an error

        return failure(services, self.plan, self.run, self.run_id, keep=self.kept)


def test_project(
    services: Services,
    project: Project,
    *,
    keep: Path | None = None,  # noqa: PT028 (not a test)
    keep_going: bool = False,  # noqa: PT028 (not a test)
) -> TestOutcome:
    """Build what is needed, run every test and check step, and record the result about all artifacts of the project.

    ``keep`` is where the workspaces of failed steps are kept. ``keep_going``: a failure stops only what needs the step. Raises what
    building raises; where it keeps going, once all is run that could be, with the tests that failed beside the builds. Without
    artifacts nothing is signed: there is nothing that the result would be about.
    """
    attempt = _going_on if keep_going else _one_after_the_other
    return attempted(services, project, AS_USUAL, lambda use, attempts: attempt(services, project, keep, use, attempts))


def _one_after_the_other(services: Services, project: Project, keep: Path | None, use: CacheUse, attempts: Attempts) -> TestOutcome:
    _, built = build_project(services, project, keep=keep, use=use)
    plan = make_plan(project.recipe, project.lock, project.source, kinds=(StepKind.TEST, StepKind.CHECK))
    last = None if use.recheck else LastBuild(services, plan)
    results = execute(services, plan, keep=keep, use=use, attempts=attempts, last=last)
    run, run_id = record_run(services, plan, results, built.run.started, lost=attempts.lost)
    if last is not None:
        last.keep(run, run_id)
    return _recorded(services, project, built, TestOutcome(steps=_tests(plan, run), run=run, run_id=run_id, plan=plan, kept=keep))


def _going_on(services: Services, project: Project, keep: Path | None, use: CacheUse, attempts: Attempts) -> TestOutcome:
    """Builds and tests as one plan, so that a test need not wait for a build that it does not need, nor fail with it."""
    plan = make_plan(project.recipe, project.lock, project.source)
    started = services.clock.now()
    results = execute(services, plan, keep=keep, keep_going=True, use=use, attempts=attempts)
    run, run_id = record_run(services, plan, results, started, lost=attempts.lost)
    tests = _tests(plan, run)
    outcome = TestOutcome(steps=tests, run=run, run_id=run_id, plan=plan, kept=keep)
    if any(step.failure is not None and step not in tests for step in run.steps):
        raise outcome.failure(services)
    _, built = build_project(services, project, keep=keep)  # all of it is known by now
    return _recorded(services, project, built, outcome)


def _tests(plan: Plan, run: Run) -> tuple[StepRun, ...]:
    kinds = {planned.name: planned.step.kind for planned in plan.steps}
    return tuple(step for step in run.steps if kinds[step.step] is not StepKind.BUILD)


def _recorded(services: Services, project: Project, built: Built, outcome: TestOutcome) -> TestOutcome:
    record_tests(services, project, built, outcome)
    return outcome

"""Hand over: a project built, its provenance signed and recorded, its artifacts in the user's folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.plan.plan import make_plan
from lockage.recipe.model import StepKind
from lockage.work.attest import record_provenance
from lockage.work.build import Built, build

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lockage.base.name import StepName
    from lockage.plan.plan import Plan
    from lockage.work.prepare import Project
    from lockage.work.services import Services

__all__ = ["build_project", "hand_over", "recipe_path"]


def build_project(
    services: Services, project: Project, *, only: Sequence[StepName] = (), keep: Path | None = None, keep_going: bool = False
) -> tuple[Plan, Built]:
    """Build the artifacts of a project (or only what the named steps need) and record their provenance.

    ``keep`` is where the workspaces of failed steps are kept; ``keep_going``: a failure stops only what needs the step.
    """
    plan = make_plan(project.recipe, project.lock, project.source, only=only, kinds=(StepKind.BUILD,))
    built = build(services, plan, keep=keep, keep_going=keep_going)
    record_provenance(services, plan, built, recipe_path=recipe_path(project))
    return plan, built


def recipe_path(project: Project) -> str | None:
    """Where the recipe lies in the source; None if it was inferred."""
    return None if project.recipe.inferred else "lockage.toml"


def hand_over(
    services: Services,
    project: Project,
    *,
    out: Path,
    only: Sequence[StepName] = (),
    keep: Path | None = None,
    keep_going: bool = False,
) -> Built:
    """Build and put the artifacts into ``out``; with an inferred recipe the lock as well, so that the build can be repeated.

    After a failure nothing is put there, whatever else was built: the folder holds all of a build or what it held before.
    """
    _, built = build_project(services, project, only=only, keep=keep, keep_going=keep_going)
    services.folders.place(out, [(artifact.name, artifact.blob) for artifact in built.artifacts])
    if project.recipe.inferred:
        lock = project.lock.encode()
        if services.folders.read(out, "lockage.lock") != lock:
            services.folders.write(out, "lockage.lock", lock)
    return built

"""Hand over: a project built, its provenance signed and recorded, its artifacts in the user's folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from lockage.plan.plan import make_plan
from lockage.ports import BlobCorrupt, BlobMissing
from lockage.recipe.model import StepKind
from lockage.work.attest import record_provenance
from lockage.work.build import Built, build
from lockage.work.outcome import Attempts
from lockage.work.whole import AS_USUAL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from lockage.base.name import StepName
    from lockage.plan.plan import Plan
    from lockage.work.prepare import Project
    from lockage.work.services import Services
    from lockage.work.whole import CacheUse

__all__ = ["attempted", "build_project", "hand_over", "recipe_path"]


T = TypeVar("T")


def build_project(
    services: Services,
    project: Project,
    *,
    only: Sequence[StepName] = (),
    keep: Path | None = None,
    keep_going: bool = False,
    use: CacheUse = AS_USUAL,
) -> tuple[Plan, Built]:
    """Build the artifacts of a project (or only what the named steps need) and record their provenance.

    ``keep`` is where the workspaces of failed steps are kept; ``keep_going``: a failure stops only what needs the step.
    What is found lost meanwhile is brought back.
    """

    def attempt(use: CacheUse, attempts: Attempts) -> tuple[Plan, Built]:
        return _build(services, project, only, keep, keep_going=keep_going, use=use, attempts=attempts)

    return attempted(services, project, use, attempt)


def attempted(services: Services, project: Project, use: CacheUse, attempt: Callable[[CacheUse, Attempts], T]) -> T:
    """What an attempt gives; what is found lost meanwhile is brought back, and the attempt made again (:mod:`lockage.work.heal`)."""
    attempts = Attempts()
    loss: BlobCorrupt | BlobMissing | None = None
    if not use.recheck:
        try:
            return attempt(use, attempts)
        except (BlobCorrupt, BlobMissing) as error:
            loss = error
    from lockage.work.heal import healed  # only after a loss, or where one is looked for

    return healed(services, project, use, attempt, attempts, loss)


def _build(
    services: Services,
    project: Project,
    only: Sequence[StepName],
    keep: Path | None,
    *,
    keep_going: bool,
    use: CacheUse,
    attempts: Attempts,
) -> tuple[Plan, Built]:
    plan = make_plan(project.recipe, project.lock, project.source, only=only, kinds=(StepKind.BUILD,))
    built = build(services, plan, keep=keep, keep_going=keep_going, use=use, attempts=attempts)
    signed = record_provenance(services, plan, built, recipe_path=recipe_path(project))
    if built.basis is not None:
        basis = msgspec.structs.replace(built.basis, present=(plan.source.tree, *signed))
        built = msgspec.structs.replace(built, basis=basis)
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
    use: CacheUse = AS_USUAL,
) -> Built:
    """Build and put the artifacts into ``out``; with an inferred recipe the lock as well, so that the build can be repeated.

    After a failure nothing is put there, whatever else was built: the folder holds all of a build or what it held before.
    """

    def attempt(use: CacheUse, attempts: Attempts) -> Built:
        _, built = _build(services, project, only, keep, keep_going=keep_going, use=use, attempts=attempts)
        services.folders.place(out, [(artifact.name, artifact.blob) for artifact in built.artifacts])
        return built

    built = attempted(services, project, use, attempt)
    if project.recipe.inferred:
        lock = project.lock.encode()
        if services.folders.read(out, "lockage.lock") != lock:
            services.folders.write(out, "lockage.lock", lock)
    return built

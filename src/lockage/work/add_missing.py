"""Add missing: an inferred build, repeated with the OS packages that its own failure names.

Invariant: only what the environment's signed index says to have what the failed step missed is added, and the lock says that it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.errors import StepFailed
from lockage.record.event import Phase
from lockage.work.hand_over import hand_over
from lockage.work.prepare import RecipeDecides, prepare
from lockage.work.whole import AS_USUAL

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lockage.base.name import StepName
    from lockage.recipe.wanted import Wanted
    from lockage.work.build import Built
    from lockage.work.prepare import Project
    from lockage.work.services import Services
    from lockage.work.whole import CacheUse

__all__ = ["hand_over_adding"]

#: How often a build is repeated: compilers stop at the first header, so a project needs one round for each library.
_ROUNDS = 8
_LOCK = "lockage.lock"


def hand_over_adding(
    services: Services,
    locator: str,
    *,
    wanted: Wanted,
    out: Path,
    only: Sequence[StepName] = (),
    keep: Path | None = None,
    keep_going: bool = False,
    use: CacheUse = AS_USUAL,
) -> tuple[Project, Built]:
    """Prepare, build and hand over a source without a recipe, adding what the build lacks as long as a failure names packages.

    Raises what preparing and building raise, the failure of the last round if that names nothing new; :class:`RecipeDecides`.
    """
    for left in range(_ROUNDS, -1, -1):
        try:
            project = prepare(services, locator, beside=services.folders.read(out, _LOCK), wanted=wanted, keep=keep)
            if not project.recipe.inferred:
                raise RecipeDecides(f"{locator} has a lockage.toml, and that says which packages there are", source=locator)
            return project, hand_over(services, project, out=out, keep=keep, only=only, keep_going=keep_going, use=use)
        except StepFailed as error:
            lacking = _named(error)
            if not lacking or not left:
                raise
            services.tell(Phase(text=f"adding {', '.join(lacking)}, which {_who(error)} lacks, and building again"))
            wanted = msgspec.structs.replace(wanted, added=(*wanted.added, *lacking))
    raise AssertionError("the last round ends the loop")


def _who(error: StepFailed) -> str:
    """The step or steps that failed."""
    steps = error.details.get("steps")
    return f"one of the steps {', '.join(steps)}" if isinstance(steps, tuple) else f"the step {error.details['step']}"


def _named(error: StepFailed) -> tuple[str, ...]:
    """The packages that a failed step of an inferred recipe lacks."""
    found = error.details.get("packages")
    return found if isinstance(found, tuple) and error.details.get("recipe") == "inferred" else ()

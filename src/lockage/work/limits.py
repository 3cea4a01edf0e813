"""What to do about a limit that a step reached: the key of its recipe, what it says now, and where that stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.tree import top_file
from lockage.base.units import human_duration, human_size

if TYPE_CHECKING:
    from lockage.plan.plan import Plan
    from lockage.record.artifact import StepRun
    from lockage.record.result import Exceeded
    from lockage.work.services import Services

__all__ = ["limit_details", "limit_hint"]

_RECIPE = "lockage.toml"
#: The limit that is the same for every step.
_LOG = "log"


def limit_details(exceeded: Exceeded) -> dict[str, str | int]:
    """The details of an error: the limit by its key, what it allows and what was reached."""
    return {"limit": exceeded.limit, "allowed": exceeded.allowed, "reached": exceeded.reached}


def limit_hint(services: Services, plan: Plan, step: StepRun, exceeded: Exceeded) -> str:
    """One sentence in the imperative."""
    if exceeded.limit == _LOG:
        return f"Let step {step.step!r} write what it prints into a file: the limit of {human_size(exceeded.allowed)} is every step's."
    line = None if plan.recipe.inferred else _line(services, plan, step, exceeded.limit)
    place = f"{_RECIPE}:{line}" if line is not None else _RECIPE
    if plan.recipe.inferred:
        place = f"the {_RECIPE} that `lockage init` writes"
    return f"If it needs that much, raise `{exceeded.limit}` of step {step.step!r} in {place}, which is {_shown(exceeded)} now."


def _shown(exceeded: Exceeded) -> str:
    if exceeded.limit == "timeout":
        return human_duration(exceeded.allowed)
    return str(exceeded.allowed) if exceeded.limit == "processes" else human_size(exceeded.allowed)


def _line(services: Services, plan: Plan, step: StepRun, key: str) -> int | None:
    """The line of the key, or of its step; None where the recipe lies elsewhere than at the top of the source."""
    text = top_file(plan.source.tree, _RECIPE, services.blobs.get)
    if text is None:
        return None
    from lockage.recipe.lines import nearest, places_of  # only on the way to an error

    places = places_of(text.decode(errors="replace"))
    return nearest(places, ("step", step.step, key)).line if ("step", step.step) in places else None

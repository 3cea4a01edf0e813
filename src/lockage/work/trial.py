"""Trials: a recipe with mitigations written into it, run in several worlds. What is tried is what would be written, byte for byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.digest import BlobRef
from lockage.base.name import StepName
from lockage.compare.mitigations import Mitigation
from lockage.plan.plan import Plan, make_plan
from lockage.recipe.change import together
from lockage.recipe.mend import mended
from lockage.recipe.model import StepKind
from lockage.record.event import Phase
from lockage.work.rebuild import Rebuilder

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from lockage.plan.plan import PlannedStep
    from lockage.recipe.model import Recipe
    from lockage.work.prepare import Project
    from lockage.work.services import Services

__all__ = ["Attempt", "Chosen", "Delivered", "Exhausted", "Trials"]

#: The artifacts of a step by name; None if it delivered none, because something failed.
Delivered = dict[str, BlobRef] | None


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """A mitigation for a step, and the cause for which it is tried."""

    mitigation: Mitigation
    cause: str

    @property
    def reason(self) -> str:
        """The comment in the recipe."""
        return f"lockage verify --fix: {self.mitigation.does} ({self.cause})"


#: The mitigations of each step.
Chosen = dict[StepName, list[Attempt]]


class Exhausted(Exception):
    """No more rebuilds are allowed."""


class Trials:
    """Recipes made from one text, and what their steps deliver. ``read`` makes a recipe of a text; at most ``most`` rebuilds are made."""

    def __init__(self, services: Services, project: Project, text: str, read: Callable[[str], Recipe], most: int) -> None:
        self._services, self._project, self._text, self._read = services, project, text, read
        self._most = most
        self.count = 0
        self._planned: dict[StepName, PlannedStep] = {planned.name: planned for planned in self.plan({}).steps}

    def text(self, attempts: Mapping[StepName, Sequence[Attempt]]) -> str:
        """The recipe's text with these attempts written into it. Raises StepNotEdited."""
        found = self._text
        for step, chosen in attempts.items():
            changes = {one.mitigation.name: one.mitigation.change_of(self._planned[step].variables) for one in chosen}
            if not changes:
                continue
            reasons: dict[str, list[str]] = {}
            for one in chosen:
                for key in changes[one.mitigation.name].keys:
                    reasons.setdefault(key, []).append(one.reason)
            found = mended(found, step, together(changes.values()), reasons)
        return found

    def plan(self, attempts: Mapping[StepName, Sequence[Attempt]], only: Collection[StepName] = ()) -> Plan:
        """The plan of the builds, or of what these steps need."""
        recipe = self._read(self.text(attempts))
        return make_plan(recipe, self._project.lock, self._project.source, only=only, kinds=(StepKind.BUILD,))

    def is_made(self, step: StepName, attempts: Sequence[Attempt], more: Attempt) -> bool:
        """Whether a step has a mitigation already, by what is tried or as it was."""
        if more.mitigation.name in (one.mitigation.name for one in attempts):
            return True
        planned = self._planned[step]
        return more.mitigation.change_of(planned.variables).is_made(planned.step)

    def deliver(
        self, attempts: Mapping[StepName, Sequence[Attempt]], steps: Collection[StepName], axes: Sequence[str], what: str
    ) -> dict[StepName, Delivered]:
        """What these steps deliver with these axes varied; none spoils what another delivers. Raises :class:`Exhausted`."""
        if not steps:
            return {}
        if self.count >= self._most:
            raise Exhausted
        self.count += 1
        self._services.tell(Phase(text=f"looking for a mend: rebuild {self.count}, {what}"))
        with Rebuilder(self._services, self.plan(attempts, steps)) as rebuilder:
            done = rebuilder.rebuild(axes)
        if done.failure is not None and len(steps) > 1:  # a run ends with the first failure
            found: dict[StepName, Delivered] = {}
            for step in steps:
                found |= self.deliver(attempts, [step], axes, what)
            return found
        delivered: dict[StepName, Delivered] = {step: None if done.failure is not None else {} for step in steps}
        for artifact in done.artifacts:
            of_step = delivered.get(artifact.step)
            if of_step is not None:
                of_step[artifact.name] = artifact.blob
        return delivered

"""The roots that a plan's steps run in, each made once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.errors import Drift
from lockage.ports import RealisedRoot
from lockage.recipe.modes import MODES
from lockage.variation import CONTRACT
from lockage.work.roots import realise

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from lockage.base.digest import BlobRef
    from lockage.base.name import StepName
    from lockage.environment.lock import LockedEnvironment
    from lockage.plan.plan import Plan, PlannedStep
    from lockage.record.artifact import StepRun
    from lockage.variation import World
    from lockage.work.services import Services

__all__ = ["StepRoots"]


class StepRoots:
    """The roots of the steps of ``plan`` for one ``world``; ``root_for`` puts them elsewhere. Steps with ``results`` need none."""

    def __init__(
        self,
        services: Services,
        plan: Plan,
        results: Mapping[StepName, StepRun],
        world: World,
        root_for: Callable[[LockedEnvironment], RealisedRoot] | None = None,
    ) -> None:
        self._services = services
        self._plan = plan
        self._results = results
        self._varied = world != CONTRACT
        self._root_for = root_for
        self._made: dict[BlobRef, RealisedRoot] = {}

    def of_all(self) -> None:
        """Have the roots of all steps without a result, once: what is not as the lock says stops a build before its first step."""
        if not self._made:
            for other in self._plan.steps:
                if other.name not in self._results:
                    self.of(other)

    def of(self, planned: PlannedStep) -> RealisedRoot:
        """The root that a step runs in. Raises what realising raises."""
        tree = planned.environment.root.tree
        found = self._made.get(tree)
        if found is None:
            found = self._made[tree] = self._realised(planned)
        return found

    def _realised(self, planned: PlannedStep) -> RealisedRoot:
        """The root of a step's environment. What is not as the lock says is told with the steps that need it."""
        name, environment = planned.step.environment, planned.environment
        if environment.root.is_host:
            return RealisedRoot(ref=environment.root, layers=())
        try:
            return realise(self._services, environment, name) if self._root_for is None else self._root_for(environment)
        except Drift as error:
            error.details.setdefault("environment", str(name))
            needing = (other.name for other in self._plan.steps if other.environment.root == environment.root)
            error.details["needed_by"] = tuple(str(other) for other in needing if other not in self._results)
            raise

    def instruments(self, planned: PlannedStep) -> Path | None:
        """What the lock pins beside the root, if a world other than the contract's, or a mode of the step, may need it."""
        if planned.environment.root.is_host:
            return None
        modes = planned.step.modes
        wanted = self._varied or (modes and any(MODES[mode].preloads for mode in modes))
        return self._services.roots.instruments(planned.environment) if wanted else None

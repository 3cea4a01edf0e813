"""Rebuild: a plan executed once more in another world, without the action cache."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

import msgspec

from lockage.base.digest import BlobRef
from lockage.base.errors import StepFailed
from lockage.base.name import StepName
from lockage.ports import Observed
from lockage.record.artifact import Artifact
from lockage.variation import vary
from lockage.work.artifacts import deliver
from lockage.work.diagnose import last_lines
from lockage.work.execute import Execution
from lockage.work.roots import whole

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from lockage.environment.lock import LockedEnvironment
    from lockage.plan.plan import Plan
    from lockage.ports import RealisedRoot
    from lockage.variation import World
    from lockage.work.services import Services

__all__ = ["Rebuild", "Rebuilder"]


class Rebuild(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one rebuild: its artifacts, the outputs of every step that went through, and why a step failed with its last lines.

    ``observed`` is by step what was observed of it, if that was asked for.
    """

    axes: tuple[str, ...]
    artifacts: tuple[Artifact, ...]
    outputs: dict[StepName, BlobRef]
    failure: str | None = None
    last_lines: tuple[str, ...] = ()
    observed: dict[StepName, Observed] = {}

    def artifact(self, name: str) -> Artifact | None:
        """The artifact of that name, if it was delivered."""
        return next((artifact for artifact in self.artifacts if artifact.name == name), None)


class Rebuilder:
    """Makes rebuilds of one plan. Roots that a world wants to be elsewhere are put there once, and removed at the end."""

    def __init__(self, services: Services, plan: Plan) -> None:
        self._services, self._plan = services, plan
        self._stack = ExitStack()
        self._elsewhere: dict[str, Callable[[LockedEnvironment], RealisedRoot]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def rebuild(self, axes: Collection[str], *, observing: bool = False) -> Rebuild:
        """Run every step with these axes varied. A step that fails, or artifacts that cannot be delivered, are told, not raised."""
        world = vary(axes)
        execution = Execution(self._services, self._plan, world=world, fresh=True, root_for=self._roots(world), observing=observing)
        execution.run()
        failed = [run for run in execution.results.values() if run.failure is not None]
        failures = [f"{run.step}: {run.failure}" for run in failed]
        try:
            artifacts = deliver(self._services, self._plan, execution.results, remember=False)
        except StepFailed as error:
            failures.append(error.message)
            artifacts = ()
        return Rebuild(
            axes=tuple(axes),
            artifacts=artifacts,
            outputs={run.step: run.outputs for run in execution.results.values() if run.failure is None},
            failure="; ".join(failures) or None,
            last_lines=last_lines(self._services.blobs.get(failed[0].log)) if failed else (),
            observed=execution.observed,
        )

    def _roots(self, world: World) -> Callable[[LockedEnvironment], RealisedRoot]:
        if world.root_order not in self._elsewhere:
            root_for = self._stack.enter_context(self._services.varied_roots(world))
            made: dict[BlobRef, RealisedRoot] = {}

            def kept(environment: LockedEnvironment) -> RealisedRoot:
                key = environment.root.tree
                if key not in made:
                    made[key] = root_for(whole(self._services, environment))
                return made[key]

            self._elsewhere[world.root_order] = kept
        return self._elsewhere[world.root_order]

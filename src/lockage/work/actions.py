"""The actions of a plan's steps: what each is made of, and which was made of the same before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.canonical import InvalidDocument, canonical_of, decode
from lockage.base.digest import BlobRef
from lockage.base.tree import EMPTY_TREE, Tree, read_tree
from lockage.plan.plan import resolution_key, resolve
from lockage.recipe.chosen import Chosen
from lockage.work.given import GivenTrees
from lockage.work.inputs import fetch_inputs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockage.base.digest import Digest
    from lockage.base.name import StepName
    from lockage.base.path import RelPath
    from lockage.plan.plan import Plan, PlannedStep, Resolved
    from lockage.record.artifact import StepRun
    from lockage.work.last_build import LastBuild
    from lockage.work.services import Services

__all__ = ["StepActions"]


class _Known(msgspec.Struct, frozen=True):
    action: BlobRef


class StepActions:
    """The actions of the steps of ``plan``, of which ``results``, as they come, are what later ones need.

    With ``last`` what it knows of the source and of the steps is shared.
    """

    def __init__(self, services: Services, plan: Plan, results: Mapping[StepName, StepRun], last: LastBuild | None = None) -> None:
        self._services = services
        self._plan = plan
        self._results = results
        self._source = Chosen(lambda: read_tree(plan.source.tree, services.blobs.get)) if last is None else last.source
        self._keys: dict[StepName, Digest] = {} if last is None else last.keys
        self._fetched: dict[Digest, BlobRef] | None = None
        self._given = GivenTrees(services.blobs.get) if last is None else last.given

    def _needs(self, planned: PlannedStep) -> dict[StepName, BlobRef]:
        return {need: self._results[need].outputs for need in planned.step.needs}

    def resolve(self, planned: PlannedStep, *, partial: bool = False) -> Resolved:
        """The step's action; ``partial``: as if those of its needs that have no result had made nothing."""
        step, results = planned.step, self._results
        needs: dict[StepName, Tree] = {}
        for need in step.needs:
            run = results.get(need) if partial else results[need]
            needs[need] = EMPTY_TREE if run is None else self._given.tree(run.outputs)
        if self._fetched is None:  # all that the plan names: wrong bytes stop it before its first step, not after hours
            waiting = [found for other in self._plan.steps if other.name not in results for found in other.fetched]
            self._fetched = fetch_inputs(self._services, waiting)
        return resolve(planned, self._source, needs, self._fetched, EMPTY_TREE if step.crates is None else self._crates(step.crates))

    def _crates(self, lock: RelPath) -> Tree:
        """The crates of a Cargo.lock."""
        from lockage.work.crates import vendored  # only steps that build Rust need it

        return vendored(self._services, self._source.tree, lock)

    def key(self, planned: PlannedStep) -> Digest:
        """Identity of all that the step's action is made of; its needs have results."""
        found = self._keys.get(planned.name)
        if found is None:
            found = self._keys[planned.name] = resolution_key(planned, self._seen(planned), self._needs(planned))
        return found

    def _seen(self, planned: PlannedStep) -> Digest | BlobRef | None:
        """Tells what a step sees of the source, itself or by way of the crates and recordings that it names."""
        step = planned.step
        if step.crates is not None or planned.services:
            return self._plan.source.tree
        return self._source.digest(step.inputs) if step.inputs else None

    def remembered(self, planned: PlannedStep) -> BlobRef | None:
        """The action that was made of the same before; nothing else is asked for it."""
        found = self._services.memo.get("resolution", self.key(planned))
        try:
            return decode(found, _Known).action if found else None
        except InvalidDocument:
            return None  # another lockage wrote it; a memo counts for nothing

    def remember(self, planned: PlannedStep, action: BlobRef) -> None:
        """Note the step's action by what it is made of."""
        self._services.memo.put("resolution", self.key(planned), canonical_of(_Known(action)))

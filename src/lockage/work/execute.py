"""Perform a plan: ask the schedule what is next, the cache whether it is known, the executor to run it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.canonical import InvalidDocument, canonical_of, decode
from lockage.base.digest import BlobRef, Digest
from lockage.base.errors import LockageError
from lockage.base.name import StepName
from lockage.base.tree import EMPTY_TREE, FileNode, Tree, read_tree
from lockage.plan.contract import relocated
from lockage.plan.plan import Plan, PlannedStep, Resolved, resolution_key, resolve
from lockage.ports import ExecutionFailed, ExecutionRequest, Observed
from lockage.recipe.modes import MODES
from lockage.record.artifact import Attempt
from lockage.record.event import Planned, StepEnded, StepRetried, StepSkipped, StepStarted
from lockage.record.result import ActionResult, Usage
from lockage.schedule import Job, Schedule
from lockage.variation import CONTRACT, World
from lockage.work.inputs import fetch_inputs
from lockage.work.outcome import failure_of, may_pass, run_of, skipped
from lockage.work.roots import realise

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lockage.environment.lock import LockedEnvironment
    from lockage.ports import RealisedRoot
    from lockage.recipe.model import Step
    from lockage.record.artifact import StepRun
    from lockage.work.services import Services

__all__ = ["Execution", "execute"]


class _Known(msgspec.Struct, frozen=True):
    action: BlobRef


class _Started(msgspec.Struct, frozen=True):
    """A step that is being executed, and the attempts at it that failed."""

    planned: PlannedStep
    action: BlobRef
    request: ExecutionRequest
    attempts: tuple[Attempt, ...] = ()


class Execution:
    """One pass over a plan. ``fresh`` neither reads nor writes the action cache; ``world`` is what the sandbox shows.

    A fresh pass runs nothing again that failed: whether a step gives the same every time is what it is made to find out.

    ``root_for`` lets a verification put the roots elsewhere; ``keep`` is the folder in which the workspaces of failed steps are kept;
    ``keep_going``: a failure stops only what needs the step.
    After :meth:`run`, ``results`` holds a StepRun per executed step, and with ``observing`` ``observed`` what was observed of it.
    """

    def __init__(
        self,
        services: Services,
        plan: Plan,
        *,
        world: World = CONTRACT,
        fresh: bool = False,
        root_for: Callable[[LockedEnvironment], RealisedRoot] | None = None,
        keep: Path | None = None,
        observing: bool = False,
        keep_going: bool = False,
    ) -> None:
        self._services = services
        self._plan = plan
        self._world = world
        self._fresh = fresh
        self._keep = keep
        self._observing = observing
        self._keep_going = keep_going
        self._root_for = root_for
        self._roots: dict[BlobRef, RealisedRoot] = {}
        self._by_name = {planned.name: planned for planned in plan.steps}
        self._fetched: dict[Digest, BlobRef] | None = None
        self.results: dict[StepName, StepRun] = {}
        self.observed: dict[StepName, Observed] = {}

    def run(self) -> None:
        """Run everything; after the first failure nothing new starts, unless it keeps going. Raises what the adapters raise."""
        jobs = [Job(name=p.name, needs=frozenset(p.step.needs), cpus=p.step.cpus, memory=p.step.resources.memory) for p in self._plan.steps]
        schedule = Schedule.of(jobs, self._services.capacity, keep_going=self._keep_going)
        self._services.tell(Planned(steps=tuple(job.name for job in jobs)))
        pending: dict[StepName, _Started] = {}
        try:
            while not schedule.finished_all:
                for job in schedule.startable():
                    planned = self._by_name[job.name]
                    schedule = schedule.started(job.name)
                    done = self._start(planned, pending)
                    if done is not None:
                        schedule = schedule.finished(job.name, succeeded=done.failure is None)
                        break  # a hit may have made an earlier step startable
                else:
                    key, outcome = self._services.workers.wait()
                    started = pending.pop(StepName(key))
                    if isinstance(outcome, BaseException):
                        raise outcome
                    if isinstance(outcome, Observed):
                        self.observed[started.planned.name] = outcome
                        outcome = outcome.outcome
                    assert isinstance(outcome, ActionResult | ExecutionFailed)
                    done = self._finish(started, outcome, pending)
                    if done is not None:
                        schedule = schedule.finished(done.step, succeeded=done.failure is None)
        except BaseException:
            self._services.workers.abandon(self._cancel)
            raise
        if self._keep_going:
            for one in skipped(self._plan, self.results):
                self._services.tell(StepSkipped(step=one.step, failed=one.failed))

    def _cancel(self) -> None:
        self._services.executor.cancel()

    def run_here(self) -> StepRun:
        """Run a plan of one step in this thread, beside whatever else is running, and tell nobody. Raises what the adapters raise."""
        (planned,) = self._plan.steps
        found = self._known_or_resolved(planned)
        if isinstance(found, Resolved):
            outcome = self._services.executor.execute(self._request(planned, found))
            if isinstance(outcome, ActionResult) and outcome.exit_code == 0 and not self._fresh:
                self._services.cache.put(found.encoded.ref, outcome)
            found = run_of(planned.name, found.encoded.ref, outcome, cached=False)
        self.results[planned.name] = found
        return found

    def _start(self, planned: PlannedStep, pending: dict[StepName, _Started]) -> StepRun | None:
        """The step's result if it is known; else start it and return None."""
        found = self._known_or_resolved(planned)
        if not isinstance(found, Resolved):
            return self._told(planned, found)
        request = self._request(planned, found)
        self._services.tell(StepStarted(step=planned.name))
        self._begin(_Started(planned, found.encoded.ref, request), pending)
        return None

    def _known_or_resolved(self, planned: PlannedStep) -> StepRun | Resolved:
        """The step's result if it is known; else its action."""
        known = None if self._fresh else self._remembered(planned)
        if known is not None:
            hit = self._services.cache.get(known)
            if hit is not None and self._whole(hit):
                return run_of(planned.name, known, hit, cached=True)
        resolved = self._resolve(planned)
        if not self._fresh:
            hit = self._services.cache.get(resolved.encoded.ref)
            self._remember(planned, resolved.encoded.ref)
            if hit is not None and self._whole(hit):
                return run_of(planned.name, resolved.encoded.ref, hit, cached=True)
        return resolved

    def _begin(self, started: _Started, pending: dict[StepName, _Started]) -> None:
        executor = self._services.executor
        run = executor.observe if self._observing else executor.execute
        self._services.workers.start(started.planned.name, lambda: run(started.request))
        pending[started.planned.name] = started  # only what has begun is waited for

    def look(self) -> dict[StepName, Resolved]:
        """The actions of all steps as far as they are known without running any, with ``results`` from the cache.

        In the action of a step that needs one without a result, what that would make is not there.
        """
        found: dict[StepName, Resolved] = {}
        for planned in self._plan.steps:
            resolved = found[planned.name] = self._resolve(planned, partial=True)
            hit = self._services.cache.get(resolved.encoded.ref)
            if hit is not None and self._whole(hit) and all(need in self.results for need in planned.step.needs):
                self.results[planned.name] = run_of(planned.name, resolved.encoded.ref, hit, cached=True)
        return found

    def request(self, planned: PlannedStep) -> ExecutionRequest:
        """What the executor would be given to run a step whose needs have results."""
        return self._request(planned, self._resolve(planned))

    def _request(self, planned: PlannedStep, resolved: Resolved) -> ExecutionRequest:
        environment = planned.environment
        root = self._roots.get(environment.root.tree)
        if root is None:
            name = planned.step.environment
            made = realise(self._services, environment, name) if self._root_for is None else self._root_for(environment)
            root = self._roots[environment.root.tree] = made
        variables = relocated(resolved.action.variables, build_path=self._world.build_path, temporary=self._world.temporary)
        action = msgspec.structs.replace(resolved.action, variables=variables)
        self._services.blobs.put_many(resolved.directories.values())
        return ExecutionRequest(
            action=action,
            root=root,
            resources=planned.step.resources,
            world=self._world,
            instruments=self._services.roots.instruments(environment) if self._instrumented(planned.step) else None,
            keep=None if self._keep is None else self._keep / planned.name,
        )

    def _instrumented(self, step: Step) -> bool:
        """Whether a world other than the contract's, or a mode of the step, may need what the lock pins beside the root."""
        return self._world != CONTRACT or any(MODES[mode].preloads for mode in step.modes)

    def _finish(self, started: _Started, outcome: ActionResult | ExecutionFailed, pending: dict[StepName, _Started]) -> StepRun | None:
        """The step's result; None if it is run once more."""
        planned = started.planned
        attempts = planned.step.retries + 1
        number = len(started.attempts) + 1
        if number < attempts and not self._fresh and may_pass(outcome):
            usage = Usage() if isinstance(outcome, ExecutionFailed) else outcome.usage
            attempt = Attempt(failure=str(failure_of(outcome)), log=outcome.log, usage=usage)
            self._services.tell(StepRetried(step=planned.name, attempt=number, attempts=attempts, failure=attempt.failure))
            self._begin(msgspec.structs.replace(started, attempts=(*started.attempts, attempt)), pending)
            return None
        if isinstance(outcome, ActionResult) and outcome.exit_code == 0 and not self._fresh:
            self._services.cache.put(started.action, outcome)
        return self._told(planned, run_of(planned.name, started.action, outcome, cached=False, attempts=started.attempts))

    def _told(self, planned: PlannedStep, run: StepRun) -> StepRun:
        """The result of a step that ended, kept and told."""
        self.results[planned.name] = run
        self._services.tell(StepEnded(step=planned.name, cached=run.cached, failure=run.failure, wall_ms=run.usage.wall_ms, log=run.log))
        return run

    def _needs(self, planned: PlannedStep) -> dict[StepName, BlobRef]:
        return {need: self.results[need].outputs for need in planned.step.needs}

    def _resolve(self, planned: PlannedStep, *, partial: bool = False) -> Resolved:
        """The step's action; ``partial``: as if those of its needs that have no result had made nothing."""
        get = self._services.blobs.get
        lacking = [need for need in planned.step.needs if need not in self.results] if partial else []
        needs = {need: EMPTY_TREE if need in lacking else read_tree(self.results[need].outputs, get) for need in planned.step.needs}
        if self._fetched is None:  # all that the plan names: wrong bytes stop it before its first step, not after hours
            waiting = [found for other in self._plan.steps if other.name not in self.results for found in other.fetched]
            self._fetched = fetch_inputs(self._services, waiting)
        source = read_tree(self._plan.source.tree, get)
        return resolve(planned, source, needs, self._fetched, self._crates(planned, source))

    def _crates(self, planned: PlannedStep, source: Tree) -> Tree:
        """The crates that the step sees."""
        if planned.step.crates is None:
            return EMPTY_TREE
        from lockage.work.crates import vendored  # only steps that build Rust need it

        return vendored(self._services, source, planned.step.crates)

    def _remembered(self, planned: PlannedStep) -> BlobRef | None:
        found = self._services.memo.get("resolution", resolution_key(planned, self._plan.source.tree, self._needs(planned)))
        try:
            return decode(found, _Known).action if found else None
        except InvalidDocument:
            return None  # another lockage wrote it; a memo counts for nothing

    def _remember(self, planned: PlannedStep, action: BlobRef) -> None:
        key = resolution_key(planned, self._plan.source.tree, self._needs(planned))
        self._services.memo.put("resolution", key, canonical_of(_Known(action)))

    def _whole(self, result: ActionResult) -> bool:
        """Whether everything a cached result refers to is present."""
        blobs = self._services.blobs
        if not blobs.has(result.log) or not blobs.has(result.outputs):
            return False
        try:
            tree = read_tree(result.outputs, blobs.get)
        except LockageError:
            return False
        return all(blobs.has(node.blob) for node in tree if isinstance(node, FileNode))


def execute(services: Services, plan: Plan, *, keep: Path | None = None, keep_going: bool = False) -> dict[StepName, StepRun]:
    """Run a plan as the contract says, with the cache; ``keep`` and ``keep_going`` are as for :class:`Execution`."""
    execution = Execution(services, plan, keep=keep, keep_going=keep_going)
    execution.run()
    return execution.results

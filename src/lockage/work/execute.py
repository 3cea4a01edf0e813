"""Perform a plan: ask the schedule what is next, the cache whether it is known, the executor to run it."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from lockage.base.digest import BlobRef
from lockage.base.errors import LockageError
from lockage.plan.contract import relocated
from lockage.plan.plan import Plan, PlannedStep, Resolved
from lockage.ports import ExecutionFailed, ExecutionRequest, Observed, RealisedRoot
from lockage.record.artifact import Attempt, Lost
from lockage.record.event import BlobsLost, Reason, StepBlocked, StepRetried, StepSkipped, StepStarted, StepUnblocked
from lockage.record.result import ActionResult
from lockage.variation import CONTRACT, World
from lockage.work.actions import StepActions
from lockage.work.outcome import ended, failure_of, may_pass, planned_steps, run_of, skipped
from lockage.work.step_roots import StepRoots
from lockage.work.whole import AS_USUAL, lost_of_new, lost_of_result

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from lockage.base.name import LatchName, StepName
    from lockage.environment.lock import LockedEnvironment
    from lockage.record.artifact import StepRun
    from lockage.work.last_build import LastBuild
    from lockage.work.outcome import Attempts
    from lockage.work.services import Services
    from lockage.work.whole import CacheUse

__all__ = ["Execution", "execute"]


#: Actions are kept from the look at a step until it starts for so many that wait; for the others they are made again.
_KEPT_RESOLVED = 256


#: Bytes of inputs that may lie in memory for a step before it has its turn, as the schedule does not count them.
_MOST_EARLY = 64 << 20


#: Bytes of inputs, and of the messages that name them, that take so long to write that others should not be kept waiting.
_LARGE, _MANY = 4 << 20, 100 << 10


class _Started(msgspec.Struct, frozen=True):
    """A step that is being executed, the attempts at it that failed, and when this one began; ``again``: because the store had not kept
    what it gave.
    """

    planned: PlannedStep
    action: BlobRef
    request: ExecutionRequest
    attempts: tuple[Attempt, ...] = ()
    again: bool = False
    began: int = 0


class Execution:
    """One pass over a plan. ``fresh`` neither reads nor writes the action cache; ``world`` is what the sandbox shows.

    A fresh pass runs nothing again that failed: whether a step gives the same every time is what it is made to find out.

    ``root_for`` lets a verification put the roots elsewhere; ``keep`` is the folder in which the workspaces of failed steps are kept;
    ``keep_going``: a failure stops only what needs the step; ``use`` is how kept results are taken; ``last`` is asked first for what
    is known. ``lost`` lists what was found damaged or missing of them.
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
        use: CacheUse = AS_USUAL,
        last: LastBuild | None = None,
    ) -> None:
        self._use = use
        self._services = services
        self._plan = plan
        self._world = world
        self._fresh = fresh
        self._keep = keep
        self._observing = observing
        self._keep_going = keep_going
        self._by_name = {planned.name: planned for planned in plan.steps}
        self._looked_at: dict[StepName, Resolved] = {}
        self._lost_steps: set[StepName] = set()
        self._pending: dict[str, _Started] = {}
        #: The request of the step that was prepared and has not been started, if there is one.
        self._prepared: dict[StepName, ExecutionRequest] = {}
        self._last = None if fresh else last
        self._steady = services.clock.steady
        self._zero = self._steady()
        self.results: Final[dict[StepName, StepRun]] = {}  # also what actions and roots of later steps are told by
        self.observed: dict[StepName, Observed] = {}
        self.lost: list[Lost] = []
        self._actions = StepActions(services, plan, self.results, last)
        self._roots = StepRoots(services, plan, self.results, world, root_for)

    def run(self) -> None:
        """Run everything; after the first failure nothing new starts, unless it keeps going. Raises what the adapters raise.

        Raises :class:`lockage.ports.TooManyCpus` before anything is executed.
        """
        self._services.tell(planned_steps(self._plan, self._services.capacity.jobs))
        if self._all_known():
            return
        from lockage.work.expected import remember_durations  # nobody waits for a turn where nothing is executed
        from lockage.work.turns import take_turns

        try:
            take_turns(self._services, self._plan, self, keep_going=self._keep_going)
            self._services.workers.dismiss(self._prepared)
        except BaseException:
            self._services.workers.abandon(self.cancel)
            with suppress(LockageError):
                self._settle()  # what has ended is kept, whatever broke off the rest
            raise
        self._settle()
        if not self._fresh:  # another world may be slower
            remember_durations(self._services.memo, self._plan, self.results.values())
        if self._keep_going:
            for one in skipped(self._plan, self.results):
                self._services.tell(StepSkipped(step=one.step, failed=one.failed))

    def _elapsed(self) -> int:
        """Milliseconds since the execution of the plan began."""
        return self._steady() - self._zero

    def _all_known(self) -> bool:
        """Whether every step's result is known, as far as steps in plan order tell up to the first of which it is not."""
        for planned in self._plan.steps:
            run = self._look(planned)
            if run is None or run.failure is not None:
                return False
        return True

    def known(self, name: StepName) -> StepRun | None:
        """See :class:`lockage.work.turns.Performer`; what was found out already is not asked for again."""
        if name in self.results or name in self._looked_at:
            return self.results.get(name)
        return self._look(self._by_name[name])

    def start(self, name: StepName) -> None:
        """See :class:`lockage.work.turns.Performer`."""
        planned = self._by_name[name]
        self._roots.of_all()
        resolved = self._looked_at.pop(name, None) or self._actions.resolve(planned)
        reason = Reason.REBUILD if self._fresh else Reason.LOST if name in self._lost_steps else Reason.NOT_KEPT
        self._services.tell(StepStarted(step=name, action=resolved.encoded.ref.digest, reason=reason))
        request = self._prepared.pop(name, None)
        if request is None:
            self._begin(_Started(planned, resolved.encoded.ref, self._request(planned, resolved), began=self._elapsed()))
        else:
            self._pending[name] = _Started(planned, resolved.encoded.ref, request, began=self._elapsed())
            self._services.workers.release(name)

    @property
    def prepares(self) -> bool:
        """See :class:`lockage.work.turns.Performer`."""
        return self._services.executor.performs and not self._observing

    def prepare(self, name: StepName) -> None:
        """See :class:`lockage.work.turns.Performer`; one at a time."""
        planned, resolved = self._by_name[name], self._looked_at.get(name)
        if self._prepared or resolved is None or planned.step.exclusive or resolved.size > _MOST_EARLY:
            return
        request = self._request(planned, resolved)
        performance = self._services.executor.perform(request)
        if performance is not None:
            self._prepared[name] = request
            self._services.workers.begin(name, performance)

    def wait(self, *, again: bool) -> StepRun | None:
        """See :class:`lockage.work.turns.Performer`."""
        key, outcome = self._services.workers.wait()
        started = self._pending.pop(key)
        if isinstance(outcome, Observed):
            self.observed[started.planned.name] = outcome
            outcome = outcome.outcome
        if isinstance(outcome, (ActionResult, ExecutionFailed)):
            return self._finish(started, outcome, again=again)
        assert isinstance(outcome, BaseException)
        raise outcome

    def _settle(self) -> None:
        """Wait until everything that came of it is durable."""
        self._services.blobs.settle()
        self._services.cache.settle()

    def cancel(self) -> None:
        """End what is being executed, and what waits for a latch."""
        if any(planned.step.exclusive for planned in self._plan.steps):
            self._services.latches.interrupt()
        self._services.executor.cancel()

    def run_here(self) -> StepRun:
        """Run a plan of one step in this thread, beside whatever else is running, and tell nobody. Raises what the adapters raise."""
        (planned,) = self._plan.steps
        found = self._known_or_resolved(planned)
        if isinstance(found, Resolved):
            outcome = self._services.executor.execute(self._request(planned, found))
            if isinstance(outcome, ActionResult) and outcome.exit_code == 0 and not self._fresh:
                self._services.cache.put(found.encoded.ref, outcome)
            self._settle()
            found = run_of(planned.name, found.encoded.ref, outcome, cached=False)
        self.results[planned.name] = found
        return found

    def _look(self, planned: PlannedStep) -> StepRun | None:
        """The step's result if it is known."""
        found = self._known_or_resolved(planned)
        if not isinstance(found, Resolved):
            return self._told(found)
        if len(self._looked_at) < _KEPT_RESOLVED:
            self._looked_at[planned.name] = found
        return None

    def _known_or_resolved(self, planned: PlannedStep) -> StepRun | Resolved:
        """The step's result if it is known; else its action."""
        # What a step of this build has just made is as a rule new, and so is the action of whoever needs it: neither is asked for by
        # what it is made of. If it has a result all the same, it is found by the action.
        needs = [] if self._fresh else [run for need in planned.step.needs if not (run := self.results[need]).cached]
        last, known = self._last, None
        if last is not None and (not needs or all(last.gave(run) for run in needs)):
            found = last.result(planned.name, self._actions.key(planned))
            if found is not None:
                return found
        if not needs and not self._fresh:
            known = self._actions.remembered(planned)
            if known is not None and (hit := self._kept(planned, known)) is not None:
                return run_of(planned.name, known, hit, cached=True)
        resolved = self._actions.resolve(planned)
        if not self._fresh:
            hit = None if resolved.encoded.ref == known else self._kept(planned, resolved.encoded.ref)
            if hit is not None:
                self._actions.remember(planned, resolved.encoded.ref)
                return run_of(planned.name, resolved.encoded.ref, hit, cached=True)
        return resolved

    def _begin(self, started: _Started) -> None:
        self.begin(started.planned, started.request)
        self._pending[started.planned.name] = started  # only what has begun is waited for

    def begin(self, planned: PlannedStep, request: ExecutionRequest) -> None:
        """Let the workers execute a step, with the latches that it asks for."""
        executor, workers = self._services.executor, self._services.workers
        run = executor.observe if self._observing else executor.execute
        names = planned.step.exclusive
        if not names:
            performance = None if self._observing else executor.perform(request)
            if performance is None:
                workers.start(planned.name, partial(run, request))
            else:
                workers.begin(planned.name, performance)
                workers.release(planned.name)
            return
        tell = self._services.tell
        blocked: list[LatchName] = []

        def say(latch: LatchName) -> None:
            blocked.append(latch)
            tell(StepBlocked(step=planned.name, latch=latch))

        def task() -> object:
            with self._services.latches.held(names, say) as held:
                if held and blocked:
                    tell(StepUnblocked(step=planned.name))
                return run(request) if held else None  # not held: nobody waits for a result any more

        workers.start(planned.name, task)

    def look(self) -> dict[StepName, Resolved]:
        """The actions of all steps as far as they are known without running any, with ``results`` from the cache.

        In the action of a step that needs one without a result, what that would make is not there.
        """
        found: dict[StepName, Resolved] = {}
        for planned in self._plan.steps:
            resolved = found[planned.name] = self._actions.resolve(planned, partial=True)
            hit = self._kept(planned, resolved.encoded.ref, say=False)
            if hit is not None and all(need in self.results for need in planned.step.needs):
                self.results[planned.name] = run_of(planned.name, resolved.encoded.ref, hit, cached=True)
        return found

    def request(self, planned: PlannedStep) -> ExecutionRequest:
        """What the executor would be given to run a step whose needs have results."""
        return self._request(planned, self._actions.resolve(planned))

    def _request(self, planned: PlannedStep, resolved: Resolved) -> ExecutionRequest:
        root = self._roots.of(planned)
        action, world = resolved.action, self._world
        if world is not CONTRACT:
            variables = relocated(action.variables, build_path=world.build_path, temporary=world.temporary)
            action = msgspec.structs.replace(action, variables=variables)
        self._services.blobs.put_messages(resolved.directories)
        if planned.services:
            from lockage.work.recordings import check_recordings  # few steps have services

            check_recordings(self._services, planned, resolved.action)
        return ExecutionRequest(
            action=action,
            root=root,
            resources=planned.step.resources,
            world=self._world,
            instruments=self._roots.instruments(planned),
            keep=None if self._keep is None else self._keep / planned.name,
            large=resolved.size > _LARGE or sum(map(len, resolved.directories.values())) > _MANY,
        )

    def _finish(self, started: _Started, outcome: ActionResult | ExecutionFailed, *, again: bool) -> StepRun | None:
        """The step's result; None if it is run once more, as it may be with ``again``."""
        planned, tried = started.planned, started.attempts
        if len(tried) < planned.step.retries and not self._fresh and again and may_pass(outcome):
            times = {"started_ms": started.began, "finished_ms": self._elapsed()}
            attempt = Attempt(failure=str(failure_of(outcome)), log=outcome.log, usage=outcome.usage, **times)
            of = planned.step.retries + 1
            self._services.tell(StepRetried(step=planned.name, attempt=len(tried) + 1, attempts=of, failure=attempt.failure))
            self._begin(msgspec.structs.replace(started, attempts=(*tried, attempt), began=self._elapsed()))
            return None
        if not self._fresh and isinstance(outcome, ActionResult):
            lost = () if outcome.exit_code else lost_of_new(self._services, outcome)
            if lost and not started.again:  # what it wrote was there before, and damaged: now it is set aside, and can be written
                self._lose(planned, lost)
                self._begin(msgspec.structs.replace(started, again=True, began=self._elapsed()))
                return None
            self._keep_result(started.action, outcome)
        lasted = (started.began, self._elapsed())
        return self._told(run_of(planned.name, started.action, outcome, cached=False, attempts=tried, times=lasted))

    def _keep_result(self, action: BlobRef, result: ActionResult) -> None:
        """Keep what a later build may take; a failure only if that is asked for, and never in the place of a success."""
        cache = self._services.cache
        if result.exit_code == 0:
            cache.put_soon(action, result)
        elif self._use.failures:
            known = cache.get(action)
            if known is None or known.exit_code:
                cache.put_soon(action, result)

    def _told(self, run: StepRun) -> StepRun:
        self.results[run.step] = run
        self._services.tell(ended(run))
        return run

    def _kept(self, planned: PlannedStep, action: BlobRef, *, say: bool = True) -> ActionResult | None:
        """The kept result of an action, if all of it is there and whole; what is not whole is told, and the step will run."""
        found = self._services.cache.get(action)
        if found is None or (found.exit_code and not self._takes_failures):
            return None
        lost = lost_of_result(self._services, found, recheck=self._use.recheck)
        if not lost:
            return found
        if say:
            self._lose(planned, lost)
        return None

    def _lose(self, planned: PlannedStep, refs: Sequence[BlobRef]) -> None:
        found = Lost(what=f"what step {planned.name} gave", blobs=tuple(ref.digest for ref in refs))
        self.lost.append(found)
        self._lost_steps.add(planned.name)
        self._services.tell(BlobsLost(what=found.what, blobs=found.blobs))

    @property
    def _takes_failures(self) -> bool:
        """Whether a kept failure is a result: nothing is left of its workspace, so not where that is to be looked at."""
        return self._use.failures and self._keep is None


def execute(
    services: Services,
    plan: Plan,
    *,
    keep: Path | None = None,
    keep_going: bool = False,
    use: CacheUse = AS_USUAL,
    attempts: Attempts | None = None,
    last: LastBuild | None = None,
) -> dict[StepName, StepRun]:
    """Run a plan as the contract says, with the cache; ``keep``, ``keep_going``, ``use`` and ``last`` are as for :class:`Execution`.

    ``attempts`` takes in what was executed and what was found lost, whatever it comes to.
    """
    execution = Execution(services, plan, keep=keep, keep_going=keep_going, use=use, last=last)
    try:
        execution.run()
    finally:
        if attempts is not None:
            attempts.take(execution.results)
            attempts.lost += execution.lost
    return execution.results

"""Build: a plan's steps executed, its artifacts delivered, the run recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.canonical import canonical, canonical_of
from lockage.base.digest import Digest
from lockage.base.errors import LockageError, StepFailed
from lockage.ports import BlobCorrupt, BlobMissing
from lockage.record.artifact import Artifact, Run
from lockage.record.event import BlobsLost
from lockage.work.last_build import Basis, LastBuild
from lockage.work.outcome import over, skipped
from lockage.work.whole import AS_USUAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from lockage.base.digest import BlobRef
    from lockage.base.instant import Instant
    from lockage.base.name import StepName
    from lockage.plan.plan import Plan
    from lockage.record.artifact import Lost, Reexecution, StepRun
    from lockage.work.outcome import Attempts
    from lockage.work.services import Services
    from lockage.work.whole import CacheUse

__all__ = ["RUN_MEMO", "Built", "StepNotDone", "build", "not_done", "record_run", "run_key", "see_output"]

#: The kind of the memos that name the last run of :func:`run_key`.
RUN_MEMO = "run"

#: What to do about a step that asked its services otherwise than was recorded.
_OF_SERVICES = {
    "service-mismatch": "If the step is right to ask that, record the answer; else correct what it asks (docs/services.md).",
    "service-unused": "If the step is right not to ask, take the response out of the recording (docs/services.md).",
}


class StepNotDone(StepFailed):
    """A step's command failed, exceeded a limit, or did not write what the recipe says."""

    code = "step-not-done"


class Built(msgspec.Struct, frozen=True, kw_only=True):
    """What a build gave: the run, its id on this machine, and the artifacts; ``basis`` if it repeated another one."""

    run: Run
    run_id: str
    basis: Basis | None = None

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        return self.run.artifacts

    @property
    def executed(self) -> int:
        """How many steps were not taken from the cache."""
        return sum(not step.cached for step in self.run.steps)


def build(
    services: Services,
    plan: Plan,
    *,
    keep: Path | None = None,
    keep_going: bool = False,
    use: CacheUse = AS_USUAL,
    attempts: Attempts | None = None,
) -> Built:
    """Run a plan and record it; ``keep`` is where the workspaces of failed steps are kept, ``keep_going``: not only up to the first.

    ``use`` is how kept results are taken; ``attempts`` are those at the same build, where a loss breaks one off (:mod:`lockage.work.heal`).
    Raises, once all is recorded, :class:`StepNotDone` naming the step, the reason and its last lines; if several failed,
    :class:`lockage.work.failure.StepsNotDone`, which tells that of each; :class:`lockage.work.reexecute.ReexecutionDiffers`.
    """
    started = services.clock.now()
    if any(planned.environment.root.is_host for planned in plan.steps):
        from lockage.work.on_host import say_host  # few environments are the host

        say_host(services, plan)
    # Who asks for everything to be looked at again is not to be told what was remembered of it all.
    last = None if use.recheck else LastBuild(services, plan)
    lost = attempts.lost if attempts is not None else ()
    anew = use.sample is not None or (attempts is not None and bool(attempts.lost or attempts.ran))
    repeated = None if last is None or anew else last.repeated(started)
    if repeated is not None:
        return Built(run=repeated[0], run_id=repeated[1], basis=None if last is None else last.basis)
    from lockage.work.execute import execute  # not needed where nothing has changed

    results = execute(services, plan, keep=keep, keep_going=keep_going, use=use, attempts=attempts, last=last)
    reexecuted = None
    if use.sample is not None and all(run.failure is None for run in results.values()):
        from lockage.work.reexecute import reexecute  # only who asks for it

        reexecuted = reexecute(services, plan, results, use.sample)
    run, run_id = record_run(services, plan, results, started, lost=lost, recheck=use.recheck, reexecuted=reexecuted)
    if last is not None:
        last.keep(run, run_id)
    if any(step.failure is not None for step in run.steps):
        from lockage.work.failure import failure  # only on the way to an error

        raise failure(services, plan, run, run_id, keep=keep)
    if reexecuted is not None:
        from lockage.work.reexecute import reexecution_failure

        if (different := reexecution_failure(run, run_id)) is not None:
            raise different
    return Built(run=run, run_id=run_id)


def record_run(
    services: Services,
    plan: Plan,
    results: Mapping[StepName, StepRun],
    started: Instant,
    *,
    lost: Sequence[Lost] = (),
    recheck: bool = False,
    reexecuted: Reexecution | None = None,
) -> tuple[Run, str]:
    """Deliver the artifacts of what succeeded, and keep the run's record and canonical log; ``lost`` is what was brought back in it,
    ``recheck`` is as for :func:`lockage.work.artifacts.deliver`.

    What is found lost now is raised before anything is recorded.

    Raises what :func:`lockage.work.artifacts.deliver` raises, once the run is recorded without artifacts.
    """
    from lockage.work.artifacts import deliver  # not needed where nothing has changed

    remade: list[Lost] = []
    undelivered: LockageError | None = None
    artifacts: tuple[Artifact, ...] = ()
    try:
        artifacts = deliver(services, plan, results, recheck=recheck, lost=remade)
    except (BlobCorrupt, BlobMissing):
        raise  # it can be brought back
    except LockageError as error:
        undelivered = error
    run = Run(
        project=plan.recipe.project,
        source=plan.source,
        recipe=plan.recipe.digest,
        lock=plan.lock_digest,
        started=started,
        finished=max(started, services.clock.now()),  # the clock may have been set back meanwhile
        steps=tuple(results[planned.name] for planned in plan.steps if planned.name in results),
        artifacts=artifacts,
        skipped=skipped(plan, results),
        lost=(*lost, *_not_told(services, lost, remade)),
        reexecuted=reexecuted,
    )
    run_id = _recorded(services, plan, run, results)
    if undelivered is not None and all(step.failure is None for step in run.steps):
        raise undelivered
    return run, run_id


def _not_told(services: Services, lost: Iterable[Lost], remade: Iterable[Lost]) -> Iterator[Lost]:
    """What delivering found lost, without what was found before it; it is told now."""
    known = {blob for one in lost for blob in one.blobs}
    for one in remade:
        if blobs := tuple(blob for blob in one.blobs if blob not in known):
            services.tell(BlobsLost(what=one.what, blobs=blobs))
            yield msgspec.structs.replace(one, blobs=blobs)


def run_key(run: Run) -> Digest:
    """Of what a run ran and what came of it: the memo that says which was the last such run has it as its key."""
    parts = [str(step.action) for step in run.steps] + [f"{artifact.name} {artifact.blob}" for artifact in run.artifacts]
    return Digest.of(canonical([*parts, str(run.source.digest), str(run.recipe), str(run.lock)]))


def _recorded(services: Services, plan: Plan, run: Run, results: Mapping[StepName, StepRun]) -> str:
    """The id of the run's record; a run that executed nothing is the run that it repeats."""
    key = run_key(run)
    if all(step.cached for step in run.steps) and not run.lost and run.reexecuted is None:
        known = (services.memo.get(RUN_MEMO, key) or b"").decode(errors="replace")
        if services.runs.get(known) is not None:
            for event in over(run, known, repeated=True):
                services.tell(event)
            return known
    # What tells later in which packages another run's environments differ.
    locked = {str(planned.step.environment): planned.environment for planned in plan.steps}
    environments = {name: services.blobs.put(canonical_of(environment)) for name, environment in locked.items()}
    document = services.blobs.put(canonical_of(plan.recipe))  # what tells later which step needed which, and saw what
    run = msgspec.structs.replace(run, environments=environments, recipe_document=document, host=services.host)
    run_id = services.runs.put(run, services.blobs.put(canonical_log(services, plan, results)))
    from lockage.work.put_back import put_back  # not needed where nothing has changed

    put_back(services, run)
    services.memo.put(RUN_MEMO, key, run_id.encode())
    for event in over(run, run_id):
        services.tell(event)
    return run_id


def canonical_log(services: Services, plan: Plan, results: Mapping[StepName, StepRun]) -> bytes:
    """The log of a run: every step's output in plan order under a heading, without times; the same for any number of jobs."""
    parts: list[bytes] = []
    read: dict[BlobRef, bytes] = {}

    def lines(log: BlobRef) -> bytes:
        """What was printed, read once: most steps print nothing."""
        found = read.get(log)
        if found is None:
            text = services.blobs.get(log)
            found = read[log] = text if text.endswith(b"\n") or not text else text + b"\n"
        return found

    left_out = {one.step: one for one in skipped(plan, results)}
    for planned in plan.steps:
        run = results.get(planned.name)
        if planned.name in left_out:
            parts.append(f"== {planned.name} · not started: it needs {', '.join(left_out[planned.name].failed)}, which failed\n".encode())
        if run is None:
            continue
        parts.append(f"== {planned.name} · action {run.action.digest}\n".encode())
        for number, attempt in enumerate(run.attempts, 1):
            parts.append(lines(attempt.log))
            parts.append(f"== {planned.name} · attempt {number} of {planned.step.retries + 1}: {attempt.failure}\n".encode())
        parts.append(lines(run.log))
        parts.append(f"== {planned.name} · {run.failure or 'done'}\n".encode())
    return b"".join(parts)


def see_output(run_id: str, *steps: str) -> str:
    """The last sentences of the hint about steps that failed."""
    commands = ", ".join(f"`lockage logs {run_id} {step}`" for step in steps)
    return f"See all of {'its' if len(steps) == 1 else 'their'} output with {commands}, mend the cause, and build again."


def not_done(services: Services, plan: Plan, step: StepRun, run_id: str, *, keep: Path | None = None) -> StepNotDone:
    """The error that explains a failed step: the reason, what it says that it did not find and which packages have it, its last lines."""
    from lockage.work.diagnose import advice, last_lines, missing  # only on the way to an error
    from lockage.work.suggest import suggest

    assert step.failure is not None
    reason, _, message = step.failure.partition(": ")
    log = services.blobs.get(step.log)
    lacks = missing(log)
    planned = next(planned for planned in plan.steps if planned.name == step.step)
    suggested = suggest(services, planned.environment, lacks)
    found = f"; it did not find {', '.join(map(str, lacks))}" if lacks else ""
    kept_before = " before" if step.cached else ""
    tried = f" at each of {len(step.attempts) + 1} attempts" if step.attempts else ""
    hints: list[str | None] = [str(suggested)]
    details: dict[str, str | int] = {}
    if step.exceeded is not None:
        from lockage.work.limits import limit_details, limit_hint

        hints.append(limit_hint(services, plan, step, step.exceeded))
        details = limit_details(step.exceeded)
    hints.append(_OF_SERVICES.get(reason))
    if planned.environment.root.is_host:
        details["unpinned_host"] = planned.environment.root.tree.digest
        hints.append("The environment is this machine: install on it what is missing." if lacks else None)
    else:
        hints.append(
            advice(
                [lacking for lacking in lacks if lacking not in suggested.told],
                inferred=plan.recipe.inferred,
                image=planned.environment.pulled is not None,
            )
        )
    if step.cached:
        hints.append("It was not run again, as its failure was kept: a build without --cache-failures runs it.")
    hints.append(see_output(run_id, step.step))
    return StepNotDone(
        f"step {step.step!r} failed{kept_before}{tried}: {message}{found}",
        hint=" ".join(filter(None, hints)),
        step=step.step,
        reason=reason,
        missing=tuple(map(str, lacks)),
        packages=suggested.packages,
        environment=planned.step.environment,
        recipe="inferred" if plan.recipe.inferred else "lockage.toml",
        added=planned.environment.added,
        kept=None if keep is None else str(keep / step.step),
        last_lines=last_lines(log),
        **details,
    )

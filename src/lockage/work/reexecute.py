"""Re-execute: a sample of the steps that a build took from the cache, executed once more and compared with what was kept.

Invariants: nothing in the cache is overwritten; which steps are chosen is a function of the seed and their actions, and the seed is
recorded; what came out is kept as blobs, so that `lockage diff` can show both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.digest import Digest
from lockage.base.errors import NotReproduced
from lockage.base.name import StepName
from lockage.base.tree import FileNode, read_tree
from lockage.compare.files import grade
from lockage.compare.grade import Grade, worst
from lockage.ports import ExecutionFailed
from lockage.record.artifact import DifferentOutput, Reexecuted, Reexecution
from lockage.record.event import Phase
from lockage.record.result import ActionResult
from lockage.schedule.job import Job
from lockage.schedule.schedule import Schedule
from lockage.work.execute import Execution
from lockage.work.outcome import failure_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from lockage.base.digest import BlobRef
    from lockage.base.tree import Node
    from lockage.plan.plan import Plan, PlannedStep
    from lockage.record.artifact import Run, StepRun
    from lockage.work.services import Services
    from lockage.work.whole import Sample

__all__ = ["ReexecutionDiffers", "reexecute", "reexecution_failure"]

#: An error names so many paths of a step; the record has all.
_SHOWN = 10


class ReexecutionDiffers(NotReproduced):
    """A step that was executed again gave another result than the kept one, with the same inputs."""

    code = "reexecution-differs"


def reexecute(services: Services, plan: Plan, results: Mapping[StepName, StepRun], sample: Sample) -> Reexecution:
    """Execute a sample of the steps whose results were kept, and compare. Raises what executing raises."""
    sample = sample if sample.seed else msgspec.structs.replace(sample, seed=services.new_seed())
    chosen = _chosen(plan, results, sample)
    found: dict[StepName, Reexecuted] = {}
    if chosen:
        services.tell(Phase(text=f"executing {len(chosen)} unchanged steps again (seed {sample.seed})"))
        for planned, outcome in _outcomes(services, plan, results, chosen):
            found[planned.name] = _compared(services, results[planned.name], outcome)
        services.blobs.settle()  # whoever is told that they differ looks at them
    return Reexecution(seed=sample.seed, steps=tuple(found[planned.name] for planned in chosen))


def _chosen(plan: Plan, results: Mapping[StepName, StepRun], sample: Sample) -> list[PlannedStep]:
    """The steps to execute, in plan order: those whose digests with the seed are the least."""
    kept = [planned for planned in plan.steps if planned.name in results and _is_kept(results[planned.name])]
    ranked = sorted(kept, key=lambda planned: Digest.of(f"{sample.seed}\0{planned.name}\0{results[planned.name].action}".encode()))
    taken = {planned.name for planned in ranked[: sample.count_of(len(kept))]}
    return [planned for planned in kept if planned.name in taken]


def _is_kept(run: StepRun) -> bool:
    return run.cached and run.failure is None


def _outcomes(
    services: Services, plan: Plan, results: Mapping[StepName, StepRun], chosen: Iterable[PlannedStep]
) -> Iterator[tuple[PlannedStep, ActionResult | ExecutionFailed]]:
    """Each step executed with the kept results of its needs, beside the others as far as the machine allows."""
    execution = Execution(services, plan, fresh=True)
    execution.results.update(results)
    by_name = {planned.name: planned for planned in chosen}
    schedule = Schedule(map(_job, by_name.values()), msgspec.structs.replace(services.capacity, pools=plan.recipe.pools), keep_going=True)
    while (job := schedule.look(ahead=True)) is not None:
        schedule.queue(job.name)
    try:
        while True:
            while (job := schedule.start()) is not None:
                planned = by_name[job.name]
                execution.begin(planned, execution.request(planned))
            if not schedule.running:
                return
            key, outcome = services.workers.wait()
            if isinstance(outcome, BaseException):
                raise outcome
            assert isinstance(outcome, ActionResult | ExecutionFailed)
            planned = by_name[StepName(key)]
            schedule.finished(planned.name, succeeded=True)
            yield planned, outcome
    except BaseException:
        services.workers.abandon(execution.cancel)
        raise


def _job(planned: PlannedStep) -> Job:
    """A step as one that needs nothing: what it needs has results."""
    step = planned.step
    exclusive = frozenset(step.exclusive)
    return Job(name=step.name, needs=frozenset(), cpus=step.cpus, memory=step.resources.memory, exclusive=exclusive, pools=step.pools)


def _compared(services: Services, kept: StepRun, outcome: ActionResult | ExecutionFailed) -> Reexecuted:
    failure = failure_of(outcome)
    if isinstance(outcome, ExecutionFailed) or failure is not None:
        return Reexecuted(
            step=kept.step, action=kept.action, grade=Grade.FAILED.value, failure=failure, outputs=kept.outputs, log=outcome.log
        )
    different = tuple(_differences(services, kept.outputs, outcome.outputs))
    return Reexecuted(
        step=kept.step,
        action=kept.action,
        grade=worst([Grade.IDENTICAL, *(Grade(one.grade) for one in different)]).value,
        outputs=outcome.outputs,
        log=outcome.log,
        different=different,
    )


def _differences(services: Services, kept: BlobRef, found: BlobRef) -> Iterator[DifferentOutput]:
    """What differs of two trees of outputs, by path."""
    if kept == found:
        return
    get = services.blobs.get
    one, two = ({node.path: node for node in read_tree(tree, get)} for tree in (kept, found))
    for path in sorted(one.keys() | two.keys()):
        a, b = one.get(path), two.get(path)
        if a == b:
            continue
        alike = Grade.DIFFERENT
        if isinstance(a, FileNode) and isinstance(b, FileNode) and a.executable == b.executable:
            alike = grade(path.name, get(a.blob), get(b.blob))
        yield DifferentOutput(path=path, grade=alike.value, kept=_said(a), found=_said(b))


def _said(node: Node | None) -> str:
    """What a node of a tree is, in a word: a file its sha256."""
    if isinstance(node, FileNode):
        return f"{node.blob.digest}{' (executable)' if node.executable else ''}"
    return "nothing" if node is None else "a link or a folder"


def reexecution_failure(run: Run, run_id: str) -> ReexecutionDiffers | None:
    """The error that names every step that gave something else; None if none did."""
    wrong = [] if run.reexecuted is None else [step for step in run.reexecuted.steps if step.grade != Grade.IDENTICAL]
    if not wrong or run.reexecuted is None:
        return None
    lines: list[str] = []
    for step in wrong:
        lines.append(f"{step.step}: {step.grade}" + (f" ({step.failure})" if step.failure else ""))
        lines += [f"  {one.path}: kept {one.kept}, found {one.found}" for one in step.different[:_SHOWN]]
        if len(step.different) > _SHOWN:
            lines.append(f"  and {len(step.different) - _SHOWN} others")
    pair = next((one for step in wrong for one in step.different if len(one.kept.split()) == len(one.found.split()) == 1), None)
    look = f"`lockage diff {pair.kept} {pair.found}` shows one difference; " if pair is not None and pair.found != "nothing" else ""
    return ReexecutionDiffers(
        f"{len(wrong)} of {len(run.reexecuted.steps)} steps that were executed again gave another result than the kept one",
        hint=f"{look}`lockage verify` finds the cause. The kept results were left as they are.",
        run=run_id,
        seed=run.reexecuted.seed,
        steps=tuple(str(step.step) for step in wrong),
        differences=tuple(lines),
    )

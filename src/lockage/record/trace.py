"""A run as a trace that chrome://tracing and Perfetto open: the "Trace Event Format", as JSON.

Times are microseconds since the execution of the plan began. Executed steps are complete events (``X``) on lanes, each in the first lane
that is free; their attempts lie below them. Steps that were taken from the cache are instant events (``i``) at the time when all that they
need was there. The critical path is marked
by its category and by flow events (``s``, ``f``) from each step to the next.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from lockage.base.canonical import plain
from lockage.record.history import began, critical_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lockage.base.name import StepName
    from lockage.record.artifact import Run, StepRun

__all__ = ["trace_document"]

_PROCESS = 1
#: The lane of what was taken from the cache.
_KEPT = 0


def trace_document(run: Run, run_id: str, needs: Mapping[StepName, Sequence[StepName]]) -> dict[str, Any]:  # Any: JSON
    """The whole file; a run recorded before there were times has no events but names."""
    path = critical_path(run.steps, needs)
    critical = frozenset(path)
    lanes, known = _lanes(run.steps), _known(run.steps, needs)
    events = [_named("process_name", f"{run.project} {run.source.version}, {run_id}")]
    events.append(_named("thread_name", "taken from the cache", _KEPT))
    events += [_named("thread_name", f"lane {lane}", lane) for lane in sorted(set(lanes.values()))]
    events += [_named("thread_sort_index", lane, lane) for lane in (_KEPT, *sorted(set(lanes.values())))]
    for step in run.steps:
        if step.step in lanes:
            events += _executed(step, lanes[step.step], critical=step.step in critical)
        elif step.cached and lanes:
            events.append(_kept(step, known[step.step]))
    events += _flow(path, {step.step: step for step in run.steps}, lanes)
    about = {"run": run_id, "project": run.project, "version": run.source.version, "started": str(run.started), "host": run.host}
    return dict(plain({"displayTimeUnit": "ms", "otherData": about, "traceEvents": events}))


def _lanes(steps: Sequence[StepRun]) -> dict[StepName, int]:
    """A lane for every executed step, counted from 1, so that no two in a lane overlap; as few as there were beside each other."""
    timed = [(start, step.finished_ms, step.step) for step in steps if not step.cached and (start := began(step)) is not None]
    free: list[int] = []  # when each lane is free again
    found: dict[StepName, int] = {}
    for start, end, name in sorted(timed, key=lambda one: one[0]):
        lane = next((number for number, until in enumerate(free) if until <= start), len(free))
        free[lane : lane + 1] = [end if end is not None else start]
        found[name] = lane + 1
    return found


def _named(what: str, value: str | int, lane: int = _KEPT) -> dict[str, Any]:
    key = "sort_index" if isinstance(value, int) else "name"
    return {"name": what, "ph": "M", "pid": _PROCESS, "tid": lane, "args": {key: value}}


def _executed(step: StepRun, lane: int, *, critical: bool) -> Iterator[dict[str, Any]]:
    start, end = began(step), step.finished_ms
    assert start is not None
    arguments: dict[str, Any] = {
        "action": step.action.digest,
        "outputs": step.outputs.digest,
        "log": step.log.digest,
        "critical": critical,
        "usage": plain(step.usage),
    }
    if step.failure is not None:
        arguments["failure"] = step.failure
    category = ",".join(("step", *(("critical",) if critical else ()), *(("failed",) if step.failure is not None else ())))
    yield _complete(step.step, category, start, end, lane, arguments)
    for number, attempt in enumerate(step.attempts, 1):
        if attempt.started_ms is not None:
            told = {"failure": attempt.failure, "log": attempt.log.digest, "usage": plain(attempt.usage)}
            yield _complete(f"attempt {number}", "attempt", attempt.started_ms, attempt.finished_ms, lane, told)
    if step.attempts and step.started_ms is not None:
        yield _complete(f"attempt {len(step.attempts) + 1}", "attempt", step.started_ms, end, lane, {"log": step.log.digest})


def _complete(name: str, category: str, start: int, end: int | None, lane: int, arguments: dict[str, Any]) -> dict[str, Any]:
    duration = 0 if end is None else end - start
    timed = {"ts": start * 1000, "dur": duration * 1000, "pid": _PROCESS, "tid": lane}
    return {"name": name, "cat": category, "ph": "X", **timed, "args": arguments}


def _known(steps: Sequence[StepRun], needs: Mapping[StepName, Sequence[StepName]]) -> dict[StepName, int]:
    """When the result of each step was known, in milliseconds: of one that was kept, when those of all its needs were."""
    found: dict[StepName, int] = {}
    for step in steps:  # in plan order, so that needs come first
        found[step.step] = step.finished_ms or max((found.get(need, 0) for need in needs.get(step.step, ())), default=0)
    return found


def _kept(step: StepRun, at: int) -> dict[str, Any]:
    arguments = {"action": step.action.digest, "outputs": step.outputs.digest}
    timed = {"ts": at * 1000, "pid": _PROCESS, "tid": _KEPT}
    return {"name": step.step, "cat": "cached", "ph": "i", "s": "t", **timed, "args": arguments}


def _flow(path: Sequence[StepName], steps: Mapping[StepName, StepRun], lanes: Mapping[StepName, int]) -> Iterator[dict[str, Any]]:
    """Arrows from the last microsecond of a step to the first of the next: a flow is bound to the slice that it is in."""
    for number, (one, other) in enumerate(pairwise(path), 1):
        common = {"name": "critical path", "cat": "critical", "id": number, "pid": _PROCESS}
        if one in lanes and other in lanes:
            start, end = (began(steps[one]) or 0) * 1000, (steps[one].finished_ms or 0) * 1000
            yield {**common, "ph": "s", "ts": max(end - 1, start), "tid": lanes[one]}
            yield {**common, "ph": "f", "bp": "e", "ts": (began(steps[other]) or 0) * 1000, "tid": lanes[other]}

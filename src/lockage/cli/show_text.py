"""What ``lockage show`` prints for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.units import human_size, human_time
from lockage.cli.project import source_line
from lockage.cli.screen import short, table
from lockage.cli.usage_text import usage_columns
from lockage.record.conditions import DeviationKind
from lockage.record.host import HostFact
from lockage.work.show import StepState

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lockage.record.artifact import DifferentOutput, Lost, Reexecution
    from lockage.record.lineage import OnChannel
    from lockage.work.show import ShownAction, ShownArtifact, ShownRelease, ShownRun, ShownStep

__all__ = ["action_lines", "artifact_lines", "channels_text", "release_lines", "run_lines"]

#: So many steps of a run are listed; of more those that took longest, and all that failed.
_STEPS = 40
#: So many steps of a chain are named.
_CHAIN = 12
#: So many paths are named of a step that gave something else when it was executed again, and so many losses of a run.
_PATHS = 10
_WIDTH = 100
#: What people call what is recorded of a machine, in the order in which it is told.
_HOST: dict[str, str] = {
    HostFact.KERNEL: "kernel",
    HostFact.MACHINE: "machine",
    HostFact.CPU: "CPU model",
    HostFact.CPUS: "CPUs",
    HostFact.MEMORY: "memory",
    HostFact.STORE_FILE_SYSTEM: "store is on",
    HostFact.CONTROL_GROUPS: "control groups",
    HostFact.SANDBOX: "sandbox",
    HostFact.LOCKAGE: "lockage",
    HostFact.PYTHON: "Python",
    HostFact.SYSTEM: "system",
    HostFact.CPU_FEATURES: "CPU flags",
}
#: The others are told with the step, and with what was lost.
_OF_ENVIRONMENTS = (DeviationKind.HOST_ENVIRONMENT, DeviationKind.STALE_SUITE)


def run_lines(run: ShownRun, *, full: bool) -> Iterator[str]:
    """A run: what it was of, its steps, what it delivered, and on what it ran."""
    yield f"{run.run}: {run.project} {source_line(run.source)}"
    took = "" if run.wall_ms is None else f", took {human_time(run.wall_ms)}"
    yield f"  began {run.started}{took}: {_counts(run.steps)}"
    yield f"  recipe {short(run.recipe)}  lock {short(run.lock)}  source tree {short(run.source.tree.digest)}"
    if run.critical_path:
        chain = run.critical_path if len(run.critical_path) <= _CHAIN else (*run.critical_path[:_CHAIN], f"{len(run.critical_path)} in all")
        yield f"  critical path: {' → '.join(chain)}"
    yield ""
    chosen = run.steps if full else _chosen(run.steps)
    yield from _step_lines(chosen)
    if len(chosen) < len(run.steps):
        yield f"  and {len(run.steps) - len(chosen):,} more steps; --full lists them all"
    if run.lost:
        yield ""
        yield from _lost_lines(run.lost, full=full)
    if run.reexecuted is not None:
        yield ""
        yield from _again_lines(run.reexecuted, full=full)
    if told := [one for one in run.deviations if one.kind in _OF_ENVIRONMENTS]:
        yield ""
        yield "deviations"
        yield from table([(one.kind, f"{one.subject}: {one.what}") for one in told], least=(1,), indent=2)
    if run.artifacts:
        yield ""
        yield "artifacts"
        rows = [(short(one.blob.digest), human_size(one.blob.size), one.name, f"of step {one.step}") for one in run.artifacts]
        yield from table(rows, least=(3, 0), indent=2)
    if run.host:
        yield ""
        yield "ran on"
        yield from _host_lines(run.host, full=full)


def _counts(steps: Sequence[ShownStep]) -> str:
    counted = {state: sum(step.state is state for step in steps) for state in StepState}
    executed = counted[StepState.DONE] + counted[StepState.FAILED]
    told = [f"{executed:,} of {len(steps):,} steps executed"]
    told += [f"{counted[StepState.FAILED]:,} failed"] if counted[StepState.FAILED] else []
    told += [f"{counted[StepState.CACHED]:,} unchanged"] if counted[StepState.CACHED] else []
    told += [f"{counted[StepState.SKIPPED]:,} not started"] if counted[StepState.SKIPPED] else []
    return ", ".join(told)


def _chosen(steps: Sequence[ShownStep]) -> Sequence[ShownStep]:
    """Those worth a line where there are too many, in plan order: failed ones, then executed ones that took long."""
    if len(steps) <= _STEPS:
        return steps
    order = (StepState.FAILED, StepState.DONE, StepState.SKIPPED, StepState.CACHED)
    ranked = sorted(steps, key=lambda step: (order.index(step.state), -(step.usage.wall_ms if step.usage else 0)))
    named = {step.step for step in ranked[:_STEPS]}
    return [step for step in steps if step.step in named]


def _step_lines(steps: Sequence[ShownStep]) -> Iterator[str]:
    headings, usages = usage_columns([step.usage for step in steps])
    rows = [
        (f"{'*' if step.critical else ' '} {step.step}", _state(step), *usage, short(step.action or ""))
        for step, usage in zip(steps, usages, strict=True)
    ]
    if rows:
        yield from table(rows, header=("  step", "", *headings, "action"), least=(-1,))
    if told := sorted({step.usage.source for step in steps if step.usage is not None}):
        yield f"  resources as told by {', '.join(told)}"
    for step in steps:
        for number, attempt in enumerate(step.attempts, 1):
            yield f"  {step.step}: attempt {number} of {_attempts(step)} failed ({attempt.failure})"
        if step.failure is not None:
            yield f"  {step.step}: {step.failure}" + ("" if step.exceeded is None else f" (`{step.exceeded.limit}`)")
    for step in steps:
        if step.services:
            yield f"  {step.step}: asks {', '.join(step.services)} (recorded)"


def _attempts(step: ShownStep) -> int:
    """How many attempts there might have been; where the recipe is not kept, how many there were."""
    return (len(step.attempts) if step.retries is None else step.retries) + 1


def _lost_lines(lost: Sequence[Lost], *, full: bool) -> Iterator[str]:
    yield "found damaged or missing in the store, and brought back"
    chosen = lost if full else lost[:_PATHS]
    yield from table([(f"  {one.what}", ", ".join(short(blob) for blob in one.blobs)) for one in chosen], least=(1,))
    if len(chosen) < len(lost):
        yield f"  and {len(lost) - len(chosen):,} more; --full lists them all"


def _again_lines(again: Reexecution, *, full: bool) -> Iterator[str]:
    """The sample of kept results that was put to the test."""
    if not again.steps:
        yield f"executed again: nothing, as no result was taken from the cache (seed {again.seed})"
        return
    yield f"executed again, and compared with what was kept (seed {again.seed})"
    chosen = again.steps if full else again.steps[:_STEPS]
    yield from table([(f"  {one.step}", one.grade, one.failure or "") for one in chosen], least=(2,))
    if len(chosen) < len(again.steps):
        yield f"  and {len(again.steps) - len(chosen):,} more steps; --full lists them all"
    for one in chosen:
        paths = one.different if full else one.different[:_PATHS]
        yield from (f"  {one.step}: {_difference(path)}" for path in paths)
        if len(paths) < len(one.different):
            yield f"  {one.step}: and {len(one.different) - len(paths):,} more paths; --full lists them all"


def _difference(path: DifferentOutput) -> str:
    kept, found = (text if " " in text or text == "nothing" else short(text) for text in (path.kept, path.found))
    return f"{path.path} is {path.grade}: kept {kept}, found {found}"


def _state(step: ShownStep) -> str:
    match step.state:
        case StepState.CACHED:
            return "unchanged"
        case StepState.SKIPPED:
            return f"not started, as it needs {', '.join(step.needs_failed[:3])}"
        case StepState.DONE if step.attempts:
            return f"done at attempt {len(step.attempts) + 1} of {_attempts(step)}"
        case _:
            return str(step.state)


def _host_lines(host: dict[str, str], *, full: bool) -> Iterator[str]:
    """A line for each thing, unless all is asked for: a CPU has a hundred flags."""
    import textwrap

    known = {name: host[name] for name in _HOST if name in host} | {name: value for name, value in host.items() if name not in _HOST}
    widest = max(len(_HOST.get(name, name)) for name in known)
    for name, value in known.items():
        text = human_size(int(value)) if name == "memory" and value.isdecimal() else value
        indent = " " * (widest + 4)
        lines = textwrap.wrap(text, _WIDTH - len(indent), break_on_hyphens=False)
        if not full and len(lines) > 1:
            lines = [f"{lines[0].rsplit(' ', 1)[0]} …"]
        for number, line in enumerate(lines):
            yield f"  {_HOST.get(name, name).ljust(widest)}  {line}" if number == 0 else indent + line


def channels_text(channels: Sequence[OnChannel]) -> str:
    """Where a release is: ``on dev (generation 3), staging (generation 1)``."""
    told = [f"{one.channel} (generation {one.generation}, since {one.since})" for one in channels]
    return f"on {', '.join(told)}" if told else "on no channel"


def artifact_lines(artifact: ShownArtifact) -> Iterator[str]:
    """An artifact: its digests, who made it, where it is."""
    yield f"{artifact.name}: an artifact of {human_size(artifact.size)}{'' if artifact.kept else ', which is not in the store any more'}"
    rows = [("sha256", str(artifact.sha256)), ("content digest", str(artifact.content_digest))]
    rows += [("run", f"{run_id}, step {step}") for run_id, step in artifact.runs]
    rows += [("release", f"{title}, {channels_text(channels)}") for title, channels in artifact.releases.items()]
    yield from table(rows, indent=2)
    yield f"  all that it was made from: `lockage lineage {short(artifact.sha256)}`"


def release_lines(release: ShownRelease) -> Iterator[str]:
    """A release: what it was made from, what it holds, where it is, what is said about it."""
    yield f"{release.release}: a release, closed {release.closed} by {release.by}"
    rows = [("sha256", str(release.digest)), ("channels", channels_text(release.channels).removeprefix("on "))]
    rows += [("source", source_line(release.source))] if release.source is not None else []
    rows += [("lock", str(release.lock))]
    rows += [("UNPINNED HOST", f"environment {name} was the machine itself, as it was") for name in release.unpinned_hosts]
    rows += [("evidence", f"{count} of {kind.rpartition('://')[2]}") for kind, count in release.evidence.items()]
    yield from table(rows, indent=2)
    yield ""
    yield "artifacts"
    yield from table([(short(one.sha256), human_size(one.size), one.name) for one in release.artifacts], least=(0,), indent=2)


def action_lines(action: ShownAction) -> Iterator[str]:
    """An action: what a step sees."""
    yield f"{action.action}: an action, {'its result is kept' if action.kept else 'no result of it is kept'}"
    rows = [("step", f"{step} of {run_id}") for run_id, step in action.steps[:5]]
    rows += [("", f"and in {len(action.steps) - 5} more runs")] if len(action.steps) > 5 else []
    if not action.run:
        yield from table(rows, indent=2)
        yield "  what it is made of is not in the store any more"
        return
    rows += [("command" if number == 0 else "", word) for number, word in enumerate(_command(action.run))]
    rows += [
        ("outputs", ", ".join(action.outputs)),
        ("workspace", str(action.workspace)),
        ("UNPINNED HOST" if action.unpinned_host else "root", str(action.root)),
    ]
    rows += [("CPUs", f"{action.cpus}, {action.architecture}"), ("contract", str(action.contract))]
    rows += [("modes", ", ".join(action.modes))] if action.modes else []
    yield from table(rows, indent=2)
    yield "  variables"
    yield from table(action.variables, indent=4)


def _command(arguments: tuple[str, ...]) -> list[str]:
    import shlex

    if arguments[:2] == ("/bin/sh", "-euc") and len(arguments) == 3:
        return arguments[2].strip().splitlines() or [""]
    return [shlex.join(arguments)]

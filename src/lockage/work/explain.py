"""Explain: why a step would run, or need not: its action now against those of the runs that this store remembers.

Invariant: nothing is run. What a step needs is looked up among the results that are kept; where one is not, the step waits for it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from lockage.base.canonical import decode
from lockage.base.digest import Digest
from lockage.base.errors import LockageError
from lockage.base.name import StepName
from lockage.base.path import RelPath
from lockage.base.tree import Tree, read_tree
from lockage.environment.lock import LockedEnvironment
from lockage.plan.action import read_action
from lockage.plan.difference import Change, ChangeKind, Origin, action_changes, environment_changes
from lockage.plan.plan import make_plan
from lockage.record.artifact import Run, StepRun
from lockage.work.execute import Execution

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockage.base.digest import BlobRef
    from lockage.base.name import ProjectName
    from lockage.environment.lock import RootRef
    from lockage.plan.plan import Plan, PlannedStep, Resolved
    from lockage.work.prepare import Project
    from lockage.work.services import Services

__all__ = ["Explanation", "State", "explain"]

#: How many runs are looked through, from the newest on.
_RUNS = 500


class State(StrEnum):
    """What a build would do with a step now."""

    KEPT = "kept"  # its result is there, and is taken
    CHANGED = "changed"  # it sees something else than at its last run
    FAILED = "failed"  # it failed with just this; failures are not kept
    LOST = "lost"  # it has run with just this, and its result is not in the store any more
    NEW = "new"  # no run that is remembered has it
    WAITS = "waits"  # something that it needs would run first


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """``changes`` are those since run ``since``; None if there is no other to compare with, or nothing is left of what it saw.

    ``run`` is the run in which the step was executed as it is now, None if it was in none; ``action`` is None while it waits,
    and ``waits_for`` are the steps behind it that would run, in plan order.
    """

    step: StepName
    state: State
    action: Digest | None
    run: str | None
    since: str | None
    changes: tuple[Change, ...]
    waits_for: tuple[StepName, ...] = ()


class _Past(msgspec.Struct, frozen=True):
    """A run that a step took part in."""

    run_id: str
    run: Run
    step: StepRun


def explain(services: Services, project: Project, step: StepName) -> Explanation:
    """Why a build of the project would run a step, or would not. Raises :class:`lockage.plan.plan.NoSuchStep`."""
    plan = make_plan(project.recipe, project.lock, project.source, only=(step,))
    planned = next(planned for planned in plan.steps if planned.name == step)
    execution = Execution(services, plan)
    resolved = execution.look()[step]
    waits_for = tuple(other.name for other in plan.steps if other.name not in execution.results and other.name != step)
    action = resolved.encoded.ref
    past = list(_past(services, project.recipe.project, step))
    if waits_for:
        return _against(
            services,
            plan,
            planned,
            resolved,
            past[:1],
            Explanation(step=step, state=State.WAITS, action=None, run=None, since=None, changes=(), waits_for=waits_for),
        )
    same = [one for one in past if one.step.action == action]
    ran = next((one for one in same if not one.step.cached), same[-1] if same else None)
    if step in execution.results:
        state = State.KEPT
    elif ran is None:
        state = State.CHANGED if past else State.NEW
    else:
        state = State.FAILED if same[0].step.failure is not None else State.LOST
    found = Explanation(step=step, state=state, action=action.digest, run=None if ran is None else ran.run_id, since=None, changes=())
    before = past if ran is None else past[past.index(ran) + 1 :]
    return _against(services, plan, planned, resolved, [one for one in before if one.step.action != action][:1], found)


def _past(services: Services, project: ProjectName, step: StepName) -> Iterator[_Past]:
    """The runs of a step, the newest first."""
    for run_id in services.runs.recent(_RUNS):
        kept = services.runs.get(run_id)
        if kept is not None and kept[0].project == project:
            yield from (_Past(run_id, kept[0], one) for one in kept[0].steps if one.step == step)


def _against(
    services: Services, plan: Plan, planned: PlannedStep, resolved: Resolved, before: list[_Past], found: Explanation
) -> Explanation:
    """The explanation with what has changed since the run given, if what its step saw is still in the store."""
    if not before:
        return found
    (other,) = before
    try:
        earlier = read_action(other.step.action, services.blobs.get)
        trees = (read_tree(earlier.workspace, services.blobs.get), _workspace(services, resolved))
    except (LockageError, ValueError):
        return found
    unknown = {
        output for one in plan.steps if one.name in found.waits_for and one.name in planned.step.needs for output in one.step.outputs
    }
    origins = tuple(_origins(plan, planned))
    changes = action_changes(earlier, resolved.action, (_without(trees[0], unknown), _without(trees[1], unknown)), origins)
    if earlier.root != resolved.action.root and earlier.root.is_host and resolved.action.root.is_host:
        from lockage.work.on_host import host_changes  # few environments are the host

        differing = host_changes(services, earlier.root, resolved.action.root)
        changes += tuple(Change(kind=ChangeKind.HOST, name=one.what, before=one.a, after=one.b) for one in differing)
    elif earlier.root != resolved.action.root:
        changes += environment_changes(earlier.root, _environment(services, other.run, earlier.root), planned.environment)
    return msgspec.structs.replace(found, since=other.run_id, changes=changes)


def _workspace(services: Services, resolved: Resolved) -> Tree:
    def get(ref: BlobRef) -> bytes:
        data = resolved.directories.get(ref)
        return services.blobs.get(ref) if data is None else data

    return read_tree(resolved.action.workspace, get)


def _without(tree: Tree, paths: set[RelPath]) -> Tree:
    return Tree(tuple(node for node in tree if not any(node.path == path or node.path.is_under(path) for path in paths)))


def _origins(plan: Plan, planned: PlannedStep) -> Iterator[Origin]:
    """Which paths of a step's workspace are not the source's."""
    for other in plan.steps:
        if other.name in planned.step.needs:
            yield from (Origin(path=path, kind=ChangeKind.NEED, step=other.name) for path in other.step.outputs)
    yield from (Origin(path=fetched.path, kind=ChangeKind.FETCH) for fetched in planned.fetched)
    if planned.step.crates is not None:
        yield Origin(path=RelPath(".cargo"), kind=ChangeKind.CRATE)


def _environment(services: Services, run: Run, root: RootRef) -> LockedEnvironment | None:
    """The environment of a run that had a root; None if that is not known any more."""
    for ref in run.environments.values():
        try:
            found = decode(services.blobs.get(ref), LockedEnvironment)
        except LockageError:
            continue
        if found.root == root:
            return found
    return None

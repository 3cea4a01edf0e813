"""Which process wrote what differs, told from who wrote the files of the sandboxes in one observed rebuild."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.tree import FileNode, read_tree
from lockage.compare.spot import FAILED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from lockage.base.name import StepName
    from lockage.base.tree import Tree
    from lockage.compare.blame import Blame
    from lockage.plan.plan import Plan
    from lockage.ports import Writer
    from lockage.work.build import Built
    from lockage.work.rebuild import Rebuild
    from lockage.work.services import Services

__all__ = ["changed_paths", "inner_path", "steps_behind", "with_processes", "writer_of"]


def with_processes(
    services: Services, plan: Plan, built: Built, told: tuple[Blame, ...], observe: Callable[[frozenset[str]], Rebuild | None]
) -> tuple[tuple[Blame, ...], str | None]:
    """The same with the processes that wrote what differs, seen in one more rebuild of the first world; or why they are not known.

    ``observe`` makes that rebuild, with the axes given; None if it may not.
    """
    first = next((one for one in told if one.aspect != FAILED), None)
    if first is None:
        return told, None
    again = observe(frozenset(first.axes))
    if again is None:
        return told, "no rebuild was left to see which process wrote it"
    reason = next((seen.unobserved for seen in again.observed.values() if seen.unobserved is not None), None)
    if reason is not None or again.failure is not None:
        return told, reason or f"the rebuild in which the processes were to be seen failed: {again.failure}"
    return tuple(msgspec.structs.replace(one, process=_process(services, plan, built, again, one)) for one in told), None


def _process(services: Services, plan: Plan, built: Built, again: Rebuild, one: Blame) -> tuple[str, ...] | None:
    """Who wrote the member's file; or the first file that the step which diverged first wrote otherwise; or the artifact."""
    if one.aspect == FAILED:
        return None
    seen = {step: again.observed[step].writers for step in steps_behind(plan, built, one.artifact) if step in again.observed}
    everything = [writer for writers in seen.values() for writer in writers]
    process = writer_of(everything, inner_path(one.artifact, one.member)) if one.member else None
    first = {run.step: run.outputs for run in built.run.steps}
    if process is None and one.step is not None and one.step in first and one.step in again.outputs:
        trees = [read_tree(ref, services.blobs.get) for ref in (first[one.step], again.outputs[one.step])]
        process = next((argv for path in changed_paths(*trees) if (argv := writer_of(seen.get(one.step, ()), path))), None)
    return process or writer_of(everything, one.artifact.rpartition("/")[2])


def steps_behind(plan: Plan, built: Built, artifact: str) -> list[StepName]:
    """The step that delivered the artifact and all that it needs, in plan order."""
    known = {planned.name: planned.step for planned in plan.steps}
    waiting = [one.step for one in built.artifacts if one.name == artifact]
    behind: set[StepName] = set()
    while waiting:
        name = waiting.pop()
        if name in known and name not in behind:  # an sdist that is its own artifact was made by no step
            behind.add(name)
            waiting += known[name].needs
    return [name for name in known if name in behind]


def inner_path(artifact: str, member: str) -> str:
    """A member's path without the folder that an archive puts around everything, which is called as it is."""
    top, slash, rest = member.partition("/")
    name = artifact.rpartition("/")[2]
    return rest if slash and name.startswith(top) and name[len(top) :].startswith((".tar", ".tgz", ".zip")) else member


def writer_of(writers: Iterable[Writer], path: str) -> tuple[str, ...] | None:
    """The command line of the process that wrote the file at a path; None if none was written.

    It is the file whose path ends as this one does, in as many folders as possible; of several the one that was written first, because
    the others are copies of it on its way into an archive.
    """
    known = [(writer.path.strip("/").split("/"), writer.argv) for writer in writers]
    return _nearest(known, [part for part in path.split("/") if part])


def changed_paths(one: Tree, two: Tree) -> list[str]:
    """The paths of files that are in both trees with other bytes, or only in one, sorted."""
    files = [{str(node.path): node.blob for node in tree if isinstance(node, FileNode)} for tree in (one, two)]
    return sorted(path for path in files[0].keys() | files[1].keys() if files[0].get(path) != files[1].get(path))


def _nearest(known: Sequence[tuple[list[str], tuple[str, ...]]], wanted: Sequence[str]) -> tuple[str, ...] | None:
    best, found = 0, None
    for path, argv in known:
        length = _common(path, wanted)
        if length > best:  # the first of those that are equally near
            best, found = length, argv
    return found


def _common(path: Sequence[str], wanted: Sequence[str]) -> int:
    """How many parts at the end are the same."""
    length = 0
    while length < min(len(path), len(wanted)) and path[-1 - length] == wanted[-1 - length]:
        length += 1
    return length

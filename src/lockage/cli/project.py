"""What the commands that build something have in common: reading the project, and telling what was built."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never

from lockage.cli.screen import Progress, human_size, short, table
from lockage.recipe.wanted import AS_INFERRED, Wanted
from lockage.record.source import CommitOrigin, DirectoryOrigin, SdistOrigin
from lockage.wiring import Wiring
from lockage.work.inferred import added_in
from lockage.work.prepare import prepare

if TYPE_CHECKING:
    from lockage.base.name import ProjectName, StepName
    from lockage.record.source import Source
    from lockage.work.build import Built
    from lockage.work.prepare import Project

__all__ = ["built_document", "built_lines", "keep_folder", "open_project", "open_services", "source_line"]


#: How many runs are looked through for how long steps took.
_RUNS = 5


def open_services(*, jobs: int | None = None, quiet: bool = False, keep: Path | None = None) -> Wiring:
    """The services of a command, with its progress; ``keep`` is as for :func:`open_project`."""
    progress = Progress(quiet=quiet)
    wiring = Wiring.from_process(jobs=jobs, tell=progress)
    progress.attend(lambda log: wiring.blobs.get(log), lambda: wiring.clock.now(), lambda project: _took(wiring, project))
    if keep is not None:
        wiring.folders.check_kept(keep)
    return wiring


def _took(wiring: Wiring, project: ProjectName) -> dict[StepName, int]:
    """How long the steps of a project took in its last runs, in milliseconds."""
    from lockage.base.errors import LockageError  # only for a build that takes a while
    from lockage.record.history import wall_times

    try:
        kept = [found[0] for run_id in wiring.runs.recent(_RUNS) if (found := wiring.runs.get(run_id)) is not None]
    except LockageError:
        return {}
    return wall_times(run for run in kept if run.project == project)


def open_project(
    source: str,
    *,
    lock_file: Path | None = None,
    out: Path | None = None,
    wanted: Wanted = AS_INFERRED,
    jobs: int | None = None,
    quiet: bool = False,
    asking: bool = False,
    keep: Path | None = None,
) -> tuple[Wiring, Project]:
    """The services and the prepared project of a command; the lock is the given one, the source's own, or the one beside the output.

    ``keep`` is the folder in which the files of failed steps are kept, which is refused here if it cannot be. ``asking``: of a source
    without a recipe, the step that asks its build backend, and no other.
    """
    wiring = open_services(jobs=jobs, quiet=quiet, keep=keep)
    given = lock_file.read_bytes() if lock_file is not None else None
    if asking:
        from lockage.work.prepare import prepare_to_ask  # only for who looks into it

        return wiring, prepare_to_ask(wiring, source, given=given, wanted=wanted)
    beside = wiring.folders.read(out, "lockage.lock") if out is not None else None
    return wiring, prepare(wiring, source, given=given, beside=beside, wanted=wanted, keep=keep)


def keep_folder(keep: bool, folder: Path | None) -> Path | None:
    """The folder in which the files of failed steps are kept; None if they are not."""
    if folder is None and not keep:
        return None
    return (folder or Path("lockage-failed")).absolute()


def source_line(source: Source) -> str:
    """The source in a few words."""
    return f"{source.version} from {_origin(source)}, {source.date}"


def _origin(source: Source) -> str:
    match source.origin:
        case CommitOrigin(commit=commit, tag=tag):
            return f"commit {commit[:12]}" + (f" ({tag})" if tag else "")
        case SdistOrigin(file=file):
            return file
        case DirectoryOrigin(reason=reason):
            return f"a directory ({reason})"
        case _ as other:
            assert_never(other)


def built_document(project: Project, built: Built) -> dict[str, Any]:
    """The ``--json`` document of a build."""
    return {
        "artifacts": [
            {
                "filename": artifact.name,
                "sha256": artifact.blob.digest,
                "size": artifact.blob.size,
                "content_digest": artifact.content_digest,
            }
            for artifact in built.artifacts
        ],
        "project": project.recipe.project,
        "version": project.source.version,
        "source": project.source,
        "inferred": project.recipe.inferred,
        "added": added_in(project.lock),
        "lock": project.lock.digest,
        "unpinned_hosts": {name: found.root.tree.digest for name, found in project.lock.environments.items() if found.root.is_host},
        "run": built.run_id,
        "steps": [
            {"step": step.step, "action": step.action.digest, "cached": step.cached, "attempts": step.attempts} for step in built.run.steps
        ],
        "lost": built.run.lost,
        "reexecuted": built.run.reexecuted,
    }


def built_lines(project: Project, built: Built, out: Path) -> list[str]:
    """The same for people."""
    executed = built.executed
    done = "nothing to do, all steps unchanged" if not executed else f"{executed} of {len(built.run.steps)} steps executed"
    lines = [f"{project.recipe.project} {source_line(project.source)}: {done}"]
    if again := built.run.reexecuted:
        lines.append(f"  {len(again.steps)} unchanged steps executed again, all with the same result (seed {again.seed})")
    if project.recipe.inferred and executed:
        inferred = "no lockage.toml there: the recipe was inferred (`lockage init` writes it down)"
        lines.append(f"  {inferred}, the lock is {out / 'lockage.lock'}")
        if added := added_in(project.lock):
            lines.append(f"  OS packages added to what is inferred: {', '.join(added)}")
    rows = [(short(a.blob.digest), human_size(a.blob.size), str(out / a.name)) for a in built.artifacts]
    return [*lines, *table(rows, least=(0, 1), indent=2)]

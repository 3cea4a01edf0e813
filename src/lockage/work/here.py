"""Here: where a user stands with the project of a folder, and what to do next. Only reads; makes no store, no key and no entry.

Whatever cannot be read (a recipe with faults, a ledger that nobody vouches for) is told as part of the answer, never raised:
this is what somebody types who does not know what is wrong.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from lockage.base.errors import LockageError
from lockage.base.instant import Instant
from lockage.base.name import ChannelName, ProjectName, StepName
from lockage.environment.base import HostBase
from lockage.environment.lock import Lock
from lockage.evidence.facts import Evidence, ReproductionFact, TestFact, gather
from lockage.evidence.predicate import REPRODUCTION, TEST_RESULT
from lockage.plan.fit import check_platforms
from lockage.recipe.model import StepKind
from lockage.record.release import artifact_set
from lockage.record.source import CommitOrigin
from lockage.work.book import Book, NoStore
from lockage.work.inspect import ChannelStatus, channel_status
from lockage.work.prepare import machine_of
from lockage.work.release import release_title

if TYPE_CHECKING:
    from pathlib import Path

    from lockage.ports import Surrounding
    from lockage.recipe.model import Recipe
    from lockage.record.artifact import Run
    from lockage.work.services import Services

__all__ = ["Here", "LastRun", "LockState", "Next", "Proof", "here"]

RECIPE, LOCK = "lockage.toml", "lockage.lock"
#: What makes a folder a Python project (docs/inference.md).
_PYTHON = ("pyproject.toml", "setup.py", "setup.cfg")
#: How many runs are looked through for those of this project, and how much evidence about an artifact is verified.
_RUNS = 50
_EVIDENCE = 20


class LockState(StrEnum):
    """How lockage.lock and the recipe stand to each other."""

    NOT_NEEDED = "not-needed"
    MISSING = "missing"
    FITS = "fits"
    DRIFTED = "drifted"
    UNREADABLE = "unreadable"


class Next(msgspec.Struct, frozen=True, kw_only=True):
    """A command to type next, and what for."""

    command: str
    why: str


class LastRun(msgspec.Struct, frozen=True, kw_only=True):
    """The newest run of the project: ``failed`` is the step that failed; ``current`` says that it was of the commit that stands here."""

    run: str
    finished: Instant
    steps: tuple[StepName, ...]
    executed: int
    failed: StepName | None
    current: bool


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What verified evidence says about the newest artifacts of this commit; None: nothing yet."""

    tests: str | None = None
    reproduced: str | None = None
    robust: str | None = None


class Here(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is told; ``trouble`` are sentences about what could not be read."""

    folder: str
    store: str
    python: bool
    project: ProjectName | None = None
    recipe: str | None = None
    steps: tuple[StepName, ...] = ()
    repository: bool = False
    commit: str | None = None
    branch: str | None = None
    changes: tuple[str, ...] = ()
    lock: LockState = LockState.NOT_NEEDED
    last: LastRun | None = None
    built: bool = False
    proof: Proof = Proof()
    release: str | None = None
    channels: tuple[ChannelStatus, ...] = ()
    trouble: tuple[str, ...] = ()
    next: tuple[Next, ...] = ()


def here(services: Services, folder: Path) -> Here:
    """Look at a folder and at what the store knows of its project."""
    seen = services.surroundings.look(folder, (RECIPE, LOCK, *_PYTHON))
    trouble: list[str] = [seen.trouble] if seen.trouble else []
    recipe = _recipe(seen, trouble)
    project = recipe.project if recipe is not None else _name(seen)
    found = Here(
        folder=str(seen.folder),
        store=services.place,
        python=any(name in seen.files for name in _PYTHON),
        project=project,
        recipe=RECIPE if RECIPE in seen.files else None,
        steps=tuple(step.name for step in recipe.steps) if recipe is not None else (),
        repository=seen.repository,
        commit=seen.commit,
        branch=seen.branch,
        changes=seen.changes,
        lock=_lock(services, seen, recipe, trouble),
    )
    if project is not None:
        found = _of_store(services, found, project, trouble)
    found = msgspec.structs.replace(found, trouble=tuple(trouble))
    tests = recipe is not None and any(step.kind is StepKind.TEST for step in recipe.steps)
    on_host = recipe is not None and any(isinstance(declaration.base, HostBase) for declaration in recipe.environments.values())
    broken = RECIPE in seen.files and recipe is None
    return msgspec.structs.replace(found, next=_next(found, tests=tests, broken=broken, on_host=on_host))


def _recipe(seen: Surrounding, trouble: list[str]) -> Recipe | None:
    data = seen.files.get(RECIPE)
    if data is None:
        return None
    from lockage.recipe.parse import parse_recipe  # only where there is one

    try:
        return parse_recipe(data)
    except LockageError as error:
        trouble.append(error.message)
        return None


def _name(seen: Surrounding) -> ProjectName | None:
    """The name of a project without a recipe, as far as its files say it."""
    from lockage.recipe.backend import read_pyproject  # only where there is no recipe
    from lockage.recipe.metadata import read_metadata

    try:
        name = read_metadata(read_pyproject(seen.files.get("pyproject.toml")), seen.files.get).name
        return ProjectName.normalised(name) if name else None
    except (LockageError, ValueError):
        return None  # a build says what is wrong with it


def _lock(services: Services, seen: Surrounding, recipe: Recipe | None, trouble: list[str]) -> LockState:
    if recipe is None:
        return LockState.NOT_NEEDED
    data = seen.files.get(LOCK)
    if data is None:
        return LockState.MISSING
    try:
        lock = Lock.decode(data)
    except LockageError as error:
        trouble.append(error.message)
        return LockState.UNREADABLE
    try:
        check_platforms(recipe, lock, machine_of(services, lock))
    except LockageError as error:
        trouble.append(error.message)
        return LockState.DRIFTED
    return LockState.FITS


def _of_store(services: Services, found: Here, project: ProjectName, trouble: list[str]) -> Here:
    """What runs and ledger know of the project."""
    last, built = _runs(services, found, project, trouble)
    found = msgspec.structs.replace(found, last=last, built=built is not None)
    try:
        book = Book.open(services, make=False)
    except NoStore:
        return found
    except LockageError as error:
        trouble.append(error.message)
        return found
    catalog = book.catalog
    release = None
    if built is not None:
        artifacts = artifact_set((artifact.name, artifact.blob) for artifact in built.artifacts)
        release = catalog.same_artifacts(project, built.source.version, artifacts)
    return msgspec.structs.replace(
        found,
        proof=_proof(services, book, built) if built is not None else Proof(),
        release=release_title(release) if release is not None else None,
        channels=channel_status(catalog, project),
    )


def _runs(services: Services, found: Here, project: ProjectName, trouble: list[str]) -> tuple[LastRun | None, Run | None]:
    """The newest run of the project, and the one that built most of the commit that stands here: a test run builds only what it needs."""
    last: LastRun | None = None
    built: Run | None = None
    try:
        for run_id in services.runs.recent(_RUNS):
            kept = services.runs.get(run_id)
            if kept is None or kept[0].project != project:
                continue
            run = kept[0]
            origin = run.source.origin
            current = isinstance(origin, CommitOrigin) and origin.commit == found.commit and not found.changes
            failed = next((step.step for step in run.steps if step.failure is not None), None)
            if last is None:
                last = LastRun(
                    run=run_id,
                    finished=run.finished,
                    steps=tuple(step.step for step in run.steps),
                    executed=sum(not step.cached for step in run.steps),
                    failed=failed,
                    current=current,
                )
            if current and failed is None and len(run.artifacts) > (0 if built is None else len(built.artifacts)):
                built = run
    except LockageError as error:
        trouble.append(error.message)
    return last, built


def _proof(services: Services, book: Book, built: Run) -> Proof:
    """What the newest evidence about the artifacts proves; what cannot be verified counts as absent, as it does for a gate."""
    about = frozenset(artifact.blob.digest for artifact in built.artifacts)
    records = [record for record in book.catalog.evidence(*about) if record.predicate in (TEST_RESULT, REPRODUCTION)]
    evidence = []
    for record in records[-_EVIDENCE:]:
        ref = services.blobs.locate(record.bundle)
        if ref is not None:
            evidence.append(Evidence(data=services.blobs.get(ref), recorded=record.at))
    facts, _ = gather(evidence, book.root, now=services.clock.now(), about=about)
    tests = [str(fact.result).lower() for fact in facts if isinstance(fact, TestFact)]
    grades = {str(fact.claim): str(fact.grade) for fact in facts if isinstance(fact, ReproductionFact)}
    return Proof(tests=tests[-1] if tests else None, reproduced=grades.get("reproduced"), robust=grades.get("robust"))


def _next(found: Here, *, tests: bool, broken: bool, on_host: bool) -> tuple[Next, ...]:
    """What to type: the first is the way on."""
    if broken:
        return (Next(command="lockage lock --check", why=f"shows every fault of {RECIPE} with its line"),)
    if found.recipe is None and not found.python:
        return (
            Next(command="lockage build SOURCE", why="builds an sdist, a git URL or another folder"),
            Next(command="lockage status", why="shows what the store's channels hold"),
        )
    if found.recipe is None:
        return (
            Next(command="lockage build", why="builds it as it is, by a recipe that is inferred"),
            Next(command="lockage init", why=f"writes that recipe into {RECIPE}"),
        )
    if found.lock is not LockState.FITS:
        return (Next(command="lockage lock", why="pins every input; commit lockage.lock"),)
    if found.changes or (found.repository and found.commit is None):
        return (
            Next(command="git commit", why="only what is committed can be released"),
            Next(command="lockage build", why="builds the folder as it is"),
        )
    return _onwards(found, tests=tests, on_host=on_host)


def _onwards(found: Here, *, tests: bool, on_host: bool) -> tuple[Next, ...]:
    """The way of a clean, locked source up to the last channel."""
    if not found.built:
        return (Next(command="lockage build", why="builds what stands here; artifacts into ./dist"),)
    if found.release is not None:
        waiting = _first_without(found.channels, found.release)
        if waiting is None:
            return (Next(command="lockage status", why="every channel holds this release"),)
        return (
            Next(command=f"lockage promote {found.release} --to {waiting}", why=f"puts it on {waiting}, if its policy says yes"),
            Next(command=f"lockage why-not {found.release} {waiting}", why="asks without doing"),
        )
    todo = []
    if tests and found.proof.tests != "passed":
        todo.append(Next(command="lockage test", why="runs the test steps and signs their results"))
    if on_host and not todo:  # where there is no sandbox to vary, and no channel to go to unless somebody wrote a policy for it
        return (Next(command="lockage build --reexecute 100%", why="runs the steps once more on this machine, and compares"),)
    if not on_host and not found.proof.robust == found.proof.reproduced == "identical":
        todo.append(Next(command="lockage verify", why="rebuilds with everything varied and compares the bytes"))
    if not todo and found.repository:
        todo.append(Next(command="lockage release", why="closes what was built as an immutable, numbered release"))
    return tuple(todo)


def _first_without(channels: tuple[ChannelStatus, ...], release: str) -> ChannelName | None:
    return next((channel.channel for channel in channels if channel.release != release), None)

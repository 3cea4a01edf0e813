"""Prepare: a locator becomes a project with source, recipe and lock; what a project does not say is inferred and locked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage import __version__
from lockage.base.canonical import InvalidDocument, canonical_of, decode
from lockage.base.digest import Digest
from lockage.base.errors import Drift, LockageError, Usage
from lockage.base.tree import FileNode, read_tree
from lockage.environment.lock import Lock
from lockage.plan.plan import LockMismatch, Plan, check_lock, make_plan
from lockage.recipe.model import INFERENCE, READING, Recipe
from lockage.recipe.wanted import Wanted
from lockage.record.event import Phase
from lockage.record.source import CommitOrigin, SdistOrigin, Source
from lockage.work.python_lock import with_python_locks

if TYPE_CHECKING:
    from pathlib import Path

    from lockage.base.name import EnvironmentName
    from lockage.ports import SourceRead
    from lockage.recipe.inference import InferredProject
    from lockage.work.services import Services

__all__ = ["LockMissing", "Project", "RecipeDecides", "infer_recipe", "lock_project", "prepare"]

_LOCK = "lockage.lock"
_AS_INFERRED = Wanted()


class LockMissing(Drift):
    """A recipe is there, but nothing says what its environments hold exactly."""

    code = "lock-missing"
    hint = "Run `lockage lock` and commit lockage.lock."


class RecipeDecides(Usage):
    """An option that shapes an inferred recipe was given for a source that has a recipe of its own."""

    code = "recipe-decides"
    hint = "Change lockage.toml: docs/recipe.md shows a repair step and several Pythons. `lockage init` writes what the options mean."


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a plan is made from."""

    recipe: Recipe
    source: Source
    lock: Lock


def prepare(
    services: Services, locator: str, *, given: bytes | None = None, beside: bytes | None = None, wanted: Wanted = _AS_INFERRED
) -> Project:
    """Read a source with its recipe and lock.

    ``given`` is a lock that must be used; ``beside`` is one from an earlier inferred build, used if it still fits; ``wanted``
    shapes an inferred recipe. Raises what sources, recipes and locks raise, :class:`LockMissing` and :class:`RecipeDecides`.
    """
    read = services.sources.read(locator)
    if read.recipe is not None:
        _must_be_inferred(wanted, locator)
        recipe = with_python_locks(services, _read_recipe(services, read, read.recipe, locator), read.tree)
        data = given if given is not None else read.lock
        if data is None:
            raise LockMissing(f"{locator} has a lockage.toml but no lockage.lock", source=locator)
        lock = Lock.decode(data)
        check_lock(recipe, lock)
    else:
        fixed = given if given is not None else read.lock
        recipe, asked_in = _inferred(services, read, Lock.decode(fixed) if fixed is not None else None, locator, wanted)
        lock = _lock_of_inferred(services, recipe, fixed, beside, asked_in)
    source = read.source(recipe.version)
    _say_last_resort(services, read, source)
    return Project(recipe=recipe, source=source, lock=lock)


def _say_last_resort(services: Services, read: SourceRead, source: Source) -> None:
    """A commit without a version of its own is released under a name that says nothing; whoever builds it should know why."""
    if not isinstance(source.origin, CommitOrigin) or source.version != read.versions.fallback:
        return
    why = "no tag that names a version leads to the commit"
    if read.shallow:
        why += ", as far as this shallow clone knows (`git fetch --unshallow --tags` brings the others)"
    services.tell(Phase(text=f"the version is {source.version}: {why}"))


def _must_be_inferred(wanted: Wanted, locator: str) -> None:
    if not wanted.nothing:
        options = " and ".join([*(("--python",) if wanted.pythons else ()), *(("--publishable",) if wanted.publishable else ())])
        raise RecipeDecides(f"{locator} has a lockage.toml, which decides alone; {options} shape a recipe that is inferred", source=locator)


def _read_recipe(services: Services, read: SourceRead, data: bytes, locator: str) -> Recipe:
    """The recipe that a lockage.toml says, remembered by its bytes and those that it shares. Raises InvalidRecipe, SourceUnusable."""
    from lockage.work.layout import shared_file  # an inferred recipe refers to nothing

    shared = shared_file(services, read, data, locator)
    key = Digest.of(f"{__version__} {READING} ".encode() + data + (b"" if shared is None else b"\0%b\0%b" % shared))
    kept = _remembered(services, "recipe", key)
    if kept is not None:
        return kept
    from lockage.recipe.parse import (  # it brings tomllib and many patterns; a recipe that was read before needs neither
        SharedFile,
        parse_recipe,
    )

    recipe = parse_recipe(data, shared=None if shared is None else SharedFile(shared[0].decode(), shared[1]))
    services.memo.put("recipe", key, canonical_of(recipe))
    return recipe


def _remembered(services: Services, kind: str, key: Digest) -> Recipe | None:
    kept = services.memo.get(kind, key)
    try:
        return None if kept is None else decode(kept, Recipe)
    except InvalidDocument:
        return None  # another lockage wrote it; a memo counts for nothing


def _lock_of_inferred(services: Services, recipe: Recipe, fixed: bytes | None, beside: bytes | None, asked_in: Lock | None) -> Lock:
    if fixed is not None:
        lock = Lock.decode(fixed)
        check_lock(recipe, lock)
        return lock
    if beside is not None:
        try:
            lock = Lock.decode(beside)
            check_lock(recipe, lock)
        except LockageError:
            pass  # it belongs to another build; a new one takes its place
        else:
            return lock
    from lockage.work.lock import lock_recipe  # what is locked already needs no resolver

    return lock_recipe(services, recipe, asked_in)


def infer_recipe(services: Services, locator: str, wanted: Wanted = _AS_INFERRED) -> Recipe:
    """The recipe that a source without one would be built by."""
    read = services.sources.read(locator)
    return _inferred(services, read, None, locator, wanted)[0]


def _inferred(services: Services, read: SourceRead, given: Lock | None, locator: str, wanted: Wanted) -> tuple[Recipe, Lock | None]:
    """The inferred recipe, with the requirements that the backend's hooks ask for; remembered by the source's tree.

    The lock is the one that the hooks ran in, if that had to be made: where they ask for nothing it is the build's as well.
    """
    sdist = isinstance(read.origin, SdistOrigin)
    more = "" if wanted.nothing else f" {' '.join(wanted.pythons)} {wanted.publishable}"
    key = Digest.of(f"{__version__} {INFERENCE} {read.tree} {sdist}{more}".encode())
    kept = _remembered(services, "inferred-recipe", key)
    if kept is not None:
        return kept, None
    from lockage.recipe.backend import NotAProject
    from lockage.recipe.hooks import with_requirements  # only for a source that was not seen before
    from lockage.recipe.inference import infer
    from lockage.recipe.wheels import build_environments, wanted_recipe

    tree = read_tree(read.tree, services.blobs.get)
    files = {str(node.path): node.blob for node in tree if isinstance(node, FileNode)}
    try:
        project = infer(tuple(files), lambda path: services.blobs.get(files[path]) if path in files else None, sdist=sdist, folder=locator)
    except NotAProject as error:
        from lockage.recipe.projects import naming_projects  # only on the way to an error

        raise (error if sdist else naming_projects(error, tuple(files), locator)) from error
    recipe = wanted_recipe(project, wanted)
    builds = build_environments(recipe)
    lock = _lock_for_hooks(services, recipe, builds, given)
    for name in builds:
        recipe = with_requirements(recipe, _asked(services, read, project, recipe, lock, name), name)
    services.memo.put("inferred-recipe", key, canonical_of(recipe))
    return recipe, lock if given is None else None


def _lock_for_hooks(services: Services, recipe: Recipe, names: tuple[EnvironmentName, ...], given: Lock | None) -> Lock:
    """The given lock's environments, taken for the declared ones; else some that are locked for this."""
    from lockage.work.lock import lock_recipe

    known = given.environments if given is not None else {}
    if not all(name in known for name in names):
        return lock_recipe(services, recipe, None)
    return Lock(environments={name: msgspec.structs.replace(known[name], declaration=recipe.environments[name].digest) for name in names})


def _asked(
    services: Services, read: SourceRead, project: InferredProject, recipe: Recipe, lock: Lock, environment: EnvironmentName
) -> tuple[str, ...]:
    """What the backend's hooks ask for, run in the sandbox in this environment."""
    from lockage.recipe.hooks import HOOK_STEP, BackendFailed, hook_step, parse_hook_output
    from lockage.work.build import not_done
    from lockage.work.execute import execute

    step = hook_step(project, recipe, environment)
    services.tell(Phase(text="asking the build backend what else it needs"))
    asking = msgspec.structs.replace(recipe, steps=(step,), environments={environment: recipe.environments[environment]})
    plan: Plan = make_plan(asking, lock, read.source(recipe.version))
    run = execute(services, plan)[HOOK_STEP]
    if run.failure is not None:
        error = not_done(services, run, None, inferred=True)
        raise BackendFailed(
            f"{project.backend.name} could not be asked what the build needs: {error.message}",
            hint=error.hint if error.details["missing"] else None,
            missing=error.details["missing"],
            last_lines=error.details["last_lines"],
        )
    (output,) = (node for node in read_tree(run.outputs, services.blobs.get) if isinstance(node, FileNode))
    return parse_hook_output(services.blobs.get(output.blob))


def lock_project(
    services: Services, locator: str, *, folder: Path, upgrade: bool, check: bool, wanted: Wanted = _AS_INFERRED
) -> tuple[Lock, bool]:
    """Lock a source's recipe into ``folder``; returns the lock and whether the file changed. With ``check`` nothing is written."""
    read = services.sources.read(locator)
    present = services.folders.read(folder, _LOCK)
    previous = Lock.decode(present) if present is not None else None
    if read.recipe is not None:
        _must_be_inferred(wanted, locator)
        recipe = with_python_locks(services, _read_recipe(services, read, read.recipe, locator), read.tree)
    else:
        recipe, _ = _inferred(services, read, previous, locator, wanted)
    if check:
        if previous is None:
            raise LockMissing(f"{folder / _LOCK} is not there", file=str(folder / _LOCK))
        check_lock(recipe, previous)
        extra = sorted(set(previous.environments) - set(recipe.environments))
        if extra:
            raise LockMismatch(f"lockage.lock holds environments that the recipe has not: {', '.join(extra)}", found=", ".join(extra))
        return previous, False
    from lockage.work.lock import lock_recipe

    lock = lock_recipe(services, recipe, previous, upgrade=upgrade)
    data = lock.encode()
    if data != present:
        services.folders.write(folder, _LOCK, data)
    return lock, data != present

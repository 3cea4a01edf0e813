"""Prepare: a locator becomes a project with source, recipe and lock; what a project does not say is inferred and locked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lockage import __version__
from lockage.base.canonical import InvalidDocument, canonical_of, decode
from lockage.base.digest import Digest
from lockage.base.errors import Drift, LockageError, Usage
from lockage.base.tree import FileNode, read_tree
from lockage.environment.lock import Lock
from lockage.plan.plan import LockMismatch, Plan, check_lock, make_plan
from lockage.recipe.model import READING, Recipe
from lockage.record.event import Phase
from lockage.record.source import SdistOrigin, Source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockage.ports import SourceRead
    from lockage.recipe.inference import InferredProject
    from lockage.work.services import Services

__all__ = ["Edited", "LockMissing", "Project", "RecipeThere", "checked_terms", "infer_recipe", "lock_project", "prepare", "prepare_to_ask"]

_LOCK = "lockage.lock"
_RECIPE = "lockage.toml"


class LockMissing(Drift):
    """A recipe is there, but nothing says what its environments hold exactly."""

    code = "lock-missing"
    hint = "Run `lockage lock` and commit lockage.lock."


class RecipeThere(Usage):
    """Packages were to be added to an inferred recipe, but the source has a recipe of its own."""

    code = "recipe-there"
    hint = "Add them to lockage.toml with `lockage lock --add PACKAGE`."


class Edited(msgspec.Struct, frozen=True):
    """The new text of the lockage.toml in a folder, not written yet."""

    folder: Path
    data: bytes


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a plan is made from."""

    recipe: Recipe
    source: Source
    lock: Lock


def prepare(
    services: Services,
    locator: str,
    *,
    given: bytes | None = None,
    beside: bytes | None = None,
    added: Sequence[str] = (),
    keep: Path | None = None,
) -> Project:
    """Read a source with its recipe and lock.

    ``given`` is a lock that must be used; ``beside`` is one from an earlier inferred build, used if it still fits. ``added`` are OS
    packages for a recipe that is inferred; a lock that must be used says itself which were added. ``keep`` is
    where the workspace of a build backend that cannot be asked is kept.
    Raises what sources, recipes and locks raise, :class:`LockMissing` and :class:`RecipeThere`.
    """
    read = services.sources.read(locator)
    if read.recipe is not None:
        if added:
            raise _recipe_there(locator, added)
        recipe = _read_recipe(services, read.recipe)
        data = given if given is not None else read.lock
        if data is None:
            raise LockMissing(f"{locator} has a lockage.toml but no lockage.lock", source=locator)
        lock = Lock.decode(data)
        check_lock(recipe, lock)
    else:
        fixed = given if given is not None else read.lock
        decoded = Lock.decode(fixed) if fixed is not None else None
        added = checked_terms(added) or _added_in(decoded)
        recipe, asked_in = _inferred(services, read, decoded, locator, added, keep)
        lock = _lock_of_inferred(services, recipe, fixed, beside, asked_in, added)
    return Project(recipe=recipe, source=read.source(recipe.version), lock=lock)


def _read_recipe(services: Services, data: bytes) -> Recipe:
    """The recipe that a lockage.toml says, remembered by its bytes. Raises InvalidRecipe."""
    key = Digest.of(f"{__version__} {READING} ".encode() + data)
    kept = _remembered(services, "recipe", key)
    if kept is not None:
        return kept
    from lockage.recipe.parse import parse_recipe  # it brings tomllib and many patterns; a recipe that was read before needs neither

    recipe = parse_recipe(data)
    services.memo.put("recipe", key, canonical_of(recipe))
    return recipe


def _remembered(services: Services, kind: str, key: Digest) -> Recipe | None:
    kept = services.memo.get(kind, key)
    try:
        return None if kept is None else decode(kept, Recipe)
    except InvalidDocument:
        return None  # another lockage wrote it; a memo counts for nothing


def _recipe_there(locator: str, added: Sequence[str]) -> RecipeThere:
    return RecipeThere(
        f"{locator} has a lockage.toml, and that says which packages there are",
        hint=f"Run `lockage lock --add {' --add '.join(added)}` in the folder of lockage.toml, or edit it.",
        source=locator,
    )


def checked_terms(added: Sequence[str]) -> tuple[str, ...]:
    """Debian packages as somebody named them on the command line; raises InvalidRelation."""
    if not added:
        return ()
    from lockage.environment.errors import InvalidRelation  # what nobody asks for costs nothing
    from lockage.recipe.requirement import debian_term

    try:
        return tuple(dict.fromkeys(debian_term(text) for text in added))
    except ValueError as error:
        raise InvalidRelation(str(error)) from error


def _added_in(lock: Lock | None) -> tuple[str, ...]:
    """The packages that an inferred recipe was told of when this lock was made."""
    return tuple(dict.fromkeys(term for environment in lock.environments.values() for term in environment.added)) if lock else ()


def _lock_of_inferred(
    services: Services, recipe: Recipe, fixed: bytes | None, beside: bytes | None, asked_in: Lock | None, added: tuple[str, ...]
) -> Lock:
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

    return _with_added(lock_recipe(services, recipe, asked_in), added)


def _with_added(lock: Lock, added: tuple[str, ...]) -> Lock:
    """The lock of an inferred recipe, saying which packages it was told of."""
    added = tuple(sorted(set(added)))
    return Lock(environments={name: msgspec.structs.replace(locked, added=added) for name, locked in lock.environments.items()})


def infer_recipe(services: Services, locator: str, *, added: Sequence[str] = ()) -> Recipe:
    """The recipe that a source without one would be built by, with these OS packages added to what is inferred."""
    read = services.sources.read(locator)
    return _inferred(services, read, None, locator, checked_terms(added))[0]


def _inferred(
    services: Services, read: SourceRead, given: Lock | None, locator: str, added: tuple[str, ...], keep: Path | None = None
) -> tuple[Recipe, Lock | None]:
    """The inferred recipe, with the requirements that the backend's hooks ask for; remembered by the source's tree.

    The lock is the one that the hooks ran in, if that had to be made: where they ask for nothing it is the build's as well.
    """
    sdist = isinstance(read.origin, SdistOrigin)
    key = Digest.of(f"{__version__} {read.tree} {sdist}{''.join(f' {term}' for term in sorted(added))}".encode())
    kept = _remembered(services, "inferred-recipe", key)
    if kept is not None:
        return kept, None
    from lockage.recipe.hooks import with_requirements  # only for a source that was not seen before

    project, recipe, lock = _unasked(services, read, given, locator, added)
    recipe = with_requirements(recipe, _asked(services, read, project, recipe, lock, keep))
    services.memo.put("inferred-recipe", key, canonical_of(recipe))
    return recipe, lock if given is None else None


def _unasked(
    services: Services, read: SourceRead, given: Lock | None, locator: str, added: tuple[str, ...]
) -> tuple[InferredProject, Recipe, Lock]:
    """What the files of a project tell, and an environment to ask its backend in for the rest."""
    from lockage.recipe.inference import infer
    from lockage.recipe.inference import infer_recipe as recipe_of

    tree = read_tree(read.tree, services.blobs.get)
    files = {str(node.path): node.blob for node in tree if isinstance(node, FileNode)}
    sdist = isinstance(read.origin, SdistOrigin)
    project = infer(tuple(files), lambda path: services.blobs.get(files[path]) if path in files else None, sdist=sdist, folder=locator)
    recipe = recipe_of(project, added=added)
    return project, recipe, _with_added(_lock_for_hooks(services, recipe, given), added)


def prepare_to_ask(services: Services, locator: str, *, given: bytes | None = None, added: Sequence[str] = ()) -> Project:
    """A source without a recipe, and the one step that asks its build backend what a build needs."""
    from lockage.recipe.hooks import hook_step

    read = services.sources.read(locator)
    if read.recipe is not None:
        raise RecipeThere(
            f"{locator} has a lockage.toml, so no build backend is asked", hint="Name a step of lockage.toml.", source=locator
        )
    decoded = Lock.decode(given) if given is not None else None
    project, recipe, lock = _unasked(services, read, decoded, locator, checked_terms(added) or _added_in(decoded))
    asking = msgspec.structs.replace(recipe, steps=(hook_step(project, recipe),))
    return Project(recipe=asking, source=read.source(recipe.version), lock=lock)


def _lock_for_hooks(services: Services, recipe: Recipe, given: Lock | None) -> Lock:
    """The given lock's environment, taken for the declared one; else one that is locked for this."""
    from lockage.work.lock import lock_recipe

    name = recipe.steps[0].environment
    locked = given.environments.get(name) if given is not None else None
    if locked is None:
        return lock_recipe(services, recipe, None)
    return Lock(environments={name: msgspec.structs.replace(locked, declaration=recipe.environments[name].digest)})


def _asked(
    services: Services, read: SourceRead, project: InferredProject, recipe: Recipe, lock: Lock, keep: Path | None
) -> tuple[str, ...]:
    """What the backend's hooks ask for, run in the sandbox."""
    from lockage.recipe.hooks import HOOK_STEP, BackendFailed, hook_step, parse_hook_output
    from lockage.work.build import not_done, record_run
    from lockage.work.execute import execute

    step = hook_step(project, recipe)
    services.tell(Phase(text="asking the build backend what else it needs"))
    asking = msgspec.structs.replace(recipe, steps=(step,))
    plan: Plan = make_plan(asking, lock, read.source(recipe.version))
    started = services.clock.now()
    results = execute(services, plan, keep=keep)
    run = results[HOOK_STEP]
    if run.failure is not None:
        _, run_id = record_run(services, plan, results, started)
        error = not_done(services, plan, run, run_id, keep=keep)
        raise BackendFailed(
            f"{project.backend.name} could not be asked what the build needs: {error.message}", hint=error.hint, **error.details
        )
    (output,) = (node for node in read_tree(run.outputs, services.blobs.get) if isinstance(node, FileNode))
    return parse_hook_output(services.blobs.get(output.blob))


def lock_project(
    services: Services,
    locator: str,
    *,
    folder: Path,
    upgrade: bool,
    check: bool,
    added: Sequence[str] = (),
    edited: Edited | None = None,
) -> tuple[Lock, bool]:
    """Lock a source's recipe into ``folder``; returns the lock and whether the file changed. With ``check`` nothing is written.

    ``added`` are OS packages for a recipe that is inferred, beside those that the present lock says were added before; ``edited``
    is a recipe that takes the place of the one that is there, once it could be locked.
    """
    read = services.sources.read(locator)
    present = services.folders.read(folder, _LOCK)
    previous = Lock.decode(present) if present is not None else None
    text = edited.data if edited is not None else read.recipe
    if text is not None:
        if added and edited is None:
            raise _recipe_there(locator, added)
        recipe = _read_recipe(services, text)
        added = ()
    else:
        added = tuple(dict.fromkeys((*_added_in(previous), *checked_terms(added))))
        recipe, _ = _inferred(services, read, previous, locator, added)
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
    lock = _with_added(lock, tuple(added))
    if edited is not None:
        services.folders.write(edited.folder, _RECIPE, edited.data)
    data = lock.encode()
    if data != present:
        services.folders.write(folder, _LOCK, data)
    return lock, data != present

"""Inferred: the recipe of a project that has none, and the lock that belongs to it; what only the build backend knows is asked of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage import __version__
from lockage.base.canonical import canonical_of, decode_hook
from lockage.base.digest import Digest
from lockage.base.errors import LockageError
from lockage.base.tree import FileNode, read_tree
from lockage.environment.lock import Lock
from lockage.plan.plan import Plan, check_lock, make_plan
from lockage.recipe.model import INFERENCE, Recipe
from lockage.record.event import Phase
from lockage.record.source import SdistOrigin

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lockage.base.name import EnvironmentName
    from lockage.ports import SourceRead
    from lockage.recipe.inference import InferredProject
    from lockage.recipe.wanted import Wanted
    from lockage.work.services import Services

__all__ = ["added_in", "asked", "checked_terms", "inferred", "lock_of_inferred", "remembered_recipe", "unasked", "with_added"]


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


def added_in(lock: Lock | None) -> tuple[str, ...]:
    """The packages that an inferred recipe was told of when this lock was made."""
    return tuple(dict.fromkeys(term for environment in lock.environments.values() for term in environment.added)) if lock else ()


def with_added(lock: Lock, added: Sequence[str]) -> Lock:
    """The lock of an inferred recipe, saying which packages it was told of."""
    told = tuple(sorted(set(added)))
    return Lock.of({name: msgspec.structs.replace(locked, added=told) for name, locked in lock.environments.items()})


def remembered_recipe(services: Services, kind: str, key: Digest) -> Recipe | None:
    """A recipe that was kept under a key; None if there is none that can be read."""
    kept = services.memo.get(kind, key)
    made: dict[tuple[type, object], object] = {}

    def once(kind: type, value: object) -> object:
        """A name that is needed in many places, made once, and as it stands there: it was looked at when the recipe was read."""
        if not isinstance(value, str) or not issubclass(kind, str):
            return decode_hook(kind, value)
        found = made.get((kind, value))
        if found is None:
            found = made[kind, value] = str.__new__(kind, value)
        return found

    try:  # a memo is whole or absent, so that nothing but its form must be checked: of 10,000 steps in a third of the time
        return None if kept is None else msgspec.json.decode(kept, type=Recipe, dec_hook=once)
    except msgspec.MsgspecError:
        return None  # another lockage wrote it; a memo counts for nothing


def lock_of_inferred(
    services: Services, recipe: Recipe, fixed: Lock | None, beside: Lock | None, asked_in: Lock | None, added: Sequence[str]
) -> Lock:
    """The lock that must be used, or the one from an earlier build if it still fits, or a new one."""
    if fixed is not None:
        check_lock(recipe, fixed)
        return fixed
    if beside is not None:
        try:
            check_lock(recipe, beside)
        except LockageError:
            pass  # it belongs to another build; a new one takes its place
        else:
            return beside
    from lockage.work.lock import lock_recipe  # what is locked already needs no resolver

    return with_added(lock_recipe(services, recipe, asked_in), added)


def inferred(
    services: Services, read: SourceRead, given: Lock | None, locator: str, wanted: Wanted, keep: Path | None = None
) -> tuple[Recipe, Lock | None]:
    """The inferred recipe, with the requirements that the backend's hooks ask for; remembered by the source's tree.

    The lock is the one that the hooks ran in, if that had to be made: where they ask for nothing it is the build's as well.
    ``keep`` is where the workspace of a build backend that cannot be asked is kept.
    """
    sdist = isinstance(read.origin, SdistOrigin)
    more = "" if wanted.nothing else canonical_of(wanted).decode()
    key = Digest.of(f"{__version__} {INFERENCE} {read.tree} {sdist}{more}".encode())
    kept = remembered_recipe(services, "inferred-recipe", key)
    if kept is not None:
        return kept, None
    from lockage.recipe.hooks import with_requirements  # only for a source that was not seen before
    from lockage.recipe.wheels import build_environments

    project, recipe, lock = unasked(services, read, given, locator, wanted)
    for name in build_environments(recipe):
        recipe = with_requirements(recipe, asked(services, read, project, recipe, lock, name, keep), name)
    services.memo.put("inferred-recipe", key, canonical_of(recipe))
    return recipe, lock if given is None else None


def unasked(services: Services, read: SourceRead, given: Lock | None, locator: str, wanted: Wanted) -> tuple[InferredProject, Recipe, Lock]:
    """What the files of a project tell, and environments to ask its backend in for the rest."""
    from lockage.recipe.backend import NotAProject
    from lockage.recipe.inference import infer
    from lockage.recipe.wheels import build_environments, wanted_recipe

    sdist = isinstance(read.origin, SdistOrigin)
    tree = read_tree(read.tree, services.blobs.get)
    files = {str(node.path): node.blob for node in tree if isinstance(node, FileNode)}
    try:
        project = infer(tuple(files), lambda path: services.blobs.get(files[path]) if path in files else None, sdist=sdist, folder=locator)
    except NotAProject as error:
        from lockage.recipe.projects import naming_projects  # only on the way to an error

        raise (error if sdist else naming_projects(error, tuple(files), locator)) from error
    recipe = wanted_recipe(project, wanted)
    lock = _lock_for_hooks(services, recipe, build_environments(recipe), given)
    return project, recipe, with_added(lock, wanted.added)


def _lock_for_hooks(services: Services, recipe: Recipe, names: tuple[EnvironmentName, ...], given: Lock | None) -> Lock:
    """The given lock's environments, taken for the declared ones; else some that are locked for this."""
    from lockage.work.lock import lock_recipe

    known = given.environments if given is not None else {}
    if not all(name in known for name in names):
        return lock_recipe(services, recipe, None)
    return Lock.of({name: msgspec.structs.replace(known[name], declaration=recipe.environments[name].digest) for name in names})


def asked(
    services: Services,
    read: SourceRead,
    project: InferredProject,
    recipe: Recipe,
    lock: Lock,
    environment: EnvironmentName,
    keep: Path | None,
) -> tuple[str, ...]:
    """What the backend's hooks ask for, run in the sandbox in this environment."""
    from lockage.recipe.hooks import HOOK_STEP, BackendFailed, hook_step, parse_hook_output
    from lockage.recipe.python_call import python_call
    from lockage.work.build import not_done, record_run
    from lockage.work.execute import execute

    image = lock.environments[environment].pulled
    step = hook_step(project, recipe, environment, python=python_call(None if image is None else image.python))
    services.tell(Phase(text="asking the build backend what else it needs"))
    asking = msgspec.structs.replace(recipe, steps=(step,), environments={environment: recipe.environments[environment]})
    plan: Plan = make_plan(asking, lock, read.source(recipe.version))
    started = services.clock.now()
    results = execute(services, plan, keep=keep)
    run = results[HOOK_STEP]
    if run.failure is not None:
        _, run_id = record_run(services, plan, results, started)
        error = not_done(services, plan, run, run_id, keep=keep)
        raise BackendFailed(
            f"{project.backend.name} could not be asked what the build needs: {error.message}", hint=error.hint, run=run_id, **error.details
        )
    (output,) = (node for node in read_tree(run.outputs, services.blobs.get) if isinstance(node, FileNode))
    return parse_hook_output(services.blobs.get(output.blob))

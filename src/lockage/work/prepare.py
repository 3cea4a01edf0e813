"""Prepare: a locator becomes a project with source, recipe and lock; what a project does not say is inferred and locked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lockage import __version__
from lockage.base.canonical import canonical_of
from lockage.base.digest import Digest
from lockage.base.errors import Drift, LockageError, Usage
from lockage.environment.base import ImageBase
from lockage.environment.lock import UNPINNED, Lock
from lockage.plan.plan import check_lock
from lockage.recipe.model import READING, Recipe
from lockage.recipe.wanted import AS_INFERRED, Wanted
from lockage.record.event import Phase
from lockage.record.source import CommitOrigin, Source
from lockage.work.inferred import added_in, checked_terms, inferred, lock_of_inferred, remembered_recipe, unasked, with_added

if TYPE_CHECKING:
    from collections.abc import Collection

    from lockage.base.instant import Instant
    from lockage.environment.declaration import Architecture
    from lockage.ports import SourceRead
    from lockage.work.services import Services

__all__ = [
    "Edited",
    "LockMissing",
    "Project",
    "RecipeDecides",
    "infer_recipe",
    "lock_project",
    "machine_of",
    "on_this_machine",
    "prepare",
    "prepare_to_ask",
    "read_recipe",
]

_LOCK = "lockage.lock"
_RECIPE = "lockage.toml"


class LockMissing(Drift):
    """A recipe is there, but nothing says what its environments hold exactly."""

    code = "lock-missing"
    hint = "Run `lockage lock` and commit lockage.lock."


class RecipeDecides(Usage):
    """An option that shapes an inferred recipe was given for a source that has a recipe of its own."""

    code = "recipe-decides"
    hint = "Change lockage.toml: docs/recipe.md shows a repair step and several Pythons. `lockage init` writes what the options mean."


class Edited(msgspec.Struct, frozen=True):
    """The new text of the lockage.toml in a folder, not written yet."""

    folder: Path
    data: bytes


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a plan is made from; ``locator`` is where the source was read, and can be again."""

    recipe: Recipe
    source: Source
    lock: Lock
    locator: str | None = None


def machine_of(services: Services, lock: Lock) -> Architecture:
    """The machine's platform. One on which no step can run, and which only reads, is taken for the first that is locked."""
    try:
        return services.architecture
    except LockageError:
        return min((found.architecture for found in lock.complete.environments.values()), default="amd64")


def on_this_machine(services: Services, lock: Lock) -> Lock:
    """The lock as it counts here."""
    return lock.on(machine_of(services, lock))


def prepare(
    services: Services,
    locator: str,
    *,
    given: bytes | None = None,
    beside: bytes | None = None,
    wanted: Wanted = AS_INFERRED,
    keep: Path | None = None,
) -> Project:
    """Read a source with its recipe and lock.

    ``given`` is a lock that must be used; ``beside`` is one from an earlier inferred build, used if it still fits. ``wanted``
    shapes a recipe that is inferred; a lock that must be used says itself which packages were added. ``keep`` is
    where the workspace of a build backend that cannot be asked is kept.
    Raises what sources, recipes and locks raise, :class:`LockMissing` and :class:`RecipeDecides`.
    """
    read = services.sources.read(locator)
    if read.recipe is not None:
        _must_be_inferred(wanted, locator)
        recipe = read_recipe(services, read, read.recipe, locator)
        data = given if given is not None else read.lock
        if data is None:
            raise LockMissing(f"{locator} has a lockage.toml but no lockage.lock", source=locator)
        lock = on_this_machine(services, Lock.decode(data))
        check_lock(recipe, lock)
    else:
        fixed = given if given is not None else read.lock
        decoded = on_this_machine(services, Lock.decode(fixed)) if fixed is not None else None
        wanted = _checked(wanted, decoded)
        recipe, asked_in = inferred(services, read, decoded, locator, wanted, keep)
        lock = lock_of_inferred(services, recipe, decoded, _readable(services, beside), asked_in, wanted.added)
    source = read.source(recipe.version)
    _say_last_resort(services, read, source)
    if any(environment.root == UNPINNED for environment in lock.environments.values()):
        from lockage.work.on_host import on_this_host  # few environments are the host

        lock = on_this_host(services, lock)
    return Project(recipe=recipe, source=source, lock=lock, locator=locator)


def prepare_to_ask(services: Services, locator: str, *, given: bytes | None = None, wanted: Wanted = AS_INFERRED) -> Project:
    """A source without a recipe, and the one step that asks its build backend what a build needs."""
    from lockage.recipe.hooks import hook_step
    from lockage.recipe.wheels import build_environments

    read = services.sources.read(locator)
    if read.recipe is not None:
        raise RecipeDecides(
            f"{locator} has a lockage.toml, so no build backend is asked", hint="Name a step of lockage.toml.", source=locator
        )
    decoded = on_this_machine(services, Lock.decode(given)) if given is not None else None
    project, recipe, lock = unasked(services, read, decoded, locator, _checked(wanted, decoded))
    environment = build_environments(recipe)[0]
    asking = msgspec.structs.replace(
        recipe,
        steps=(hook_step(project, recipe, environment),),
        environments={environment: recipe.environments[environment]},
    )
    return Project(recipe=asking, source=read.source(recipe.version), lock=lock, locator=locator)


def _readable(services: Services, beside: bytes | None) -> Lock | None:
    """The lock of an earlier build; None if it cannot be read: a new one takes its place."""
    try:
        return None if beside is None else on_this_machine(services, Lock.decode(beside))
    except LockageError:
        return None


def _checked(wanted: Wanted, lock: Lock | None) -> Wanted:
    """What is wanted, with the packages that were named, or else those that the lock says were added."""
    return msgspec.structs.replace(wanted, added=tuple(sorted(checked_terms(wanted.added) or added_in(lock))))


def _say_last_resort(services: Services, read: SourceRead, source: Source) -> None:
    """A commit without a version of its own is released under a name that says nothing; whoever builds it should know why."""
    if not isinstance(source.origin, CommitOrigin) or source.version != read.versions.fallback:
        return
    why = "no tag that names a version leads to the commit"
    if read.shallow:
        why += ", as far as this shallow clone knows (`git fetch --unshallow --tags` brings the others)"
    services.tell(Phase(text=f"the version is {source.version}: {why}"))


def _must_be_inferred(wanted: Wanted, locator: str) -> None:
    if wanted.added:
        raise RecipeDecides(
            f"{locator} has a lockage.toml, and that says which packages there are",
            hint=f"Run `lockage lock --add {' --add '.join(wanted.added)}` in the folder of lockage.toml, or edit it.",
            source=locator,
        )
    if not wanted.nothing:
        options = " and ".join([*(("--python",) if wanted.pythons else ()), *(("--publishable",) if wanted.publishable else ())])
        raise RecipeDecides(f"{locator} has a lockage.toml, which decides alone; {options} shape a recipe that is inferred", source=locator)


def read_recipe(services: Services, read: SourceRead, data: bytes, locator: str) -> Recipe:
    """The recipe that a source's lockage.toml says, with the Python packages of the locks that it names."""
    recipe = _read_recipe(services, read, data, locator)
    if any(isinstance(declaration.image, ImageBase) for declaration in recipe.environments.values()):
        from lockage.work.base_image import remember_places  # few recipes name any

        remember_places(services, recipe, locator)
    if not any(declaration.names_files for declaration in recipe.environments.values()):
        return recipe
    from lockage.work.declared_files import with_declared_files  # few recipes name any

    return with_declared_files(services, recipe, read.tree)


def _read_recipe(services: Services, read: SourceRead, data: bytes, locator: str) -> Recipe:
    """The recipe that a lockage.toml says, remembered by its bytes and those that it shares. Raises InvalidRecipe, SourceUnusable."""
    from lockage.work.layout import shared_file  # an inferred recipe refers to nothing

    shared = shared_file(services, read, data, locator)
    key = Digest.of(f"{__version__} {READING} ".encode() + data + (b"" if shared is None else b"\0%b\0%b" % shared))
    kept = remembered_recipe(services, "recipe", key)
    if kept is not None:
        return kept
    from lockage.recipe.parse import (  # it brings tomllib and many patterns; a recipe that was read before needs neither
        SharedFile,
        parse_recipe,
    )

    recipe = parse_recipe(data, shared=None if shared is None else SharedFile(shared[0].decode(), shared[1]))
    services.memo.put("recipe", key, canonical_of(recipe))
    return recipe


def infer_recipe(services: Services, locator: str, wanted: Wanted = AS_INFERRED) -> Recipe:
    """The recipe that a source without one would be built by."""
    read = services.sources.read(locator)
    return inferred(services, read, None, locator, _checked(wanted, None))[0]


def lock_project(
    services: Services,
    locator: str,
    *,
    folder: Path,
    upgrade: bool,
    check: bool,
    wanted: Wanted = AS_INFERRED,
    edited: Edited | None = None,
    renewed: Collection[str] = (),
    as_of: Instant | None = None,
    platforms: Collection[Architecture] = (),
) -> tuple[Lock, bool]:
    """Lock a source's recipe into ``folder``; returns the lock and whether the file changed. With ``check`` nothing is written.

    ``wanted`` shapes a recipe that is inferred; its packages come beside those that the present lock says were added before.
    ``edited`` is a recipe that takes the place of the one that is there, once it could be locked. ``renewed`` OS packages and Python
    projects of the present lock move to their newest versions. With ``as_of`` the Python packages are those uploaded before.
    ``platforms`` are the only ones that are locked or looked at, if any are named. The lock that is returned is that of all.
    Raises :class:`LockMissing`, PackageNotLocked, NoSuchPlatform and what locking raises.
    """
    read = services.sources.read(locator)
    present = services.folders.read(folder, _LOCK)
    previous = Lock.decode(present) if present is not None else None
    if previous is None and renewed:
        raise LockMissing(f"{folder / _LOCK} is not there, so nothing of it can be upgraded", file=str(folder / _LOCK))
    text = edited.data if edited is not None else read.recipe
    added: tuple[str, ...] = ()
    if text is not None:
        _must_be_inferred(wanted, locator)
        recipe = read_recipe(services, read, text, locator)
    else:
        added = tuple(sorted({*added_in(previous), *checked_terms(wanted.added)}))
        here = on_this_machine(services, previous) if previous is not None else None
        recipe, _ = inferred(services, read, here, locator, msgspec.structs.replace(wanted, added=added))
    if check:
        if previous is None:
            raise LockMissing(f"{folder / _LOCK} is not there", file=str(folder / _LOCK))
        from lockage.plan.fit import check_platforms  # a build asks for less

        check_platforms(recipe, previous, services.architecture, platforms)
        _refuse_more(recipe, previous, services.architecture)
        return previous, False
    from lockage.work.lock import lock_recipe

    lock = with_added(lock_recipe(services, recipe, previous, upgrade=upgrade, renewed=renewed, as_of=as_of, platforms=platforms), added)
    if edited is not None:
        services.folders.write(edited.folder, _RECIPE, edited.data)
    data = lock.encode()
    services.storage.know_lock(services.blobs.put(data).digest)  # so that gc keeps what it names
    if data != present:
        services.folders.write(folder, _LOCK, data)
    return lock, data != present


def _refuse_more(recipe: Recipe, lock: Lock, machine: Architecture) -> None:
    """Raise LockMismatch if the lock holds what the recipe does not declare."""
    from lockage.environment.platforms import split_name
    from lockage.plan.fit import LockMismatch

    declared = {(name, platform) for name, declaration in recipe.environments.items() for platform in declaration.platforms_on(machine)}
    extra = sorted(place for place, found in lock.environments.items() if (split_name(place)[0], found.architecture) not in declared)
    if extra:
        raise LockMismatch(f"lockage.lock holds environments that the recipe has not: {', '.join(extra)}", found=", ".join(extra))

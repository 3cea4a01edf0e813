"""What the record of a run leads to: its recipe and its environments, as far as they are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.canonical import decode
from lockage.base.errors import LockageError
from lockage.environment.lock import UNPINNED, Lock, LockedEnvironment
from lockage.environment.platforms import preferring
from lockage.recipe.model import Recipe
from lockage.work.inferred import remembered_recipe
from lockage.work.prepare import machine_of
from lockage.work.release import RELEASED_RECIPES

if TYPE_CHECKING:
    from lockage.base.digest import Digest
    from lockage.record.artifact import Run
    from lockage.work.services import Services

__all__ = ["environments_of_lock", "environments_of_run", "hosts_of_lock", "recipe_of_run", "released_recipe"]


def recipe_of_run(services: Services, run: Run) -> Recipe | None:
    """The recipe that a run was made by; None if it is not kept."""
    if run.recipe_document is not None:
        try:
            return decode(services.blobs.get(run.recipe_document), Recipe)
        except LockageError:
            pass  # damaged, or of a lockage that knew other keys
    return released_recipe(services, run.recipe)


def released_recipe(services: Services, digest: Digest) -> Recipe | None:
    """A recipe that something was released by; None if it is not kept."""
    found = remembered_recipe(services, RELEASED_RECIPES, digest)
    return found if found is not None and found.digest == digest else None


def environments_of_run(services: Services, run: Run) -> dict[str, LockedEnvironment]:
    """The environments of a run's steps by name; without those that are not kept."""
    found = {}
    for name, ref in run.environments.items():
        try:
            found[name] = decode(services.blobs.get(ref), LockedEnvironment)
        except LockageError:
            continue
    return found or environments_of_lock(services, run.lock)


def hosts_of_lock(services: Services, lock: Digest) -> tuple[str, ...]:
    """The environments of a lock that are the host, of which it pins nothing; none if it is not kept."""
    return tuple(name for name, environment in environments_of_lock(services, lock).items() if environment.root == UNPINNED)


def environments_of_lock(services: Services, lock: Digest) -> dict[str, LockedEnvironment]:
    """The environments of a lock, of this machine's platform if they are locked for that; none if it is not kept."""
    ref = services.blobs.locate(lock)
    try:
        if ref is None:
            return {}
        found = Lock.decode(services.blobs.get(ref))
        return preferring(found.environments, machine_of(services, found))
    except LockageError:
        return {}

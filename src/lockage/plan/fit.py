"""Whether a lock holds what a recipe declares, on one platform or on all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.errors import Drift
from lockage.environment.declaration import ARCHITECTURES, PythonLock
from lockage.environment.platforms import platforms_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from lockage.environment.declaration import Architecture, Declaration
    from lockage.environment.lock import Lock, LockedEnvironment
    from lockage.recipe.model import Recipe

__all__ = ["LockMismatch", "PlatformNotLocked", "check_lock", "check_platforms", "locked_on"]


class LockMismatch(Drift):
    """The recipe declares an environment that the lock does not hold as declared."""

    code = "lock-mismatch"
    hint = "Run `lockage lock` and commit lockage.lock."


class PlatformNotLocked(Drift):
    """The lock holds an environment for other platforms than the one that it is needed for."""

    code = "platform-not-locked"
    hint = "Name the platform in `platforms` of lockage.toml, run `lockage lock`, and commit lockage.lock."


def check_lock(recipe: Recipe, lock: Lock) -> None:
    """Raise :class:`LockMismatch` unless the lock holds every environment as the recipe declares it.

    On one platform that is what is declared for it, or for none by name. Raises :class:`PlatformNotLocked`.
    """
    for name, declaration in recipe.environments.items():
        if lock.platform is None or lock.platform in declaration.platforms_on(lock.platform):
            _check(name, declaration, lock)


def check_platforms(recipe: Recipe, lock: Lock, machine: Architecture, only: Collection[Architecture] = ()) -> None:
    """Raise what :func:`check_lock` does unless the lock holds every environment for all of its platforms, or for these ``only``.

    ``machine`` is the platform of what is declared for none by name.
    """
    for platform in ARCHITECTURES:
        if only and platform not in only:
            continue
        on_it = lock.on(platform)
        for name, declaration in recipe.environments.items():
            if platform in declaration.platforms_on(machine):
                _check(name, declaration, on_it)


def locked_on(lock: Lock, name: str) -> LockedEnvironment:
    """The environment of that name. Raises :class:`LockMismatch`, :class:`PlatformNotLocked`."""
    found = lock.environments.get(name)
    if found is not None:
        return found
    others = platforms_of(lock.complete.environments, name)
    if not others or lock.platform is None:
        raise LockMismatch(f"environment {name!r} is declared in the recipe but not in lockage.lock", environment=name)
    raise PlatformNotLocked(
        f"environment {name!r} is not locked for {lock.platform}; it is for {' and '.join(others)}",
        environment=name,
        expected=lock.platform,
        found=others,
    )


def _check(name: str, declaration: Declaration, lock: Lock) -> None:
    locked = locked_on(lock, name)
    if locked.declaration == declaration.digest:
        return
    from lockage.environment.disagreement import disagreements  # only where a lock does not fit

    several = len(platforms_of(lock.complete.environments, name)) > 1
    taken = f", or {declaration.python_lock.file} in the source," if isinstance(declaration.python_lock, PythonLock) else ""
    raise LockMismatch(
        f"environment {name!r} was changed in the recipe{taken} since it was locked{f' for {locked.architecture}' if several else ''}",
        environment=name,
        differences=disagreements(declaration, locked),
        expected=locked.declaration,
        found=declaration.digest,
        **({"platform": locked.architecture} if several else {}),
    )

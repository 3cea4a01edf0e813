"""In what a lock does not hold what a recipe declares, on one platform or on any."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.errors import Drift
from lockage.environment.declaration import ARCHITECTURES, PythonLock
from lockage.environment.disagreement import disagreements
from lockage.environment.platforms import platforms_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from lockage.environment.declaration import Architecture, Declaration
    from lockage.environment.lock import Lock
    from lockage.recipe.model import Recipe

__all__ = ["LockMismatch", "PlatformNotLocked", "check_platforms", "misfit"]


class LockMismatch(Drift):
    """The recipe declares an environment that the lock does not hold as declared."""

    code = "lock-mismatch"
    hint = "Run `lockage lock` and commit lockage.lock."


class PlatformNotLocked(Drift):
    """The lock holds an environment for other platforms than the one that it is needed for."""

    code = "platform-not-locked"
    hint = "Name the platform in `platforms` of lockage.toml, run `lockage lock`, and commit lockage.lock."


def check_platforms(recipe: Recipe, lock: Lock, machine: Architecture, only: Collection[Architecture] = ()) -> None:
    """Raise what :func:`misfit` gives unless the lock holds every environment for all of its platforms, or for these ``only``.

    ``machine`` is the platform of what is declared for none by name.
    """
    for platform in ARCHITECTURES:
        if only and platform not in only:
            continue
        on_it = lock.on(platform)
        for name, declaration in recipe.environments.items():
            locked = on_it.environments.get(name)
            if platform in declaration.platforms_on(machine) and (locked is None or locked.declaration != declaration.digest):
                raise misfit(name, declaration, on_it)


def misfit(name: str, declaration: Declaration, lock: Lock) -> LockMismatch | PlatformNotLocked:
    """In what a lock, or one platform of it, does not hold an environment as it is declared."""
    locked = lock.environments.get(name)
    others = platforms_of(lock.complete.environments, name)
    if locked is None and (lock.platform is None or not others):
        return LockMismatch(f"environment {name!r} is declared in the recipe but not in lockage.lock", environment=name)
    if locked is None:
        return PlatformNotLocked(
            f"environment {name!r} is not locked for {lock.platform}; it is for {' and '.join(others)}",
            hint=LockMismatch.hint if isinstance(declaration.platforms, tuple) and lock.platform in declaration.platforms else None,
            environment=name,
            expected=lock.platform,
            found=others,
        )
    taken = f", or {declaration.python_lock.file} in the source," if isinstance(declaration.python_lock, PythonLock) else ""
    where = locked.architecture if len(others) > 1 else None
    return LockMismatch(
        f"environment {name!r} was changed in the recipe{taken} since it was locked{f' for {where}' if where else ''}",
        environment=name,
        differences=disagreements(declaration, locked),
        expected=locked.declaration,
        found=declaration.digest,
        **({"platform": where} if where else {}),
    )

"""Add: OS packages for an environment, written into its recipe where there is one, and locked.

Invariant: lockage.toml is written only once its new text was read back as a recipe and could be locked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.errors import Usage
from lockage.recipe.edit import add_packages
from lockage.recipe.parse import parse_recipe
from lockage.work.inferred import checked_terms
from lockage.work.prepare import Edited, lock_project

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from lockage.base.instant import Instant
    from lockage.environment.declaration import Architecture
    from lockage.environment.lock import Lock
    from lockage.recipe.wanted import Wanted
    from lockage.work.services import Services

__all__ = ["EnvironmentNotNamed", "lock_with_added"]

_RECIPE = "lockage.toml"


class EnvironmentNotNamed(Usage):
    """The recipe has no environment of the name given, or several and none was named."""

    code = "environment-not-named"
    hint = "Name one of the recipe's environments with --environment."


def lock_with_added(
    services: Services,
    locator: str,
    *,
    recipe_folder: Path | None,
    folder: Path,
    wanted: Wanted,
    environment: str | None,
    upgrade: bool,
    renewed: Collection[str] = (),
    as_of: Instant | None = None,
    platforms: Collection[Architecture] = (),
) -> tuple[Lock, bool, bool]:
    """Add packages to the recipe in ``recipe_folder`` and lock it; without a recipe there only the lock says that they were added.

    Returns the lock, whether it changed, and whether lockage.toml changed. Raises what locking raises, before anything is written.
    """
    terms = checked_terms(wanted.added)
    data = services.folders.read(recipe_folder, _RECIPE) if recipe_folder is not None else None
    edited = None
    if data is not None and recipe_folder is not None:
        name = _chosen(data, environment)  # a recipe that can be read, so it is text
        edited = Edited(recipe_folder, add_packages(data.decode(), name, terms).encode())
        terms = ()
    wanted = msgspec.structs.replace(wanted, added=terms)
    lock, written = lock_project(
        services,
        locator,
        folder=folder,
        upgrade=upgrade,
        check=False,
        wanted=wanted,
        edited=edited,
        renewed=renewed,
        as_of=as_of,
        platforms=platforms,
    )
    return lock, written, edited is not None and edited.data != data


def _chosen(data: bytes, environment: str | None) -> str:
    names = list(parse_recipe(data).environments)
    if environment is None and len(names) == 1:
        return names[0]
    if environment in names:
        assert environment is not None
        return environment
    said = f"the recipe has no environment {environment!r}" if environment is not None else "the recipe has several environments"
    raise EnvironmentNotNamed(f"{said}; it has {', '.join(names)}", file=_RECIPE, found=environment)

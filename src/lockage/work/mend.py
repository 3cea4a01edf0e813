"""Mend: a project verified and fixed, and the recipe that was found written where the project keeps its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.errors import Conflict
from lockage.environment.lock import Lock
from lockage.recipe.parse import SharedFile, parse_recipe
from lockage.recipe.render import render
from lockage.work.fix import Fix, fix
from lockage.work.hand_over import build_project
from lockage.work.layout import shared_file
from lockage.work.verify import Verification, verify_project

if TYPE_CHECKING:
    from pathlib import Path

    from lockage.recipe.model import Recipe
    from lockage.work.prepare import Project
    from lockage.work.services import Services
    from lockage.work.verify import Axes

__all__ = ["RecipeChanged", "fix_project"]

_RECIPE, _LOCK = "lockage.toml", "lockage.lock"


class RecipeChanged(Conflict):
    """lockage.toml was changed by somebody else while a fix for it was looked for."""

    code = "recipe-changed"
    hint = "Run `lockage verify --fix` again; nothing was written."


def fix_project(
    services: Services,
    locator: str,
    project: Project,
    *,
    folder: Path | None,
    rounds: int | None = 1,
    axes: Axes = None,
    severe: bool = False,
    blaming: int = 60,
    most: int = 200,
) -> tuple[Verification, Fix | None]:
    """Verify a project, record the result, and look for what mends it; None if it was identical.

    With ``folder`` the new recipe is written there once it is proven, and for a project without one the lock that it was proven with.
    Raises what verifying raises, StepNotEdited and :class:`RecipeChanged`.
    """
    found = verify_project(services, project, rounds=rounds, axes=axes, severe=severe, blaming=blaming)
    if found.blamed is None:
        return found, None
    _, built = build_project(services, project)
    text = _text(services, project, locator, folder)
    shared = _shared(services, project, locator, text)

    def read(edited: str) -> Recipe:
        return msgspec.structs.replace(project.recipe, steps=parse_recipe(edited.encode(), shared=shared).steps)

    fixed = fix(services, project, built, found, text=text, read=read, rounds=rounds, axes=axes, severe=severe, blaming=blaming, most=most)
    if folder is not None and fixed.text is not None:
        _write(services, project, folder, text, fixed.text)
    return found, fixed


def _text(services: Services, project: Project, locator: str, folder: Path | None) -> str:
    """The recipe as its author wrote it, or as `lockage init` would write what was inferred."""
    if project.recipe.inferred:
        return render(project.recipe)
    data = services.folders.read(folder, _RECIPE) if folder is not None else services.sources.read(locator).recipe
    assert data is not None
    return data.decode()


def _shared(services: Services, project: Project, locator: str, text: str) -> SharedFile | None:
    if project.recipe.inferred:
        return None
    found = shared_file(services, services.sources.read(locator), text.encode(), locator)
    return None if found is None else SharedFile(found[0].decode(), found[1])


def _write(services: Services, project: Project, folder: Path, before: str, after: str) -> None:
    present = services.folders.read(folder, _RECIPE)
    if present != (None if project.recipe.inferred else before.encode()):
        raise RecipeChanged(f"{folder / _RECIPE} was changed while a fix was looked for", file=str(folder / _RECIPE))
    if project.recipe.inferred and services.folders.read(folder, _LOCK) is None:
        told = {name: msgspec.structs.replace(locked, added=()) for name, locked in project.lock.environments.items()}
        services.folders.write(folder, _LOCK, Lock.of(told).encode())
    services.folders.write(folder, _RECIPE, after.encode())

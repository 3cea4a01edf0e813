"""Recipes. For scripts that make one (docs/recipe-api.md): :func:`project`; all else is for lockage itself.

Loaded when it is asked for, because a build of a recipe that was read before needs none of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lockage.recipe.script import Project as Project
    from lockage.recipe.script import project as project

__all__ = ["Project", "project"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from lockage.recipe import script

    return getattr(script, name)

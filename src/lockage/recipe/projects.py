"""The projects that a repository holds below its top, for whoever names only the repository."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from lockage.recipe.backend import NotAProject

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["naming_projects", "projects_below"]

_MARKS = frozenset({"lockage.toml", "pyproject.toml", "setup.py"})
#: Projects in such folders are examples and fixtures, named only if there are no others.
_BESIDE = frozenset({"test", "tests", "testing", "doc", "docs", "example", "examples", "benchmark", "benchmarks"})
_MOST = 8


def projects_below(paths: Iterable[str]) -> tuple[str, ...]:
    """The directories that hold a recipe or a Python project, none inside another, sorted."""
    folders = sorted({path.rpartition("/")[0] for path in paths if path.rpartition("/")[2] in _MARKS} - {""}, key=lambda f: f.split("/"))
    outer: list[str] = []
    for folder in folders:
        if not any(folder.startswith(f"{other}/") for other in outer):
            outer.append(folder)
    proper = [folder for folder in outer if _BESIDE.isdisjoint(folder.lower().split("/"))]
    return tuple(proper or outer)


def naming_projects(error: NotAProject, paths: Iterable[str], locator: str) -> NotAProject:
    """The error with the projects that are there and how to build each; the error itself if there are none."""
    found = projects_below(paths)
    if not found:
        return error
    shown = ", ".join(found[:_MOST]) + (f" and {len(found) - _MOST} more" if len(found) > _MOST else "")
    commands = ", ".join(f"`lockage build {shlex.quote(_within(locator, folder))}`" for folder in found[:_MOST])
    what = "a project" if len(found) == 1 else f"{len(found)} projects"
    return NotAProject(
        f"{error.message}; it holds {what} below: {shown}",
        hint=f"Name the one that you mean: {commands}.",
        folder=error.details.get("folder"),
        projects=found,
    )


def _within(locator: str, folder: str) -> str:
    if "@" in locator or "#" in locator or "://" in locator:
        return f"{locator}#subdirectory={folder}"
    return folder if locator in ("", ".") else f"{locator.rstrip('/')}/{folder}"

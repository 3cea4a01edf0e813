"""What a recipe refers to beside itself: the file of environments that it shares, and a source that begins above it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.tree import file_at
from lockage.ports import SourceUnusable
from lockage.recipe.layout import PLAIN, climb, read_layout

if TYPE_CHECKING:
    from lockage.ports import SourceRead
    from lockage.work.services import Services

__all__ = ["shared_file"]

_HINT = "Commit the source to its repository and build from there; or, in lockage.toml, name a file inside the source."


def shared_file(services: Services, read: SourceRead, recipe: bytes, locator: str) -> tuple[bytes, bytes] | None:
    """The path, as the recipe has it, and the bytes of the file of environments that a recipe shares; None if it shares none.

    Raises :class:`SourceUnusable` if the source does not hold what the recipe refers to: an sdist or a plain directory holds
    nothing above itself.
    """
    layout = read_layout(recipe)
    if layout is PLAIN:
        return None
    if layout.root and read.home is None:
        raise SourceUnusable(
            f"the recipe of {locator} says that its source begins above it, but {locator} is no directory of a repository",
            file="lockage.toml",
            key="project.root",
            hint="Build from the repository.",
        )
    if layout.shares is None:
        return None
    data = read.shared
    if data is None:
        try:
            path = climb(read.home, layout.shares)
        except ValueError:
            path = None
        found = file_at(read.tree, path, services.blobs.get) if path is not None else None
        data = services.blobs.get(found) if found is not None else None
    if data is None:
        raise SourceUnusable(
            f"the recipe of {locator} shares the environments of {layout.shares}, which is no file of the source",
            file="lockage.toml",
            key="project.shares",
            path=layout.shares,
            hint=_HINT,
        )
    return layout.shares.encode(), data

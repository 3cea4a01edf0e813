"""What an environment's table says that it begins with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.environment.base import OsBase
from lockage.recipe.base_host import host_of
from lockage.recipe.base_image import image_of

if TYPE_CHECKING:
    from lockage.environment.base import Base
    from lockage.recipe.reader import Table

__all__ = ["base_of"]


def base_of(table: Table) -> Base | None:
    """The base that the table declares; None, and a fault, if that is not exactly one. Keys that do not go with it are reported."""
    if table.has("host"):
        return host_of(table)
    if table.has("path"):
        table.texts("path", str, "folders")
        table.fault("path", "folders to search belong to an environment that is the host", "What a root has is on its search path already.")
    if table.has("image"):
        return image_of(table)
    return table.text("os", OsBase.parse, 'an operating system base such as "debian:bookworm"', required=True)

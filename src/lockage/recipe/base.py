"""What an environment's table says that it begins with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.environment.base import OsBase

if TYPE_CHECKING:
    from lockage.environment.base import Base
    from lockage.recipe.reader import Table

__all__ = ["base_of"]


def base_of(table: Table) -> Base | None:
    """The base that the table declares; None, and a fault, if that is not exactly one."""
    return table.text("os", OsBase.parse, 'an operating system base such as "debian:bookworm"', required=True)

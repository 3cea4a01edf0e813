"""[pools] of a recipe, and `pools` of a step: things of which there are so many units, such as licences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.name import PoolName
from lockage.recipe.reader import named, shown, suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockage.recipe.reader import Table

__all__ = ["pool_sizes", "pools_of"]

_MOST_UNITS = 1 << 20


def pool_sizes(table: Table) -> dict[PoolName, int]:
    """The sizes of the recipe's pools; a pool whose size is wrong is reported, and has the largest for the steps that are read next."""
    found: dict[PoolName, int] = {}
    for name in table.names():
        before = len(table.faults.found)
        named(table, name, PoolName)
        if len(table.faults.found) > before:
            continue
        size = table.integer(name, 0, 1, _MOST_UNITS)
        found[PoolName(name)] = size or _MOST_UNITS
    return found


def pools_of(table: Table, sizes: Mapping[PoolName, int]) -> dict[PoolName, int]:
    """How many units of which pools a step takes, by name."""
    found: dict[PoolName, int] = {}
    for name in sorted(table.names()):
        units = table.integer(name, 0, 1, _MOST_UNITS)
        size = next((size for pool, size in sizes.items() if pool == name), None)
        if size is None:
            declare = f"Declare it: [pools] with {name} = N." if not sizes else f"Declare it in [pools], which has {', '.join(sizes)}."
            table.fault(name, f"there is no pool {shown(name)}{suggestion(name, sizes)}", declare)
        elif units > size:
            table.fault(name, f"the pool {shown(name)} has {size}, the step takes {units}", "Take fewer, or raise its size in [pools].")
        elif units:
            found[PoolName(name)] = units
    return found

"""What modes hold still: a mode of a step beats the axis that would vary it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.recipe.modes import MODES, Mode

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from lockage.variation.world import World

__all__ = ["held", "held_axes"]


def held(world: World, modes: Collection[Mode]) -> World:
    """The world as a step with these modes sees it."""
    changes: dict[str, object] = {}
    if Mode.FROZEN_CLOCK in modes:
        changes["clock_offset"] = 0
    if Mode.SINGLE_CPU in modes:
        changes["cpus"] = 1
    if Mode.FIXED_ADDRESSES in modes:
        changes["fixed_addresses"] = True
    return msgspec.structs.replace(world, **changes) if changes else world


def held_axes(steps: Iterable[Collection[Mode]]) -> tuple[str, ...]:
    """The axes that change nothing for any of the steps with these modes, and so prove nothing; none if there is no step."""
    found = [{axis for mode in modes for axis in MODES[mode].axes} for modes in steps]
    return tuple(sorted(set.intersection(*found))) if found else ()

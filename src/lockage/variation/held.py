"""What modes and services of a step hold still: they beat the axis that would vary it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.recipe.modes import MODES, Mode

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from lockage.variation.world import World

__all__ = ["held", "held_axes"]


#: What would keep a step from its services: no network at all, a proxy in between, or a second run that asks all of it once more.
_OF_SERVICES = ("loopback", "proxy", "second-run")


def held(world: World, modes: Collection[Mode], *, services: bool = False) -> World:
    """The world as a step with these modes sees it, and with ``services`` to ask."""
    changes: dict[str, object] = {"loopback": True, "proxy": (), "twice": False} if services else {}
    if Mode.FROZEN_CLOCK in modes:
        changes["clock_offset"] = 0
    if Mode.SINGLE_CPU in modes:
        changes["cpus"] = 1
    if Mode.FIXED_ADDRESSES in modes:
        changes["fixed_addresses"] = True
    return msgspec.structs.replace(world, **changes) if changes else world


def held_axes(steps: Iterable[tuple[Collection[Mode], bool]]) -> tuple[str, ...]:
    """The axes that change nothing for any of the steps, and so prove nothing; none if there is no step.

    Of each step: its modes, and whether it has services.
    """
    found = [{axis for mode in modes for axis in MODES[mode].axes} | set(_OF_SERVICES if services else ()) for modes, services in steps]
    return tuple(sorted(set.intersection(*found))) if found else ()

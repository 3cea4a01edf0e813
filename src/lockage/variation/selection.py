"""Which axes a verification varies, and at which levels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.variation.axes import AXES

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["select", "unknown"]


def unknown(asked: Collection[str]) -> tuple[str, ...]:
    """What of it names no axis and no choice of one."""
    known = {axis.name for axis in AXES} | {f"{axis.name}={level.name}" for axis in AXES for level in axis.levels}
    return tuple(sorted(set(asked) - known))


def select(asked: Collection[str] | None = None, *, severe: bool = False) -> tuple[tuple[str, ...], ...]:
    """The choices of every axis to vary, in the order of :data:`AXES`.

    An axis in ``asked`` stands for all its levels but the severe ones, ``axis=level`` for one; None: every axis that is not severe.
    With ``severe`` they are varied as well.
    """
    found = []
    for axis in AXES:
        choices = axis.choices(severe=severe)
        if asked is None:
            wanted = choices if severe or not axis.severe else ()
        else:
            every = zip(axis.levels, axis.choices(severe=True), strict=True)
            by_axis = choices if axis.name in asked else ()
            wanted = tuple(choice for level, choice in every if choice in by_axis or f"{axis.name}={level.name}" in asked)
        if wanted:
            found.append(wanted)
    return tuple(found)

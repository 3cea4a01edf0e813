"""Which axes a verification varies, and at which levels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.variation.axes import AXES, axis_of

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["select", "unknown"]


def unknown(asked: Collection[str]) -> tuple[str, ...]:
    """What of it names no axis and no choice of one."""
    known = {axis.name for axis in AXES} | {choice for axis in AXES for choice in axis.choices(severe=True)}
    return tuple(sorted(set(asked) - known))


def select(asked: Collection[str] | None = None, *, severe: bool = False) -> tuple[tuple[str, ...], ...]:
    """The choices of every axis to vary, in the order of :data:`AXES`.

    An axis in ``asked`` stands for all its levels but the severe ones, a choice for itself; None: every axis that is not severe.
    With ``severe`` they are varied as well.
    """
    found = []
    for axis in AXES:
        choices = axis.choices(severe=severe)
        if asked is None:
            wanted = choices if severe or not axis.severe else ()
        else:
            named = {choice for choice in asked if axis_of(choice) == axis.name}
            by_axis = choices if axis.name in named else ()
            wanted = tuple(choice for choice in axis.choices(severe=True) if choice in named or choice in by_axis)
        if wanted:
            found.append(wanted)
    return tuple(found)

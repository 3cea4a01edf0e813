"""What a verification varies: worlds and axes, and what modes hold still in them."""

from lockage.variation.axes import AXES, Axis, Claim, Level, Side, axis_of, values_of, vary
from lockage.variation.cover import count_pairs, covering, flaky_at_most
from lockage.variation.held import held, held_axes
from lockage.variation.selection import select, unknown
from lockage.variation.world import CONTRACT, World

__all__ = [
    "AXES",
    "CONTRACT",
    "Axis",
    "Claim",
    "Level",
    "Side",
    "World",
    "axis_of",
    "count_pairs",
    "covering",
    "flaky_at_most",
    "held",
    "held_axes",
    "select",
    "unknown",
    "values_of",
    "vary",
]

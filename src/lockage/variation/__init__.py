"""What a verification varies: worlds and axes, and what modes hold still in them."""

from lockage.variation.axes import AXES, Axis, Claim, Side, values_of, vary
from lockage.variation.held import held, held_axes
from lockage.variation.world import CONTRACT, World

__all__ = ["AXES", "CONTRACT", "Axis", "Claim", "Side", "World", "held", "held_axes", "values_of", "vary"]

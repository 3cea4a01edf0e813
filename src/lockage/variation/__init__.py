"""What a verification varies: worlds and axes."""

from lockage.variation.axes import AXES, Axis, Claim, Side, values_of, vary
from lockage.variation.world import CONTRACT, World

__all__ = ["AXES", "CONTRACT", "Axis", "Claim", "Side", "World", "values_of", "vary"]

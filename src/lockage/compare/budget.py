"""How much is looked into in one comparison, nested archives included: what is crafted to be nested without end must end."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lockage.compare.difference import Comparison

__all__ = ["Budget", "Nesting"]

_INSPECTIONS = 1000


class Budget:
    """So many pairs of differing contents are looked into by their form; what comes after them is compared as bytes."""

    def __init__(self, inspections: int = _INSPECTIONS) -> None:
        self._left = inspections

    def spend(self) -> bool:
        """Whether one more may be looked into."""
        self._left -= 1
        return self._left >= 0


class Nesting:
    """What may still be opened within what is being looked at: so many levels, within the budget of the whole."""

    def __init__(self, depth: int, budget: Budget) -> None:
        self.depth, self.budget = depth, budget

    def compare(self, name: str, a: bytes, b: bytes) -> Comparison | None:
        """The comparison of two files within others; None if that is one level too deep."""
        from lockage.compare.files import compare_files  # the two call each other: an archive may be within an archive

        return compare_files(name, a, b, depth=self.depth - 1, budget=self.budget) if self.depth > 0 else None

"""What is wanted of an inferred recipe beyond one wheel for one Python; light, as every build carries it."""

from __future__ import annotations

import msgspec

__all__ = ["AS_INFERRED", "Wanted"]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which Pythons (MAJOR.MINOR; none: the first that fits) get a wheel, and whether an index must accept it (a manylinux tag).

    ``added`` are OS packages that nothing tells of and that somebody knows to be needed.
    """

    added: tuple[str, ...] = ()
    pythons: tuple[str, ...] = ()
    publishable: bool = False

    @property
    def nothing(self) -> bool:
        """Whether the recipe is the one that is inferred anyway."""
        return self == AS_INFERRED


AS_INFERRED = Wanted()

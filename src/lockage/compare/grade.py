"""Grades of equality, always by name: identical > same-content > stabilized > different > failed."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Grade", "best", "worst"]


class Grade(StrEnum):
    """How alike two files are; declared from the best to the worst."""

    #: The same bytes.
    IDENTICAL = "identical"
    #: Equal content digests.
    SAME_CONTENT = "same-content"
    #: Equal after the passes, that is but for losses that the passes list.
    STABILIZED = "stabilized"
    DIFFERENT = "different"
    #: There is nothing to compare with: a build failed or did not deliver the file.
    FAILED = "failed"

    @property
    def rank(self) -> int:
        """0 for the best grade; a larger number is a worse grade."""
        return list(Grade).index(self)

    def at_least(self, other: Grade) -> bool:
        """Whether this grade is as good as ``other`` or better."""
        return self.rank <= other.rank


def worst(grades: Iterable[Grade]) -> Grade:
    """The worst of at least one grade; raises ValueError for none, because nothing compared proves nothing."""
    return max(grades, key=lambda grade: grade.rank)


def best(grades: Iterable[Grade]) -> Grade:
    """The best of at least one grade; raises ValueError for none."""
    return min(grades, key=lambda grade: grade.rank)

"""What a clause of the search says in the world of packages; candidates by their numbers."""

from __future__ import annotations

import msgspec

from lockage.environment.debian.relation import Relation

__all__ = ["Clash", "Need"]


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """A package, or (``by`` is None) whoever asked, needs one of these alternatives."""

    by: int | None
    term: tuple[Relation, ...]
    essential: bool = False

    def __str__(self) -> str:
        return " | ".join(map(str, self.term))


class Clash(msgspec.Struct, frozen=True, kw_only=True):
    """Two packages exclude each other; ``relation`` is what the first one says of it."""

    one: int
    other: int
    word: str
    relation: Relation | None = None

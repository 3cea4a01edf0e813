"""What can be wrong with an environment as declared; ports re-exports what adapters raise as well."""

from __future__ import annotations

from lockage.base.errors import Integrity, Usage

__all__ = ["InvalidIndex", "InvalidRelation", "Unresolvable"]


class Unresolvable(Usage):
    """The packages or requirements asked for cannot be had together."""

    code = "unresolvable"
    hint = "Change the packages or requirements named in the recipe."


class InvalidRelation(Usage):
    """A package term is not a Debian dependency, such as ``python3-dev (>= 3.11)`` or ``gcc | clang``."""

    code = "invalid-relation"
    hint = "Write package terms as Debian's control files do: NAME, NAME (>= VERSION), or alternatives with `|`."


class InvalidIndex(Integrity):
    """A Release or Packages file is signed or hashed as it should be, but cannot be read."""

    code = "invalid-index"
    hint = "Try another mirror; if it persists, the suite's index is damaged at its origin."

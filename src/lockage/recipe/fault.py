"""What can be wrong with a recipe: every fault with its file, line and key, reported together."""

from __future__ import annotations

import msgspec

from lockage.base.errors import Usage
from lockage.base.excerpt import Excerpt
from lockage.base.name import StepName

__all__ = ["InvalidRecipe", "RecipeCycle", "RecipeFault"]


class RecipeFault(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong: ``line`` counts from 1, ``key`` is dotted (empty: the file as a whole).

    ``excerpt`` is the line itself, where there is one to show.
    """

    file: str
    line: int
    key: str
    message: str
    hint: str = ""
    excerpt: Excerpt | None = None

    def __str__(self) -> str:
        key = f"{self.key}: " if self.key else ""
        return f"{self.file}:{self.line}: {key}{self.message}"


class RecipeCycle(RecipeFault, frozen=True, kw_only=True):
    """Steps that need each other in a circle; the first is named again at the end."""

    steps: tuple[StepName, ...]


class InvalidRecipe(Usage):
    """The recipe, lockage.toml, has faults; all of them are listed, each with file, line and key."""

    code = "invalid-recipe"
    hint = "Correct the lines listed; docs/recipe.md says what each key may hold."

    def __init__(self, faults: tuple[RecipeFault, ...]) -> None:
        hints = list(dict.fromkeys(fault.hint for fault in faults if fault.hint))
        super().__init__(
            "\n".join(str(fault) for fault in faults),
            hint=" ".join(hints) or None,
            file=faults[0].file,
            line=faults[0].line,
            key=faults[0].key,
            faults=tuple(str(fault) for fault in faults),
        )
        self.faults = faults
        self.excerpts = tuple(fault.excerpt for fault in faults if fault.excerpt is not None)

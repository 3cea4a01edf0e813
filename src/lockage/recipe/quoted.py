"""The lines of a TOML document that faults are about, found by the dotted key that each fault begins with."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lockage.base.excerpt import Excerpt, excerpt_of
from lockage.recipe.lines import nearest, places_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockage.recipe.lines import Key

__all__ = ["quoted", "syntax_fault"]

_PART = re.compile(r"([A-Za-z0-9_-]+)|\[([0-9]+)\]")
_WHERE = re.compile(r" \((?:at line ([0-9]+), column ([0-9]+)|at end of document)\)$")


def quoted(text: str, file: str, faults: Iterable[str], *, first: int = 0) -> tuple[Excerpt, ...]:
    """An excerpt for every fault of the form ``KEY: what is wrong``, in the order of the file; array numbers count from ``first``."""
    places = places_of(text)
    found = []
    for fault in faults:
        key: Key = tuple(
            name or int(number) - first for name, number in _PART.findall(fault.partition(":")[0]) if name or int(number) >= first
        )
        place = nearest(places, key)
        found.append(excerpt_of(text, file=file, line=place.line, column=place.column, width=place.width, message=fault))
    return tuple(sorted(found, key=lambda excerpt: excerpt.line))


def syntax_fault(text: str, file: str, said: str) -> Excerpt:
    """The excerpt for what tomllib says of a document that is not TOML, whose message ends with the place."""
    found = _WHERE.search(said)
    message = f"not TOML: {said[: found.start()] if found else said}"
    if found and found[1]:
        return excerpt_of(text, file=file, line=int(found[1]), column=int(found[2]), message=message)
    return excerpt_of(text, file=file, line=text.count("\n") + 1, column=1, message=message)

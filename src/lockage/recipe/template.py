"""Texts with places for values: ``{NAME}`` in a table that has a matrix (docs/matrix.md).

Invariant: only a name between braces is a place. ``${name}`` is the shell's, ``{{name}}`` is the text ``{name}``, and all other braces are
text, so that a shell line means what it says.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from lockage.recipe.reader import shown, suggestion

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from lockage.recipe.lines import Key
    from lockage.recipe.reader import Faults

__all__ = ["Filled", "Template", "compiled"]

_NAME = r"[a-z][a-z0-9_-]*(?:\.[a-z][a-z0-9_-]*)?"
_FORM = re.compile(rf"\{{(\{{+{_NAME}\}}+)\}}|(?<!\$)\{{({_NAME})\}}")

#: The value of a name: numbers stay numbers where a key wants one.
Value = str | int
#: A table's value with no places in it any more.
Filled = object


class Template(msgspec.Struct, frozen=True):
    """Alternately text and names: a text before each name, and one behind the last."""

    texts: tuple[str, ...]
    names: tuple[str, ...]

    def fill(self, values: Mapping[str, Value]) -> str:
        """The text with the values in their places."""
        out = [self.texts[0]]
        for name, text in zip(self.names, self.texts[1:], strict=True):
            out += (str(values[name]), text)
        return "".join(out)


class Number(Template, frozen=True):
    """A text that is one place and nothing else, where a key may want a number: a number stays one."""

    def fill(self, values: Mapping[str, Value]) -> Value:  # type: ignore[override]  # it widens what a template gives
        return values[self.names[0]]


class Node(msgspec.Struct, frozen=True):
    """An array or a table of which something is a template."""

    items: dict[str | int, Template | Node]
    whole: list[object] | dict[str, object]

    def fill(self, values: Mapping[str, Value]) -> Filled:
        """A copy with the values in their places; what has none is shared."""
        copy: list[object] | dict[str, object] = self.whole.copy()
        for key, item in self.items.items():
            copy[key] = item.fill(values)  # type: ignore[index]  # a list has numbers, a table has names
        return copy


def compiled(value: object, key: Key, known: Collection[str], faults: Faults, *, number: bool = False) -> Template | Node | None:
    """What is to be filled in a value; None if it stays as it is. A name that is not ``known`` is reported at its key."""
    if isinstance(value, str):
        return _text(value, key, known, faults, number=number)
    if not isinstance(value, list | dict):
        return None
    pairs = enumerate(value) if isinstance(value, list) else value.items()
    items: dict[str | int, Template | Node] = {}
    for name, item in pairs:
        found = compiled(item, (*key, name), known, faults)
        if found is not None:
            items[name] = found
    return Node(items, value) if items else None


def _text(text: str, key: Key, known: Collection[str], faults: Faults, *, number: bool) -> Template | None:
    texts, names, at = [""], [], 0
    for found in _FORM.finditer(text):
        texts[-1] += text[at : found.start()]
        at = found.end()
        if found[1] is not None:
            texts[-1] += found[1]
        elif found[2] in known:
            names.append(found[2])
            texts.append("")
        else:
            hint = f"Name a dimension of the table's matrix; the text {found[0]} itself is written {{{found[0]}}}."
            faults.add(key, f"the matrix has no {shown(found[2])}{suggestion(found[2], known)}", hint)
    if at == 0:
        return None
    texts[-1] += text[at:]
    return (Number if number and names and not any(texts) and len(names) == 1 else Template)(tuple(texts), tuple(names))

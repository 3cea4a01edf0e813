"""Typed reading of a parsed TOML table that collects every fault instead of stopping at the first.

A value that is wrong is reported once and replaced by its default, so that the rest can still be checked.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from lockage.recipe.lines import Key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Faults", "Table", "dotted", "named", "shown", "suggestion"]

T = TypeVar("T")

#: A fault before its line is known: key path, message, hint, and the steps of a cycle.
Found = tuple[Key, str, str, tuple[str, ...]]


def dotted(key: Key) -> str:
    """A key path as people write it, such as ``step.wheel.inputs[2]``."""
    out = ""
    for part in key:
        if isinstance(part, int):
            out += f"[{part}]"
        else:
            out += ("." if out else "") + (part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else f'"{part}"')
    return out


def shown(value: object) -> str:
    """A value as TOML would write it, shortened."""
    if isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, str):
        text = '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    elif isinstance(value, dict):
        return "a table"
    elif isinstance(value, list):
        return f"an array of {len(value)}"
    else:
        text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def suggestion(name: str, known: Iterable[str]) -> str:
    """``; did you mean "X"?`` or nothing."""
    from difflib import get_close_matches  # only on the way to an error

    close = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {shown(close[0])}?" if close else ""


class Faults:
    """All that was found wrong so far."""

    def __init__(self) -> None:
        self.found: list[Found] = []

    def add(self, key: Key, message: str, hint: str = "", *, cycle: tuple[str, ...] = ()) -> None:
        self.found.append((key, message, hint, cycle))

    def __bool__(self) -> bool:
        return bool(self.found)


class Table:
    """One table of the document. Every key is asked for by one method; :meth:`close` reports the others as unknown."""

    def __init__(self, values: dict[str, object], key: Key, faults: Faults, *, readable: bool = True) -> None:
        self._values = values
        self._readable = readable
        self._known: set[str] = set()
        self.key = key
        self.faults = faults

    def fault(self, name: str, message: str, hint: str = "") -> None:
        self.faults.add((*self.key, name), message, hint)

    def has(self, name: str) -> bool:
        return name in self._values

    def has_items(self, name: str) -> bool:
        """Whether something was written there, right or wrong."""
        return self._values.get(name, []) != []

    def _take(self, name: str, kind: type[T], expected: str) -> T | None:
        self._known.add(name)
        value = self._values.get(name)
        if value is None:
            return None
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            self.fault(name, f"expected {expected}, found {shown(value)}")
            return None
        return value

    def text(self, name: str, read: Callable[[str], T], expected: str, *, required: bool = False) -> T | None:
        """A text that ``read`` converts; its ValueError becomes the fault."""
        value = self._take(name, str, expected)
        if value is None:
            if required and self._readable and not self.has(name):
                self.faults.add(self.key, f"the key {shown(name)} is missing: {expected}")
            return None
        return self._converted((*self.key, name), value, read)

    def _converted(self, key: Key, value: str, read: Callable[[str], T]) -> T | None:
        try:
            return read(value)
        except ValueError as error:
            self.faults.add(key, str(error))
            return None

    def texts(self, name: str, read: Callable[[str], T], expected: str) -> tuple[T, ...] | None:
        """An array of distinct texts, each converted; None if the key is not there or is no array."""
        values = self._take(name, list, f"an array of {expected}")
        if values is None:
            return None
        found: list[T] = []
        seen: set[str] = set()
        for number, value in enumerate(values):
            key = (*self.key, name, number)
            if not isinstance(value, str):
                self.faults.add(key, f"expected one of {expected} as text, found {shown(value)}")
            elif value in seen:
                self.faults.add(key, f"{shown(value)} is there twice")
            else:
                seen.add(value)
                item = self._converted(key, value, read)
                if item is not None:
                    found.append(item)
        return tuple(found)

    def integer(self, name: str, default: int, least: int, most: int) -> int:
        value = self._take(name, int, f"an integer >= {least}")
        if value is None:
            return default
        if not least <= value <= most:
            self.fault(name, f"expected an integer from {least} to {most}, found {value}")
            return default
        return value

    def quantity(self, name: str, default: int, read: Callable[[str], int], expected: str, most: int) -> int:
        """An integer, or a text with a unit."""
        is_text = isinstance(self._values.get(name), str)
        value = self.text(name, read, expected) if is_text else self._take(name, int, expected)
        if value is None:
            return default
        if not 1 <= value <= most:
            self.fault(name, f"expected at least 1 and at most {most}, found {shown(self._values[name])}")
            return default
        return value

    def flag(self, name: str, default: bool) -> bool:
        value = self._take(name, bool, "true or false")
        return default if value is None else value

    @property
    def empty(self) -> bool:
        return not self._values

    def raw(self, name: str) -> object:
        self._known.add(name)
        return self._values.get(name)

    def table(self, name: str) -> Table:
        """The table of that name; an empty one if it is missing or not a table."""
        value = self._take(name, dict, "a table")
        return Table(value or {}, (*self.key, name), self.faults, readable=value is not None or not self.has(name))

    def names(self) -> Iterator[str]:
        """Every key, marked as known."""
        for name in self._values:
            self._known.add(name)
            yield name

    def close(self) -> None:
        for name in self._values:
            if name not in self._known:
                self.fault(name, f"unknown key{suggestion(name, self._known)}", hint="")


def named(table: Table, name: str, kind: type[str]) -> None:
    """Report a table whose name is not of its kind."""
    try:
        kind(name)
    except ValueError as error:
        table.fault(name, str(error))

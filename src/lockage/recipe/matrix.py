"""``[matrix]`` and the ``matrix`` of a table: which dimensions there are, and which combinations of their values a table is made for.

Invariant: combinations come in a fixed order: that of nested loops over the dimensions as the table names them, the last one
innermost, then what is included besides, as written.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

import msgspec

from lockage.recipe.reader import Table, shown, suggestion
from lockage.recipe.template import Template, Value, compiled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["MOST", "Combination", "Dimension", "Matrix", "dimensions_of", "matrix_of", "slug"]

#: So many steps are made of one table at most.
MOST = 100_000
_MOST_DIGITS = 12
_DIMENSION = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_FORM = 'texts or integers, { range = [FIRST, LAST] }, or a table for each value, such as { "3.13" = { suite = "trixie" } }'


class Dimension(msgspec.Struct, frozen=True):
    """A named list of distinct values; ``traits`` are what each value brings with it, by name. Without them it may be included others."""

    name: str
    values: tuple[Value, ...]
    traits: dict[str, dict[str, Value]] = {}

    @property
    def places(self) -> tuple[str, ...]:
        """The names that stand for it in a template: its own, and ``NAME.TRAIT``."""
        first = next(iter(self.traits.values()), {})
        return (self.name, *(f"{self.name}.{trait}" for trait in first))


class Combination(msgspec.Struct, frozen=True):
    """One value of each dimension: ``key`` as texts in the order of the dimensions, ``values`` by what stands for them in templates."""

    key: tuple[str, ...]
    values: dict[str, Value]


class Matrix(msgspec.Struct, frozen=True):
    """What a table is made for; ``excluded`` are combinations that it is not made for. ``name`` is a template, None for the usual name."""

    over: tuple[str, ...]
    combinations: tuple[Combination, ...]
    excluded: tuple[Combination, ...]
    name: Template | None

    def name_of(self, base: str, combination: Combination) -> str:
        """The name of what a table called ``base`` becomes for a combination."""
        if self.name is not None:
            return self.name.fill(combination.values)
        return "-".join((base, *map(slug, combination.key)))


def slug(text: str) -> str:
    """A value as it stands in a name: lowercase, with ``-`` for everything that a name cannot hold."""
    return re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("-._")


def dimensions_of(table: Table) -> dict[str, Dimension]:
    """Every dimension that can be read, with the faults of the others reported."""
    found: dict[str, Dimension] = {}
    for name in table.names():
        if not _DIMENSION.fullmatch(name):
            table.fault(name, f"not the name of a dimension (a lowercase letter, then letters, digits, '-' and '_'): {shown(name)}")
            continue
        value = table.raw(name)
        if isinstance(value, list):
            values = _values(table, name, value)
            traits: dict[str, dict[str, Value]] = {}
        elif isinstance(value, dict) and "range" in value and not isinstance(value["range"], dict):
            values, traits = _range(table.table(name)), {}
        elif isinstance(value, dict):
            values, traits = tuple(value), _traits(table.table(name))
        else:
            table.fault(name, f"expected {_FORM}, found {shown(value)}")
            continue
        if not values and value in ([], {}):
            table.fault(name, "a dimension without values makes no steps", "Give it values, or take it out of every `matrix`.")
        found[name] = Dimension(name, values, traits)
    return found


def _values(table: Table, name: str, values: list[object]) -> tuple[Value, ...]:
    found: list[Value] = []
    seen: set[str] = set()
    for number, value in enumerate(values):
        key = (*table.key, name, number)
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            table.faults.add(key, f"expected a text or an integer, found {shown(value)}")
        elif str(value) in seen:
            table.faults.add(key, f"{shown(value)} is there twice")
        else:
            seen.add(str(value))
            found.append(value)
    return tuple(found)


def _range(table: Table) -> tuple[Value, ...]:
    ends = table.raw("range")
    width = table.integer("width", 0, 0, _MOST_DIGITS)
    table.close()
    if not isinstance(ends, list) or len(ends) != 2 or any(isinstance(end, bool) or not isinstance(end, int) or end < 0 for end in ends):
        table.fault("range", f"expected the first and the last number, such as [0, 9], found {shown(ends)}")
        return ()
    first, last = ends
    if first > last or last - first >= MOST:
        wrong = f"{first} comes after {last}" if first > last else f"more than {MOST} numbers"
        table.fault("range", f"expected the first and the last number: {wrong}")
        return ()
    numbers = range(first, last + 1)
    return tuple(f"{number:0{width}}" for number in numbers) if width else tuple(numbers)


def _traits(table: Table) -> dict[str, dict[str, Value]]:
    found: dict[str, dict[str, Value]] = {}
    first: set[str] | None = None
    for value in table.names():
        inner = table.table(value)
        traits: dict[str, Value] = {}
        for trait in inner.names():
            text = inner.raw(trait)
            if not _DIMENSION.fullmatch(trait) or isinstance(text, bool) or not isinstance(text, str | int):
                inner.fault(trait, "expected a text or an integer under a name of lowercase letters")
            else:
                traits[trait] = text
        first = set(traits) if first is None else first
        if set(traits) != first:
            different = ", ".join(sorted(first ^ set(traits)))
            table.fault(value, f"every value of a dimension has the same keys; this one differs from the first in {different}")
        found[value] = traits
    return found


def matrix_of(table: Table, dimensions: Mapping[str, Dimension]) -> Matrix | None:
    """The ``matrix`` of a table, with its faults reported; None if it cannot be read."""
    before = len(table.faults.found)
    value = table.raw("matrix")
    if not isinstance(value, list | dict):
        table.fault("matrix", f"expected an array of dimensions or a table, found {shown(value)}")
        return None
    whole = Table({"over": value}, table.key, table.faults) if isinstance(value, list) else table.table("matrix")
    # An array alone stands at `matrix` itself.
    over = _over(table if isinstance(value, list) else whole, "matrix" if isinstance(value, list) else "over", dimensions)
    include, exclude = (_combinations(whole, key) for key in ("include", "exclude"))
    places = [place for name in over for place in dimensions[name].places]
    text = whole.text("name", str, 'the name of each, such as "wheel-{python}"')
    name = None
    if text is not None:
        found = compiled(text, (*whole.key, "name"), places, table.faults)
        name = found if isinstance(found, Template) else Template((text,), ())
    whole.raw("over")
    whole.close()
    if len(table.faults.found) > before or not over:
        return None
    return _made(whole, tuple(dimensions[name] for name in over), include, exclude, name)


def _over(table: Table, key: str, dimensions: Mapping[str, Dimension]) -> tuple[str, ...]:
    def declared(text: str) -> str:
        if text not in dimensions:
            raise ValueError(f"there is no dimension {shown(text)} in [matrix]{suggestion(text, dimensions)}")
        return text

    over = table.texts(key, declared, "dimensions of [matrix]")
    if not over and not table.has_items(key):
        table.faults.add(
            (*table.key, key) if table.has(key) else table.key, "a matrix names at least one dimension", 'Such as over = ["python"].'
        )
    return over or ()


def _combinations(table: Table, name: str) -> list[tuple[int, dict[str, str]]]:
    """An array of tables as they were written; values become texts."""
    value = table.raw(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) and item for item in value):
        table.fault(name, f'expected an array of tables, such as [{{ python = "3.13" }}], found {shown(value)}')
        return []
    return [(number, {key: str(one) for key, one in item.items()}) for number, item in enumerate(value)]


def _made(
    table: Table,
    over: tuple[Dimension, ...],
    include: list[tuple[int, dict[str, str]]],
    exclude: list[tuple[int, dict[str, str]]],
    name: Template | None,
) -> Matrix | None:
    count = 1
    for dimension in over:
        count *= len(dimension.values)
    if count > MOST:
        table.faults.add(table.key, f"the matrix makes {count} of it; at most {MOST}", "Split a dimension, or run several in one step.")
        return None
    before = len(table.faults.found)
    _check_names(table, "exclude", exclude, over, whole=False)
    _check_names(table, "include", include, over, whole=True)
    if len(table.faults.found) > before:
        return None
    used: set[int] = set()
    kept: list[Combination] = []
    left_out: list[Combination] = []
    for combination in _product(over):
        texts = dict(zip((dimension.name for dimension in over), combination.key, strict=True))
        hits = [number for number, one in exclude if one.items() <= texts.items()]
        used.update(hits)
        (left_out if hits else kept).append(combination)
    for number, one in exclude:
        if number not in used:
            table.faults.add((*table.key, "exclude", number), f"it excludes nothing: no combination has {_said(one)}")
    present = {combination.key for combination in kept}
    for number, one in include:
        combination = _combined(over, tuple(_valued(dimension, one[dimension.name]) for dimension in over))
        if combination.key in present:
            table.faults.add((*table.key, "include", number), f"the combination is there already: {_said(one)}")
        present.add(combination.key)
        kept.append(combination)
    if not kept:
        table.faults.add((*table.key, "exclude"), "nothing is left: every combination is excluded")
    excluded = tuple(one for one in left_out if one.key not in present)
    return None if len(table.faults.found) > before else Matrix(tuple(one.name for one in over), tuple(kept), excluded, name)


def _check_names(table: Table, key: str, found: list[tuple[int, dict[str, str]]], over: tuple[Dimension, ...], *, whole: bool) -> None:
    known = {dimension.name: dimension for dimension in over}
    for number, one in found:
        at = (*table.key, key, number)
        for name, value in one.items():
            if name not in known:
                table.faults.add((*at, name), f"{shown(name)} is no dimension of this matrix{suggestion(name, known)}")
            elif not whole and value not in (values := [str(each) for each in known[name].values]):
                table.faults.add((*at, name), f"{shown(value)} is no value of {name}{suggestion(value, values)}")
            elif whole and known[name].traits and value not in known[name].traits:
                table.faults.add((*at, name), f"{shown(value)} is no value of {name}, whose values have keys of their own")
        missing = [name for name in known if name not in one]
        if whole and missing:
            table.faults.add(at, f"what is included names every dimension of the matrix; {', '.join(missing)} is missing")


def _said(values: Mapping[str, str]) -> str:
    return ", ".join(f"{name} = {shown(value)}" for name, value in values.items())


def _product(over: tuple[Dimension, ...]) -> Iterator[Combination]:
    for values in itertools.product(*(dimension.values for dimension in over)):
        yield _combined(over, values)


def _valued(dimension: Dimension, text: str) -> Value:
    """A value that was included: a number if it is one and the dimension's are."""
    return int(text) if text.isascii() and text.isdigit() and all(isinstance(value, int) for value in dimension.values) else text


def _combined(over: tuple[Dimension, ...], values: tuple[Value, ...]) -> Combination:
    places: dict[str, Value] = {}
    for dimension, value in zip(over, values, strict=True):
        places[dimension.name] = value
        for trait, text in dimension.traits.get(str(value), {}).items():
            places[f"{dimension.name}.{trait}"] = text
    return Combination(tuple(map(str, values)), places)

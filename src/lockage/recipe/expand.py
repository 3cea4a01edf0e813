"""Tables with a ``matrix`` → plain tables, one for each combination, before anything else reads the document (docs/matrix.md).

Invariants: the rest of lockage sees no matrix; a document without one is not touched; each fault of what was made is told once, where the
table stands in the file.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from lockage.recipe.matrix import Combination, Matrix, dimensions_of, matrix_of
from lockage.recipe.reader import Table, shown, suggestion
from lockage.recipe.template import compiled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lockage.recipe.lines import Key
    from lockage.recipe.matrix import Dimension
    from lockage.recipe.reader import Faults, Found

__all__ = ["Expanded", "Origin", "expand", "gathered"]

_SECTIONS = ("environment", "fetch", "step")
#: Keys of a step that take an integer: `cpus = "{cpus}"` gives them a number if the dimension has numbers.
_NUMBERS = frozenset({"cpus", "memory", "disk", "timeout", "processes", "retries", "limit"})


class Origin(NamedTuple):
    """Where a table that was made stands in the file: the name there, and for each of its needs which element it comes from."""

    base: str
    needs: tuple[int, ...] | None = None


class Expanded(NamedTuple):
    """A document without matrices, and the origin of each table that was made or whose needs were, by section and name."""

    document: dict[str, object]
    origins: Mapping[tuple[str, str], Origin]


class _Made(msgspec.Struct, frozen=True):
    """A table of a section and what it became: names by combination."""

    matrix: Matrix
    names: dict[tuple[str, ...], str]
    excluded: dict[str, Combination]


def expand(document: dict[str, object], faults: Faults) -> Expanded:
    """The document with every table that has a ``matrix`` replaced by what it makes; faults are reported."""
    top = Table(document, (), faults)
    dimensions = dimensions_of(top.table("matrix"))
    out = {name: value for name, value in document.items() if name != "matrix"}
    origins: dict[tuple[str, str], Origin] = {}
    for section in _SECTIONS:
        value = document.get(section)
        if not isinstance(value, dict) or not any(isinstance(table, dict) and "matrix" in table for table in value.values()):
            continue
        made: dict[str, _Made] = {}
        combined: dict[str, Combination] = {}
        table = Table(value, (section,), faults)
        found = dict(_section(table, section, value, dimensions, made, combined, origins))
        if section == "step":
            _Needs(made, combined, origins, faults).resolve(found)
        out[section] = found
    return Expanded(out, origins)


def _section(
    table: Table,
    section: str,
    value: Mapping[str, object],
    dimensions: Mapping[str, Dimension],
    made: dict[str, _Made],
    combined: dict[str, Combination],
    origins: dict[tuple[str, str], Origin],
) -> Iterator[tuple[str, object]]:
    """Every table of a section in its order, those with a matrix as what they make."""
    taken: dict[str, str] = {name: name for name, one in value.items() if not (isinstance(one, dict) and "matrix" in one)}
    for base, one in value.items():
        if not isinstance(one, dict) or "matrix" not in one:
            yield base, one
            continue
        matrix = matrix_of(table.table(base), dimensions)
        if matrix is None:
            continue
        known = matrix.combinations[0].values
        body = {key: item for key, item in one.items() if key != "matrix"}
        filling = {
            key: found
            for key, item in body.items()
            if (found := compiled(item, (section, base, key), known, table.faults, number=key in _NUMBERS)) is not None
        }
        names: dict[tuple[str, ...], str] = {}
        for combination in matrix.combinations:
            name = matrix.name_of(base, combination)
            if name in taken:
                other = taken[name]
                what = f"two combinations of [{section}.{base}]" if other == base else f"[{section}.{base}] and [{section}.{other}]"
                hint = "Name the combinations apart with `name` in the table's `matrix`."
                table.faults.add((section, base), f"{what} would both make the {section} {shown(name)}", hint)
                break
            taken[name] = base
            names[combination.key] = name
            combined[name] = combination
            origins[section, name] = Origin(base)
            yield name, {**body, **{key: item.fill(combination.values) for key, item in filling.items()}}
        made[base] = _Made(matrix, names, {matrix.name_of(base, each): each for each in matrix.excluded})


class _Needs:
    """Resolves what steps need: a table with a matrix by its name, or steps that it makes by theirs or by a pattern."""

    def __init__(
        self,
        made: Mapping[str, _Made],
        combined: Mapping[str, Combination],
        origins: dict[tuple[str, str], Origin],
        faults: Faults,
    ) -> None:
        self._made = made
        self._combined = combined
        self._origins = origins
        self._faults = faults
        self._excluded = {name: base for base, one in made.items() for name in one.excluded}
        self._index: dict[tuple[str, tuple[str, ...]], dict[tuple[str, ...], list[str]]] = {}
        self._patterns: dict[str, list[str]] = {}
        self._told: set[tuple[str, int]] = set()

    def resolve(self, steps: dict[str, object]) -> None:
        """Replace the needs of every step by names of steps."""
        for name, step in steps.items():
            needs = step.get("needs") if isinstance(step, dict) else None
            if not isinstance(needs, list):
                continue
            assert isinstance(step, dict)
            found: list[object] = []
            numbers: list[int] = []
            seen: set[str] = set()
            for number, need in enumerate(needs):
                for one in self._one(name, number, need):
                    if one is need or one not in seen:  # what is written twice is a fault, what is meant twice is not
                        found.append(one)
                        numbers.append(number)
                    if isinstance(one, str):
                        seen.add(one)
            if found != needs:
                origin = self._origins.get(("step", name), Origin(name))
                self._origins["step", name] = Origin(origin.base, tuple(numbers))
                steps[name] = {**step, "needs": found}

    def _one(self, step: str, number: int, need: object) -> list[object]:
        if not isinstance(need, str):
            return [need]
        if need in self._made:
            return list(self._like(step, number, need))
        if "*" in need:
            return list(self._matching(step, number, need))
        if need in self._excluded:
            base = self._excluded[need]
            hint = "Exclude the same combination here, or include it there."
            self._fault(step, number, f"the matrix of [step.{base}] excludes {shown(need)}", hint)
            return []
        return [need]

    def _fault(self, step: str, number: int, message: str, hint: str = "") -> None:
        """Report what is wrong with a need, at its place in the file and once for all steps of a table."""
        origin = self._origins.get(("step", step))
        base = step if origin is None else origin.base
        if (base, number) not in self._told:
            self._told.add((base, number))
            self._faults.add(("step", base, "needs", number), message + (f" (as {shown(step)})" if base != step else ""), hint)

    def _like(self, step: str, number: int, base: str) -> list[str]:
        """The steps of a table that have the same values of the dimensions which they share with this one."""
        other = self._made[base].matrix.over
        own = self._combined.get(step)
        shared = tuple(name for name in other if own is not None and name in own.values)
        wanted = tuple(str(own.values[name]) for name in shared) if own is not None else ()
        found = self._indexed(base, shared).get(wanted, [])
        if not found:
            values = ", ".join(f"{name} = {shown(value)}" for name, value in zip(shared, wanted, strict=True))
            hint = "Exclude the same combination here, or name what it needs by the name of a step."
            self._fault(step, number, f"the matrix of [step.{base}] makes no step with {values}", hint)
        return found

    def _indexed(self, base: str, shared: tuple[str, ...]) -> dict[tuple[str, ...], list[str]]:
        """The steps of a table by their values of some dimensions; made once, so that resolving all needs takes one look each."""
        kept = self._index.get((base, shared))
        if kept is None:
            kept = self._index[base, shared] = {}
            over = self._made[base].matrix.over
            places = [over.index(name) for name in shared]
            for values, name in self._made[base].names.items():
                kept.setdefault(tuple(values[place] for place in places), []).append(name)
        return kept

    def _matching(self, step: str, number: int, pattern: str) -> list[str]:
        kept = self._patterns.get(pattern)
        if kept is None:
            match = re.compile(".*".join(map(re.escape, pattern.split("*")))).fullmatch
            kept = self._patterns[pattern] = [name for name in self._combined if match(name)]
        if not kept:
            base = pattern.partition("*")[0].rstrip("-")
            self._fault(step, number, f"no step that a matrix makes is called {shown(pattern)}{suggestion(base, self._made)}")
        return kept


def gathered(found: list[Found], origins: Mapping[tuple[str, str], Origin]) -> list[Found]:
    """Faults at their places in the file; what is wrong with several steps of one table is told once, with the name of the first."""
    if not origins:
        return found
    sizes: dict[tuple[str, str], int] = {}
    for (section, _), origin in origins.items():
        sizes[section, origin.base] = sizes.get((section, origin.base), 0) + 1
    groups: dict[tuple[Key, bool], list[tuple[Found, str]]] = {}
    for fault in found:
        key, name = _placed(fault[0], origins)
        groups.setdefault((key, bool(name)), []).append(((key, *fault[1:]), name))
    out: list[Found] = []
    for (key, was_made), faults in groups.items():
        if not was_made:
            out += [fault for fault, _ in faults]
            continue
        distinct: dict[str, list[tuple[Found, str]]] = {}
        for fault, name in faults:
            distinct.setdefault(fault[1], []).append((fault, name))
        whole = sizes.get((str(key[0]), str(key[1])), 0)
        everywhere = [same[0][0] for same in distinct.values() if len(same) == whole]
        some = [pair for same in distinct.values() if len(same) != whole for pair in same]
        out += everywhere
        if some:
            (first, name), others = some[0], len({name for _, name in some}) - 1
            more = f", and {others} more of its matrix" if others else ""
            out.append((first[0], f"{first[1]} (as {shown(name)}{more})", *first[2:]))
    return out


def _placed(key: Key, origins: Mapping[tuple[str, str], Origin]) -> tuple[Key, str]:
    """A key as the file has it, and the name of the table that was made; nothing for one that stands there itself."""
    if len(key) < 2:
        return key, ""
    section, name = str(key[0]), str(key[1])
    origin = origins.get((section, name))
    if origin is None:
        return key, ""
    rest = key[2:]
    if origin.needs is not None and len(rest) == 2 and rest[0] == "needs" and isinstance(rest[1], int):
        rest = ("needs", origin.needs[rest[1]])
    return (key[0], origin.base, *rest), "" if origin.base == name else name

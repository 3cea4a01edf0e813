"""Recipes made by a script, for those who need loops: the same tables and faults, and a lockage.toml comes of it (docs/recipe-api.md).

Invariants: a recipe is data; a script that makes one is run by whoever changes it, and never by lockage. Parsing what :meth:`Project.toml`
gives is :attr:`Project.recipe` again.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lockage.base.name import EnvironmentName, FetchName, StepName
from lockage.recipe.fault import InvalidRecipe, RecipeFault
from lockage.recipe.parse import recipe_of
from lockage.recipe.reader import dotted
from lockage.recipe.render import render

if TYPE_CHECKING:
    from lockage.recipe.lines import Key
    from lockage.recipe.model import Recipe

__all__ = ["Project", "Value", "project"]

#: What a key of lockage.toml may hold.
Value = str | int | bool | Sequence["Value"] | Mapping[str, "Value"] | None
Place = tuple[str, int]


class Project:
    """A recipe that is being made. Keys are those of lockage.toml with ``_`` for ``-``; one that is None is left out.

    What is wrong is told by :attr:`recipe` and :meth:`toml`, all at once, each with the line of the script that said it.
    """

    def __init__(self, name: str, version: str | None = None, *, place: Place | None = None) -> None:
        self._place = place or _caller()
        self._document: dict[str, object] = {"project": _table({"name": name, "version": version})}
        self._places: dict[tuple[str, str], Place] = {}
        self._twice: list[tuple[Key, Place]] = []

    def flag(self, name: str, default: bool = False) -> str:
        """A feature flag; returns its name."""
        self._add("flags", name, default)
        return name

    def environment(
        self,
        name: str,
        *,
        os: str | None = None,
        image: str | None = None,
        packages: Sequence[str] = (),
        python: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
        **keys: Value,
    ) -> EnvironmentName:
        """An environment, which begins with ``os`` or with ``image``; returns its name, for the steps that run in it."""
        table = {"os": os, "image": image, "packages": packages or None, "python": python or None, "variables": variables, **keys}
        self._add("environment", name, _table(table))
        return str.__new__(EnvironmentName, name)

    def fetch(self, name: str, *, url: str | Sequence[str], sha256: str, **keys: Value) -> FetchName:
        """A fetch input; returns its name, for the steps that see it."""
        self._add("fetch", name, _table({"url": url, "sha256": sha256, **keys}))
        return str.__new__(FetchName, name)

    def step(
        self,
        name: str,
        *,
        run: str | Sequence[str],
        environment: str | None = None,
        kind: str | None = None,
        needs: Sequence[str] = (),
        inputs: Sequence[str] | None = None,
        outputs: Sequence[str] = (),
        artifacts: Sequence[str] = (),
        **keys: Value,
    ) -> StepName:
        """A step; returns its name, for the steps that need it."""
        listed = {"needs": needs, "outputs": outputs, "artifacts": artifacts}
        table = {"kind": kind, "environment": environment, "run": run, "inputs": inputs, **keys}
        self._add("step", name, _table({**table, **{key: value or None for key, value in listed.items()}}))
        return str.__new__(StepName, name)

    def _add(self, section: str, name: str, value: object) -> None:
        tables = self._document.setdefault(section, {})
        assert isinstance(tables, dict)
        place = _caller()
        if name in tables:
            self._twice.append(((section, name), place))
        tables[name] = value
        self._places.setdefault((section, name), place)

    @property
    def recipe(self) -> Recipe:
        """The recipe; raises :class:`InvalidRecipe` with every fault."""
        recipe, found = recipe_of(self._document)
        faults = [self._fault(key, message, hint) for key, message, hint, _ in found]
        for key, (file, line) in self._twice:
            faults.append(RecipeFault(file=file, line=line, key=dotted(key), message="it was made before, and a name stands for one"))
        if faults or recipe is None:
            raise InvalidRecipe(tuple(sorted(faults, key=lambda fault: fault.line)))
        return recipe

    def _fault(self, key: Key, message: str, hint: str) -> RecipeFault:
        file, line = self._places.get((str(key[0]), str(key[1])), self._place) if len(key) > 1 else self._place
        return RecipeFault(file=file, line=line, key=dotted(key), message=message, hint=hint)

    def toml(self) -> str:
        """The text of the recipe's lockage.toml, which names the script; raises :class:`InvalidRecipe`."""
        script = self._place[0]
        return f"# Made by {script}: change that, then run it again.\n" + render(self.recipe)

    def __str__(self) -> str:
        return self.toml()


def project(name: str, version: str | None = None) -> Project:
    """Begin a recipe; ``version`` is ``"pyproject"`` (the default), ``"tag"`` or a literal."""
    return Project(name, version, place=_caller())


def _table(keys: Mapping[str, Value]) -> dict[str, object]:
    return {key.replace("_", "-"): _plain(value) for key, value in keys.items() if value is not None}


def _plain(value: Value) -> object:
    """A value as tomllib would give it."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, str) else value


def _caller() -> Place:
    """The name of the script and the line of it that called us."""
    frame = sys._getframe(1)  # noqa: SLF001  # what inspect.currentframe() is made of, without importing it
    while frame.f_code.co_filename == __file__ and frame.f_back is not None:
        frame = frame.f_back
    return frame.f_code.co_filename.replace("\\", "/").rpartition("/")[2], frame.f_lineno

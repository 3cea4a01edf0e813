"""lockage.toml bytes → Recipe, or all of its faults at once (docs/recipe.md)."""

from __future__ import annotations

import re
import tomllib

from lockage.base.excerpt import excerpt_of
from lockage.base.name import EnvironmentName, FlagName, ProjectName, StepName, Version
from lockage.environment.declaration import Declaration, OsBase
from lockage.recipe.fault import InvalidRecipe, RecipeCycle, RecipeFault
from lockage.recipe.lines import nearest, places_of
from lockage.recipe.model import Recipe, VersionFrom
from lockage.recipe.quoted import syntax_fault
from lockage.recipe.reader import Faults, Table, dotted, named, shown, suggestion
from lockage.recipe.requirement import debian_term, python_requirement
from lockage.recipe.rules import check_steps
from lockage.recipe.step import step_of
from lockage.recipe.variables import variables_of

__all__ = ["parse_recipe"]


def parse_recipe(data: bytes, file: str = "lockage.toml") -> Recipe:
    """Read a recipe; raises :class:`InvalidRecipe` with every fault, each with its line and key. ``file`` is for its text."""
    text, document = _toml(data, file)
    faults = Faults()
    recipe = _recipe(Table(document, (), faults))
    if faults:
        raise InvalidRecipe(_reported(faults, text, file))
    assert recipe is not None
    return recipe


def _reported(faults: Faults, text: str, file: str) -> tuple[RecipeFault, ...]:
    """The faults with their places, in the order of the file."""
    places = places_of(text)
    found: list[RecipeFault] = []
    for key, message, hint, cycle in sorted(faults.found, key=lambda fault: nearest(places, fault[0]).line):
        place, name = nearest(places, key), dotted(key)
        excerpt = excerpt_of(
            text,
            file=file,
            line=place.line,
            column=place.column,
            width=place.width,
            message=f"{name}: {message}" if name else message,
        )
        if cycle:
            steps = tuple(StepName(step) for step in cycle)
            found.append(RecipeCycle(file=file, line=place.line, key=name, message=message, hint=hint, excerpt=excerpt, steps=steps))
        else:
            found.append(RecipeFault(file=file, line=place.line, key=name, message=message, hint=hint, excerpt=excerpt))
    return tuple(found)


def _toml(data: bytes, file: str) -> tuple[str, dict[str, object]]:
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        fault = RecipeFault(
            file=file, line=line, key="", message=f"not UTF-8: byte 0x{data[error.start]:02x}", hint="Save the file as UTF-8."
        )
        raise InvalidRecipe((fault,)) from error
    try:
        return text, tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        excerpt = syntax_fault(text, file, str(error))
        hint = "Correct the syntax; text values stand in double quotes."
        fault = RecipeFault(file=file, line=excerpt.line, key="", message=excerpt.message, hint=hint, excerpt=excerpt)
        raise InvalidRecipe((fault,)) from error


def _recipe(top: Table) -> Recipe | None:
    project = top.table("project")
    name = project.text("name", _project_name, "the project's normalised name", required=True)
    version = project.text("version", _version, '"pyproject", "tag" or a literal version')
    project.close()
    environments = _environments(top.table("environment"))
    flags = _flags(top.table("flags"))
    declared = top.table("step")
    names = tuple(declared.names())
    steps = [step_of(declared.table(step), step, environments, flags) for step in names]
    top.close()
    if declared.empty:
        top.faults.add(("step",), "a recipe needs at least one step", "Add a [step.NAME] table with `run` and `outputs`.")
    known = [step for step in steps if step is not None]
    check_steps(known, names, top.faults)
    if name is None or top.faults:
        return None
    return Recipe(
        project=name,
        version=version or VersionFrom(rule="pyproject"),
        environments={name: found for name, found in environments.items() if found is not None},
        steps=tuple(known),
        flags=flags,
    )


def _project_name(text: str) -> ProjectName:
    try:
        normalised = ProjectName.normalised(text)
    except ValueError as error:
        raise ValueError(f"not a project name (letters, digits, '-', '_' and '.'): {shown(text)}") from error
    if normalised != text:
        raise ValueError(f"a project is named by its normalised name: write {shown(str(normalised))} instead of {shown(text)}")
    return normalised


def _version(text: str) -> VersionFrom:
    if text in ("pyproject", "tag"):
        return VersionFrom(rule=text)
    if not text[:1].isdigit():
        close = suggestion(text, ("pyproject", "tag"))
        raise ValueError(f'expected "pyproject", "tag" or a literal that begins with a digit, found {shown(text)}{close}')
    return VersionFrom(rule="literal", literal=Version(text))


def _environments(table: Table) -> dict[str, Declaration | None]:
    found: dict[str, Declaration | None] = {}
    for name in table.names():
        named(table, name, EnvironmentName)
        one = table.table(name)
        base = one.text("os", OsBase.parse, 'an operating system base such as "debian:bookworm"', required=True)
        packages = one.texts("packages", debian_term, "Debian packages") or ()
        python = one.texts("python", python_requirement, "Python requirements") or ()
        variables = variables_of(one)
        one.close()
        found[name] = None if base is None else Declaration(os=base, packages=packages, python=python, variables=variables)
    return found


def _flags(table: Table) -> dict[str, bool]:
    found: dict[str, bool] = {}
    variables: dict[str, str] = {}
    for name in table.names():
        named(table, name, FlagName)
        found[name] = table.flag(name, default=False)
        same = variables.setdefault(re.sub(r"[-.]", "_", name).upper(), name)
        if same != name:
            table.fault(name, f"the flags {shown(same)} and {shown(name)} would have the same variable in a step")
    return found

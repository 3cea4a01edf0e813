"""lockage.toml bytes → Recipe, or all of its faults at once (docs/recipe.md)."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

import msgspec

from lockage.base.excerpt import excerpt_of
from lockage.base.name import EnvironmentName, FlagName, ProjectName, StepName, Version
from lockage.environment.base import HostBase, ImageBase, OsBase
from lockage.environment.declaration import Declaration
from lockage.recipe.base import base_of
from lockage.recipe.base_image import interpreter_of
from lockage.recipe.fault import InvalidRecipe, RecipeCycle, RecipeFault
from lockage.recipe.fetch import fetches_of
from lockage.recipe.layout import read_root, read_shares, read_tag_prefix
from lockage.recipe.lines import nearest, places_of
from lockage.recipe.model import Recipe, Step, VersionFrom
from lockage.recipe.pools import pool_sizes
from lockage.recipe.python_lock import python_lock_of
from lockage.recipe.python_rules import python_rules_of
from lockage.recipe.quoted import syntax_fault
from lockage.recipe.reader import Faults, Table, dotted, named, shown, suggestion
from lockage.recipe.requirement import debian_term, python_requirement
from lockage.recipe.rules import check_hosts, check_services, check_steps
from lockage.recipe.service_table import services_of
from lockage.recipe.step import step_of
from lockage.recipe.suites import platforms_of, suites_of
from lockage.recipe.variables import variables_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from lockage.environment.declaration import Architecture
    from lockage.recipe.expand import Origin
    from lockage.recipe.reader import Found

__all__ = ["SharedFile", "parse_recipe", "recipe_of"]


class SharedFile(msgspec.Struct, frozen=True):
    """A file of environments that a recipe shares; ``file`` is its path as the recipe has it."""

    file: str
    data: bytes


def parse_recipe(data: bytes, file: str = "lockage.toml", *, shared: SharedFile | None = None) -> Recipe:
    """Read a recipe; raises :class:`InvalidRecipe` with every fault, each with its file, line and key. ``file`` is for its text.

    Of the environments of a ``shared`` file the recipe has those that its steps name.
    """
    text, document = _toml(data, file)
    faults = Faults()
    environments, theirs = ({}, ()) if shared is None else _shared(shared)
    document, origins = _expanded(document, faults)
    recipe = None if faults else _recipe(Table(document, (), faults), environments, shared.file if shared is not None else "")
    found = (*theirs, *_reported(faults, text, file, origins))  # what is wrong there may be why something is missing here
    if found:
        raise InvalidRecipe(found)
    assert recipe is not None
    return recipe


def recipe_of(document: dict[str, object]) -> tuple[Recipe | None, list[Found]]:
    """The recipe of a document that is not in a file, and what is wrong with it, by key."""
    faults = Faults()
    document, origins = _expanded(document, faults)
    recipe = None if faults else _recipe(Table(document, (), faults), {}, "")
    if origins and faults:
        from lockage.recipe.expand import gathered

        return recipe, gathered(faults.found, origins)
    return recipe, faults.found


def _expanded(document: dict[str, object], faults: Faults) -> tuple[dict[str, object], Mapping[tuple[str, str], Origin]]:
    """The document without matrices, and where what they make stands in the file; faults of the matrices have their places already."""
    sections = (document.get(name) for name in ("environment", "fetch", "step"))
    if "matrix" not in document and not any(
        isinstance(table, dict) and "matrix" in table for section in sections if isinstance(section, dict) for table in section.values()
    ):
        return document, {}
    from lockage.recipe.expand import expand  # most recipes have none

    found = expand(document, faults)
    return found.document, {} if faults else found.origins


def _reported(faults: Faults, text: str, file: str, origins: Mapping[tuple[str, str], Origin]) -> tuple[RecipeFault, ...]:
    """The faults of one file with their places, in the order of its lines."""
    if not faults:
        return ()
    places = places_of(text)
    told = faults.found
    if origins:
        from lockage.recipe.expand import gathered

        told = gathered(told, origins)
    found: list[RecipeFault] = []
    for key, message, hint, cycle in sorted(told, key=lambda fault: nearest(places, fault[0]).line):
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


def _shared(shared: SharedFile) -> tuple[dict[str, Declaration | None], tuple[RecipeFault, ...]]:
    """The environments of a shared file, and what is wrong with it."""
    text, document = _toml(shared.data, shared.file)
    faults = Faults()
    document, origins = _expanded(document, faults)
    if faults:
        return {}, _reported(faults, text, shared.file, origins)
    top = Table(document, (), faults)
    declared = top.table("environment")
    found = _environments(declared)
    if declared.empty:
        top.faults.add((), "a file of shared environments holds [environment.NAME] tables; there is none")
    top.close()
    return found, _reported(faults, text, shared.file, origins)


def _recipe(top: Table, shared: dict[str, Declaration | None], shared_file: str) -> Recipe | None:
    project = top.table("project")
    name = project.text("name", _project_name, "the project's normalised name", required=True)
    version = project.text("version", _version, '"pyproject", "tag" or a literal version')
    root = project.text("root", read_root, 'a directory above the recipe\'s, such as ".."')
    project.text("shares", read_shares, "the path of a file of environments")
    project.text("tag-prefix", read_tag_prefix, "what stands before the version in the project's tags")
    platforms = platforms_of(project)
    project.close()
    own = _environments(top.table("environment"), platforms)
    if platforms is not msgspec.UNSET:
        shared = {one: _for_platforms(found, platforms) for one, found in shared.items()}
    for twice in sorted(own.keys() & shared.keys()):
        top.faults.add(("environment", twice), f"{shown(twice)} is declared in {shared_file} as well, which the recipe shares")
    environments = {**shared, **own}
    flags = _flags(top.table("flags"))
    fetches = fetches_of(top.table("fetch"))
    services = services_of(top.table("service"))
    declared = top.table("step")
    names = tuple(declared.names())
    pools = pool_sizes(top.table("pools"))
    steps = [step_of(declared.table(step), step, environments, flags, fetches, pools, services) for step in names]
    top.close()
    if declared.empty:
        top.faults.add(("step",), "a recipe needs at least one step", "Add a [step.NAME] table with `run` and `outputs`.")
    if root is not None:
        _check_inputs(declared, names)
    known = [step for step in steps if step is not None]
    fetched = {name: found for name, found in fetches.items() if found is not None}
    check_steps(known, names, top.faults, fetched)
    check_services(known, top.faults, {name: found for name, found in services.items() if found is not None})
    check_hosts(known, top.faults, {name for name, one in environments.items() if one is not None and isinstance(one.base, HostBase)})
    if name is None or top.faults:
        return None
    return Recipe(
        project=name,
        version=version or VersionFrom(rule="pyproject"),
        environments={name: found for name, found in _used(own, shared, known).items() if found is not None},
        steps=tuple(known),
        flags=flags,
        fetches=tuple(fetched.values()),
        pools=pools,
        services=tuple(found for found in services.values() if found is not None),
    )


def _check_inputs(declared: Table, names: Collection[str]) -> None:
    """With a root above the recipe the default would be everything there, and every change of a neighbour would change the step."""
    for name in names:
        if not declared.table(name).has("inputs"):
            declared.fault(
                name,
                "a step of a recipe with `root` must say its `inputs`",
                'Name what the step sees, from the root on, such as inputs = ["services/api/**", "common/**"].',
            )


def _for_platforms(declaration: Declaration | None, platforms: tuple[Architecture, ...] | msgspec.UnsetType) -> Declaration | None:
    """A shared environment in a recipe that says for which platforms those are that do not say it themselves."""
    if declaration is None or declaration.platforms is not msgspec.UNSET:
        return declaration
    return msgspec.structs.replace(declaration, platforms=platforms)


def _used(own: dict[str, Declaration | None], shared: dict[str, Declaration | None], steps: list[Step]) -> dict[str, Declaration | None]:
    """The recipe's own environments, and of the shared ones those that a step names."""
    named_by_steps = {str(step.environment) for step in steps}
    return {**own, **{name: found for name, found in shared.items() if name in named_by_steps}}


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


def _environments(table: Table, platforms: tuple[Architecture, ...] | msgspec.UnsetType = msgspec.UNSET) -> dict[str, Declaration | None]:
    """The environments of a table; ``platforms`` are those of an environment that names none."""
    found: dict[str, Declaration | None] = {}
    for name in table.names():
        named(table, name, EnvironmentName)
        one = table.table(name)
        base = base_of(one)
        interpreter = interpreter_of(one)
        packages = one.texts("packages", debian_term, "Debian packages") or ()
        python = one.texts("python", python_requirement, "Python requirements") or ()
        variables = variables_of(one)
        python_lock = python_lock_of(one)
        suites = suites_of(one, base if isinstance(base, OsBase) else None)
        rules = python_rules_of(one)
        own = platforms_of(one)
        one.close()
        if base is None:
            found[name] = None
            continue
        found[name] = Declaration(
            os=base if isinstance(base, OsBase) else msgspec.UNSET,
            image=base if isinstance(base, ImageBase) else msgspec.UNSET,
            host=base if isinstance(base, HostBase) else msgspec.UNSET,
            packages=packages,
            python=python,
            variables=variables,
            interpreter=interpreter,
            python_lock=python_lock,
            suites=suites,
            python_rules=rules,
            platforms=platforms if own is msgspec.UNSET else own,
        )
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

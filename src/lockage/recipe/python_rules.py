"""The keys of an environment that say how its Python requirements are resolved, and what is built from source."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.name import ProjectName
from lockage.environment.declaration import PythonRules
from lockage.recipe.reader import shown
from lockage.recipe.requirement import debian_term, python_requirement

if TYPE_CHECKING:
    from lockage.recipe.reader import Table

__all__ = ["python_rules_of"]


def python_rules_of(table: Table) -> PythonRules | msgspec.UnsetType:
    """What an environment's table says of its Python requirements; unset where it says nothing. Its faults are reported."""
    constraints = table.texts("constraints", _constraint, "limits of Python packages") or ()
    everything = isinstance(table.raw("from-source"), bool) and table.flag("from-source", default=False)
    named = () if isinstance(table.raw("from-source"), bool) else table.texts("from-source", _project, "project names (or true for all)")
    found = PythonRules(
        constraints=constraints,
        from_source=tuple(sorted(named or ())),
        all_from_source=everything,
        build_packages=_build_packages(table.table("build-packages")),
    )
    return msgspec.UNSET if found == PythonRules() else found


def _build_packages(table: Table) -> dict[ProjectName, tuple[str, ...]]:
    found: dict[ProjectName, tuple[str, ...]] = {}
    for name in sorted(table.names()):
        terms = table.texts(name, debian_term, "Debian packages") or ()
        try:
            found[_project(name)] = terms
        except ValueError as error:
            table.fault(name, str(error))
    return {name: terms for name, terms in found.items() if terms}


def _project(text: str) -> ProjectName:
    try:
        normalised = ProjectName.normalised(text)
    except ValueError as error:
        raise ValueError(f"not a project name (letters, digits, '-', '_' and '.'): {shown(text)}") from error
    if normalised != text:
        raise ValueError(f"a project is named by its normalised name: write {shown(str(normalised))} instead of {shown(text)}")
    return normalised


def _constraint(text: str) -> str:
    """A limit of versions, such as ``urllib3 < 2``: it may have a marker, but no extras, as it asks for nothing."""
    if "[" in text.partition(";")[0]:
        raise ValueError(f"a constraint limits versions and cannot ask for extras: {shown(text)}")
    return python_requirement(text)

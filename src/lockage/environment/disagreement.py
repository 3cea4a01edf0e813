"""In what a declaration and what was locked for it disagree, in words.

A lock holds the digest of the declaration that it was made for, not its text; so what was taken away, or is written otherwise, can
only be told from what is pinned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.environment.base import ImageBase, OsBase
from lockage.environment.debian.relation import parse_term
from lockage.environment.debian.version import satisfies
from lockage.environment.declaration import Suites
from lockage.environment.errors import InvalidRelation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lockage.environment.base import Base
    from lockage.environment.debian.relation import Relation
    from lockage.environment.declaration import Declaration
    from lockage.environment.lock import LockedEnvironment

__all__ = ["disagreements"]


def disagreements(declaration: Declaration, locked: LockedEnvironment) -> tuple[str, ...]:
    """What the declaration asks for that the lock does not pin, one phrase each; empty if all of it is pinned."""
    return tuple(_disagreements(declaration, locked))


def _disagreements(declaration: Declaration, locked: LockedEnvironment) -> Iterator[str]:
    if declaration.base != locked.base:
        key, asked = _base(declaration.base)
        kind, pinned = _base(locked.base)
        yield f"{key} is {asked}, locked is {pinned}" if key == kind else f"{key} is {asked}, locked is {kind} {pinned}"
        return
    yield from _package_disagreements(declaration, locked)
    named, known = declaration.interpreter, locked.pulled.python if locked.pulled is not None else None
    if isinstance(named, str) and (known is None or known.path != named):
        yield f"interpreter is {named}, locked is {known.path if known is not None else 'none'}"
    if declaration.python:
        versions = {wheel.name: wheel.version for wheel in locked.python} | {sdist.name: sdist.version for sdist in locked.sdists}
        yield from _python_disagreements(declaration, versions)


def _base(base: Base) -> tuple[str, str]:
    """The key that says what an environment begins with, and what that is; of an image the whole digest."""
    if isinstance(base, ImageBase):
        return "image", f"sha256:{base.digest}"
    return ("os" if isinstance(base, OsBase) else "host"), str(base)


def _package_disagreements(declaration: Declaration, locked: LockedEnvironment) -> Iterator[str]:
    if not isinstance(declaration.os, OsBase) or not isinstance(locked.os, OsBase):
        return
    suites = (declaration.os.suite, *(declaration.suites.further if isinstance(declaration.suites, Suites) else ()))
    pinned_to = tuple(suite.suite for suite in locked.suites) or (locked.os.suite,)
    if suites != pinned_to:
        yield f"suites are {', '.join(suites)}, locked are {', '.join(pinned_to)}"
    packages = {package.name: package.version for package in locked.packages}
    for term in declaration.packages:
        try:
            alternatives = [relation for relation in parse_term(term) if relation.applies(locked.architecture)]
        except InvalidRelation:
            continue  # locking will say it
        if alternatives and not any(_holds(relation, packages) for relation in alternatives):
            pinned = [f"{relation.name} {packages[relation.name]}" for relation in alternatives if relation.name in packages]
            yield f"package {term}: {f'locked is {pinned[0]}' if pinned else 'not locked by that name'}"


def _holds(relation: Relation, packages: Mapping[str, str]) -> bool:
    have = packages.get(relation.name)
    if have is None or relation.operator is None or relation.version is None:
        return have is not None
    return satisfies(have, relation.operator, relation.version)


def _python_disagreements(declaration: Declaration, wheels: Mapping[str, str]) -> Iterator[str]:
    from packaging.requirements import InvalidRequirement, Requirement  # costs more to import than a build with nothing to do can spend
    from packaging.utils import canonicalize_name

    for text in declaration.python:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue  # locking will say it
        if requirement.marker is not None:
            continue  # whether it counts is known only to who resolves it
        have = wheels.get(canonicalize_name(requirement.name))
        if have is None or not requirement.specifier.contains(have, prereleases=True):
            yield f"requirement {text}: {'not locked' if have is None else f'locked is {have}'}"

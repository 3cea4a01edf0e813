"""Dependency terms: ``name:qualifier (operator version) [architectures]``, alternatives with ``|`` (Debian policy 7.1).

The same grammar is that of control fields and of a recipe's ``packages``; there a name may be followed by ``/SUITE``, as with apt.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from lockage.environment.debian.version import version_key
from lockage.environment.errors import InvalidRelation

__all__ = ["Alternatives", "Relation", "parse_field", "parse_term"]

_FORM = re.compile(
    r"\s*([A-Za-z0-9][A-Za-z0-9+.-]*)(?::([a-z0-9-]+))?(?:/([A-Za-z0-9][A-Za-z0-9.-]*))?"
    r"\s*(?:\(\s*(<<|<=|=|>=|>>|<|>)\s*([^\s()]+)\s*\))?"
    r"\s*(?:\[([^\]]*)\])?\s*"
)
#: The obsolete ``<`` and ``>`` mean "or equal" (policy 7.1, deb-control(5)).
_OBSOLETE = {"<": "<=", ">": ">="}


class Relation(msgspec.Struct, frozen=True, kw_only=True):
    """One package, perhaps of certain versions or of one suite; ``qualifier`` is ``any``, ``native`` or an architecture."""

    name: str
    operator: str | None = None
    version: str | None = None
    qualifier: str | None = None
    restrictions: tuple[str, ...] = ()
    suite: str | None = None

    def __str__(self) -> str:
        name = f"{self.name}:{self.qualifier}" if self.qualifier else self.name
        name = f"{name}/{self.suite}" if self.suite else name
        return f"{name} ({self.operator} {self.version})" if self.operator else name

    def applies(self, architecture: str) -> bool:
        """Whether its ``[arch]`` restriction lets it count on this architecture (policy 7.1: all negated, or none)."""
        if not self.restrictions:
            return True
        names = {f"linux-{architecture}", architecture, "any", "linux-any", f"any-{architecture}"}
        if self.restrictions[0].startswith("!"):
            return not any(word.removeprefix("!") in names for word in self.restrictions)
        return any(word in names for word in self.restrictions)


Alternatives = tuple[Relation, ...]


def _relation(text: str) -> Relation:
    match = _FORM.fullmatch(text)
    if match is None:
        raise InvalidRelation(f"not a package term: {text.strip()[:120]!r}", term=text.strip()[:120])
    name, qualifier, suite, operator, version, restrictions = match.groups()
    if version is not None:
        try:
            version_key(version)
        except ValueError as error:
            raise InvalidRelation(f"{error} in the package term {text.strip()[:120]!r}", term=text.strip()[:120]) from error
    return Relation(
        name=name,
        operator=_OBSOLETE.get(operator, operator),
        version=version,
        qualifier=qualifier,
        restrictions=tuple(restrictions.split()) if restrictions else (),
        suite=suite,
    )


@lru_cache(maxsize=1 << 15)
def _alternatives(text: str) -> Alternatives:
    return tuple(_relation(part) for part in text.split("|"))


def parse_field(text: str) -> tuple[Alternatives, ...]:
    """The terms of a control field, separated by commas; raises :class:`InvalidRelation`."""
    return tuple(_alternatives(part) for part in text.split(",") if part.strip())


def parse_term(text: str) -> Alternatives:
    """One term as a recipe has it; raises :class:`InvalidRelation`, also for a comma or nothing at all."""
    return _alternatives(text)

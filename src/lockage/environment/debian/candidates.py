"""Which packages of an index can satisfy a relation, in the order in which apt would try them.

Several versions of one name, as from several suites, are several candidates: those preferred are tried first, then those of the
suites that come first, then the newest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.environment.debian.relation import parse_field
from lockage.environment.debian.version import satisfies, version_key
from lockage.environment.errors import InvalidIndex, InvalidRelation

if TYPE_CHECKING:
    from collections.abc import Collection

    from lockage.environment.debian.control import Stanza
    from lockage.environment.debian.relation import Alternatives, Relation
    from lockage.environment.debian.suites import Index

__all__ = ["Candidates", "rank"]

_PRIORITIES = {name: rank for rank, name in enumerate(("required", "important", "standard", "optional", "extra"))}


def _descending(name: str) -> tuple[int, ...]:
    """A key that sorts names from last to first, the end of a name coming last."""
    return (*(-ord(char) for char in name), 1)


def rank(stanza: Stanza, index: Index, preferred: Collection[str]) -> tuple[object, ...]:
    """A key that sorts the versions of a name from worst to best."""
    return stanza.sha256 in preferred, -index.tier(stanza.sha256), version_key(stanza.version)


class Candidates:
    """An index by name and by what packages provide; candidates are numbered from 1. ``preferred`` are sha256 of packages."""

    def __init__(self, index: Index, architecture: str, preferred: Collection[str] = ()) -> None:
        self.architecture = architecture
        self.index = index
        self.stanzas: list[Stanza] = [stanza for stanza in index.stanzas if stanza.architecture in (architecture, "all")]
        self._names: dict[str, list[int]] = {}
        self._providers: dict[str, list[tuple[int, str]]] = {}
        self._matches: dict[Relation, tuple[int, ...]] = {}
        self._fields: dict[str, tuple[Alternatives, ...]] = {}
        for number, stanza in enumerate(self.stanzas, 1):
            self._names.setdefault(stanza.name, []).append(number)
            if stanza.provides:
                for piece in stanza.provides.split(","):
                    self._providers.setdefault(piece.partition("(")[0].partition(":")[0].strip(), []).append((number, piece))
        for versions in self._names.values():
            if len(versions) > 1:
                versions.sort(key=lambda number: rank(self.stanza(number), index, preferred), reverse=True)

    def stanza(self, number: int) -> Stanza:
        """The stanza of a candidate."""
        return self.stanzas[number - 1]

    def named(self, name: str) -> tuple[int, ...]:
        """The candidates of that very name, in the order in which they are tried."""
        return tuple(self._names.get(name, ()))

    def essential(self) -> list[str]:
        """The names of the packages that the suites tried first mark ``Essential: yes``, sorted."""
        return sorted({stanza.name for stanza in self.stanzas if stanza.essential and self.index.tier(stanza.sha256) == 0})

    def terms(self, field: str) -> tuple[Alternatives, ...]:
        """The terms of a stanza's field that count on this architecture; raises :class:`InvalidIndex`."""
        found = self._fields.get(field)
        if found is None:
            try:
                parsed = parse_field(field)
            except InvalidRelation as error:
                raise InvalidIndex(f"the Packages file has {error.message}") from error
            kept = (tuple(relation for relation in term if relation.applies(self.architecture)) for term in parsed)
            found = self._fields[field] = tuple(term for term in kept if term)
        return found

    def matching(self, relation: Relation) -> tuple[int, ...]:
        """The candidates that satisfy a relation: the package itself, the best version first, then those that provide it."""
        found = self._matches.get(relation)
        if found is None:
            if relation.qualifier in (None, "any", "native", self.architecture):
                real = [number for number in self._names.get(relation.name, ()) if self._fits(number, relation)]
                found = tuple(dict.fromkeys([*real, *self._providing(relation)]))
            else:
                found = ()
            self._matches[relation] = found
        return found

    def _fits(self, number: int, relation: Relation) -> bool:
        stanza = self.stanza(number)
        if relation.qualifier == "any" and stanza.multi_arch != "allowed":
            return False
        if relation.suite is not None and not self.index.within(stanza.sha256, relation.suite):
            return False
        return relation.operator is None or satisfies(stanza.version, relation.operator, relation.version or "")

    def _providing(self, relation: Relation) -> list[int]:
        found = []
        for number, piece in self._providers.get(relation.name, ()):
            for (provided,) in self.terms(piece):
                if relation.operator is None:
                    fits = True
                else:  # an unversioned Provides satisfies no versioned relation (policy 7.5)
                    fits = provided.operator == "=" and satisfies(provided.version or "", relation.operator, relation.version or "")
                if relation.suite is not None and not self.index.within(self.stanza(number).sha256, relation.suite):
                    continue
                if fits and (
                    relation.qualifier != "any" or "any" in (provided.qualifier, "any" * (self.stanza(number).multi_arch == "allowed"))
                ):
                    found.append(number)
        found.sort(key=self._preference)
        return found

    def _preference(self, number: int) -> tuple[object, ...]:
        """How apt orders providers (CompareProviders): essential, important, by priority; else the later name, the newer version."""
        stanza = self.stanza(number)
        rank = _PRIORITIES.get(stanza.priority, len(_PRIORITIES))
        newest = self._names[stanza.name].index(number)
        tier = self.index.tier(stanza.sha256)
        return tier, not stanza.essential, not stanza.important, rank, _descending(stanza.name), newest

"""From package terms to a closed, consistent set of packages.

Depends and Pre-Depends are met, Conflicts and Breaks respected, alternatives, (versioned) Provides and ``:any`` understood;
one version of a name at most. Packages marked ``Essential: yes`` are always there; Recommends never are. The choice among
several solutions is apt's (see search and candidates), and a function of the index and terms alone, not of their order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lockage.base.digest import Digest
from lockage.base.path import RelPath
from lockage.environment.debian.candidates import Candidates, rank
from lockage.environment.debian.explain import explain
from lockage.environment.debian.reason import Clash, Need
from lockage.environment.debian.relation import Relation, parse_term
from lockage.environment.debian.search import Clause, NoSolution, search
from lockage.environment.errors import InvalidIndex, Unresolvable
from lockage.environment.lock import LockedPackage

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from lockage.environment.debian.control import Stanza
    from lockage.environment.debian.relation import Alternatives
    from lockage.environment.debian.suites import Index

__all__ = ["pin", "resolve"]


def resolve(
    index: Index, terms: Sequence[str], architecture: str, *, preferred: Collection[str] = (), first: Sequence[str] = ()
) -> tuple[LockedPackage, ...]:
    """The packages that satisfy all terms together, with everything they need and the essential ones, sorted by name.

    Of a name, a package whose sha256 is ``preferred`` is chosen before a newer one. Packages named in ``first`` are chosen before all
    others, so that what they need decides; one that the index lacks counts for nothing.
    Raises Unresolvable with an explanation, InvalidRelation for a malformed term, InvalidIndex for a malformed stanza.
    """
    problem = _Problem(Candidates(index, architecture, preferred))
    try:
        chosen = search((*problem.first(first), *problem.roots(terms)), problem.expand)
    except NoSolution as failure:
        lines = explain(failure.core, problem.candidates)
        raise Unresolvable("\n".join(lines), terms=tuple(terms)) from failure
    return tuple(sorted(_locked(problem.candidates.stanza(number)) for number in chosen))


def pin(index: Index, name: str, architecture: str, *, preferred: Collection[str] = ()) -> LockedPackage | None:
    """The newest version of one package, or the one preferred, without what it depends on; None if no suite has one."""
    found = [stanza for stanza in index.stanzas if stanza.name == name and stanza.architecture in (architecture, "all")]
    return _locked(max(found, key=lambda stanza: rank(stanza, index, preferred))) if found else None


def _locked(stanza: Stanza) -> LockedPackage:
    try:
        return LockedPackage(
            name=stanza.name,
            version=stanza.version,
            architecture=stanza.architecture,
            path=RelPath(stanza.path),
            size=stanza.size,
            sha256=Digest(stanza.sha256),
        )
    except ValueError as error:
        raise InvalidIndex(f"the stanza of {stanza.name} {stanza.version}: {error}", package=stanza.name) from error


class _Expansion(NamedTuple):
    requirements: tuple[Clause, ...]
    exclusions: tuple[Clause, ...]


class _Problem:
    """The clauses of an index: only of those packages that the search asks about."""

    def __init__(self, candidates: Candidates) -> None:
        self.candidates = candidates
        self._expansions: dict[int, _Expansion] = {}

    def roots(self, terms: Sequence[str]) -> tuple[Clause, ...]:
        """What was asked for. The search expands the last of them first, and apt goes through them by name: so, backwards."""
        needs: dict[Alternatives, Need] = {}
        for text in terms:
            kept = tuple(relation for relation in parse_term(text) if relation.applies(self.candidates.architecture))
            if kept:
                needs.setdefault(kept, Need(by=None, term=kept))
        for name in self.candidates.essential():
            kept = (Relation(name=name),)
            needs.setdefault(kept, Need(by=None, term=kept, essential=True))
        ordered = sorted(needs.values(), key=lambda need: str(need.term[0]), reverse=True)
        return tuple(Clause(self._matching(need.term), need) for need in ordered)

    def first(self, names: Sequence[str]) -> tuple[Clause, ...]:
        """Packages that are decided on before what was asked for."""
        terms = [(Relation(name=name),) for name in names if self.candidates.named(name)]
        return tuple(Clause(self.candidates.named(term[0].name), Need(by=None, term=term)) for term in terms)

    def _matching(self, term: Alternatives) -> tuple[int, ...]:
        if len(term) == 1:
            return self.candidates.matching(term[0])
        return tuple(dict.fromkeys(number for relation in term for number in self.candidates.matching(relation)))

    def expand(self, number: int) -> _Expansion:
        """What a package requires and excludes."""
        found = self._expansions.get(number)
        if found is None:
            found = self._expansions[number] = self._expansion(number)
        return found

    def _expansion(self, number: int) -> _Expansion:
        stanza = self.candidates.stanza(number)
        requirements = [
            Clause((-number, *self._matching(term)), Need(by=number, term=term))
            for field in (stanza.pre_depends, stanza.depends)
            for term in self.candidates.terms(field)
        ]
        exclusions = {
            other: Clause((-number, -other), Clash(one=number, other=other, word="cannot be installed beside"))
            for other in self.candidates.named(stanza.name)
            if other != number
        }
        for word, field in (("conflicts with", stanza.conflicts), ("breaks", stanza.breaks)):
            for term in self.candidates.terms(field):
                for other in self._matching(term):
                    # A package may provide what it conflicts with: then it excludes all other providers (policy 7.6.2).
                    if other != number and self.candidates.stanza(other).name != stanza.name:
                        exclusions.setdefault(other, Clause((-number, -other), Clash(one=number, other=other, word=word, relation=term[0])))
        return _Expansion(tuple(requirements), tuple(exclusions.values()))

"""Why there is no solution, in sentences: from the contradictory clauses back to what was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.environment.debian.reason import Clash, Need

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockage.environment.debian.candidates import Candidates
    from lockage.environment.debian.relation import Relation
    from lockage.environment.debian.search import Clause

__all__ = ["explain"]

#: More sentences than these help nobody; the first ones are the nearest to the contradiction.
_MOST = 6


def explain(core: Sequence[Clause], candidates: Candidates) -> list[str]:
    """At least one sentence: first needs that nothing in the suite meets, then packages that exclude each other."""
    needs = [(clause.origin, clause) for clause in core if isinstance(clause.origin, Need)]
    askers: dict[int, Need] = {}
    for need, clause in needs:
        for literal in clause.literals:
            if literal > 0:
                known = askers.get(literal)
                if known is None or (known.by is not None and need.by is None):
                    askers[literal] = need
    lines = [
        f"{_who(need, candidates)} {need}; {_offer(need, candidates)}{_chain(need.by, askers, candidates)}"
        for need, clause in needs
        if not any(literal > 0 for literal in clause.literals)
    ]
    for clause in core:
        clash = clause.origin
        if isinstance(clash, Clash):
            subject = f"{_label(clash.one, candidates)} {clash.word} {clash.relation or _label(clash.other, candidates)}"
            provider = candidates.stanza(clash.other).name
            if clash.relation is not None and clash.relation.name != provider:
                subject += f", which {_label(clash.other, candidates)} provides"
            both = f"{_chain(clash.one, askers, candidates)}{_chain(clash.other, askers, candidates, name=True)}"
            lines.append(subject + both)
    lines = list(dict.fromkeys(lines))
    if len(lines) > _MOST:
        lines[_MOST:] = [f"and {len(lines) - _MOST} more reasons"]
    return lines or ["the packages asked for exclude each other"]


def _label(number: int, candidates: Candidates) -> str:
    stanza = candidates.stanza(number)
    return f"{stanza.name} {stanza.version}"


def _who(need: Need, candidates: Candidates) -> str:
    if need.by is not None:
        return f"{_label(need.by, candidates)} needs"
    return "every root needs the essential" if need.essential else "asked for is"


def _offer(need: Need, candidates: Candidates) -> str:
    """What the suite has instead."""
    has = ", ".join(_has(relation, candidates) for relation in need.term)
    several = len(candidates.index.names) > 1
    pinned = dict.fromkeys(relation.suite for relation in need.term if relation.suite is not None)
    unknown = [suite for suite in pinned if not candidates.index.known(suite)]
    if unknown:
        return f"{', '.join(unknown)} is none of the environment's suites, which are {', '.join(candidates.index.names)}"
    return f"the {'suites have' if several else 'suite has'} {has}"


def _has(relation: Relation, candidates: Candidates) -> str:
    versions = [candidates.stanza(number).version for number in candidates.named(relation.name)]
    if versions and relation.qualifier not in (None, "any", "native", candidates.architecture):
        return f"{relation.name} for {candidates.architecture} only"
    if versions:
        return f"{relation.name} {', '.join(versions)}"
    return f"no {relation.name}"


def _chain(number: int | None, askers: dict[int, Need], candidates: Candidates, *, name: bool = False) -> str:
    """``, needed by B 1, asked for by A`` up to what the recipe says."""
    words = []
    seen = set()
    subject = f"{candidates.stanza(number).name} is " if name and number is not None else ""
    while number is not None and number not in seen and number in askers:
        seen.add(number)
        need = askers[number]
        if need.by is None:
            words.append("essential" if need.essential else f"asked for as {need}")
        else:
            words.append(f"needed by {_label(need.by, candidates)}")
        number = need.by
    return f"; {subject}{', '.join(words)}" if words and subject else f" ({', '.join(words)})" if words else ""

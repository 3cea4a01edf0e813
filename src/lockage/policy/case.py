"""What a gate sees, and what it says: the case, the result, and what gates have in common.

Only facts about the release's own source, recipe and lock count, so that another build of the same bytes proves nothing.
"""

from __future__ import annotations

from collections import defaultdict
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

import msgspec

from lockage.base.digest import Digest
from lockage.evidence.facts import Fact, FactKind, ProvenanceFact, ReproductionFact, TestFact
from lockage.policy.proposal import NamedArtifact, Proposal, Stay

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lockage.base.name import StepName

__all__ = ["Case", "GateResult", "Need", "by_artifact", "latest_results", "listed", "names_of", "of_build", "passes", "refuses"]

F = TypeVar("F", ProvenanceFact, TestFact, ReproductionFact)

#: How many artifacts, steps or verifiers a reason names before it only counts the rest.
_NAMED = 3


class Need(StrEnum):
    """What a gate can ask for."""

    PROVENANCE = FactKind.PROVENANCE
    TEST = FactKind.TEST
    REPRODUCTION = FactKind.REPRODUCTION
    STAYS = "stays"


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What one gate gets to see: the proposal, and of the rest only what it needs."""

    proposal: Proposal
    provenance: tuple[ProvenanceFact, ...] = ()
    tests: tuple[TestFact, ...] = ()
    reproductions: tuple[ReproductionFact, ...] = ()
    stays: tuple[Stay, ...] = ()


class GateResult(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a gate found: ``reason`` is a sentence for people, ``evidence`` are the bundles it rests on, sorted."""

    gate: str
    passed: bool
    reason: str
    evidence: tuple[Digest, ...] = ()


def of_build(facts: Iterable[F], proposal: Proposal) -> list[F]:
    """The facts about the release's own inputs."""
    return [fact for fact in facts if fact.inputs == proposal.inputs]


def by_artifact(facts: Iterable[F]) -> Mapping[Digest, list[F]]:
    """The facts about each artifact, by sha256."""
    found: dict[Digest, list[F]] = defaultdict(list)
    for fact in facts:
        for sha256 in fact.subjects:
            found[sha256].append(fact)
    return found


def latest_results(facts: Iterable[TestFact]) -> dict[StepName, tuple[bool, TestFact]]:
    """The newest result of each step; of two at the same time, a failure counts."""
    found: dict[StepName, tuple[bool, TestFact]] = {}
    for fact in sorted(facts, key=lambda fact: fact.time):
        results = [*((step, True) for step in fact.passed), *((step, False) for step in fact.failed)]
        for step, passed in results:
            before = found.get(step)
            if before is None or before[1].time < fact.time or not passed:
                found[step] = (passed, fact)
    return found


def passes(gate: str, reason: str, facts: Iterable[Fact] = ()) -> GateResult:
    """The result of a gate that passed, and what it rests on."""
    return GateResult(gate=gate, passed=True, reason=reason, evidence=tuple(sorted({fact.evidence for fact in facts})))


def refuses(gate: str, reason: str, facts: Iterable[Fact] = ()) -> GateResult:
    """The result of a gate that did not pass; the reason says what to do."""
    return GateResult(gate=gate, passed=False, reason=reason, evidence=tuple(sorted({fact.evidence for fact in facts})))


def listed(words: Sequence[str], between: str = ", ") -> str:
    """The first few words, and how many more there are."""
    more = len(words) - _NAMED
    return between.join(words[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def names_of(artifacts: Sequence[NamedArtifact]) -> str:
    """The names of the first few artifacts."""
    return listed([artifact.name for artifact in artifacts])

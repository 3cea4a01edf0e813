"""From evidence to facts: what remains after signature, trust root, subject and time were checked.

Invariants: nothing is read before its signature holds; whatever cannot be verified is a :class:`Rejected` with its reason and
counts as absent. The time that counts for a key is when the ledger received the evidence (now, if it has not yet): the
time that a statement claims is its signer's word, and an old key that was stolen could claim any.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, TypeVar

import msgspec

from lockage.base.canonical import decode_hook
from lockage.base.digest import Digest
from lockage.base.errors import Integrity
from lockage.base.instant import Instant
from lockage.base.name import PrincipalName, StepName
from lockage.compare.grade import Grade, worst
from lockage.evidence.bundle import parse_bundle
from lockage.evidence.dsse import BadSignature
from lockage.evidence.predicate import (
    PROVENANCE,
    REPRODUCTION,
    TEST_RESULT,
    Inputs,
    ProvenancePredicate,
    ReproductionPredicate,
    TestPredicate,
    TestVerdict,
)
from lockage.evidence.statement import InvalidStatement, Statement
from lockage.evidence.trust import Role, TrustRoot
from lockage.record.conditions import Conditions
from lockage.record.source import Source
from lockage.variation import Claim, axis_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


__all__ = [
    "Evidence",
    "Fact",
    "FactKind",
    "ProvenanceFact",
    "Rejected",
    "ReproductionFact",
    "TestFact",
    "TooEarly",
    "UnknownPredicate",
    "WrongSubject",
    "gather",
    "verify_evidence",
]

T = TypeVar("T")

#: How far apart the clocks of a signer and of the ledger may be, in seconds.
CLOCK_SKEW = 300


class WrongSubject(Integrity):
    """Evidence is about other artifacts than those asked about."""

    code = "wrong-subject"
    hint = "Give evidence about the release's own artifacts."


class UnknownPredicate(Integrity):
    """Evidence is of a kind that this lockage does not read."""

    code = "unknown-predicate"
    hint = "Use a lockage that knows the predicate type named; until then this evidence counts as absent."


class TooEarly(Integrity):
    """Evidence speaks of a time that has not come."""

    code = "evidence-from-the-future"
    hint = "Set the clocks of the signer's machine and of this one, then sign anew."


class FactKind(StrEnum):
    """The kinds of facts that a gate can ask for."""

    PROVENANCE = "provenance"
    TEST = "test"
    REPRODUCTION = "reproduction"


#: The role that a key must have for a predicate type, and what becomes of it.
_KINDS: dict[str, tuple[FactKind, Role]] = {
    PROVENANCE: (FactKind.PROVENANCE, Role.BUILDER),
    TEST_RESULT: (FactKind.TEST, Role.TESTER),
    REPRODUCTION: (FactKind.REPRODUCTION, Role.VERIFIER),
}


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """A bundle's bytes, and when the ledger received it (None: it has not yet)."""

    data: bytes
    recorded: Instant | None = None

    @property
    def digest(self) -> Digest:
        return Digest.of(self.data)


class _Fact(msgspec.Struct, frozen=True, kw_only=True):
    #: None: signed before conditions were.
    conditions: Conditions | None = None
    evidence: Digest
    principal: PrincipalName
    key: Digest
    time: Instant
    subjects: tuple[Digest, ...]
    inputs: Inputs


class ProvenanceFact(_Fact, frozen=True, kw_only=True):
    """A trusted builder made these artifacts from this source; ``level`` is the SLSA build level that may be claimed for it."""

    kind: ClassVar[FactKind] = FactKind.PROVENANCE

    source: Source
    builder: str
    level: int


class TestFact(_Fact, frozen=True, kw_only=True):
    """A trusted tester ran test steps over these artifacts; ``declared`` are all test steps of the recipe."""

    __test__: ClassVar[bool] = False  # not a test, whatever pytest thinks of its name

    kind: ClassVar[FactKind] = FactKind.TEST

    result: TestVerdict
    declared: tuple[StepName, ...]
    passed: tuple[StepName, ...]
    failed: tuple[StepName, ...]


class ReproductionFact(_Fact, frozen=True, kw_only=True):
    """A trusted verifier rebuilt these artifacts; ``grades`` are by sha256, ``axes`` are what was varied."""

    kind: ClassVar[FactKind] = FactKind.REPRODUCTION

    claim: Claim
    grade: Grade
    grades: dict[Digest, Grade]
    axes: tuple[str, ...]
    rounds: int


Fact = ProvenanceFact | TestFact | ReproductionFact


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """Evidence that counts as absent; ``code`` is that of the error (docs/errors.md), ``kind`` is None if it could not be told."""

    evidence: Digest
    code: str
    reason: str
    kind: FactKind | None = None


def verify_evidence(evidence: Evidence, root: TrustRoot, *, now: Instant, about: Collection[Digest] | None = None) -> Fact | Rejected:
    """The fact that a bundle proves, or why it proves none.

    ``about`` are the sha256 of the artifacts in question (None: any); a bundle about none of them is rejected.
    """
    kind: FactKind | None = None
    try:
        bundle = parse_bundle(evidence.data)
        principal, key = root.find(bundle.key)
        if not key.key.verifies(bundle.envelope.signatures[0], bundle.envelope.signed):
            raise BadSignature(f"the signature is not by key {key.id[:16]}… of {principal.name} over these bytes", key=key.id)
        statement = Statement.read(bundle.envelope.payload)
        if statement.predicate_type not in _KINDS:
            raise UnknownPredicate(f"predicate type {statement.predicate_type[:200]!r} is not known", found=statement.predicate_type[:200])
        kind, role = _KINDS[statement.predicate_type]
        received = now if evidence.recorded is None else evidence.recorded
        root.require(key, principal, role, received)
        fact = _fact(kind, statement, evidence.digest, principal.name, key.id, root)
        if fact.time > received + CLOCK_SKEW:
            raise TooEarly(f"it speaks of {fact.time}, and it was received at {received}", expected=str(received), found=str(fact.time))
        if about is not None and not any(subject in about for subject in fact.subjects):
            raise WrongSubject(f"it is about {fact.subjects[0][:16]}… and {len(fact.subjects) - 1} more, none of which is asked about")
    except Integrity as error:
        return Rejected(evidence=evidence.digest, code=error.code, reason=error.message, kind=kind)
    return fact


def _fact(kind: FactKind, statement: Statement, evidence: Digest, principal: PrincipalName, key: Digest, root: TrustRoot) -> Fact:
    match kind:
        case FactKind.PROVENANCE:
            made = _predicate(statement, ProvenancePredicate)
            builder = made.run_details.builder.id
            return ProvenanceFact(
                evidence=evidence,
                principal=principal,
                key=key,
                time=made.run_details.metadata.finished_on,
                subjects=statement.subjects,
                inputs=_inputs(made),
                source=made.build_definition.external_parameters.source,
                builder=builder,
                level=root.level(key, builder),
                conditions=made.build_definition.internal_parameters.conditions or None,
            )
        case FactKind.TEST:
            tested = _predicate(statement, TestPredicate)
            if tested.result is not TestPredicate.verdict(tested.lockage_declared, tested.passed, tested.failed):
                raise InvalidStatement(f"the result says {tested.result}, and its tests say otherwise")
            return TestFact(
                evidence=evidence,
                principal=principal,
                key=key,
                time=tested.lockage_finished,
                subjects=statement.subjects,
                inputs=tested.lockage_inputs,
                result=tested.result,
                declared=tested.lockage_declared,
                passed=tested.passed,
                failed=tested.failed,
                conditions=tested.lockage_conditions or None,
            )
        case FactKind.REPRODUCTION:
            again = _predicate(statement, ReproductionPredicate)
            return ReproductionFact(
                evidence=evidence,
                principal=principal,
                key=key,
                time=again.finished,
                subjects=statement.subjects,
                inputs=again.inputs,
                claim=again.claim,
                grade=again.grade,
                grades=_grades(statement, again),
                axes=tuple(dict.fromkeys(axis_of(axis.name) for axis in again.axes)),
                rounds=len(again.rounds),
                conditions=again.conditions or None,
            )


def _predicate(statement: Statement, kind: type[T]) -> T:
    try:
        return msgspec.convert(statement.predicate, kind, dec_hook=decode_hook)
    except msgspec.ValidationError as error:
        raise InvalidStatement(f"not a predicate of type {statement.predicate_type}: {error}") from error


def _inputs(made: ProvenancePredicate) -> Inputs:
    if "sha256" not in made.build_definition.external_parameters.recipe.digest:
        raise InvalidStatement("the recipe of the provenance has no sha256")
    return made.inputs


def _grades(statement: Statement, again: ReproductionPredicate) -> dict[Digest, Grade]:
    """Grades by sha256; of two artifacts with the same bytes the worse one counts. Every subject must have a grade, and no other digest."""
    found: dict[Digest, Grade] = {}
    for item in again.artifacts:
        found[item.sha256] = worst([item.grade, found.get(item.sha256, item.grade)])
        if item.grade is Grade.IDENTICAL and (not item.rebuilt or set(item.rebuilt) != {item.sha256}):
            raise InvalidStatement(f"{item.name[:100]!r} is called identical, and its rebuilds say otherwise")
    if set(found) != set(statement.subjects):
        raise InvalidStatement("the artifacts of the reproduction are not the subjects of the statement")
    if not again.rounds:
        raise InvalidStatement("a reproduction needs at least one rebuild")
    return found


def gather(
    evidence: Sequence[Evidence], root: TrustRoot, *, now: Instant, about: Collection[Digest]
) -> tuple[tuple[Fact, ...], tuple[Rejected, ...]]:
    """The facts about these artifacts and what was rejected, each in the order given; the same bundle twice counts once."""
    facts: list[Fact] = []
    rejected: list[Rejected] = []
    seen: set[Digest] = set()
    wanted = frozenset(about)
    for item in evidence:
        if item.digest in seen:
            continue
        seen.add(item.digest)
        found = verify_evidence(item, root, now=now, about=wanted)
        if isinstance(found, Rejected):
            rejected.append(found)
        else:
            facts.append(found)
    return tuple(facts), tuple(rejected)

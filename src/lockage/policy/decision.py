"""A decision: everything a verdict was made from, signed, so that anyone can judge again.

Invariant 5 of promotion (docs/policies.md): policy, facts, engine, trust root, standing and ``now`` are recorded, and judging
again gives the same verdict. Format: docs/formats/decision.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from lockage.base.canonical import canonical_of, decode
from lockage.base.digest import Digest
from lockage.base.errors import Integrity
from lockage.base.instant import Instant
from lockage.evidence import dsse
from lockage.evidence.facts import Evidence, Rejected, gather
from lockage.evidence.trust import Role, TrustRoot
from lockage.evidence.trusted import open_signed
from lockage.policy.judge import ENGINE, Verdict, judge
from lockage.policy.proposal import Proposal, Standing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lockage.evidence.keys import Signing
    from lockage.policy.policy import Policy

__all__ = ["DECISION_TYPE", "Counted", "Decision", "DecisionMismatch", "NotCounted", "decide", "read_decision", "rejudge", "seal_decision"]

DECISION_TYPE = "application/vnd.lockage.decision.v1+json"


class DecisionMismatch(Integrity):
    """A decision, judged again on what it says it was made from, does not hold."""

    code = "decision-mismatch"
    hint = "Do not rely on this decision; compare the store with a copy, and find out who signed it."


class Counted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Evidence that became a fact; ``recorded`` is when the ledger received it."""

    evidence: Digest
    recorded: Instant | None
    kind: str
    principal: str


class NotCounted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Evidence that counts as absent, and why."""

    evidence: Digest
    recorded: Instant | None
    code: str
    reason: str


class Decision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The document. ``now`` is the time that was judged with."""

    schema: Literal["lockage-decision/1"] = "lockage-decision/1"
    engine: int
    now: Instant
    policy: Digest
    trust_root: Digest
    proposal: Proposal
    standing: Standing
    facts: tuple[Counted, ...]
    rejected: tuple[NotCounted, ...]
    verdict: Verdict

    @property
    def digest(self) -> Digest:
        """sha256 of the canonical document, whoever signed it."""
        return Digest.of(canonical_of(self))


def decide(proposal: Proposal, policy: Policy, evidence: Sequence[Evidence], root: TrustRoot, standing: Standing, now: Instant) -> Decision:
    """Verify the evidence, judge the proposal, and write down all it was made from."""
    about = [artifact.sha256 for artifact in proposal.artifacts]
    ordered = sorted(evidence, key=lambda item: item.digest)
    facts, rejected = gather(ordered, root, now=now, about=about)
    recorded = {item.digest: item.recorded for item in reversed(ordered)}  # of the same bundle twice, `gather` counts the first
    return Decision(
        engine=ENGINE,
        now=now,
        policy=policy.digest,
        trust_root=root.digest,
        proposal=proposal,
        standing=standing,
        facts=tuple(
            Counted(evidence=fact.evidence, recorded=recorded[fact.evidence], kind=str(fact.kind), principal=fact.principal)
            for fact in facts
        ),
        rejected=tuple(_not_counted(item, recorded[item.evidence]) for item in rejected),
        verdict=judge(proposal, policy, facts, standing, now, rejected),
    )


def _not_counted(item: Rejected, recorded: Instant | None) -> NotCounted:
    return NotCounted(evidence=item.evidence, recorded=recorded, code=item.code, reason=item.reason)


def seal_decision(decision: Decision, promoter: Signing) -> bytes:
    """The signed envelope's bytes."""
    return dsse.seal(DECISION_TYPE, canonical_of(decision), [promoter])


def read_decision(data: bytes, root: TrustRoot) -> Decision:
    """Read a decision signed by a promoter whose key was valid when it was made.

    Raises BadSignature, WrongRole, KeyNotValid, and the errors of an envelope and a document.
    """
    payload, principal, key = open_signed(data, DECISION_TYPE, root, Role.PROMOTER)
    decision = decode(payload, Decision)
    root.require(key, principal, Role.PROMOTER, decision.now)
    return decision


def rejudge(decision: Decision, policy: Policy, evidence: Mapping[Digest, bytes], root: TrustRoot) -> Verdict:
    """Judge again on what the decision names; raises :class:`DecisionMismatch` if anything is missing or differs, the verdict too."""
    if decision.engine != ENGINE:
        raise DecisionMismatch(f"judged by engine {decision.engine}; this lockage has {ENGINE}", expected=decision.engine, found=ENGINE)
    if decision.policy != policy.digest:
        raise DecisionMismatch("this is not the policy that was judged by", expected=decision.policy, found=policy.digest)
    if decision.trust_root != root.digest:
        raise DecisionMismatch("this is not the trust root that was judged by", expected=decision.trust_root, found=root.digest)
    items: list[Evidence] = []
    listed: list[Counted | NotCounted] = [*decision.facts, *decision.rejected]
    for named in listed:
        data = evidence.get(named.evidence)
        if data is None or Digest.of(data) != named.evidence:
            raise DecisionMismatch(f"evidence {named.evidence[:16]}… is missing or has other bytes", expected=named.evidence)
        items.append(Evidence(data=data, recorded=named.recorded))
    again = decide(decision.proposal, policy, items, root, decision.standing, decision.now)
    if again != decision:
        raise DecisionMismatch(
            f"judged again, the verdict is {'pass' if again.verdict.passed else 'refusal'}",
            expected="; ".join(decision.verdict.reasons) or "pass",
            found="; ".join(again.verdict.reasons) or "pass",
        )
    return again.verdict

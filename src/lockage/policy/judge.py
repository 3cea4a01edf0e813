"""judge(proposal, policy, facts, standing, now) → Verdict: pure, and the same verdict whenever it is judged again.

Invariants: a release that is revoked never passes; a rollback needs that the channel held the release before, and skips
only gates that say so; evidence that was rejected counts as absent and is named where it is missed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.evidence.facts import Fact, ProvenanceFact, Rejected, ReproductionFact, TestFact
from lockage.policy.gates import Case, Gate, GateResult, Need
from lockage.policy.proposal import Kind, Proposal, Standing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lockage.base.instant import Instant
    from lockage.policy.policy import Policy

__all__ = ["ENGINE", "Verdict", "judge"]

#: The number of the rules by which gates judge. A change that could change a verdict gets the next number, and the old rules stay.
ENGINE = 1
#: How many rejected bundles a reason names.
_NAMED = 3


class Verdict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether the proposal passes, and what each gate found, in the order of the policy."""

    passed: bool
    gates: tuple[GateResult, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why not: one sentence for each gate that did not pass."""
        return tuple(f"{result.gate}: {result.reason}" for result in self.gates if not result.passed)


def judge(
    proposal: Proposal, policy: Policy, facts: Sequence[Fact], standing: Standing, now: Instant, rejected: Sequence[Rejected] = ()
) -> Verdict:
    """Judge a proposal. ``facts`` and ``rejected`` are what ``evidence.gather`` made of the evidence about its artifacts at ``now``."""
    results = list(_always(proposal, policy, standing, now))
    asked = [gate for gate in policy.gates if proposal.kind is Kind.FORWARD or gate.in_rollback]
    if not proposal.artifacts:
        asked = []  # gates ask something of every artifact; of none, everything would be true
    results += [_with_rejected(gate, gate.judge(_case(gate, proposal, facts, standing)), rejected) for gate in asked]
    return Verdict(passed=all(result.passed for result in results), gates=tuple(results))


def _always(proposal: Proposal, policy: Policy, standing: Standing, now: Instant) -> Iterator[GateResult]:
    """What no policy can leave out."""
    if policy.channel != proposal.channel:
        yield GateResult(gate="policy", passed=False, reason=f"this is the policy of {policy.channel}, not of {proposal.channel}")
    if not proposal.artifacts:
        yield GateResult(gate="release", passed=False, reason=f"{proposal.title} has no artifact")
    if standing.revoked is not None:
        yield GateResult(gate="revocation", passed=False, reason=f"{proposal.title} was revoked: {standing.revoked}")
    if any(stay.since > now for stay in standing.stays):
        yield GateResult(gate="clock", passed=False, reason=f"the ledger is ahead of {now}; set this machine's clock")
    if proposal.kind is Kind.ROLLBACK:
        held = [stay for stay in standing.stays if stay.channel == proposal.channel and stay.release == proposal.release]
        before = [stay for stay in held if stay.generation < proposal.generation]
        if before:
            last = max(before, key=lambda stay: stay.generation)
            reason = f"{proposal.channel} held {proposal.title} at generation {last.generation}"
        elif held:
            reason = f"{proposal.channel} holds {proposal.title} now; there is nothing to go back from"
        else:
            reason = f"{proposal.channel} never held {proposal.title}; promote it with `lockage promote` instead"
        yield GateResult(gate="rollback", passed=bool(before), reason=reason)


def _case(gate: Gate, proposal: Proposal, facts: Sequence[Fact], standing: Standing) -> Case:
    """Only what the gate declares."""
    return Case(
        proposal=proposal,
        provenance=tuple(fact for fact in facts if isinstance(fact, ProvenanceFact)) if Need.PROVENANCE in gate.needs else (),
        tests=tuple(fact for fact in facts if isinstance(fact, TestFact)) if Need.TEST in gate.needs else (),
        reproductions=tuple(fact for fact in facts if isinstance(fact, ReproductionFact)) if Need.REPRODUCTION in gate.needs else (),
        stays=standing.stays if Need.STAYS in gate.needs else (),
    )


def _with_rejected(gate: Gate, result: GateResult, rejected: Sequence[Rejected]) -> GateResult:
    """A refusal that also says which evidence of the kinds it needs was not counted, and why."""
    missed = [item for item in rejected if item.code != "wrong-subject" and (item.kind is None or item.kind.value in gate.needs)]
    if result.passed or not missed or gate.needs == {Need.STAYS}:
        return result
    named = "; ".join(f"{item.evidence[:12]}… ({item.code}: {item.reason})" for item in missed[:_NAMED])
    more = f" and {len(missed) - _NAMED} more" if len(missed) > _NAMED else ""
    return msgspec.structs.replace(result, reason=f"{result.reason}. Not counted: {named}{more}")

"""A decision holds all it was made from: judged again it is the same, and anything changed is found."""

from types import ModuleType

import msgspec
import pytest

from lockage.base.canonical import InvalidDocument, canonical_of
from lockage.base.digest import Digest
from lockage.base.errors import Integrity
from lockage.evidence import BadSignature, Evidence, Role, sign_statements
from lockage.evidence.dsse import seal
from lockage.evidence.trust import KeyNotValid, WrongRole
from lockage.policy import (
    DECISION_TYPE,
    DEFAULT_POLICIES,
    Decision,
    DecisionMismatch,
    Proposal,
    Standing,
    decide,
    read_decision,
    rejudge,
    seal_decision,
)

replace = msgspec.structs.replace
DEV, STAGING, PROD = DEFAULT_POLICIES


@pytest.fixture(scope="session")
def evidence(samples: ModuleType) -> list[Evidence]:
    made = samples.run()
    wrong = sign_statements(samples.results(made), samples.signer(Role.VERIFIER))
    return [*samples.evidence(made), Evidence(data=wrong[0], recorded=samples.at(41)), Evidence(data=b"rubbish")]


@pytest.fixture(scope="session")
def decision(samples: ModuleType, evidence: list[Evidence]) -> Decision:
    proposal = Proposal.of(samples.release(samples.run()), samples.PROD, 0)
    return decide(proposal, PROD, evidence, samples.trust_root(), Standing(), samples.at(60))


def _bundles(evidence: list[Evidence]) -> dict[Digest, bytes]:
    return {item.digest: item.data for item in evidence}


def test_it_records_what_counted_and_what_did_not(decision: Decision) -> None:
    assert sorted(fact.kind for fact in decision.facts) == ["provenance", "reproduction", "test"]
    assert sorted(item.code for item in decision.rejected) == ["invalid-document", "wrong-role"]
    assert decision.verdict.reasons == ("from: shop 1.2.0 build 1 has never been on staging; promote it to staging first",)


def test_judged_again_the_verdict_is_the_same(samples: ModuleType, decision: Decision, evidence: list[Evidence]) -> None:
    again = read_decision(seal_decision(decision, samples.signer(Role.PROMOTER)), samples.trust_root())
    assert again == decision
    assert again.digest == decision.digest
    assert rejudge(again, PROD, _bundles(evidence), samples.trust_root()) == decision.verdict


def test_the_order_of_the_evidence_does_not_matter(samples: ModuleType, decision: Decision, evidence: list[Evidence]) -> None:
    proposal = Proposal.of(samples.release(samples.run()), samples.PROD, 0)
    again = decide(proposal, PROD, [*evidence[::-1], *evidence], samples.trust_root(), Standing(), samples.at(60))
    assert again == decision


def test_a_verdict_that_does_not_follow_is_found(samples: ModuleType, decision: Decision, evidence: list[Evidence]) -> None:
    lie = replace(decision, verdict=replace(decision.verdict, passed=True))
    with pytest.raises(DecisionMismatch, match="the verdict is refusal"):
        rejudge(lie, PROD, _bundles(evidence), samples.trust_root())
    with pytest.raises(DecisionMismatch):
        rejudge(replace(decision, facts=decision.facts[1:]), PROD, _bundles(evidence), samples.trust_root())


def test_it_is_judged_again_only_on_what_it_names(samples: ModuleType, decision: Decision, evidence: list[Evidence]) -> None:
    root, bundles = samples.trust_root(), _bundles(evidence)
    with pytest.raises(DecisionMismatch, match="policy"):
        rejudge(decision, STAGING, bundles, root)
    with pytest.raises(DecisionMismatch, match="trust root"):
        rejudge(decision, PROD, bundles, replace(root, version=2))
    with pytest.raises(DecisionMismatch, match="engine"):
        rejudge(replace(decision, engine=99), PROD, bundles, root)
    first = decision.facts[0].evidence
    for bad in ({}, {**bundles, first: b"other bytes"}):
        with pytest.raises(DecisionMismatch, match="missing or has other bytes"):
            rejudge(decision, PROD, bad, root)


def test_who_may_sign_it(samples: ModuleType, decision: Decision) -> None:
    with pytest.raises(WrongRole):
        read_decision(seal_decision(decision, samples.signer(Role.BUILDER)), samples.trust_root())
    with pytest.raises(BadSignature):
        read_decision(seal_decision(decision, samples.signer("stranger")), samples.trust_root())
    early = replace(decision, now=samples.at(-1))
    with pytest.raises(KeyNotValid):
        read_decision(seal_decision(early, samples.signer(Role.PROMOTER)), samples.trust_root())


def test_a_malformed_decision(samples: ModuleType, decision: Decision) -> None:
    promoter = samples.signer(Role.PROMOTER)
    with pytest.raises(InvalidDocument):
        read_decision(seal(DECISION_TYPE, canonical_of(decision)[:-1] + b',"z":1}', [promoter]), samples.trust_root())
    with pytest.raises(Integrity, match="exactly one signature"):
        read_decision(seal(DECISION_TYPE, canonical_of(decision), [promoter, promoter]), samples.trust_root())

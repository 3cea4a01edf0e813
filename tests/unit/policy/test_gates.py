"""Each gate: what passes, what does not, and a reason that a stranger can act on."""

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import msgspec
import pytest

from lockage.adapters.memory.signer import MemoryKeys
from lockage.base.digest import Digest
from lockage.base.name import PrincipalName, StepName, Version
from lockage.compare.grade import Grade
from lockage.evidence import Evidence, Role, TrustRoot, gather, sign_statements
from lockage.evidence.trust import Principal, PrincipalKind, TrustedKey
from lockage.policy import (
    DEFAULT_POLICIES,
    From,
    Gate,
    GateResult,
    Kind,
    Policy,
    Proposal,
    Reproduced,
    SourceClean,
    Standing,
    Tests,
    Verdict,
    judge,
)
from lockage.policy.judge import _case
from lockage.record.artifact import Run
from lockage.record.source import DirectoryOrigin
from lockage.variation import Claim

replace = msgspec.structs.replace


def _signed(samples: ModuleType, statements: Sequence[bytes], role: Role) -> list[Evidence]:
    return [Evidence(data=data, recorded=samples.at(9000)) for data in sign_statements(statements, samples.signer(role))]


def _judge(
    samples: ModuleType,
    gate: Gate,
    evidence: Sequence[Evidence],
    *,
    made: Run | None = None,
    standing: Standing | None = None,
    root: TrustRoot | None = None,
    **proposed: Any,
) -> Verdict:
    proposal = replace(Proposal.of(samples.release(made or samples.run()), samples.PROD, 0), **proposed)
    now = samples.at(9000)
    facts, rejected = gather(evidence, root or samples.trust_root(), now=now, about=[item.sha256 for item in proposal.artifacts])
    return judge(proposal, Policy(channel=samples.PROD, gates=(gate,)), facts, standing or Standing(), now, rejected)


def _one(verdict: Verdict) -> GateResult:
    (result,) = verdict.gates
    assert result.passed is verdict.passed
    return result


def test_source_clean(samples: ModuleType) -> None:
    evidence = _signed(samples, samples.provenances(samples.run()), Role.BUILDER)
    result = _one(_judge(samples, SourceClean(), evidence))
    assert result == GateResult(
        gate="source-clean",
        passed=True,
        reason="built from commit 3f786850e387 of https://git.example/shop.git",
        evidence=(evidence[0].digest,),
    )


def test_source_dirty(samples: ModuleType) -> None:
    dirty = samples.run(DirectoryOrigin(reason="2 files changed"))
    evidence = _signed(samples, samples.provenances(dirty), Role.BUILDER)
    result = _one(_judge(samples, SourceClean(), evidence, made=dirty))
    assert not result.passed
    assert "a directory (2 files changed)" in result.reason
    assert "commit the changes" in result.reason


def test_the_same_bytes_from_another_source_prove_nothing(samples: ModuleType) -> None:
    clean = _signed(samples, samples.provenances(samples.run()), Role.BUILDER)
    result = _one(_judge(samples, SourceClean(), clean, made=samples.run(DirectoryOrigin(reason="2 files changed"))))
    assert not result.passed
    assert "no trusted builder" in result.reason


def test_source_of_another_version(samples: ModuleType) -> None:
    evidence = _signed(samples, samples.provenances(samples.run()), Role.BUILDER)
    result = _one(_judge(samples, SourceClean(), evidence, version=Version("2.0")))
    assert result.reason == "the source is version 1.2.0, and the release says 2.0"


@pytest.mark.parametrize("gate", [SourceClean(), Tests(), Reproduced()])
def test_no_evidence_fails_closed_and_says_what_to_run(samples: ModuleType, gate: Gate) -> None:
    result = _one(_judge(samples, gate, []))
    assert not result.passed
    assert "shop-1.2.0-py3-none-any.whl, shop-1.2.0.tar.gz" in result.reason
    assert "run `lockage" in result.reason


@pytest.mark.parametrize("gate", [SourceClean(), Tests(), Reproduced()])
def test_evidence_about_one_artifact_is_not_enough(samples: ModuleType, gate: Gate) -> None:
    made = samples.run()
    part = replace(made, artifacts=made.artifacts[:1])
    evidence = [
        *_signed(samples, samples.provenances(part), Role.BUILDER),
        *_signed(samples, samples.results(part), Role.TESTER),
        *_signed(samples, samples.reproductions(part), Role.VERIFIER),
    ]
    result = _one(_judge(samples, gate, evidence))
    assert not result.passed
    assert result.reason.startswith("shop-1.2.0.tar.gz: ")


def test_tests_passed(samples: ModuleType) -> None:
    evidence = _signed(samples, samples.results(samples.run()), Role.TESTER)
    assert _one(_judge(samples, Tests(), evidence)).reason == "passed: unit"
    assert _one(_judge(samples, Tests(least=2), evidence)).reason == "the recipe has 1 test steps, and this channel wants at least 2"


def test_tests_failed_or_not_run(samples: ModuleType) -> None:
    failed = _signed(samples, samples.results(samples.run(tested=False)), Role.TESTER)
    assert "test step unit failed" in _one(_judge(samples, Tests(), failed)).reason
    partly = _signed(samples, samples.results(samples.run(), (samples.UNIT, StepName("system"))), Role.TESTER)
    assert "test step system was not run" in _one(_judge(samples, Tests(), partly)).reason


def test_of_two_test_results_the_newer_counts(samples: ModuleType) -> None:
    bad = samples.run(tested=False)
    good_later = replace(samples.run(), finished=samples.at(100))
    bad_later = replace(bad, finished=samples.at(100))
    for first, second, passed in ((bad, good_later, True), (samples.run(), bad_later, False), (samples.run(), bad, False)):
        evidence = [*_signed(samples, samples.results(first), Role.TESTER), *_signed(samples, samples.results(second), Role.TESTER)]
        for order in (evidence, evidence[::-1]):
            assert _judge(samples, Tests(), order).passed is passed


def test_a_recipe_without_tests_passes_only_where_none_are_demanded(samples: ModuleType) -> None:
    evidence = _signed(samples, samples.results(samples.run(), ()), Role.TESTER)
    assert _one(_judge(samples, Tests(), evidence)).reason == "the recipe has no test step"
    assert not _judge(samples, Tests(least=1), evidence).passed


def test_tests_of_another_recipe_do_not_count(samples: ModuleType) -> None:
    evidence = _signed(samples, samples.results(samples.run(recipe="another"), ()), Role.TESTER)
    assert "no trusted tester" in _one(_judge(samples, Tests(), evidence)).reason


def test_reproduced(samples: ModuleType) -> None:
    made = samples.run()
    evidence = _signed(samples, samples.reproductions(made), Role.VERIFIER)
    assert _judge(samples, Reproduced(), evidence).passed
    assert not _judge(samples, Reproduced(claim=Claim.ROBUST), evidence).passed
    robust = _signed(samples, samples.reproductions(made, Claim.ROBUST), Role.VERIFIER)
    assert _judge(samples, Reproduced(claim=Claim.ROBUST), robust).passed
    assert _judge(samples, Reproduced(), robust).passed


def test_different_bytes_are_named(samples: ModuleType) -> None:
    statements = samples.reproductions(samples.run(), grades={"shop-1.2.0.tar.gz": Grade.SAME_CONTENT})
    result = _one(_judge(samples, Reproduced(), _signed(samples, statements, Role.VERIFIER)))
    assert result.reason.startswith(
        "shop-1.2.0.tar.gz: the rebuild of 2026-11-23T20:00:30Z by ann@example.org came out same-content (reproduced)"
    )


def test_a_robust_failure_says_nothing_of_the_weaker_claim(samples: ModuleType) -> None:
    made = samples.run()
    later = samples.reproductions(made, Claim.ROBUST, grades={"shop-1.2.0.tar.gz": Grade.DIFFERENT}, finished=samples.at(200))
    evidence = [*_signed(samples, samples.reproductions(made), Role.VERIFIER), *_signed(samples, later, Role.VERIFIER)]
    assert _judge(samples, Reproduced(), evidence).passed
    assert not _judge(samples, Reproduced(claim=Claim.ROBUST), evidence).passed


def test_a_verifiers_newest_word_counts(samples: ModuleType) -> None:
    made = samples.run()
    bad = {"shop-1.2.0.tar.gz": Grade.DIFFERENT}
    for first, second, passed in ((None, bad, False), (bad, None, True)):
        statements = [*samples.reproductions(made, grades=first), *samples.reproductions(made, grades=second, finished=samples.at(500))]
        assert _judge(samples, Reproduced(), _signed(samples, statements, Role.VERIFIER)).passed is passed


def _second_verifier(samples: ModuleType) -> tuple[TrustRoot, Any]:
    key = MemoryKeys(b"bob").load_or_create("verifier")
    trusted = TrustedKey.of(key.public, roles=[Role.VERIFIER], not_before=samples.T0, not_after=samples.at(10000))
    bob = Principal(name=PrincipalName("bob"), kind=PrincipalKind.ROBOT, keys=(trusted,))
    root = samples.trust_root()
    return replace(root, principals=(*root.principals, bob)), key


def test_different_verifiers_are_counted_by_principal(samples: ModuleType) -> None:
    root, bob = _second_verifier(samples)
    made = samples.run()
    anns = _signed(samples, [*samples.reproductions(made), *samples.reproductions(made, finished=samples.at(300))], Role.VERIFIER)
    bobs = [Evidence(data=data) for data in sign_statements(samples.reproductions(made), bob)]
    result = _one(_judge(samples, Reproduced(verifiers=2), anns, root=root))
    assert "only 1 of 2 rebuilds needed" in result.reason
    assert _judge(samples, Reproduced(verifiers=2), [*anns, *bobs], root=root).passed
    differs = sign_statements(samples.reproductions(made, grades={"shop-1.2.0.tar.gz": Grade.DIFFERENT}), bob)
    against = _one(_judge(samples, Reproduced(), [*anns, *(Evidence(data=data) for data in differs)], root=root))
    assert "by bob came out different" in against.reason


def test_from(samples: ModuleType) -> None:
    made = samples.run()
    gate = From(channel=samples.STAGING)
    refused = _one(_judge(samples, gate, []))
    assert refused.reason == "shop 1.2.0 build 1 has never been on staging; promote it to staging first"
    assert not _judge(samples, gate, [], standing=Standing(stays=(samples.stay(made, samples.DEV),))).passed
    assert not _judge(
        samples, gate, [], standing=Standing(stays=(replace(samples.stay(made, samples.STAGING), release=Digest.of(b"other")),))
    ).passed
    left = samples.stay(made, samples.STAGING, 3, samples.at(70))
    assert (
        _one(_judge(samples, gate, [], standing=Standing(stays=(left,)))).reason == "on staging since 2026-11-23T20:00:50Z (generation 3)"
    )


def test_what_was_rejected_is_named_where_it_is_missed(samples: ModuleType) -> None:
    evidence = _signed(samples, samples.reproductions(samples.run()), Role.TESTER)
    result = _one(_judge(samples, Reproduced(), evidence))
    assert f"Not counted: {evidence[0].digest[:12]}… (wrong-role: " in result.reason
    assert "Not counted" not in _one(_judge(samples, Tests(), evidence)).reason


def test_a_gate_receives_only_what_it_needs(samples: ModuleType) -> None:
    made = samples.run()
    proposal = Proposal.of(samples.release(made), samples.PROD, 0)
    facts, _ = gather(samples.evidence(made), samples.trust_root(), now=samples.at(60), about=[item.sha256 for item in proposal.artifacts])
    standing = Standing(stays=(samples.stay(made, samples.DEV),))
    for gate, given in (
        (SourceClean(), "provenance"),
        (Tests(), "tests"),
        (Reproduced(), "reproductions"),
        (From(channel=samples.DEV), "stays"),
    ):
        case = _case(gate, proposal, facts, standing)
        assert {name for name in ("provenance", "tests", "reproductions", "stays") if getattr(case, name)} == {given}


def _default(samples: ModuleType, policy_of: str, standing: Standing, **proposed: Any) -> Verdict:
    made = samples.run()
    policy = next(policy for policy in DEFAULT_POLICIES if policy.channel == policy_of)
    proposal = replace(Proposal.of(samples.release(made), policy.channel, proposed.pop("generation", 0)), **proposed)
    facts, rejected = gather(
        samples.evidence(made), samples.trust_root(), now=samples.at(60), about=[item.sha256 for item in proposal.artifacts]
    )
    return judge(proposal, policy, facts, standing, samples.at(60), rejected)


def test_the_default_channels(samples: ModuleType) -> None:
    made = samples.run()
    assert _default(samples, "dev", Standing()).passed
    assert [result.gate for result in _default(samples, "staging", Standing()).gates if not result.passed] == ["from"]
    assert _default(samples, "staging", Standing(stays=(samples.stay(made, samples.DEV),))).passed
    assert _default(samples, "prod", Standing(stays=(samples.stay(made, samples.STAGING),))).passed


def test_revoked_never_passes(samples: ModuleType) -> None:
    stays = (samples.stay(samples.run(), samples.PROD, 1),)
    for kind in Kind:
        verdict = _default(samples, "prod", Standing(stays=stays, revoked="leaks a secret"), kind=kind, generation=2)
        assert not verdict.passed
        assert "revocation: shop 1.2.0 build 1 was revoked: leaks a secret" in verdict.reasons


def test_rollback_skips_from_and_nothing_else(samples: ModuleType) -> None:
    stays = (samples.stay(samples.run(), samples.PROD, 1, samples.at(55)),)
    verdict = _default(samples, "prod", Standing(stays=stays), kind=Kind.ROLLBACK, generation=2)
    assert verdict.passed
    assert [result.gate for result in verdict.gates] == ["rollback", "source-clean", "tests", "reproduced", "deviations"]


def test_rollback_only_to_what_the_channel_held_before(samples: ModuleType) -> None:
    never = _default(samples, "prod", Standing(stays=(samples.stay(samples.run(), samples.STAGING),)), kind=Kind.ROLLBACK, generation=2)
    assert "never held" in never.reasons[0]
    now = _default(samples, "prod", Standing(stays=(samples.stay(samples.run(), samples.PROD, 2),)), kind=Kind.ROLLBACK, generation=2)
    assert "there is nothing to go back from" in now.reasons[0]


def test_no_policy_can_let_these_through(samples: ModuleType) -> None:
    assert _default(samples, "dev", Standing(), channel=samples.PROD).reasons == ("policy: this is the policy of dev, not of prod",)
    assert "release: shop 1.2.0 build 1 has no artifact" in _default(samples, "dev", Standing(), artifacts=()).reasons
    ahead = replace(samples.stay(samples.run(), samples.DEV), since=samples.at(61))
    assert "clock: the ledger is ahead" in _default(samples, "dev", Standing(stays=(ahead,))).reasons[0]

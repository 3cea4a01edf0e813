"""Evidence becomes a fact only if everything about it holds; otherwise it is rejected, and the reason names the defect."""

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lockage.adapters.memory.signer import MemoryKeys
from lockage.base.canonical import canonical
from lockage.base.digest import BlobRef, Digest
from lockage.base.instant import Instant
from lockage.base.name import PrincipalName, StepName
from lockage.compare.grade import Grade
from lockage.evidence import (
    Evidence,
    FactKind,
    ProvenanceFact,
    Rejected,
    ReproductionFact,
    Role,
    TestFact,
    TrustRoot,
    gather,
    sign_statements,
    verify_evidence,
)
from lockage.evidence.bundle import make_bundle
from lockage.evidence.predicate import TestVerdict
from lockage.evidence.trust import Principal, PrincipalKind, TrustedKey
from lockage.record.source import DirectoryOrigin, SdistOrigin
from lockage.variation import Claim


def _rejected(data: bytes, samples: ModuleType, *, now: Instant | None = None, root: TrustRoot | None = None, **more: Any) -> Rejected:
    found = verify_evidence(Evidence(data=data, **more), root or samples.trust_root(), now=now or samples.at(60))
    assert isinstance(found, Rejected)
    assert found.evidence == Digest.of(data)
    return found


def test_provenance(samples: ModuleType) -> None:
    fact = verify_evidence(samples.evidence(samples.run())[0], samples.trust_root(), now=samples.at(60))
    assert isinstance(fact, ProvenanceFact)
    assert fact.source == samples.source()
    assert fact.principal == samples.ANN
    assert fact.level == 1
    assert fact.time == samples.at(20)
    assert set(fact.subjects) == {Digest.of(samples.WHEEL), Digest.of(samples.SDIST)}
    assert fact.inputs.source == samples.source().digest


@pytest.mark.parametrize(
    "origin", [DirectoryOrigin(reason="2 files changed"), SdistOrigin(file="shop-1.2.0.tar.gz", sha256=Digest.of(b"s"))]
)
def test_provenance_of_other_sources(samples: ModuleType, origin: DirectoryOrigin | SdistOrigin) -> None:
    made = samples.run(origin)
    (data,) = sign_statements(samples.provenances(made), samples.signer(Role.BUILDER))
    fact = verify_evidence(Evidence(data=data), samples.trust_root(), now=samples.at(60))
    assert isinstance(fact, ProvenanceFact)
    assert fact.source.origin == origin
    assert fact.source.clean is isinstance(origin, SdistOrigin)


@pytest.mark.parametrize(
    ("tested", "declared", "verdict"),
    [
        (True, ["unit"], TestVerdict.PASSED),
        (False, ["unit"], TestVerdict.FAILED),
        (True, ["unit", "system"], TestVerdict.WARNED),
        (True, [], TestVerdict.PASSED),
    ],
)
def test_results(samples: ModuleType, tested: bool, declared: list[str], verdict: TestVerdict) -> None:
    statements = samples.results(samples.run(tested=tested), tuple(StepName(name) for name in declared))
    (data,) = sign_statements(statements, samples.signer(Role.TESTER))
    fact = verify_evidence(Evidence(data=data), samples.trust_root(), now=samples.at(60))
    assert isinstance(fact, TestFact)
    assert fact.result is verdict
    assert json.loads(statements[0])["predicate"]["result"] == verdict


def test_reproduction_that_failed_is_a_fact_too(samples: ModuleType) -> None:
    statements = samples.reproductions(samples.run(), Claim.ROBUST, grades={"shop-1.2.0.tar.gz": Grade.DIFFERENT})
    (data,) = sign_statements(statements, samples.signer(Role.VERIFIER))
    fact = verify_evidence(Evidence(data=data), samples.trust_root(), now=samples.at(60))
    assert isinstance(fact, ReproductionFact)
    assert fact.claim is Claim.ROBUST
    assert fact.grade is Grade.DIFFERENT
    assert fact.grades == {Digest.of(samples.WHEEL): Grade.IDENTICAL, Digest.of(samples.SDIST): Grade.DIFFERENT}
    assert fact.axes == ("cpu-affinity", "priority")


def test_signed_by_a_stranger(samples: ModuleType) -> None:
    stranger = MemoryKeys(b"a stranger").load_or_create("builder")
    (data,) = sign_statements(samples.provenances(samples.run()), stranger)
    assert _rejected(data, samples).code == "unknown-key"


def test_a_strangers_signature_under_a_trusted_hint(samples: ModuleType) -> None:
    stranger = MemoryKeys(b"a stranger").load_or_create("builder")
    honest, forged = (json.loads(sign_statements(samples.provenances(samples.run()), s)[0]) for s in (samples.signer("builder"), stranger))
    forged["verificationMaterial"] = honest["verificationMaterial"]
    assert _rejected(canonical(forged), samples).code == "bad-signature"


def test_signed_by_a_trusted_p256_key(samples: ModuleType) -> None:
    private = ec.derive_private_key(4711, ec.SECP256R1())

    class Signer:
        public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

        def sign(self, data: bytes) -> bytes:
            return private.sign(data, ec.ECDSA(hashes.SHA256()))

    root = samples.trust_root()
    key = TrustedKey.of(Signer.public, roles=[Role.BUILDER], not_before=samples.T0, not_after=samples.at(100))
    robot = Principal(name=PrincipalName("robot"), kind=PrincipalKind.ROBOT, keys=(key,))
    (data,) = sign_statements(samples.provenances(samples.run()), Signer())
    fact = verify_evidence(Evidence(data=data), msgspec.structs.replace(root, principals=(*root.principals, robot)), now=samples.at(60))
    assert isinstance(fact, ProvenanceFact)
    assert fact.principal == "robot"


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.BUILDER])
def test_signed_by_another_role(samples: ModuleType, role: Role) -> None:
    (data,) = sign_statements(samples.provenances(samples.run()), samples.signer(role))
    found = _rejected(data, samples)
    assert found.code == "wrong-role"
    assert found.kind is FactKind.PROVENANCE


def test_the_key_must_be_valid_when_the_ledger_received_it(samples: ModuleType) -> None:
    data = samples.evidence(samples.run())[0].data
    late = Instant(samples.T0 + 20 * 366 * 86400)
    assert _rejected(data, samples, now=late).code == "key-not-valid"
    assert _rejected(data, samples, now=samples.at(60), recorded=late).code == "key-not-valid"
    assert isinstance(verify_evidence(Evidence(data=data, recorded=samples.at(60)), samples.trust_root(), now=late), ProvenanceFact)


def test_a_removed_key_counts_for_nothing_whenever_it_signed(samples: ModuleType) -> None:
    root = samples.trust_root()
    ann = root.principals[0]
    without = msgspec.structs.replace(ann, keys=tuple(key for key in ann.keys if Role.BUILDER not in key.roles))
    data = samples.evidence(samples.run())[0].data
    found = _rejected(data, samples, root=msgspec.structs.replace(root, principals=(without,)), recorded=samples.at(40))
    assert found.code == "unknown-key"


def test_from_the_future(samples: ModuleType) -> None:
    (data,) = sign_statements(samples.reproductions(samples.run(), finished=samples.at(5000)), samples.signer(Role.VERIFIER))
    assert _rejected(data, samples).code == "evidence-from-the-future"


def test_about_other_artifacts(samples: ModuleType) -> None:
    evidence = samples.evidence(samples.run())[0]
    found = verify_evidence(evidence, samples.trust_root(), now=samples.at(60), about={Digest.of(b"another file")})
    assert isinstance(found, Rejected)
    assert found.code == "wrong-subject"


def _statement_defects() -> dict[str, tuple[str, Callable[[dict[str, Any]], None]]]:
    """What is wrong with a signed provenance → the code of its rejection."""

    def parameters(document: dict[str, Any]) -> Any:
        return document["predicate"]["buildDefinition"]["externalParameters"]

    return {
        "unknown predicate": ("unknown-predicate", lambda d: d.update(predicateType="https://slsa.dev/provenance/v0.2")),
        "unknown statement type": ("invalid-document", lambda d: d.update(_type="https://in-toto.io/Statement/v0.1")),
        "unknown field": ("invalid-document", lambda d: d.update(extra=1)),
        "unknown descriptor field": ("invalid-document", lambda d: d["subject"][0].update(size=1)),
        "no subject": ("invalid-statement", lambda d: d.update(subject=[])),
        "too many subjects": ("invalid-statement", lambda d: d.update(subject=d["subject"] * 513)),
        "subject without sha256": ("invalid-statement", lambda d: d["subject"][0].update(digest={"sha512": "00"})),
        "unknown external parameter": ("invalid-statement", lambda d: parameters(d).update(target="all")),
        "another build type": ("invalid-statement", lambda d: d["predicate"]["buildDefinition"].update(buildType="https://x.example/")),
        "no builder": ("invalid-statement", lambda d: d["predicate"]["runDetails"].pop("builder")),
        "no recipe digest": ("invalid-statement", lambda d: parameters(d)["recipe"].update(digest={})),
        "a time without zone": (
            "invalid-statement",
            lambda d: d["predicate"]["runDetails"]["metadata"].update(finishedOn="2026-11-23T20:00:00"),
        ),
    }


@pytest.mark.parametrize("defect", list(_statement_defects()))
def test_a_signed_statement_with_a_defect(samples: ModuleType, defect: str) -> None:
    code, spoil = _statement_defects()[defect]
    document = json.loads(samples.provenances(samples.run())[0])
    spoil(document)
    found = _rejected(make_bundle(canonical(document), samples.signer(Role.BUILDER)), samples)
    assert found.code == code, found.reason


def test_a_signed_statement_with_a_duplicate_key(samples: ModuleType) -> None:
    data = samples.provenances(samples.run())[0].replace(b'{"_type"', b'{"subject":[],"_type"')
    assert _rejected(make_bundle(data, samples.signer(Role.BUILDER)), samples).code == "invalid-document"


def _reproduction_defects() -> dict[str, Callable[[dict[str, Any]], None]]:
    return {
        "no rounds": lambda p: p.update(rounds=[]),
        "identical without a rebuild": lambda p: p["artifacts"][0].update(rebuilt=[]),
        "identical with another digest": lambda p: p["artifacts"][0].update(rebuilt=[Digest.of(b"x")]),
        "a grade for another artifact": lambda p: p["artifacts"].append(
            {**p["artifacts"][0], "sha256": Digest.of(b"x"), "grade": "different"}
        ),
        "a subject without a grade": lambda p: p["artifacts"].pop(),
        "an unknown grade": lambda p: p["artifacts"][0].update(grade="close enough"),
        "an unknown claim": lambda p: p.update(claim="almost"),
    }


@pytest.mark.parametrize("defect", list(_reproduction_defects()))
def test_a_reproduction_that_contradicts_itself(samples: ModuleType, defect: str) -> None:
    document = json.loads(samples.reproductions(samples.run())[0])
    _reproduction_defects()[defect](document["predicate"])
    found = _rejected(make_bundle(canonical(document), samples.signer(Role.VERIFIER)), samples)
    assert found.code == "invalid-statement"
    assert found.kind is FactKind.REPRODUCTION


def test_a_test_result_that_contradicts_itself(samples: ModuleType) -> None:
    document = json.loads(samples.results(samples.run(tested=False))[0])
    document["predicate"]["result"] = "PASSED"
    assert _rejected(make_bundle(canonical(document), samples.signer(Role.TESTER)), samples).code == "invalid-statement"


def test_of_two_artifacts_with_the_same_bytes_the_worse_grade_counts(samples: ModuleType) -> None:
    document = json.loads(samples.reproductions(samples.run())[0])
    document["predicate"]["artifacts"].append({**document["predicate"]["artifacts"][0], "name": "copy", "grade": "failed", "rebuilt": []})
    data = make_bundle(canonical(document), samples.signer(Role.VERIFIER))
    fact = verify_evidence(Evidence(data=data), samples.trust_root(), now=samples.at(60))
    assert isinstance(fact, ReproductionFact)
    assert fact.grades[Digest.of(samples.WHEEL)] is Grade.FAILED


def test_more_artifacts_than_a_statement_holds(samples: ModuleType) -> None:
    made = samples.run()
    many = tuple(msgspec.structs.replace(made.artifacts[0], name=f"f{n:05}", blob=BlobRef.of(b"%d" % n)) for n in range(1025))
    statements = samples.reproductions(msgspec.structs.replace(made, artifacts=many))
    assert len(statements) == 2
    facts, rejected = gather(
        [Evidence(data=data) for data in sign_statements(statements, samples.signer(Role.VERIFIER))],
        samples.trust_root(),
        now=samples.at(60),
        about=[item.blob.digest for item in many],
    )
    assert not rejected
    assert sum(len(fact.subjects) for fact in facts) == 1025


def test_the_same_bundle_twice_counts_once(samples: ModuleType) -> None:
    evidence = samples.evidence(samples.run())
    facts, rejected = gather([*evidence, *evidence], samples.trust_root(), now=samples.at(60), about=[Digest.of(samples.WHEEL)])
    assert len(facts) == 3
    assert not rejected

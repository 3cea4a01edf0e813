"""The formats of docs/formats are final: today's code writes yesterday's bytes, and reads them."""

from pathlib import Path
from types import ModuleType

import pytest

from lockage.base.canonical import canonical, parse
from lockage.base.digest import Digest
from lockage.evidence import Evidence, ProvenanceFact, ReproductionFact, Seen, TestFact, read_manifest, read_trust_root, verify_evidence
from lockage.policy import Policy, read_decision, rejudge

HERE = Path(__file__).parent


def test_vectors_are_what_the_code_writes(samples: ModuleType) -> None:
    for name, data in samples.vectors().items():
        assert (HERE / name).read_bytes() == data, f"{name}: if the format is meant to change, run {samples.__file__}"


def test_every_json_vector_is_canonical() -> None:
    for path in HERE.glob("*.json"):
        assert canonical(parse(path.read_bytes())) == path.read_bytes(), path.name


def test_vectors_are_read_as_what_they_are(samples: ModuleType) -> None:
    root = read_trust_root((HERE / "trust-root.json").read_bytes())
    assert root == samples.trust_root()
    for name, kind in (("provenance", ProvenanceFact), ("test-result", TestFact), ("reproduction", ReproductionFact)):
        for number, conditions in (("", None), ("-2", samples.CONDITIONS)):
            fact = verify_evidence(Evidence(data=(HERE / f"{name}{number}.sigstore.json").read_bytes()), root, now=samples.at(60))
            assert isinstance(fact, kind)
            assert fact.conditions == conditions
    first, second = ((HERE / f"manifest-{number}.json").read_bytes() for number in (1, 2))
    seen = Seen(generation=1, envelope=Digest.of(first))
    manifest = read_manifest(second, root, project=samples.run().project, channel=samples.PROD, now=samples.at(60), seen=seen)
    assert manifest.generation == 2


@pytest.mark.parametrize("number", ["", "-2"])
def test_the_kept_decision_gives_the_same_verdict_again(number: str) -> None:
    root = read_trust_root((HERE / "trust-root.json").read_bytes())
    decision = read_decision((HERE / f"decision{number}.json").read_bytes(), root)
    policy = Policy.decode((HERE / f"policy-prod{number}.json").read_bytes())
    bundles = {Digest.of(data): data for data in (path.read_bytes() for path in HERE.glob("*.sigstore.json"))}
    assert rejudge(decision, policy, bundles, root) == decision.verdict
    assert decision.verdict.passed

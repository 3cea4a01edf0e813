"""docs/policies.md and docs/formats say what the code does."""

import re
from pathlib import Path

import msgspec

from lockage.evidence.facts import _KINDS
from lockage.evidence.trust import Role
from lockage.policy import DEFAULT_POLICIES, Policy, parse_policy
from lockage.policy.gates import GATES, From
from lockage.policy.refusal import OPERATORS
from lockage.record.conditions import DeviationKind
from lockage.record.host import HostFact

DOCS = Path(__file__).parents[3] / "docs"
POLICIES = (DOCS / "policies.md").read_text()


def test_the_examples_are_policies() -> None:
    whole, gate = re.findall(r"```toml\n(.*?)```", POLICIES, re.DOTALL)
    assert len(parse_policy(whole.encode()).gates) == 3
    assert len(parse_policy(f'channel = "dev"\n{gate}'.encode()).gates) == 1


def test_every_gate_is_described_with_its_parameters() -> None:
    for name, kind in GATES.items():
        (row,) = re.findall(rf"^\| `{name}` \|.*$", POLICIES, re.MULTILINE)
        for field in msgspec.structs.fields(kind):
            assert f"`{field.name}`" in row
            if not field.required:
                assert (f"{field.default}" if field.default != () else "none") in row


def test_every_refusal_is_described() -> None:
    for kind in DeviationKind:
        assert re.search(rf"^\| `{kind}` \|", POLICIES, re.MULTILINE), kind
    for fact in HostFact:
        (row,) = re.findall(rf"^\| `{fact}` \|.*$", POLICIES, re.MULTILINE)
        for operator, of in OPERATORS.items():
            assert (f"`{operator}`" in row) is (fact in of), (fact, operator)


def test_the_default_channels_are_described() -> None:
    for policy in DEFAULT_POLICIES:
        words = [f"from {gate.channel}" if isinstance(gate, From) else str(gate.__struct_config__.tag) for gate in policy.gates]
        assert f"| {policy.channel} | {', '.join(words)} |" in POLICIES


def test_the_canonical_example_is_canonical() -> None:
    (example,) = re.findall(r"```json\n(.*?)\n```", (DOCS / "formats" / "policy.md").read_text(), re.DOTALL)
    assert Policy.decode(example.encode()) == DEFAULT_POLICIES[1]
    assert Policy.decode(example.encode()).encode().decode() == example


def test_every_predicate_and_role_is_described() -> None:
    evidence = (DOCS / "formats" / "evidence.md").read_text()
    for predicate, (_, role) in _KINDS.items():
        assert f"| `{predicate}` | {role} |" in evidence
    roots = (DOCS / "formats" / "trust-root.md").read_text()
    for role in Role:
        assert f"`{role}`" in roots

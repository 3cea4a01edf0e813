"""Policies as people write them: every fault at once; and the canonical form that is their identity."""

import json

import pytest

from lockage.base.canonical import InvalidDocument
from lockage.base.name import ChannelName
from lockage.policy import DEFAULT_POLICIES, From, InvalidPolicy, Policy, Reproduced, SourceClean, Tests, parse_policy
from lockage.variation import Claim

GOOD = b"""
channel = "prod"

[[gates]]
gate = "from"
channel = "staging"

[[gates]]
gate = "reproduced"
claim = "robust"
verifiers = 2

[[gates]]
gate = "tests"
"""


def test_a_policy_is_read() -> None:
    policy = parse_policy(GOOD)
    expected = (From(channel=ChannelName("staging")), Reproduced(claim=Claim.ROBUST, verifiers=2), Tests())
    assert policy == Policy(channel=ChannelName("prod"), gates=expected)
    assert Policy.decode(policy.encode()) == policy


def test_the_canonical_form_names_every_parameter() -> None:
    document = json.loads(Policy(channel=ChannelName("dev"), gates=(Reproduced(), Tests(), SourceClean())).encode())
    assert document == {
        "schema": "lockage-policy/1",
        "channel": "dev",
        "gates": [{"gate": "reproduced", "claim": "reproduced", "verifiers": 1}, {"gate": "tests", "least": 0}, {"gate": "source-clean"}],
    }


def test_how_it_is_written_does_not_matter() -> None:
    assert parse_policy(GOOD.replace(b"\n", b"\n# a remark\n")).digest == parse_policy(GOOD).digest
    assert parse_policy(GOOD + b"least = 0\n").digest == parse_policy(GOOD).digest
    assert parse_policy(GOOD + b"least = 1\n").digest != parse_policy(GOOD).digest


def test_all_faults_at_once() -> None:
    with pytest.raises(InvalidPolicy) as caught:
        parse_policy(
            b"""
            channel = "Not A Name"
            owner = "me"
            [[gates]]
            gate = "test"
            [[gates]]
            least = 1
            [[gates]]
            gate = "reproduced"
            verifiers = 0
            claim = "nearly"
            rounds = 2
            [[gates]]
            gate = "from"
            """,
            "prod.toml",
        )
    faults = caught.value.details["faults"]
    assert isinstance(faults, tuple)
    expected = [
        "channel: not a valid channel name",
        "owner: not a key",
        "gates[1].gate: no gate is called 'test'",
        "gates[2].gate: missing",
        "gates[3].rounds: gate 'reproduced' has no such parameter",
        "gates[3].claim: Invalid enum value 'nearly'",
        "gates[3].verifiers: Expected `int` >= 1",
        "gates[4].channel: missing",
    ]
    for text in expected:
        assert any(fault.startswith(text) for fault in faults), (text, faults)
    assert len(faults) == len(expected)
    assert "prod.toml" in caught.value.message


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "channel: missing"),
        ('channel = "dev"', "at least one gate"),
        ('channel = "dev"\ngates = []', "at least one gate"),
        ('channel = "dev"\ngates = 3', "a list of tables"),
        ('channel = "dev"\ngates = [3]', "gates[1]: a table"),
        ('channel = "dev"\n[[gates]]\ngate = "from"\nchannel = "dev"', "cannot be fed from itself"),
        ('channel = "dev"\n[[gates]]\ngate = "tests"\n[[gates]]\ngate = "tests"\nleast = 0', "gates[2]: the same gate"),
        ("channel = ", "not TOML"),
    ],
)
def test_faults_of_the_whole(text: str, fault: str) -> None:
    with pytest.raises(InvalidPolicy) as caught:
        parse_policy(text.encode())
    assert fault in caught.value.message


def test_a_kept_policy_is_checked_too() -> None:
    with pytest.raises(InvalidPolicy, match="at least one gate"):
        Policy.decode(b'{"channel":"dev","gates":[],"schema":"lockage-policy/1"}')
    with pytest.raises(InvalidDocument):
        Policy.decode(b'{"channel":"dev","gates":[{"gate":"soak"}],"schema":"lockage-policy/1"}')


def test_the_defaults_rise_one_level_at_a_time() -> None:
    assert [policy.channel for policy in DEFAULT_POLICIES] == ["dev", "staging", "prod"]
    below = [next((gate.channel for gate in policy.gates if isinstance(gate, From)), None) for policy in DEFAULT_POLICIES]
    assert below == [None, "dev", "staging"]

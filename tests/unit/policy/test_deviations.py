"""The gate `deviations`: what it refuses, what it says, and that what is not known does not pass."""

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import msgspec
import pytest

from lockage.base.name import StepName
from lockage.compare.grade import Grade
from lockage.evidence import Evidence, Role, gather, sign_statements
from lockage.policy import (
    DEFAULT_POLICIES,
    Deviations,
    GateResult,
    InvalidPolicy,
    Kind,
    Policy,
    Proposal,
    Refusal,
    Standing,
    Work,
    judge,
    parse_policy,
)
from lockage.policy.case import Need
from lockage.record.conditions import Conditions, Deviation, DeviationKind, ExecutedOn

replace = msgspec.structs.replace
STEPS = (StepName("wheel"),)


def on(kernel: str | None, *deviations: Deviation, run: str | None = "run-000007") -> Conditions:
    host = {} if kernel is None else {"kernel": kernel, "cpu-features": "fpu avx2"}
    return Conditions(executions=(ExecutedOn(steps=STEPS, host=host, run=run),), deviations=deviations)


def _judge(samples: ModuleType, gate: Deviations, statements: dict[Role, Sequence[bytes]]) -> GateResult:
    made = samples.run()
    evidence = [Evidence(data=data, recorded=samples.at(900)) for role in statements for data in _signed(samples, statements[role], role)]
    proposal = Proposal.of(samples.release(made), samples.STAGING, 0)
    about = [item.sha256 for item in proposal.artifacts]
    facts, rejected = gather(evidence, samples.trust_root(), now=samples.at(900), about=about)
    verdict = judge(proposal, Policy(channel=samples.STAGING, gates=(gate,)), facts, Standing(), samples.at(900), rejected)
    (result,) = verdict.gates
    return result


def _signed(samples: ModuleType, statements: Sequence[bytes], role: Role) -> tuple[bytes, ...]:
    return sign_statements(statements, samples.signer(role))


def _built(samples: ModuleType, *conditions: Conditions | None) -> dict[Role, Sequence[bytes]]:
    made = samples.run()
    return {
        Role.BUILDER: [
            statement
            for place, one in enumerate(conditions)
            for statement in samples.provenances(replace(made, finished=samples.at(20 + place)), one)
        ]
    }


def refusing(*texts: str, also: tuple[Work, ...] = ()) -> Deviations:
    return Deviations(refuse=tuple(map(Refusal, texts)), also=also)


def test_a_machine_that_is_accepted(samples: ModuleType) -> None:
    result = _judge(samples, refusing("kernel < 5.15", "stale-suite"), _built(samples, on("6.1.0")))
    assert result.passed
    assert result.reason == "nothing that is refused: kernel < 5.15, stale-suite"
    assert len(result.evidence) == 1


def test_a_machine_that_is_refused(samples: ModuleType) -> None:
    result = _judge(samples, refusing("kernel < 5.15", "cpu-features has avx2"), _built(samples, on("5.10.0-8")))
    assert not result.passed
    again = "execute it on another machine (`lockage build --reexecute 100%` in the same store)"
    assert result.reason == (
        "shop-1.2.0-py3-none-any.whl, shop-1.2.0.tar.gz: "
        "`kernel < 5.15` is refused, and what executed wheel in run-000007 has kernel 5.10.0-8; "
        "`cpu-features has avx2` is refused, and what executed wheel in run-000007 has cpu-features fpu avx2 (told by ann@example.org). "
        f"To mend it, {again}; then promote again, or change the policy of staging"
    )


@pytest.mark.parametrize("kind", list(DeviationKind))
def test_a_kind_of_deviation(samples: ModuleType, kind: DeviationKind) -> None:
    there = on("6.1.0", Deviation(kind=kind, subject="environment build", what="as it was"))
    result = _judge(samples, refusing(kind), _built(samples, there))
    assert f"`{kind}` is refused, and there is environment build: as it was (told by " in result.reason
    others = [str(other) for other in DeviationKind if other is not kind]
    assert _judge(samples, refusing(*others), _built(samples, there)).passed


def test_a_kind_that_a_later_lockage_knows_is_no_reason_to_refuse_the_others(samples: ModuleType) -> None:
    there = on("6.1.0", Deviation(kind="made-on-a-friday", subject="step wheel", what="in the evening"))
    assert _judge(samples, refusing("stale-suite"), _built(samples, there)).passed


def test_what_was_signed_without_conditions_is_refused_and_the_reason_says_how_to_sign_it_again(samples: ModuleType) -> None:
    result = _judge(samples, refusing("host-environment"), _built(samples, None))
    assert not result.passed
    assert "an earlier lockage signed it, which did not tell of conditions (told by " in result.reason
    assert "To mend it, run `lockage build` with this one; then promote again" in result.reason


def test_what_was_not_recorded_of_a_machine_is_refused(samples: ModuleType) -> None:
    result = _judge(samples, refusing("kernel < 5"), _built(samples, on(None, run=None)))
    assert "`kernel < 5` is refused, and kernel was not recorded of what executed wheel (told by " in result.reason
    assert _judge(samples, refusing("stale-suite"), _built(samples, on(None, run=None))).passed


def test_of_several_builds_of_the_same_bytes_one_is_enough(samples: ModuleType) -> None:
    for order in ((on("5.10"), on("6.1")), (on("6.1"), on("5.10")), (None, on("6.1"))):
        assert _judge(samples, refusing("kernel < 5.15"), _built(samples, *order)).passed
    newest = _judge(samples, refusing("kernel < 5.15"), _built(samples, on("5.1"), on("5.2")))
    assert "has kernel 5.2 (told" in newest.reason


def test_no_provenance_at_all(samples: ModuleType) -> None:
    result = _judge(samples, refusing("kernel < 5"), {})
    assert "no trusted builder has signed provenance for this source, recipe and lock; run `lockage build`" in result.reason


def test_tests_and_rebuilds_count_only_where_they_are_asked_for(samples: ModuleType) -> None:
    made, old, new = samples.run(), on("5.10"), on("6.1")
    gate, with_tests = refusing("kernel < 5.15"), refusing("kernel < 5.15", also=(Work.TESTS,))
    with_rebuilds = refusing("kernel < 5.15", also=(Work.REBUILDS,))
    built = _built(samples, new)
    tested = {**built, Role.TESTER: samples.results(made, conditions=old), Role.VERIFIER: samples.reproductions(made, conditions=old)}
    assert _judge(samples, gate, tested).passed
    assert "run `lockage test` on another machine" in _judge(samples, with_tests, tested).reason
    assert "run `lockage verify` on another machine" in _judge(samples, with_rebuilds, tested).reason
    assert "no trusted tester has signed results" in _judge(samples, with_tests, built).reason
    assert "no trusted verifier has rebuilt it to identical bytes" in _judge(samples, with_rebuilds, built).reason
    assert gate.needs == {Need.PROVENANCE}
    assert with_tests.needs == {Need.PROVENANCE, Need.TEST}
    assert with_rebuilds.needs == {Need.PROVENANCE, Need.REPRODUCTION}


def test_of_tests_the_newest_results_count(samples: ModuleType) -> None:
    made = samples.run()
    gate = refusing("kernel < 5.15", also=(Work.TESTS,))
    for first, second, passed in ((on("5.10"), on("6.1"), True), (on("6.1"), on("5.10"), False)):
        results = [
            *samples.results(made, conditions=first),
            *samples.results(replace(made, finished=samples.at(100)), conditions=second),
        ]
        assert _judge(samples, gate, {**_built(samples, on("6.1")), Role.TESTER: results}).passed is passed
    untested = samples.results(made, (), on("5.10"))
    assert not _judge(samples, gate, {**_built(samples, on("6.1")), Role.TESTER: untested}).passed


def test_of_rebuilds_one_to_identical_bytes_must_be_accepted(samples: ModuleType) -> None:
    made = samples.run()
    gate = refusing("kernel < 5.15", also=(Work.REBUILDS,))

    def verdict(*rebuilds: tuple[Conditions, dict[str, Grade]]) -> bool:
        statements = [
            statement for conditions, grades in rebuilds for statement in samples.reproductions(made, grades=grades, conditions=conditions)
        ]
        return _judge(samples, gate, {**_built(samples, on("6.1")), Role.VERIFIER: statements}).passed

    assert verdict((on("6.1"), {}), (on("5.10"), {}))
    assert not verdict((on("6.1"), {"shop-1.2.0.tar.gz": Grade.DIFFERENT}), (on("5.10"), {}))


def test_as_people_write_it() -> None:
    text = 'channel = "prod"\n[[gates]]\ngate = "deviations"\nrefuse = ["kernel<5.15", "stale-suite"]\nalso = ["tests"]\n'
    policy = parse_policy(text.encode())
    assert policy.gates == (refusing("kernel < 5.15", "stale-suite", also=(Work.TESTS,)),)
    assert Policy.decode(policy.encode()) == policy
    assert b'{"also":["tests"],"gate":"deviations","refuse":["kernel < 5.15","stale-suite"]}' in policy.encode()


@pytest.mark.parametrize(
    ("parameters", "fault"),
    [
        ({"refuse": ["kernel < 5", "colour = red"]}, "gates[1].refuse: no fact of machines is called 'colour'"),
        ({"refuse": []}, "gates[1].refuse: "),
        ({}, "gates[1].refuse: missing"),
        ({"refuse": ["stale-suite"], "also": ["builds"]}, "gates[1].also: "),
        ({"refuse": "stale-suite"}, "gates[1].refuse: "),
        ({"refuse": [3]}, "gates[1].refuse: "),
    ],
)
def test_faults(parameters: dict[str, Any], fault: str) -> None:
    lines = "".join(f"{key} = {msgspec.json.encode(value).decode()}\n" for key, value in parameters.items())
    with pytest.raises(InvalidPolicy) as caught:
        parse_policy(f'channel = "prod"\n[[gates]]\ngate = "deviations"\n{lines}'.encode())
    assert fault in caught.value.message


def test_no_default_policy_lets_a_host_environment_pass(samples: ModuleType) -> None:
    made = samples.run()
    host = replace(samples.CONDITIONS, deviations=(Deviation(kind="host-environment", subject="environment build", what="the machine"),))
    for policy in DEFAULT_POLICIES:
        for kind in Kind:
            proposal = replace(Proposal.of(samples.release(made), policy.channel, 2), kind=kind)
            about = [item.sha256 for item in proposal.artifacts]
            stays = tuple(samples.stay(made, channel, 1, samples.at(55)) for channel in (samples.DEV, samples.STAGING, samples.PROD))
            for conditions, failed in ((samples.CONDITIONS, []), (host, ["deviations"])):
                facts, _ = gather(samples.evidence(made, conditions), samples.trust_root(), now=samples.at(60), about=about)
                verdict = judge(proposal, policy, facts, Standing(stays=stays), samples.at(60))
                assert [result.gate for result in verdict.gates if not result.passed] == failed

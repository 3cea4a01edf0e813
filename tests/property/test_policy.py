"""A policy has one canonical form: written, read and written again it is the same, however people wrote it."""

from hypothesis import given, settings
from hypothesis import strategies as st

from lockage.base.name import ChannelName
from lockage.policy import Deviations, From, Gate, Policy, Refusal, Reproduced, SourceClean, Tests, Work, parse_policy
from lockage.policy.refusal import OPERATORS
from lockage.record.conditions import DeviationKind
from lockage.record.host import HostFact
from lockage.variation import Claim

_TEXT = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=30)
_ASKED = [(fact, operator) for operator, facts in OPERATORS.items() for fact in sorted(facts)]
_SPACES = st.sampled_from(["", " ", "  "])


@st.composite
def _written(draw: st.DrawFn) -> str:
    """A refusal as somebody may write it."""
    fact, operator = draw(st.sampled_from(_ASKED))
    value = draw(_TEXT) if operator in ("=", "!=", "has", "lacks") else f"{draw(_TEXT)} {draw(st.integers(0, 99))}.1"
    least = " " if operator.isalpha() else ""
    return f"{draw(_SPACES)}{fact}{draw(_SPACES)}{least}{operator}{least}{draw(_SPACES)}{value}{draw(_SPACES)}"


_REFUSALS = st.one_of(st.sampled_from(DeviationKind).map(str), _written())
_GATES = st.one_of(
    st.just(SourceClean()),
    st.builds(Tests, least=st.integers(0, 9)),
    st.builds(Reproduced, claim=st.sampled_from(Claim), verifiers=st.integers(1, 9)),
    st.builds(From, channel=st.sampled_from(["dev", "staging"]).map(ChannelName)),
    st.builds(
        Deviations,
        refuse=st.lists(_REFUSALS.map(Refusal), min_size=1, max_size=4).map(tuple),
        also=st.lists(st.sampled_from(Work), max_size=2).map(tuple),
    ),
)


@settings(max_examples=300, deadline=None)
@given(gates=st.lists(_GATES, min_size=1, max_size=5, unique_by=lambda gate: repr(gate)))
def test_written_and_read_it_is_the_same(gates: list[Gate]) -> None:
    policy = Policy(channel=ChannelName("prod"), gates=tuple(gates))
    assert Policy.decode(policy.encode()) == policy
    assert Policy.decode(policy.encode()).encode() == policy.encode()


@settings(max_examples=300, deadline=None)
@given(text=_REFUSALS)
def test_a_refusal_has_one_form(text: str) -> None:
    refusal = Refusal(text)
    assert Refusal(refusal) == refusal
    policy = parse_policy(f'channel = "prod"\n[[gates]]\ngate = "deviations"\nrefuse = [{_toml(text)}]\n'.encode())
    assert policy.gates == (Deviations(refuse=(refusal,)),)


def _toml(text: str) -> str:
    return "".join(('"', *(f"\\U{ord(character):08x}" for character in text), '"'))


@settings(max_examples=300, deadline=None)
@given(text=_REFUSALS, host=st.dictionaries(st.sampled_from(HostFact).map(str), _TEXT, max_size=4))
def test_what_was_not_recorded_is_neither_refused_nor_accepted(text: str, host: dict[str, str]) -> None:
    refusal = Refusal(text)
    if refusal.fact is None:
        return
    answer = refusal.refuses(host)
    assert answer is None if refusal.fact not in host else answer in (True, False, None)

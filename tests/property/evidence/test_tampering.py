"""Style rule 9: sign and verify the bytes as received. A changed byte is refused, or (in a bundle) changes nothing that is said."""

from types import ModuleType

from hypothesis import given, settings
from hypothesis import strategies as st

from lockage.base.canonical import canonical, parse
from lockage.base.errors import LockageError
from lockage.evidence import Evidence, Rejected, Role, read_manifest, read_trust_root, verify_evidence
from lockage.evidence.dsse import decode_base64, pae
from lockage.policy import read_decision

SIGNED = ("trust-root.json", "manifest-1.json", "manifest-2.json", "decision.json", "decision-2.json")
BUNDLES = tuple(f"{kind}{number}.sigstore.json" for kind in ("provenance", "test-result", "reproduction") for number in ("", "-2"))


def _flipped(data: bytes, where: float, bits: int) -> bytes:
    at = min(int(where * len(data)), len(data) - 1)
    return data[:at] + bytes([data[at] ^ bits]) + data[at + 1 :]


PLACE = st.floats(0, 1, exclude_max=True)
BITS = st.integers(1, 255)


@settings(max_examples=250, deadline=None)
@given(name=st.sampled_from(SIGNED), where=PLACE, bits=BITS)
def test_any_changed_byte_of_a_document_is_refused(samples: ModuleType, name: str, where: float, bits: int) -> None:
    data = _flipped(samples.vectors_once()[name], where, bits)
    root = samples.trust_root()
    try:
        if name == "trust-root.json":
            read_trust_root(data)
        elif name.startswith("decision"):
            read_decision(data, root)
        else:
            read_manifest(data, root, project=samples.run().project, channel=samples.PROD, now=samples.at(60))
    except LockageError:
        return
    raise AssertionError(f"{name} was read with byte {where} changed")


@settings(max_examples=250, deadline=None)
@given(name=st.sampled_from(BUNDLES), where=PLACE, bits=BITS)
def test_any_changed_byte_of_a_bundle_is_rejected(samples: ModuleType, name: str, where: float, bits: int) -> None:
    found = verify_evidence(Evidence(data=_flipped(samples.vectors_once()[name], where, bits)), samples.trust_root(), now=samples.at(60))
    assert isinstance(found, Rejected)
    assert found.code
    assert found.reason


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=400))
def test_rubbish_is_rejected_and_never_raises(samples: ModuleType, data: bytes) -> None:
    assert isinstance(verify_evidence(Evidence(data=data), samples.trust_root(), now=samples.at(60)), Rejected)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=100, deadline=None)
@given(predicate=st.dictionaries(st.text(max_size=10), JSON, max_size=6), kind=st.sampled_from(list(Role)))
def test_a_signed_statement_with_any_predicate_never_raises(samples: ModuleType, predicate: dict[str, object], kind: Role) -> None:
    from lockage.evidence.bundle import make_bundle
    from lockage.evidence.facts import _KINDS

    for predicate_type in _KINDS:
        statement = {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": "a", "digest": {"sha256": "0" * 64}}],
            "predicateType": predicate_type,
            "predicate": predicate,
        }
        data = make_bundle(canonical(statement), samples.signer(kind))  # type: ignore[arg-type]  # plain JSON values, typed as object
        assert isinstance(verify_evidence(Evidence(data=data), samples.trust_root(), now=samples.at(60)), Rejected)


@given(data=st.binary(max_size=60), kind=st.text(max_size=20), other=st.text(max_size=20), more=st.binary(max_size=60))
def test_two_different_messages_have_two_encodings(data: bytes, kind: str, other: str, more: bytes) -> None:
    """DSSE protocol: PAE is injective."""
    assert (pae(kind, data) == pae(other, more)) is ((kind, data) == (other, more))


@given(data=st.binary(max_size=100))
def test_base64_round_trips_in_both_alphabets(data: bytes) -> None:
    import base64

    assert decode_base64(base64.b64encode(data).decode()) == data
    assert decode_base64(base64.urlsafe_b64encode(data).decode()) == data


def test_canonical_vectors_round_trip(samples: ModuleType) -> None:
    for name, data in samples.vectors_once().items():
        if name.endswith(".json"):
            assert canonical(parse(data)) == data

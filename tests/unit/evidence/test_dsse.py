"""Envelopes and bundles: every defect is refused, by its name."""

import base64
import json
from types import ModuleType
from typing import Any

import pytest

from lockage.base.canonical import InvalidDocument, canonical
from lockage.base.errors import Integrity
from lockage.evidence.bundle import MAX_BUNDLE, make_bundle, parse_bundle
from lockage.evidence.dsse import InvalidEnvelope, WrongPayloadType, decode_base64, pae, parse_strict, seal

TYPE = "application/example"


def test_pae_is_that_of_the_specification() -> None:
    # DSSE protocol.md, test vector: PAE("http://example.com/HelloWorld", "hello world")
    assert pae("http://example.com/HelloWorld", b"hello world") == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def test_an_envelope_round_trips(samples: ModuleType) -> None:
    signer = samples.signer("admin")
    envelope = parse_strict(seal(TYPE, b"payload \xff", [signer]), TYPE)
    assert envelope.payload == b"payload \xff"
    assert envelope.signatures == (signer.sign(pae(TYPE, b"payload \xff")),)


@pytest.mark.parametrize("text", ["QR==", "QQ", "Q Q=", "QQ==\n", "+_==", "é", "QQ=="[:-1]])
def test_base64_has_one_form(text: str) -> None:
    with pytest.raises(ValueError, match="base64"):
        decode_base64(text)


def test_both_alphabets_are_read() -> None:
    assert decode_base64("-_-_") == decode_base64("+/+/") == base64.b64decode("+/+/")


def _changed(data: bytes, **changes: Any) -> bytes:
    return canonical({**json.loads(data), **changes})


def defects(data: bytes) -> dict[str, bytes]:
    document = json.loads(data)
    return {
        "no-signature": _changed(data, signatures=[]),
        "unknown-field": _changed(data, extra=1),
        "payload-not-base64": _changed(data, payload="!"),
        "spaces": json.dumps(document).encode(),
        "key-id": _changed(data, signatures=[{**document["signatures"][0], "keyid": "a"}]),
        "url-safe-payload": _changed(data, payload="-_-_"),
        "no-payload-type": canonical({key: value for key, value in document.items() if key != "payloadType"}),
        "not-an-object": b"[]",
    }


@pytest.mark.parametrize("defect", list(defects(b'{"signatures":[{"sig":""}]}')))
def test_a_malformed_envelope_of_ours_is_refused(samples: ModuleType, defect: str) -> None:
    with pytest.raises(InvalidEnvelope):
        parse_strict(defects(seal(TYPE, b"x", [samples.signer("admin")]))[defect], TYPE)


@pytest.mark.parametrize("data", [b"", b"{", b'{"payload":"","payload":""}', b'{"a":1.5}', b"\xff", b"[" * 5000])
def test_what_is_not_strict_json_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidDocument):
        parse_strict(data, TYPE)


def test_another_payload_type_and_an_oversize_are_refused(samples: ModuleType) -> None:
    data = seal(TYPE, b"x", [samples.signer("admin")])
    with pytest.raises(WrongPayloadType):
        parse_strict(data, "application/other")
    with pytest.raises(InvalidEnvelope, match="the most is 10"):
        parse_strict(data, TYPE, max_size=10)


def test_a_bundle_has_exactly_the_form_that_cosign_reads(samples: ModuleType) -> None:
    document = json.loads(make_bundle(b"{}", samples.signer("builder")))
    assert set(document) == {"mediaType", "verificationMaterial", "dsseEnvelope"}
    assert document["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    assert set(document["verificationMaterial"]) == {"publicKey"}
    assert document["dsseEnvelope"]["payloadType"] == "application/vnd.in-toto+json"
    assert [set(signature) for signature in document["dsseEnvelope"]["signatures"]] == [{"sig"}]


def bundle_defects(data: bytes) -> dict[str, bytes]:
    document = json.loads(data)
    envelope = document["dsseEnvelope"]
    return {
        "two-signatures": _changed(data, dsseEnvelope={**envelope, "signatures": envelope["signatures"] * 2}),
        "no-signature": _changed(data, dsseEnvelope={**envelope, "signatures": []}),
        "old-media-type": _changed(data, mediaType="application/vnd.dev.sigstore.bundle+json;version=0.1"),
        "certificate": _changed(data, verificationMaterial={"certificate": {"rawBytes": ""}}),
        "tlog-entry": _changed(data, verificationMaterial={**document["verificationMaterial"], "tlogEntries": [{}]}),
        "short-hint": _changed(data, verificationMaterial={"publicKey": {"hint": "QUJD"}}),
        "other-payload-type": _changed(data, dsseEnvelope={**envelope, "payloadType": TYPE}),
        "duplicate-key": data.replace(b'{"dsseEnvelope"', b'{"mediaType":"x","dsseEnvelope"'),
        "oversize": data + b" " * MAX_BUNDLE,
    }


@pytest.mark.parametrize("defect", list(bundle_defects(b'{"dsseEnvelope":{"signatures":[]},"verificationMaterial":{}}')))
def test_a_malformed_bundle_is_refused(samples: ModuleType, defect: str) -> None:
    data = make_bundle(b"{}", samples.signer("builder"))
    parse_bundle(data)
    with pytest.raises(Integrity):
        parse_bundle(bundle_defects(data)[defect])

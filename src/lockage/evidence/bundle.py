"""Sigstore bundle v0.3, signed with a plain key: the file in which evidence is kept and handed on.

Exactly one signature, no ``keyid``, no certificate, no transparency-log entry; the hint is the key's id. Such a bundle is
verified by cosign (``verify-blob-attestation --key``) and by ``@sigstore/verify`` (docs/formats/evidence.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from lockage.base.canonical import canonical, parse
from lockage.base.digest import Digest
from lockage.evidence import dsse
from lockage.evidence.keys import PublicKey, Signing

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["IN_TOTO", "MAX_BUNDLE", "Bundle", "make_bundle", "parse_bundle", "sign_statements"]

IN_TOTO = "application/vnd.in-toto+json"
_MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
#: 1024 subjects with grades take about 0.5 MB.
MAX_BUNDLE = 16 << 20


class _KeyHint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    hint: str


class _Material(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    public_key: _KeyHint
    tlog_entries: tuple[()] = ()


class _Bundle(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    media_type: Literal["application/vnd.dev.sigstore.bundle.v0.3+json"]
    verification_material: _Material
    dsse_envelope: dict[str, object]


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """A bundle, decoded but not verified: which key it names, and its envelope."""

    key: Digest
    envelope: dsse.Envelope


def make_bundle(statement: bytes, signer: Signing) -> bytes:
    """The canonical bytes of a bundle over a statement."""
    return canonical(
        {
            "mediaType": _MEDIA_TYPE,
            "verificationMaterial": {"publicKey": {"hint": PublicKey.of(signer.public).hint}},
            "dsseEnvelope": dsse.wire(IN_TOTO, statement, [signer]),
        }
    )


def sign_statements(data: Iterable[bytes], signer: Signing) -> tuple[bytes, ...]:
    """One bundle for each statement."""
    return tuple(make_bundle(statement, signer) for statement in data)


def parse_bundle(data: bytes) -> Bundle:
    """Read a bundle; raises InvalidEnvelope, WrongPayloadType or InvalidDocument. Nothing is verified yet."""
    if len(data) > MAX_BUNDLE:
        raise dsse.InvalidEnvelope(f"the bundle has {len(data)} bytes; the most is {MAX_BUNDLE}", found=len(data), expected=MAX_BUNDLE)
    try:
        found = msgspec.convert(parse(data), _Bundle)
        key = Digest.from_raw(dsse.decode_base64(found.verification_material.public_key.hint))
    except (msgspec.ValidationError, ValueError) as error:
        raise dsse.InvalidEnvelope(f"not a key-signed Sigstore bundle v0.3: {error}") from error
    envelope = dsse.envelope_of(found.dsse_envelope)
    if len(envelope.signatures) != 1:
        raise dsse.InvalidEnvelope(f"a bundle has exactly one signature; this one has {len(envelope.signatures)}")
    envelope.expect(IN_TOTO)
    return Bundle(key=key, envelope=envelope)

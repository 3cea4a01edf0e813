"""Dead Simple Signing Envelope 1.0.2: what is signed is the type and the bytes, and what is verified are the bytes as received.

Invariants: nothing reads a payload before a signature over it was verified; ``keyid`` is only a hint and lockage writes
none; base64 must be the one form of its bytes, in the standard or the URL alphabet. Documents of lockage's own
(trust root, decision, manifest) are read with :func:`parse_strict`, so that no byte of them can change unnoticed.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

import msgspec

from lockage.base.canonical import canonical, decode, parse, plain
from lockage.base.errors import Integrity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockage.base.canonical import Json
    from lockage.evidence.keys import Signing

__all__ = ["BadSignature", "Envelope", "InvalidEnvelope", "WrongPayloadType", "decode_base64", "envelope_of", "pae", "parse_strict", "seal"]

#: No document of ours comes near it: a manifest of 10^5 artifacts has about 15 MB.
MAX_SIZE = 64 << 20


class InvalidEnvelope(Integrity):
    """A signed document's envelope is malformed."""

    code = "invalid-envelope"
    hint = "The bytes were damaged or written by another program; fetch them again from where they were published."


class BadSignature(Integrity):
    """No signature over these bytes is by a key that is trusted for it."""

    code = "bad-signature"
    hint = "Do not use these bytes; fetch them again, and compare the trust root with a copy you trust."


class WrongPayloadType(Integrity):
    """A signed document is of another kind than the one asked for."""

    code = "wrong-payload-type"
    hint = "Give the document of the kind named; a signature over one kind never counts for another."


class _Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    sig: str
    keyid: str | None = None


class _Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    payload: str
    payload_type: str
    signatures: tuple[_Signature, ...]


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """An envelope, decoded but not verified. ``payload`` must not be read before :attr:`signed` was verified."""

    payload_type: str
    payload: bytes
    signatures: tuple[bytes, ...]

    @property
    def signed(self) -> bytes:
        """The bytes that the signatures are over."""
        return pae(self.payload_type, self.payload)

    def expect(self, payload_type: str) -> None:
        """Raise :class:`WrongPayloadType` unless it is of this type."""
        if self.payload_type != payload_type:
            raise WrongPayloadType(
                f"the envelope holds {self.payload_type!r}, not {payload_type!r}", expected=payload_type, found=self.payload_type
            )


def pae(payload_type: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: the bytes to sign."""
    kind = payload_type.encode()
    return b" ".join((b"DSSEv1", b"%d" % len(kind), kind, b"%d" % len(payload), payload))


def decode_base64(text: str) -> bytes:
    """Bytes of padded base64, standard or URL-safe; raises ValueError unless ``text`` is the one form of its bytes in its alphabet."""
    urlsafe = "-" in text or "_" in text
    try:
        data = base64.b64decode(text, altchars=b"-_" if urlsafe else None, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"not base64: {error}") from error
    again = base64.urlsafe_b64encode(data) if urlsafe else base64.b64encode(data)
    if again.decode() != text:
        raise ValueError("not the one base64 form of its bytes")
    return data


def seal(payload_type: str, payload: bytes, signers: Sequence[Signing]) -> bytes:
    """The canonical bytes of an envelope with one signature by each signer, in the order given."""
    return canonical(wire(payload_type, payload, signers))


def wire(payload_type: str, payload: bytes, signers: Sequence[Signing]) -> Json:
    """The envelope as JSON values, to be embedded in a bundle."""
    data = pae(payload_type, payload)
    signatures = tuple(_Signature(base64.b64encode(signer.sign(data)).decode()) for signer in signers)
    found: Json = plain(_Envelope(base64.b64encode(payload).decode(), payload_type, signatures))
    return found


def envelope_of(document: object) -> Envelope:
    """Read an envelope from JSON values; raises :class:`InvalidEnvelope`."""
    try:
        found = msgspec.convert(document, _Envelope)
        if not found.signatures:
            raise ValueError("it has no signature")
        return Envelope(
            payload_type=found.payload_type,
            payload=decode_base64(found.payload),
            signatures=tuple(decode_base64(signature.sig) for signature in found.signatures),
        )
    except (msgspec.ValidationError, ValueError) as error:
        raise InvalidEnvelope(f"not a DSSE envelope: {error}") from error


def parse_strict(data: bytes, payload_type: str, *, max_size: int = MAX_SIZE) -> Envelope:
    """Read an envelope that lockage wrote: canonical JSON, standard base64, no key ids, of this payload type.

    Raises :class:`InvalidEnvelope`, :class:`WrongPayloadType`, InvalidDocument.
    """
    if len(data) > max_size:
        raise InvalidEnvelope(f"the envelope has {len(data)} bytes; the most is {max_size}", found=len(data), expected=max_size)
    document = parse(data)
    envelope = envelope_of(document)
    found = decode(data, _Envelope)
    if canonical(document) != data or any(signature.keyid is not None for signature in found.signatures):
        raise InvalidEnvelope("the envelope is not in canonical form: sorted keys, no spaces, no key ids")
    if any("-" in text or "_" in text for text in (found.payload, *(signature.sig for signature in found.signatures))):
        raise InvalidEnvelope("the envelope is not in canonical form: standard base64")
    envelope.expect(payload_type)
    return envelope

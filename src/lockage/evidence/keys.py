"""Public keys: their algorithms, their ids, and the check of one signature.

A key's id is the sha256 of its SubjectPublicKeyInfo DER, in hex; a bundle's hint is the same digest in base64. ``cryptography``
takes about 45 ms to import and is imported only when a signature is checked.
"""

from __future__ import annotations

import base64
import binascii
from enum import StrEnum
from typing import Protocol

import msgspec

from lockage.base.digest import Digest

__all__ = ["Algorithm", "PublicKey", "Signing", "ed25519_spki", "note_vkey"]

#: RFC 8410: AlgorithmIdentifier id-Ed25519 without parameters, and a BIT STRING of 32 bytes.
_ED25519 = bytes.fromhex("302a300506032b6570032100")
#: RFC 5480: id-ecPublicKey with secp256r1, and a BIT STRING of an uncompressed point.
_P256 = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
#: C2SP signed-note: the type byte of Ed25519 in a key id and a vkey.
_NOTE_ED25519 = b"\x01"


class Algorithm(StrEnum):
    """What a key signs with. Ed25519 signatures are the 64 raw bytes; ECDSA ones are DER over SHA-256."""

    ED25519 = "ed25519"
    ECDSA_P256 = "ecdsa-p256"


class Signing(Protocol):
    """A private key, as this floor sees it; every ``ports.Signer`` is one."""

    @property
    def public(self) -> bytes: ...
    def sign(self, data: bytes) -> bytes: ...


class PublicKey(msgspec.Struct, frozen=True):
    """A public key as SubjectPublicKeyInfo DER, of an algorithm that lockage verifies."""

    spki: bytes
    algorithm: Algorithm

    @classmethod
    def of(cls, spki: bytes) -> PublicKey:
        """The key of these DER bytes; raises ValueError unless it is Ed25519 or ECDSA on P-256 (uncompressed)."""
        if spki.startswith(_ED25519) and len(spki) == len(_ED25519) + 32:
            return cls(spki, Algorithm.ED25519)
        if spki.startswith(_P256) and len(spki) == len(_P256) + 64:
            return cls(spki, Algorithm.ECDSA_P256)
        raise ValueError("not the SubjectPublicKeyInfo of an Ed25519 or P-256 key")

    @classmethod
    def parse(cls, text: str) -> PublicKey:
        """Read base64 of the DER; raises ValueError."""
        try:
            spki = base64.b64decode(text, validate=True)
        except binascii.Error as error:
            raise ValueError(f"not base64: {error}") from error
        if base64.b64encode(spki).decode() != text:
            raise ValueError("not the one base64 form of its bytes")
        return cls.of(spki)

    def __str__(self) -> str:
        return base64.b64encode(self.spki).decode()

    @property
    def id(self) -> Digest:
        """sha256 of the DER."""
        return Digest.of(self.spki)

    @property
    def hint(self) -> str:
        """The ``publicKey.hint`` of a Sigstore bundle: base64 of the sha256 of the DER (specs: bundle v0.3)."""
        return base64.b64encode(self.id.raw).decode()

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Whether ``signature`` is this key's over exactly ``data``."""
        from cryptography.exceptions import InvalidSignature  # imported late: 45 ms
        from cryptography.hazmat.primitives.asymmetric import ed25519

        try:
            match self.algorithm:
                case Algorithm.ED25519:
                    ed25519.Ed25519PublicKey.from_public_bytes(self.spki[len(_ED25519) :]).verify(signature, data)
                case Algorithm.ECDSA_P256:
                    from cryptography.hazmat.primitives import hashes
                    from cryptography.hazmat.primitives.asymmetric import ec
                    from cryptography.hazmat.primitives.serialization import load_der_public_key

                    key = load_der_public_key(self.spki)
                    assert isinstance(key, ec.EllipticCurvePublicKey)
                    key.verify(signature, data, ec.ECDSA(hashes.SHA256()))
        except (InvalidSignature, ValueError):
            return False
        return True


def ed25519_spki(raw: bytes) -> bytes:
    """The DER of a raw 32-byte Ed25519 public key; raises ValueError for another length."""
    if len(raw) != 32:
        raise ValueError(f"an Ed25519 public key has 32 bytes, not {len(raw)}")
    return _ED25519 + raw


def note_vkey(name: str, spki: bytes) -> str:
    """The verifier key of a signed note (C2SP signed-note v1.0): ``name+hexid+base64(0x01 || key)``; raises ValueError unless Ed25519."""
    if PublicKey.of(spki).algorithm is not Algorithm.ED25519:
        raise ValueError("a checkpoint is signed with Ed25519")
    if not name or "+" in name or any(c.isspace() for c in name):
        raise ValueError(f"not a note's key name (no spaces, no '+'): {name[:80]!r}")
    key = _NOTE_ED25519 + spki[len(_ED25519) :]
    short = Digest.of(name.encode() + b"\n" + key).raw[:4]
    return f"{name}+{short.hex()}+{base64.b64encode(key).decode()}"

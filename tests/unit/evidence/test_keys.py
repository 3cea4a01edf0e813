"""Public keys of both algorithms, and the verifier key of a ledger."""

import base64

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lockage.base.digest import Digest
from lockage.evidence.keys import Algorithm, PublicKey, ed25519_spki, note_vkey
from lockage.ledger.note import VerifierKey


def _spki(key: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def test_ed25519() -> None:
    private = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
    key = PublicKey.of(_spki(private.public_key()))
    assert key.algorithm is Algorithm.ED25519
    assert key.verifies(private.sign(b"data"), b"data")
    assert not key.verifies(private.sign(b"data"), b"other")
    assert not key.verifies(b"short", b"data")
    assert key.id == Digest.of(key.spki)
    assert base64.b64decode(key.hint) == key.id.raw
    assert PublicKey.parse(str(key)) == key


def test_p256() -> None:
    private = ec.derive_private_key(4711, ec.SECP256R1())
    key = PublicKey.of(_spki(private.public_key()))
    assert key.algorithm is Algorithm.ECDSA_P256
    assert key.verifies(private.sign(b"data", ec.ECDSA(hashes.SHA256())), b"data")
    assert not key.verifies(private.sign(b"data", ec.ECDSA(hashes.SHA256())), b"other")
    assert not key.verifies(bytes(64), b"data")


def test_other_keys_are_refused() -> None:
    for spki in (_spki(ed448.Ed448PrivateKey.generate().public_key()), _spki(ec.derive_private_key(1, ec.SECP384R1()).public_key()), b""):
        with pytest.raises(ValueError, match="SubjectPublicKeyInfo"):
            PublicKey.of(spki)


def test_a_point_off_the_curve_verifies_nothing() -> None:
    spki = bytearray(_spki(ec.derive_private_key(4711, ec.SECP256R1()).public_key()))
    spki[-1] ^= 1
    assert not PublicKey.of(bytes(spki)).verifies(b"signature", b"data")


def test_the_vkey_is_the_ledgers() -> None:
    spki = ed25519_spki(bytes(range(32)))
    assert note_vkey("shop.example/ledger", spki) == str(VerifierKey.of_spki("shop.example/ledger", spki))


@pytest.mark.parametrize("name", ["", "a+b", "a b"])
def test_a_vkey_needs_a_name(name: str) -> None:
    with pytest.raises(ValueError, match="key name"):
        note_vkey(name, ed25519_spki(bytes(32)))

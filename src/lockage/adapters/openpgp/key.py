"""Certificates: primary keys and subkeys with what their own, verified signatures say of them (RFC 9580, sections 5.2 and 10).

Invariants: nothing of a certificate counts that its primary key has not signed; a subkey signs only if it has also signed the
primary key (cross-certification, 5.2.1.10); only SHA-2 is accepted, and RSA from 2048 bits.
"""

from __future__ import annotations

from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from lockage.adapters.openpgp.packet import Malformed, Packet, Signature, armored, integer, packets, signature

__all__ = ["Key", "Unsupported", "certificates", "check"]

_HASHES: dict[int, type[hashes.SHA256 | hashes.SHA384 | hashes.SHA512]] = {8: hashes.SHA256, 9: hashes.SHA384, 10: hashes.SHA512}
#: Curve OID of the original EdDSA algorithm (9.2): 1.3.6.1.4.1.11591.15.1.
_ED25519 = bytes.fromhex("092b06010401da470f01")
_SIGNING = 0x02
#: Subpackets whose meaning this verifier takes into account, or may ignore without believing more than it should (5.2.3.7).
_UNDERSTOOD = frozenset({2, 3, 7, 9, 11, 12, 16, 21, 22, 23, 25, 27, 30, 32, 33, 34})


class Unsupported(Exception):
    """A signature that may be good but is made in a way that is not accepted here."""


class Key(NamedTuple):
    """One key that may sign; times are seconds since 1970."""

    fingerprint: str
    body: bytes
    public: rsa.RSAPublicKey | ed25519.Ed25519PublicKey
    algorithm: int
    created: int
    expires: int | None = None
    revoked: bool = False
    signs: bool = True


def _framed(body: bytes) -> bytes:
    """How a key enters a hash (5.2.4)."""
    return b"\x99" + len(body).to_bytes(2) + body


def _key(body: bytes) -> Key | None:
    """A key packet's key; None for versions and algorithms that are not known."""
    if body[:1] != b"\x04" or len(body) < 6:
        return None
    algorithm = body[5]
    public: rsa.RSAPublicKey | ed25519.Ed25519PublicKey
    if algorithm in (1, 3):
        modulus, at = integer(body, 6)
        exponent, _ = integer(body, at)
        if len(modulus) * 8 < 2048:
            return None
        public = rsa.RSAPublicNumbers(int.from_bytes(exponent), int.from_bytes(modulus)).public_key()
    elif algorithm == 22 and body[6:].startswith(_ED25519):
        point, _ = integer(body, 6 + len(_ED25519))
        if len(point) != 33 or point[0] != 0x40:
            return None
        public = ed25519.Ed25519PublicKey.from_public_bytes(point[1:])
    elif algorithm == 27 and len(body) == 38:
        public = ed25519.Ed25519PublicKey.from_public_bytes(body[6:])
    else:
        return None
    digest = hashes.Hash(hashes.SHA1())  # noqa: S303 - version 4 fingerprints are SHA-1 (5.5.4.2); a name, not a proof
    digest.update(_framed(body))
    return Key(digest.finalize().hex().upper(), body, public, algorithm, int.from_bytes(body[1:5]))


def check(key: Key, made: Signature, data: bytes) -> bool:
    """Whether the signature over ``data`` and its own trailer is the key's; raises :class:`Unsupported` or Malformed."""
    kind = _HASHES.get(made.hash_algorithm)
    if kind is None:
        raise Unsupported(f"hash algorithm {made.hash_algorithm} is not accepted (only SHA-256, SHA-384 and SHA-512)")
    if not made.critical <= _UNDERSTOOD:
        raise Unsupported(f"it has a critical part of unknown kind {min(made.critical - _UNDERSTOOD)}")
    hasher = hashes.Hash(kind())
    hasher.update(data)
    hasher.update(made.trailer)
    digest = hasher.finalize()
    if made.key_algorithm != key.algorithm or digest[:2] != made.left16:
        return False
    try:
        if isinstance(key.public, rsa.RSAPublicKey):
            value, _ = integer(made.material, 0)
            key.public.verify(value.rjust((key.public.key_size + 7) // 8, b"\0"), digest, padding.PKCS1v15(), Prehashed(kind()))
        elif made.key_algorithm == 27:
            key.public.verify(made.material, digest)
        else:
            r, at = integer(made.material, 0)
            s, _ = integer(made.material, at)
            key.public.verify(r.rjust(32, b"\0") + s.rjust(32, b"\0"), digest)
    except InvalidSignature:
        return False
    return True


def _good(key: Key, made: Signature, data: bytes) -> bool:
    try:
        return check(key, made, data)
    except (Unsupported, Malformed):
        return False


def certificates(data: bytes) -> list[Key]:
    """Every key of a keyring, armored or binary, that its certificate vouches for. Raises Malformed."""
    found: list[Key] = []
    group: list[Packet] = []
    for packet in [*packets(armored(data, "PUBLIC KEY BLOCK")), Packet(6, b"")]:
        if packet.tag == 6:
            found += _certificate(group)
            group = []
        group.append(packet)
    return found


def _certificate(group: list[Packet]) -> list[Key]:
    primary = _key(group[0].body) if group and group[0].tag == 6 else None
    if primary is None:
        return []
    own = _framed(primary.body)
    about = own
    subkey: Key | None = None
    statements: list[Signature] = []
    bindings: dict[str, list[Signature]] = {}
    subkeys: dict[str, Key] = {}
    for packet in group[1:]:
        if packet.tag == 13:  # a user ID (5.2.4)
            about, subkey = own + b"\xb4" + len(packet.body).to_bytes(4) + packet.body, None
        elif packet.tag == 14:
            subkey = _key(packet.body)
            about = own + _framed(packet.body)
            if subkey is not None:
                subkeys[subkey.fingerprint] = subkey
        elif packet.tag == 2:
            made = signature(packet.body)
            if made is None:
                continue
            if (made.kind in (0x10, 0x11, 0x12, 0x13) and _good(primary, made, about)) or (
                made.kind in (0x1F, 0x20) and _good(primary, made, own)
            ):
                statements.append(made)
            elif made.kind in (0x18, 0x28) and subkey is not None and _good(primary, made, about):
                bindings.setdefault(subkey.fingerprint, []).append(made)
        else:
            about = b""  # a user attribute or something newer: its signatures say nothing that counts here
    if not any(made.kind in (0x10, 0x11, 0x12, 0x13, 0x1F) for made in statements):
        return []
    primary = _described(primary, statements, 0x20)
    keys = [primary]
    for fingerprint, its in bindings.items():
        keys += _bound(primary, subkeys[fingerprint], its)
    return keys


def _described(key: Key, statements: list[Signature], revocation: int) -> Key:
    """The key with expiry and use from the newest statement that tells (5.2.3.13, 5.2.3.29), and whether it was revoked."""
    expires, signs = None, True
    for made in sorted(statements, key=lambda made: made.created):
        lifetime = int.from_bytes(made.subpackets.get(9, b""))
        if lifetime:
            expires = key.created + lifetime
        if made.subpackets.get(27):
            signs = bool(made.subpackets[27][0] & _SIGNING)
    return key._replace(expires=expires, signs=signs, revoked=any(made.kind == revocation for made in statements))


def _bound(primary: Key, subkey: Key, bindings: list[Signature]) -> list[Key]:
    key = _described(subkey, bindings, 0x28)
    newest = max((made for made in bindings if made.kind == 0x18), key=lambda made: made.created, default=None)
    if newest is None:
        return []
    back = newest.subpackets.get(32) or newest.hints.get(32)
    cross = signature(back) if back else None
    signs = key.signs and cross is not None and cross.kind == 0x19 and _good(subkey, cross, _framed(primary.body) + _framed(subkey.body))
    ends = [at for at in (key.expires, primary.expires) if at is not None]
    return [key._replace(signs=signs, revoked=key.revoked or primary.revoked, expires=min(ends, default=None))]

"""Signed notes and verifier keys (C2SP signed-note v1.0) with Ed25519, the only kind of signature that lockage makes.

A note is a text, an empty line, and lines `— NAME BASE64(key id ‖ signature)`. Signatures of unknown keys are kept and
ignored, as witnesses may add theirs.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING

import msgspec

from lockage.base.digest import sha256
from lockage.ledger.errors import InvalidCheckpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Note", "NoteSignature", "VerifierKey", "from_base64", "open_note", "sign_note"]

_ED25519 = b"\x01"
#: SubjectPublicKeyInfo of an Ed25519 key up to its 32 bytes (RFC 8410 section 4).
_SPKI = bytes.fromhex("302a300506032b6570032100")
_NAME = re.compile(r"[^\s+]+")
_DASH = "\u2014 "
#: More than any honest note has; bounds the work for a dishonest one.
_LARGEST = 1 << 20


def from_base64(text: str) -> bytes:
    """The bytes of standard base64 in its one canonical form; raises :class:`InvalidCheckpoint`."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidCheckpoint(f"not base64: {text[:80]!r}") from error
    if base64.b64encode(data).decode() != text:
        raise InvalidCheckpoint(f"not canonical base64: {text[:80]!r}")
    return data


class VerifierKey(msgspec.Struct, frozen=True, kw_only=True):
    """A name and its Ed25519 public key (32 bytes). Its text is ``NAME+HEX(key id)+BASE64(0x01 ‖ key)``."""

    name: str
    public: bytes

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or len(self.public) != 32:
            raise InvalidCheckpoint(f"not a key name without spaces and '+', and a key of 32 bytes: {self.name[:80]!r}")

    @property
    def key_id(self) -> bytes:
        """The first 4 bytes of SHA-256(name ‖ newline ‖ 0x01 ‖ key)."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.public)[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(_ED25519 + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """Read a verifier key; raises :class:`InvalidCheckpoint`."""
        name, _, rest = text.partition("+")
        key_id, _, material = rest.partition("+")
        data = from_base64(material)
        if data[:1] != _ED25519:
            raise InvalidCheckpoint(f"not an Ed25519 verifier key: {text[:200]!r}")
        key = cls(name=name, public=data[1:])
        if key.key_id.hex() != key_id:
            raise InvalidCheckpoint(
                f"the verifier key of {name!r} has another key id", name=name, expected=key.key_id.hex(), found=key_id[:16]
            )
        return key

    @classmethod
    def of_spki(cls, name: str, der: bytes) -> VerifierKey:
        """The verifier key of a SubjectPublicKeyInfo; raises :class:`InvalidCheckpoint` unless it is Ed25519."""
        if len(der) != len(_SPKI) + 32 or not der.startswith(_SPKI):
            raise InvalidCheckpoint(f"the key of {name!r} is not an Ed25519 key", name=name, hint="Sign checkpoints with an Ed25519 key.")
        return cls(name=name, public=der[len(_SPKI) :])

    def verifies(self, signature: bytes, text: bytes) -> bool:
        """Whether the signature over the text is this key's."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text)
        except (InvalidSignature, ValueError):
            return False
        return True


class NoteSignature(msgspec.Struct, frozen=True, kw_only=True):
    """One signature line."""

    name: str
    key_id: bytes
    signature: bytes

    def __str__(self) -> str:
        return f"{_DASH}{self.name} {base64.b64encode(self.key_id + self.signature).decode()}\n"


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """A text that ends in a newline, and the signatures under it, not verified."""

    text: str
    signatures: tuple[NoteSignature, ...]

    def encode(self) -> bytes:
        return f"{self.text}\n{''.join(map(str, self.signatures))}".encode()

    @classmethod
    def parse(cls, data: bytes) -> Note:
        """Read a note; raises :class:`InvalidCheckpoint` if it is malformed."""
        try:
            whole = data.decode()
        except UnicodeDecodeError as error:
            raise InvalidCheckpoint("a note is UTF-8 text") from error
        if len(data) > _LARGEST or any(ord(sign) < 0x20 and sign != "\n" for sign in whole):
            raise InvalidCheckpoint("a note has a control character, or is too large")
        text, gap, below = whole.rpartition("\n\n")
        if not gap or not text or not below.endswith("\n"):
            raise InvalidCheckpoint("a note is a text, an empty line and signature lines, each ended by a newline")
        return cls(text=text + "\n", signatures=tuple(_signature(line) for line in below[:-1].split("\n")))


def _signature(line: str) -> NoteSignature:
    name, space, material = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space or not _NAME.fullmatch(name):
        raise InvalidCheckpoint(f"not a signature line: {line[:120]!r}")
    data = from_base64(material)
    if len(data) < 5:
        raise InvalidCheckpoint(f"a signature is too short: {line[:120]!r}")
    return NoteSignature(name=name, key_id=data[:4], signature=data[4:])


def sign_note(text: str, key: VerifierKey, sign: Callable[[bytes], bytes]) -> Note:
    """A note with one signature; ``sign`` returns the raw Ed25519 signature over exactly the bytes given."""
    signature = sign(text.encode())
    return Note(text=text, signatures=(NoteSignature(name=key.name, key_id=key.key_id, signature=signature),))


def open_note(data: bytes, keys: Sequence[VerifierKey]) -> tuple[str, VerifierKey]:
    """The text of a note, and which of the keys has signed it.

    Raises :class:`InvalidCheckpoint` if none has, or if a signature that claims to be of a known key is wrong.
    """
    note = Note.parse(data)
    by_id = {(key.name, key.key_id): key for key in keys}
    signed: VerifierKey | None = None
    for item in note.signatures:
        key = by_id.get((item.name, item.key_id))
        if key is None:
            continue
        if not key.verifies(item.signature, note.text.encode()):
            raise InvalidCheckpoint(f"the signature of {key.name!r} does not verify", name=key.name, key=str(key))
        signed = signed or key
    if signed is None:
        raise InvalidCheckpoint(
            f"no trusted key has signed this note: signed by {', '.join(item.name for item in note.signatures)}",
            expected=tuple(map(str, keys)),
            found=tuple(f"{item.name}+{item.key_id.hex()}" for item in note.signatures),
        )
    return note.text, signed

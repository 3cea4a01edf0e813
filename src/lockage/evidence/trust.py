"""The trust root: which keys a verifier starts from, whose they are, and what each may sign.

Invariants: a key has the roles that the root lists and no other; a key that is not listed counts for nothing, whenever it
signed. Reading and signing one is in :mod:`lockage.evidence.trusted`. Format: docs/formats/trust-root.md.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Literal

import msgspec

from lockage.base.canonical import canonical_of
from lockage.base.digest import Digest
from lockage.base.errors import Integrity
from lockage.base.instant import Instant
from lockage.base.name import PrincipalName
from lockage.evidence.keys import Algorithm, PublicKey, note_vkey

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = [
    "LOCAL_BUILDER",
    "Builder",
    "InvalidTrustRoot",
    "KeyNotValid",
    "LedgerKey",
    "Principal",
    "PrincipalKind",
    "Role",
    "TrustRoot",
    "TrustedKey",
    "UnknownKey",
    "WrongRole",
]

#: The builder id of lockage on somebody's own machine. SLSA 1.2: Build L1 and never more, however well sandboxed.
LOCAL_BUILDER = "https://lockage.dev/builder/local/v1"


class InvalidTrustRoot(Integrity):
    """A trust root is malformed, contradicts itself, is not signed by enough of its admins, or does not follow its predecessor."""

    code = "invalid-trust-root"
    hint = "Use the trust root that the store's admin published, and compare its digest over another way."


class UnknownKey(Integrity):
    """Something is signed by a key that the trust root does not list."""

    code = "unknown-key"
    hint = "If the signer is to be trusted, an admin adds the key to the trust root."


class WrongRole(Integrity):
    """Something is signed by a trusted key that has not the role for it."""

    code = "wrong-role"
    hint = "Let a key with the role named sign it, or let an admin give the key that role."


class KeyNotValid(Integrity):
    """A key was not valid at the time that counts."""

    code = "key-not-valid"
    hint = "Sign it again with a key that is valid now; the trust root lists the keys and their times."


class Role(StrEnum):
    """What a key may sign."""

    ADMIN = "admin"
    BUILDER = "builder"
    TESTER = "tester"
    VERIFIER = "verifier"
    PROMOTER = "promoter"
    LEDGER = "ledger"


class PrincipalKind(StrEnum):
    """Whether a principal is a person or a robot."""

    PERSON = "person"
    ROBOT = "robot"


class TrustedKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One key: valid from ``not_before``, no longer at ``not_after``. ``public`` is base64 of its SubjectPublicKeyInfo DER."""

    id: Digest
    algorithm: Algorithm
    public: str
    not_before: Instant
    not_after: Instant
    roles: tuple[Role, ...]

    @classmethod
    def of(cls, spki: bytes, *, roles: Sequence[Role], not_before: Instant, not_after: Instant) -> TrustedKey:
        """The entry for a public key; raises ValueError if it is of another algorithm."""
        key = PublicKey.of(spki)
        return cls(
            id=key.id, algorithm=key.algorithm, public=str(key), not_before=not_before, not_after=not_after, roles=tuple(sorted(roles))
        )

    @property
    def key(self) -> PublicKey:
        return PublicKey.parse(self.public)

    def valid_at(self, when: Instant) -> bool:
        return self.not_before <= when < self.not_after


class Principal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person or robot with its keys."""

    name: PrincipalName
    kind: PrincipalKind
    keys: tuple[TrustedKey, ...]


class LedgerKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The ledger that this root belongs to: its origin, and the verifier key of its checkpoints (C2SP signed note)."""

    origin: str
    vkey: str


class Builder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Up to which SLSA build level provenance with this builder id, signed by one of these keys, is believed."""

    id: str
    keys: tuple[Digest, ...]
    level: int


class TrustRoot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole document. ``admins_needed`` is how many different admins must sign a root."""

    schema: Literal["lockage-trust-root/1"] = "lockage-trust-root/1"
    version: int
    issued: Instant
    ledger: LedgerKey
    principals: tuple[Principal, ...]
    builders: tuple[Builder, ...] = ()
    admins_needed: int = 1

    @property
    def digest(self) -> Digest:
        """Identity: sha256 of the canonical document, whoever signed it."""
        return Digest.of(canonical_of(self))

    def listed(self, role: Role | None = None) -> Iterator[tuple[Principal, TrustedKey]]:
        """Every key with its principal, of one role if one is given."""
        for principal in self.principals:
            for key in principal.keys:
                if role is None or role in key.roles:
                    yield principal, key

    def find(self, key_id: Digest) -> tuple[Principal, TrustedKey]:
        """The key of that id; raises :class:`UnknownKey`."""
        for principal, key in self.listed():
            if key.id == key_id:
                return principal, key
        raise UnknownKey(f"key {key_id[:16]}… is not in version {self.version} of the trust root", key=key_id)

    def require(self, key: TrustedKey, principal: Principal, role: Role, when: Instant) -> None:
        """Raise :class:`WrongRole` or :class:`KeyNotValid` unless the key has the role and is valid at ``when``."""
        if role not in key.roles:
            held = ", ".join(key.roles)
            raise WrongRole(
                f"key {key.id[:16]}… of {principal.name} has the role {held}, not {role}", key=key.id, expected=role, found=held
            )
        if not key.valid_at(when):
            raise KeyNotValid(
                f"key {key.id[:16]}… of {principal.name} is valid from {key.not_before} until {key.not_after}, not at {when}",
                key=key.id,
                found=str(when),
            )

    def level(self, key_id: Digest, builder: str) -> int:
        """The highest SLSA build level that provenance of this builder, signed by this key, can claim; unknown pairs get 1."""
        if builder == LOCAL_BUILDER:
            return 1
        return max((known.level for known in self.builders if known.id == builder and key_id in known.keys), default=1)

    def faults(self) -> list[str]:
        """Everything that is wrong with the document itself."""
        return [*_faults_of_keys(self), *_faults_of_whole(self)]


def _faults_of_keys(root: TrustRoot) -> Iterator[str]:
    for principal, key in root.listed():
        where = f"key {key.id[:16]}… of {principal.name}"
        try:
            public = key.key
        except ValueError as error:
            yield f"{where}: {error}"
            continue
        if public.id != key.id:
            yield f"{where}: its id is not the sha256 of its public key, which is {public.id}"
        if public.algorithm is not key.algorithm:
            yield f"{where}: it is an {public.algorithm} key, not {key.algorithm}"
        if not key.roles or len(set(key.roles)) != len(key.roles):
            yield f"{where}: its roles are missing or named twice"
        if key.not_before >= key.not_after:
            yield f"{where}: it is never valid (from {key.not_before} until {key.not_after})"


def _faults_of_whole(root: TrustRoot) -> Iterator[str]:
    if root.version < 1:
        yield f"version {root.version}: the first is 1"
    names = [principal.name for principal in root.principals]
    if len(set(names)) != len(names):
        yield "a principal is listed twice"
    ids = [key.id for _, key in root.listed()]
    if len(set(ids)) != len(ids):
        yield "a key is listed twice"
    admins = {principal.name for principal, _ in root.listed(Role.ADMIN)}
    if not 1 <= root.admins_needed <= len(admins):
        yield f"{root.admins_needed} admins are needed, and {len(admins)} have a key"
    if root.ledger.vkey not in _vkeys(root):
        yield f"the ledger's verifier key {root.ledger.vkey!r} is no listed Ed25519 key with the role ledger under that origin"
    for builder in root.builders:
        if not set(builder.keys) <= set(ids):
            yield f"builder {builder.id}: a key of it is not listed"
        if not 1 <= builder.level <= (1 if builder.id == LOCAL_BUILDER else 3):
            yield f"builder {builder.id}: level {builder.level} cannot be claimed (a local builder has 1, others 1 to 3)"


def _vkeys(root: TrustRoot) -> list[str]:
    found = []
    for _, key in root.listed(Role.LEDGER):
        try:
            found.append(note_vkey(root.ledger.origin, key.key.spki))
        except ValueError:
            continue  # a malformed key or another algorithm is a fault of its own
    return found

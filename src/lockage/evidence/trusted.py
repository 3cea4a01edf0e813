"""Trust roots and lockage's other own documents, signed and read.

Invariants: a root is signed by its own admins, and its successor by the admins of both; every signature on it is by another
admin key. All other documents have one signature, by a key with the role for them. Nothing of a document is used before that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.canonical import canonical, canonical_of, decode, parse
from lockage.base.digest import Digest
from lockage.base.instant import Instant
from lockage.evidence import dsse
from lockage.evidence.keys import note_vkey
from lockage.evidence.trust import (
    LOCAL_BUILDER,
    Builder,
    InvalidTrustRoot,
    LedgerKey,
    Principal,
    PrincipalKind,
    Role,
    TrustedKey,
    TrustRoot,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lockage.base.name import PrincipalName
    from lockage.evidence.keys import Signing

__all__ = ["TRUST_ROOT_TYPE", "initial_trust_root", "open_signed", "read_successor", "read_trust_root", "seal_trust_root"]

TRUST_ROOT_TYPE = "application/vnd.lockage.trust-root.v1+json"
_MAX_SIZE = 1 << 20
#: How long the keys of a first trust root are valid: ten years.
_FIRST_VALIDITY = 3652 * 86400


def initial_trust_root(principal: PrincipalName, keys: Mapping[Role, bytes], origin: str, now: Instant) -> TrustRoot:
    """The first trust root of a new store: one person who holds one key for each role.

    ``keys`` are public keys as SubjectPublicKeyInfo DER, one for every :class:`Role`, each with that role only. One person
    holding them all means that no duty is separated (docs/threat-model.md). Raises :class:`InvalidTrustRoot`.
    """
    missing = sorted(role for role in Role if role not in keys)
    if missing:
        raise InvalidTrustRoot(f"a trust root needs a key for each role; missing: {', '.join(missing)}")
    until = Instant(now + _FIRST_VALIDITY)
    trusted = {role: TrustedKey.of(keys[role], roles=[role], not_before=now, not_after=until) for role in Role}
    return _checked(
        TrustRoot(
            version=1,
            issued=now,
            ledger=LedgerKey(origin=origin, vkey=note_vkey(origin, keys[Role.LEDGER])),
            principals=(Principal(name=principal, kind=PrincipalKind.PERSON, keys=tuple(trusted.values())),),
            builders=(Builder(id=LOCAL_BUILDER, keys=(trusted[Role.BUILDER].id,), level=1),),
        )
    )


def _checked(root: TrustRoot) -> TrustRoot:
    faults = root.faults()
    if faults:
        raise InvalidTrustRoot(f"the trust root contradicts itself: {'; '.join(faults)}", faults=tuple(faults))
    return root


def seal_trust_root(root: TrustRoot, admins: Sequence[Signing]) -> bytes:
    """The envelope's bytes, signed by these admins; raises :class:`InvalidTrustRoot` for a root that contradicts itself."""
    return dsse.seal(TRUST_ROOT_TYPE, canonical_of(_checked(root)), admins)


def _signers(envelope: dsse.Envelope, *roots: TrustRoot) -> set[Digest]:
    """The admin keys that made the signatures; each signature must be by one of these roots' admins, and by another key than the rest."""
    known = {key.id: key.key for root in roots for _, key in root.listed(Role.ADMIN)}
    found: set[Digest] = set()
    for signature in envelope.signatures[: len(known) + 1]:
        made_by = next((key_id for key_id, key in known.items() if key_id not in found and key.verifies(signature, envelope.signed)), None)
        if made_by is None:
            raise dsse.BadSignature("a signature on the trust root is not by an admin that it lists, or one key signed twice")
        found.add(made_by)
    return found


def _require_admins(signers: set[Digest], root: TrustRoot, issued: Instant) -> None:
    admins = {principal.name for principal, key in root.listed(Role.ADMIN) if key.id in signers and key.valid_at(issued)}
    if len(admins) < root.admins_needed:
        raise InvalidTrustRoot(
            f"signed by {len(admins)} admins of version {root.version} of the trust root, which needs {root.admins_needed}",
            expected=root.admins_needed,
            found=len(admins),
        )


def _read(data: bytes, previous: TrustRoot | None) -> TrustRoot:
    envelope = dsse.parse_strict(data, TRUST_ROOT_TYPE, max_size=_MAX_SIZE)
    # A root names the keys that it is signed with, so it is read first; nothing of it is used before they were checked.
    root = _checked(decode(envelope.payload, TrustRoot))
    if root.digest != Digest.of(envelope.payload):
        raise InvalidTrustRoot("the trust root is not in canonical form")
    signers = _signers(envelope, root, *([previous] if previous else []))
    _require_admins(signers, root, root.issued)
    if previous is not None:
        _require_admins(signers, previous, root.issued)
    return root


def read_trust_root(data: bytes, *, pinned: Digest | None = None) -> TrustRoot:
    """Read a trust root that is signed by its own admins.

    That alone says nothing about whose it is: ``pinned`` is its digest from a source that is trusted already, such as the
    key folder. Raises :class:`InvalidTrustRoot`, BadSignature, and the errors of an envelope and a document.
    """
    root = _read(data, None)
    if pinned is not None and root.digest != pinned:
        raise InvalidTrustRoot("this is not the trust root that was pinned", expected=pinned, found=root.digest)
    return root


def read_successor(data: bytes, previous: TrustRoot) -> TrustRoot:
    """Read the root that follows ``previous``: the next version of the same ledger, signed by enough admins of both."""
    root = _read(data, previous)
    if root.version != previous.version + 1 or root.issued < previous.issued:
        raise InvalidTrustRoot(
            f"version {root.version} of {root.issued} cannot follow version {previous.version} of {previous.issued}",
            expected=previous.version + 1,
            found=root.version,
        )
    if root.ledger.origin != previous.ledger.origin:
        raise InvalidTrustRoot("a successor belongs to the same ledger", expected=previous.ledger.origin, found=root.ledger.origin)
    return root


def open_signed(
    data: bytes, payload_type: str, root: TrustRoot, role: Role, *, max_size: int = dsse.MAX_SIZE
) -> tuple[bytes, Principal, TrustedKey]:
    """The verified payload of one of lockage's own documents, and who signed it.

    Exactly one signature, by a key that has ``role``; whether it was valid at the document's time is the caller's to ask
    with :meth:`TrustRoot.require`. Raises BadSignature, :class:`WrongRole`, and the errors of an envelope.
    """
    envelope = dsse.parse_strict(data, payload_type, max_size=max_size)
    if len(envelope.signatures) != 1:
        raise dsse.InvalidEnvelope(f"exactly one signature is expected; found {len(envelope.signatures)}")
    for principal, key in root.listed():
        if key.key.verifies(envelope.signatures[0], envelope.signed):
            if role not in key.roles:
                root.require(key, principal, role, key.not_before)
            if canonical(parse(envelope.payload)) != envelope.payload:
                raise dsse.InvalidEnvelope("the signed document is not in canonical form")
            return envelope.payload, principal, key
    raise dsse.BadSignature(f"no key of version {root.version} of the trust root made the signature on this {payload_type}")

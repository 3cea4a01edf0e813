"""The book of a store: its ledger, the trust root it is read with, and the catalog it folds to.

Invariants: nothing is believed that does not agree with the pinned trust root; a new store gets its keys, trust root and
default policies before its first entry; an append that loses a race changes nothing.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from lockage.base.digest import BlobRef, Digest
from lockage.base.errors import Integrity, LockageError, NotPermitted, Usage
from lockage.catalog import Catalog
from lockage.evidence.bundle import sign_statements
from lockage.evidence.statement import Statement
from lockage.evidence.trust import Role, TrustRoot
from lockage.evidence.trusted import initial_trust_root, read_trust_root, seal_trust_root
from lockage.ledger.append import check_head, prepare_append
from lockage.ledger.checkpoint import read_checkpoint
from lockage.ledger.entry import Entry, PolicySet, StoreCreated, evidence_entries
from lockage.ledger.errors import InvalidCheckpoint, LedgerCorrupt
from lockage.ledger.merkle import extend
from lockage.ledger.note import VerifierKey
from lockage.ports import LedgerConflict, LedgerHead

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from lockage.base.name import PrincipalName
    from lockage.ports import Signer
    from lockage.work.services import Services

__all__ = ["Book", "NoStore", "TrustRootUnknown", "record_evidence"]

#: How often an append that lost a race is tried again.
_TRIES = 20


class TrustRootUnknown(Integrity):
    """No trust root was pinned for the ledger of this store."""

    code = "trust-root-unknown"
    hint = "Set LOCKAGE_KEYS to the folder with this store's keys, or let its admin hand you the trust root from the folder `trust` in it."


class TrustRootMismatch(Integrity):
    """The store names another trust root than the one that was pinned for it."""

    code = "trust-root-mismatch"
    hint = "Do not use this store until its admin has explained the change."


class TrustRootDamaged(Integrity):
    """The pinned trust root cannot be read, or is not signed by its own admins."""

    code = "trust-root-damaged"
    hint = "Restore the file from a copy, or let the store's admin hand you the trust root again."


class KeyNotTrusted(NotPermitted):
    """A key of this user's is not one that the trust root lists for its role; what it signed would count for nobody."""

    code = "key-not-trusted"
    hint = "Set LOCKAGE_KEYS to the folder with the keys of this store, or restore the key from a copy."


class NoStore(Usage):
    """There is nothing in this store yet."""

    code = "no-store"
    hint = "Build and release something first, or set LOCKAGE_HOME to the store that you mean."


@contextmanager
def reading_checkpoint() -> Iterator[None]:
    """Say of an error in a note that it is the ledger's own checkpoint."""
    try:
        yield
    except InvalidCheckpoint as error:
        raise InvalidCheckpoint(f"the ledger's checkpoint does not hold: {error.message}", hint=error.hint, **error.details) from error


class _Cover(msgspec.Struct, frozen=True):
    """What is known of a ledger before its entries are read."""

    head: LedgerHead
    root: TrustRoot
    key: VerifierKey


class Book:
    """A store's ledger as it was read at one moment; :meth:`append` adds to exactly that state."""

    def __init__(self, services: Services, cover: _Cover) -> None:
        self._services = services
        self.head = head = cover.head
        self.root = root = cover.root
        self.key = cover.key
        with reading_checkpoint():
            check_head(head, (self.key,))
        entries = tuple(services.ledger.entries(0, head.size))
        # The fold believes the entries, so they are hashed again first: a byte changed in the database must not count.
        edge, _ = extend((), 0, entries)
        if len(entries) != head.size or edge != head.edge:
            raise LedgerCorrupt(
                f"the ledger's {len(entries)} entries do not hash to its signed checkpoint of {head.size}",
                hint="Run `lockage ledger verify`: it names the first entry that was changed.",
            )
        self.catalog = Catalog.fold(entries)
        if self.catalog.time != head.time:
            raise LedgerCorrupt(
                f"the ledger's last entry is of {self.catalog.time}, its head says {head.time}",
                expected=str(self.catalog.time),
                found=str(head.time),
            )
        if self.catalog.trust_root != root.digest:
            raise TrustRootMismatch(
                "the ledger names another trust root than the pinned one", expected=root.digest, found=self.catalog.trust_root
            )

    @classmethod
    def open(cls, services: Services, *, make: bool) -> Book:
        """The book as it stands now; with ``make`` a new store is begun, otherwise one without a ledger raises :class:`NoStore`."""
        if make and services.ledger.head() is None:
            _begin(services)
        return cls(services, cls.open_unchecked(services))

    @staticmethod
    def open_unchecked(services: Services) -> _Cover:
        """The head with the trust root that was pinned for it; no entry has been read, and the head's signature not checked."""
        head = services.ledger.head()
        if head is None:
            raise NoStore(f"there is no ledger in {services.place}", store=services.place)
        with reading_checkpoint():
            origin = read_checkpoint(head.checkpoint).origin
        pinned = services.pins.trust_root(origin)
        if pinned is None:
            raise TrustRootUnknown(f"no trust root is pinned for the ledger {origin}", origin=origin)
        try:
            root = read_trust_root(pinned)
        except LockageError as error:
            raise TrustRootDamaged(f"the trust root that is pinned for {origin} does not hold: {error.message}", origin=origin) from error
        return _Cover(head, root, VerifierKey.parse(root.ledger.vkey))

    def signer(self, role: Role) -> Signer:
        """This user's key for a role; raises :class:`KeyNotTrusted` unless the trust root lists it for that."""
        signer = self._services.keys.load(role)
        mine = Digest.of(signer.public)
        if all(key.id != mine for _, key in self.root.listed(role)):
            raise KeyNotTrusted(f"the key {role} is not one that the trust root of {self.key.name} lists for a {role}", key=str(mine))
        return signer

    @property
    def actor(self) -> PrincipalName:
        """Who asks: the principal whose keys this user has."""
        mine = Digest.of(self._services.keys.load(Role.PROMOTER).public)
        for principal, key in self.root.listed():
            if key.id == mine:
                return principal.name
        return self._services.principal

    def append(self, drafts: Sequence[Entry]) -> None:
        """Append, durably, if nobody else did since; raises LedgerConflict."""
        prepared = prepare_append(self.head, drafts, now=self._services.clock.now(), key=self.key, sign=self.signer(Role.LEDGER).sign)
        self._services.ledger.append(prepared.data, expected=prepared.expected, checkpoint=prepared.checkpoint, time=prepared.time)


def _begin(services: Services) -> None:
    """Make keys, trust root, policies and the first entries of a store."""
    from lockage.policy.defaults import DEFAULT_POLICIES  # once for a store

    now = services.clock.now()
    origin = services.new_origin()
    signers = {role: services.keys.load_or_create(role) for role in Role}
    root = initial_trust_root(services.principal, {role: signer.public for role, signer in signers.items()}, origin, now)
    sealed = seal_trust_root(root, [signers[Role.ADMIN]])
    services.pins.pin(origin, sealed)
    services.blobs.put_many([sealed, *(policy.encode() for policy in DEFAULT_POLICIES)])
    actor = services.principal
    drafts: list[Entry] = [StoreCreated(actor=actor, origin=origin, trust_root=root.digest)]
    drafts += [PolicySet(actor=actor, channel=policy.channel, policy=policy.digest) for policy in DEFAULT_POLICIES]
    prepared = prepare_append(None, drafts, now=now, key=VerifierKey.parse(root.ledger.vkey), sign=signers[Role.LEDGER].sign)
    try:
        services.ledger.append(prepared.data, expected=0, checkpoint=prepared.checkpoint, time=prepared.time)
    except LedgerConflict:
        return  # another process began the store at the same moment; its ledger holds


def record_evidence(services: Services, predicate: str, statements: Iterable[bytes], role: Role) -> tuple[BlobRef, ...]:
    """Sign statements, keep the bundles, and record them; an append that loses a race is made again on the new head."""
    said = tuple(statements)
    book = Book.open(services, make=True)
    bundles = sign_statements(said, book.signer(role))
    kept = services.blobs.put_many(bundles)
    actor = book.actor
    drafts: list[Entry] = []
    for statement, bundle in zip(said, kept, strict=True):
        subjects = Statement.read(statement).subjects
        drafts += evidence_entries(
            actor=actor, subjects=subjects, statement=Digest.of(statement), predicate=predicate, bundle=bundle.digest
        )
    append_again(services, book, drafts)
    return tuple(kept)


def append_again(services: Services, book: Book, drafts: Sequence[Entry]) -> None:
    """Append what does not depend on the state; tries again on the new head if somebody else was first."""
    for _ in range(_TRIES - 1):
        try:
            book.append(drafts)
        except LedgerConflict:
            book = Book.open(services, make=False)
        else:
            return
    book.append(drafts)

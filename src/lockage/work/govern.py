"""Govern: what channels demand, and the ledger's own health."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.digest import Digest
from lockage.ledger.entry import Entry, PolicySet, decode_entry
from lockage.ledger.verify import VerifiedLedger, verify_ledger
from lockage.policy.policy import Policy, parse_policy
from lockage.ports import BlobMissing, LedgerCorrupt
from lockage.work.book import Book, append_again, reading_checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockage.work.services import Services

__all__ = ["AppliedPolicy", "apply_policy", "check_ledger", "ledger_entries", "policies"]


class AppliedPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """A policy in force, by its digest."""

    digest: Digest
    policy: Policy


def policies(services: Services) -> tuple[AppliedPolicy, ...]:
    """The policy of every channel, in the order in which the channels came to be."""
    catalog = Book.open(services, make=True).catalog
    found = []
    for channel, digest in catalog.policies.items():
        ref = services.blobs.locate(digest)
        if ref is None:
            raise BlobMissing(f"the policy of {channel} is not in the store", sha256=digest)
        found.append(AppliedPolicy(digest=digest, policy=Policy.decode(services.blobs.get(ref))))
    return tuple(found)


def apply_policy(services: Services, data: bytes, file: str) -> tuple[AppliedPolicy, bool]:
    """Put a policy in force; the second value is False if it was in force already."""
    policy = parse_policy(data, file)
    book = Book.open(services, make=True)
    applied = AppliedPolicy(digest=policy.digest, policy=policy)
    if book.catalog.policy(policy.channel) == policy.digest:
        return applied, False
    services.blobs.put(policy.encode())
    append_again(services, book, [PolicySet(actor=book.actor, channel=policy.channel, policy=policy.digest)])
    return applied, True


def check_ledger(services: Services) -> VerifiedLedger:
    """Compute every entry, node and the checkpoint again; raises LedgerCorrupt with the first fault."""
    book = Book.open_unchecked(services)
    with reading_checkpoint():
        found = verify_ledger(services.ledger.entries(0, book.head.size), book.head.checkpoint, (book.key,), services.ledger.node)
    if found.time != book.head.time:
        raise LedgerCorrupt(f"the ledger's last entry is of {found.time}, its head says {book.head.time}")
    return found


def ledger_entries(services: Services, start: int, count: int) -> Iterator[Entry]:
    """Entries as they are, from a place on; negative: that many from the end."""
    head = services.ledger.head()
    size = head.size if head is not None else 0
    first = max(size + start, 0) if start < 0 else start
    for data in services.ledger.entries(first, min(first + count, size)):
        yield decode_entry(data)

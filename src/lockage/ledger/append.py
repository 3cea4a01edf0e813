"""The rules of appending, as pure functions: what the next entries, their times and the next checkpoint are.

Invariants: sequence numbers continue; time never goes back; a checkpoint is only made for a tree that extends the one that a
known key has signed. The caller makes it durable in one transaction, expecting the same size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from lockage.base.instant import Instant
from lockage.ledger.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from lockage.ledger.entry import Entry, StoreCreated, encode_entry
from lockage.ledger.errors import LedgerCorrupt
from lockage.ledger.merkle import Edge, extend, root_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lockage.ledger.note import VerifierKey

__all__ = ["Head", "Prepared", "check_head", "prepare_append"]


class Head(Protocol):
    """Where a ledger ends; the port's LedgerHead is one."""

    @property
    def size(self) -> int: ...
    @property
    def edge(self) -> Edge: ...
    @property
    def time(self) -> Instant: ...
    @property
    def checkpoint(self) -> bytes: ...


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be appended: pass ``data``, ``expected``, ``checkpoint`` and ``time`` on to the ledger.

    ``entries`` are the drafts with their places and times; ``edge`` and ``root`` are those of the tree afterwards.
    """

    entries: tuple[Entry, ...]
    data: tuple[bytes, ...]
    expected: int
    time: Instant
    edge: Edge
    root: bytes
    checkpoint: bytes


def check_head(head: Head, keys: Sequence[VerifierKey]) -> Checkpoint:
    """The head's checkpoint, verified: a key has signed it, and it is of this size and tree. Raises :class:`LedgerCorrupt`."""
    checkpoint = open_checkpoint(head.checkpoint, keys)
    if len(head.edge) != head.size.bit_count():
        raise LedgerCorrupt(f"a ledger of {head.size} entries has an edge of {head.size.bit_count()} hashes, found {len(head.edge)}")
    root = root_of(head.edge)
    if checkpoint.size != head.size or checkpoint.root != root:
        raise LedgerCorrupt(
            f"the checkpoint is of {checkpoint.size} entries with root {checkpoint.root.hex()}, "
            f"the ledger has {head.size} entries with root {root.hex()}",
            expected=checkpoint.root.hex(),
            found=root.hex(),
        )
    return checkpoint


def prepare_append(
    head: Head | None,
    drafts: Sequence[Entry],
    *,
    now: Instant,
    key: VerifierKey,
    sign: Callable[[bytes], bytes],
    known: Sequence[VerifierKey] = (),
) -> Prepared:
    """Number, date and sign the next entries. The origin is the key's name; ``known`` are earlier keys of the same name.

    The first append must begin with the store's creation, and nothing later may create it again. Raises
    :class:`EntryTooLarge`, :class:`InvalidCheckpoint`, :class:`LedgerCorrupt`; ValueError if there is nothing to append.
    """
    if not drafts:
        raise ValueError("nothing to append")
    created = [isinstance(draft, StoreCreated) for draft in drafts]
    if any(created[1:]) or created[0] != (head is None):
        raise ValueError("a ledger begins with one store-created entry and has no other")
    edge: Edge = ()
    size, time = 0, now
    if head is not None:
        checkpoint = check_head(head, (key, *known))
        if checkpoint.origin != key.name:
            raise LedgerCorrupt(f"the ledger is of {checkpoint.origin!r}, the key of {key.name!r}", expected=key.name)
        size, edge, time = head.size, head.edge, Instant(max(head.time, now))
    elif isinstance(drafts[0], StoreCreated) and drafts[0].origin != key.name:
        raise ValueError(f"the store's origin {drafts[0].origin!r} is not the name of the key {key.name!r}")
    entries = tuple(msgspec.structs.replace(draft, sequence=size + place, at=time) for place, draft in enumerate(drafts))
    data = tuple(encode_entry(entry) for entry in entries)
    grown, _ = extend(edge, size, data)
    root = root_of(grown)
    note = sign_checkpoint(Checkpoint(origin=key.name, size=size + len(data), root=root), key, sign)
    return Prepared(entries=entries, data=data, expected=size, time=time, edge=grown, root=root, checkpoint=note)

"""Verification of a whole ledger: every entry, every node of the tree and the checkpoint are computed again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.errors import LockageError
from lockage.base.instant import Instant
from lockage.ledger.checkpoint import open_checkpoint
from lockage.ledger.entry import StoreCreated, decode_entry
from lockage.ledger.errors import LedgerCorrupt
from lockage.ledger.merkle import extend, root_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lockage.ledger.merkle import Edge, NodeOf
    from lockage.ledger.note import VerifierKey

__all__ = ["VerifiedLedger", "verify_ledger"]


class VerifiedLedger(msgspec.Struct, frozen=True, kw_only=True):
    """A ledger that was found whole: what the signed checkpoint says of it, and its last entry's time."""

    origin: str
    size: int
    root: bytes
    time: Instant


def verify_ledger(entries: Iterable[bytes], checkpoint: bytes, keys: Sequence[VerifierKey], node: NodeOf | None = None) -> VerifiedLedger:
    """Compute everything again and compare. With ``node`` the stored tree is compared as well, which finds the first damaged entry.

    Raises :class:`LedgerCorrupt` for the first fault, with the entry's index and what is wrong, and
    :class:`InvalidCheckpoint` if no key has signed the checkpoint. A type of entry that is not known is no fault here.
    """
    signed = open_checkpoint(checkpoint, keys)
    edge: Edge = ()
    size, time = 0, Instant(0)
    for data in entries:
        edge, nodes = extend(edge, size, (data,))
        if node is not None:
            for made in nodes:
                stored = node(made.level, made.index)
                if stored != made.hash:
                    found = "nothing" if stored is None else stored.hex()
                    what = "does not hash to its leaf" if made.level == 0 else f"completes node {made.index} of level {made.level} wrongly"
                    raise _fault(size, f"{what}: computed {made.hash.hex()}, stored {found}")
        time = _checked(data, size, time, signed.origin)
        size += 1
    root = root_of(edge)
    if size != signed.size:
        raise _fault(min(size, signed.size), f"the checkpoint is of {signed.size} entries, the ledger has {size}")
    if root != signed.root:
        raise LedgerCorrupt(
            f"the entries have the root {root.hex()}, the checkpoint says {signed.root.hex()}", expected=signed.root.hex(), found=root.hex()
        )
    return VerifiedLedger(origin=signed.origin, size=size, root=root, time=time)


def _checked(data: bytes, index: int, time: Instant, origin: str) -> Instant:
    try:
        entry = decode_entry(data)
    except LockageError as error:
        if error.code == "unknown-entry":
            return time
        raise _fault(index, error.message) from error
    if entry.sequence != index:
        raise _fault(index, f"says that it is entry {entry.sequence}")
    if entry.at < time:
        raise _fault(index, f"is dated {entry.at}, before {time}")
    if isinstance(entry, StoreCreated) != (index == 0):
        raise _fault(index, "creates the store, which only the first entry does, and does always")
    if isinstance(entry, StoreCreated) and entry.origin != origin:
        raise _fault(index, f"is of the ledger {entry.origin!r}, the checkpoint of {origin!r}")
    return entry.at


def _fault(index: int, what: str) -> LedgerCorrupt:
    return LedgerCorrupt(f"ledger entry {index}: {what}", entry=index)

"""The append-only Merkle log of everything decided: entry bytes, tree, checkpoints, proofs and the rules of appending.

The names are imported when first asked for: the ports need only the room's errors, and a build no entry at all.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lockage.ledger.append import Prepared, check_head, prepare_append
    from lockage.ledger.checkpoint import Checkpoint, open_checkpoint, read_checkpoint
    from lockage.ledger.entry import (
        Conflicted,
        Entry,
        EvidenceRecorded,
        HoldReleased,
        HoldSet,
        PolicySet,
        Promoted,
        PromotionKind,
        Refused,
        ReleaseClosed,
        StoreCreated,
        TrustRootSet,
        decode_entry,
        encode_entry,
        evidence_entries,
    )
    from lockage.ledger.errors import EntryTooLarge, InvalidCheckpoint, InvalidEntry, InvalidProof, LedgerCorrupt, UnknownEntry
    from lockage.ledger.merkle import consistency_proof, inclusion_proof, verify_consistency, verify_inclusion
    from lockage.ledger.note import VerifierKey
    from lockage.ledger.proof import Proof, prove
    from lockage.ledger.verify import VerifiedLedger, verify_ledger

__all__ = [
    "Checkpoint",
    "Conflicted",
    "Entry",
    "EntryTooLarge",
    "EvidenceRecorded",
    "HoldReleased",
    "HoldSet",
    "InvalidCheckpoint",
    "InvalidEntry",
    "InvalidProof",
    "LedgerCorrupt",
    "PolicySet",
    "Prepared",
    "Promoted",
    "PromotionKind",
    "Proof",
    "Refused",
    "ReleaseClosed",
    "StoreCreated",
    "TrustRootSet",
    "UnknownEntry",
    "VerifiedLedger",
    "VerifierKey",
    "check_head",
    "consistency_proof",
    "decode_entry",
    "encode_entry",
    "evidence_entries",
    "inclusion_proof",
    "open_checkpoint",
    "prepare_append",
    "prove",
    "read_checkpoint",
    "verify_consistency",
    "verify_inclusion",
    "verify_ledger",
]

_MODULES = ("errors", "merkle", "note", "checkpoint", "entry", "append", "proof", "verify")


def __getattr__(name: str) -> object:
    if name in __all__:
        for module in _MODULES:
            found = getattr(import_module(f"lockage.ledger.{module}"), name, None)
            if found is not None:
                globals()[name] = found
                return found
    raise AttributeError(f"module 'lockage.ledger' has no attribute {name!r}")

"""What can be wrong with a ledger. Pure; the port re-exports :class:`LedgerCorrupt`."""

from __future__ import annotations

from lockage.base.errors import Integrity, Usage

__all__ = ["EntryTooLarge", "InvalidCheckpoint", "InvalidEntry", "InvalidProof", "LedgerCorrupt", "UnknownEntry"]


class LedgerCorrupt(Integrity):
    """The ledger's entries, tree and checkpoint do not agree."""

    code = "ledger-corrupt"
    hint = "Stop, keep the files as they are, and compare with a copy of the ledger or a published checkpoint."


class InvalidEntry(Integrity):
    """Bytes of a ledger entry are not a canonical entry document."""

    code = "invalid-entry"
    hint = "Find the damage with `lockage ledger verify`, and restore the ledger from a copy you trust."


class UnknownEntry(Usage):
    """The ledger holds an entry of a type or schema that this lockage does not know."""

    code = "unknown-entry"
    hint = "Upgrade lockage: a newer one wrote to this ledger, and what it decided must not be overlooked."


class EntryTooLarge(Usage):
    """A ledger entry would be larger than the 65,535 bytes that a tile can carry."""

    code = "entry-too-large"
    hint = "Put the details into a blob and the blob's digest into the entry; shorten the reason given."


class InvalidCheckpoint(Integrity):
    """A checkpoint, signed note or verifier key is malformed, or no trusted key has signed it."""

    code = "invalid-checkpoint"
    hint = "Check that the ledger's verifier key is the one you trust, and compare with a published checkpoint."


class InvalidProof(Integrity):
    """An inclusion or consistency proof does not lead to the checkpoint's root."""

    code = "invalid-proof"
    hint = "Ask for the proof again; if it fails again, keep both checkpoints: they show that the ledger was rewritten."

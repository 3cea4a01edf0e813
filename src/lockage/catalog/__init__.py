"""Ledger entries folded into releases, channels and history."""

from lockage.catalog.catalog import Catalog
from lockage.catalog.model import Attempt, AttemptKind, Change, ChannelHead, EvidenceRecord, Hold, ReleaseRecord, ReleaseState
from lockage.catalog.names import NameConflict, name_conflicts

__all__ = [
    "Attempt",
    "AttemptKind",
    "Catalog",
    "Change",
    "ChannelHead",
    "EvidenceRecord",
    "Hold",
    "NameConflict",
    "ReleaseRecord",
    "ReleaseState",
    "name_conflicts",
]

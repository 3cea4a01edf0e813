"""What a fold of the ledger knows: releases, channels, holds and where evidence is kept. Digests, never documents."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from lockage.base.digest import Digest
from lockage.base.instant import Instant
from lockage.base.name import ChannelName, PrincipalName, ProjectName, Version
from lockage.ledger.entry import PromotionKind

__all__ = ["Attempt", "AttemptKind", "Change", "ChannelHead", "EvidenceRecord", "Hold", "ReleaseRecord", "ReleaseState"]


class ReleaseState(StrEnum):
    """What may be done with a release."""

    CLOSED = "closed"


class ReleaseRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A release as the ledger has it: ``release`` is the digest of its document, ``artifacts`` of its artifact set."""

    project: ProjectName
    version: Version
    build: int
    release: Digest
    artifacts: Digest
    source: Digest
    lock: Digest
    state: ReleaseState
    at: Instant
    actor: PrincipalName
    sequence: int


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One change of what a channel holds of a project."""

    generation: int
    release: Digest
    kind: PromotionKind
    at: Instant
    actor: PrincipalName
    reason: str
    decision: Digest
    manifest: Digest
    sequence: int


class ChannelHead(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel holds of a project, and since when without a break."""

    project: ProjectName
    channel: ChannelName
    generation: int
    release: Digest
    since: Instant
    decision: Digest
    manifest: Digest


class AttemptKind(StrEnum):
    """How a promotion ended that changed nothing."""

    REFUSED = "refused"
    CONFLICTED = "conflicted"


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """A promotion that changed nothing: ``reasons`` are codes; a conflict has no decision."""

    kind: AttemptKind
    release: Digest
    at: Instant
    actor: PrincipalName
    reasons: tuple[str, ...]
    decision: Digest | None
    sequence: int


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """No automatic promotion of a project to a channel."""

    reason: str
    at: Instant
    actor: PrincipalName
    sequence: int


class EvidenceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Where a signed statement is kept; nothing of it has been verified."""

    statement: Digest
    predicate: str
    bundle: Digest
    at: Instant
    actor: PrincipalName
    sequence: int

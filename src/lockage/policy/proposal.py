"""What is asked of a policy: a release for a channel, and what the ledger knows of both."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from lockage.base.canonical import canonical_of
from lockage.base.digest import BlobRef, Digest
from lockage.base.instant import Instant
from lockage.base.name import ChannelName, ProjectName, Version
from lockage.base.path import RelPath
from lockage.evidence.predicate import Inputs

if TYPE_CHECKING:
    from lockage.record.release import Release

__all__ = ["Kind", "NamedArtifact", "Proposal", "Standing", "Stay"]


class Kind(StrEnum):
    """Whether a release goes up, or a channel goes back to what it held before."""

    FORWARD = "forward"
    ROLLBACK = "rollback"


class NamedArtifact(msgspec.Struct, frozen=True, order=True, forbid_unknown_fields=True):
    """An artifact of a release under its published name."""

    name: RelPath
    sha256: Digest
    size: int

    @property
    def blob(self) -> BlobRef:
        return BlobRef(self.sha256, self.size)


class Proposal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A release for a channel whose state is ``generation`` now (0: it has held nothing yet).

    ``release`` is the digest of the release document; ``inputs`` are the source, recipe and lock that it names.
    """

    project: ProjectName
    version: Version
    build: int
    release: Digest
    inputs: Inputs
    artifacts: tuple[NamedArtifact, ...]
    channel: ChannelName
    generation: int
    kind: Kind = Kind.FORWARD

    @classmethod
    def of(cls, release: Release, channel: ChannelName, generation: int, kind: Kind = Kind.FORWARD) -> Proposal:
        """The proposal to put a release on a channel whose state is ``generation`` now."""
        return cls(
            project=release.project,
            version=release.version,
            build=release.build,
            release=release.digest,
            inputs=Inputs(source=release.source.digest, recipe=release.recipe, lock=release.lock),
            artifacts=tuple(NamedArtifact(RelPath(item.name), item.sha256, item.size) for item in release.artifacts),
            channel=channel,
            generation=generation,
            kind=kind,
        )

    @property
    def digest(self) -> Digest:
        return Digest.of(canonical_of(self))

    @property
    def title(self) -> str:
        """How messages name the release."""
        return f"{self.project} {self.version} build {self.build}"


class Stay(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A release was on a channel as its state ``generation``, from ``since`` until ``until`` (None: it still is)."""

    channel: ChannelName
    generation: int
    release: Digest
    since: Instant
    until: Instant | None = None


class Standing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the ledger knows of the release: where it has been, and why it was revoked if it was."""

    stays: tuple[Stay, ...] = ()
    revoked: str | None = None

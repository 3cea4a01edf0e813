"""The manifest of a channel: the one signed document that deployment reads.

Invariants: a consumer never goes back to an older generation, never accepts two documents of one generation, and every
generation names the one before it, by the sha256 of its envelope. Format: docs/formats/manifest.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from lockage.base.canonical import canonical_of, decode
from lockage.base.digest import BlobRef, Digest
from lockage.base.errors import Integrity
from lockage.base.instant import Instant
from lockage.base.name import ChannelName, ProjectName, Version
from lockage.base.path import RelPath
from lockage.evidence import dsse
from lockage.evidence.facts import CLOCK_SKEW
from lockage.evidence.trust import Role, TrustRoot
from lockage.evidence.trusted import open_signed

if TYPE_CHECKING:
    from lockage.evidence.keys import Signing

__all__ = [
    "MANIFEST_TYPE",
    "InvalidManifest",
    "LedgerState",
    "Manifest",
    "ManifestArtifact",
    "ManifestFork",
    "ManifestRelease",
    "ManifestTooOld",
    "Seen",
    "WrongManifest",
    "read_manifest",
    "seal_manifest",
]

MANIFEST_TYPE = "application/vnd.lockage.manifest.v1+json"


class InvalidManifest(Integrity):
    """A signed manifest contradicts itself."""

    code = "invalid-manifest"
    hint = "Tell whoever promotes on this channel; do not deploy what it names."


class WrongManifest(Integrity):
    """A manifest is of another project, channel or ledger than the one asked for."""

    code = "wrong-manifest"
    hint = "Check the address the manifest was fetched from; somebody may have put another channel's in its place."


class ManifestTooOld(Integrity):
    """A manifest is older than one that was seen before."""

    code = "manifest-too-old"
    hint = "Fetch it again, past caches; a channel goes back by a new generation, never by an old document."


class ManifestFork(Integrity):
    """Two manifests of one channel do not belong to one history."""

    code = "manifest-fork"
    hint = "Stop deploying from this channel, keep both documents, and ask the store's admin which one the ledger holds."


class ManifestRelease(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The release that the channel holds: the digest of its document, version and build number."""

    digest: Digest
    version: Version
    build: int


class ManifestArtifact(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file, under its published name."""

    name: RelPath
    sha256: Digest
    size: int

    @property
    def blob(self) -> BlobRef:
        return BlobRef(self.sha256, self.size)


class LedgerState(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The ledger before this promotion: its origin, size and signed checkpoint (its text)."""

    origin: str
    size: int
    checkpoint: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a channel holds at one generation; ``previous`` is the sha256 of the envelope of the generation before."""

    schema: Literal["lockage-manifest/1"] = "lockage-manifest/1"
    project: ProjectName
    channel: ChannelName
    generation: int
    previous: Digest | None
    release: ManifestRelease
    artifacts: tuple[ManifestArtifact, ...]
    decision: Digest
    issued: Instant
    ledger: LedgerState

    def faults(self) -> list[str]:
        """Everything that is wrong with the document itself."""
        found = []
        if self.generation < 1 or (self.generation == 1) != (self.previous is None):
            found.append(f"generation {self.generation} and previous {self.previous} do not go together")
        if self.release.build < 1:
            found.append(f"build number {self.release.build}: the first is 1")
        names = [artifact.name for artifact in self.artifacts]
        if not names or sorted(set(names)) != names:
            found.append("artifacts are missing, out of order, or two have one name")
        found += [f"not a file name: {name!r}" for name in names if "/" in name or "\\" in name or not name.isprintable()]
        found += [f"{artifact.name}: size {artifact.size}" for artifact in self.artifacts if artifact.size < 0]
        if not self.ledger.checkpoint.startswith(f"{self.ledger.origin}\n{self.ledger.size}\n"):
            found.append(f"the checkpoint is not of {self.ledger.origin} at size {self.ledger.size}")
        return found


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """The newest manifest that a consumer has accepted: its generation and the sha256 of its envelope."""

    generation: int
    envelope: Digest


def seal_manifest(manifest: Manifest, promoter: Signing) -> bytes:
    """The signed envelope's bytes; raises :class:`InvalidManifest` for one that contradicts itself."""
    _check(manifest)
    return dsse.seal(MANIFEST_TYPE, canonical_of(manifest), [promoter])


def _check(manifest: Manifest) -> None:
    faults = manifest.faults()
    if faults:
        raise InvalidManifest(f"the manifest of {manifest.channel} contradicts itself: {'; '.join(faults)}", faults=tuple(faults))


def read_manifest(
    data: bytes, root: TrustRoot, *, project: ProjectName, channel: ChannelName, now: Instant, seen: Seen | None = None
) -> Manifest:
    """The verified manifest of a channel, for a consumer who has accepted ``seen`` before.

    Raises BadSignature, WrongRole, KeyNotValid (at the time it was issued), :class:`WrongManifest`, :class:`ManifestTooOld`,
    :class:`ManifestFork`, :class:`InvalidManifest`, and the errors of an envelope and a document.
    """
    payload, principal, key = open_signed(data, MANIFEST_TYPE, root, Role.PROMOTER)
    manifest = decode(payload, Manifest)
    root.require(key, principal, Role.PROMOTER, manifest.issued)
    _check(manifest)
    for what, expected, found in (
        ("project", project, manifest.project),
        ("channel", channel, manifest.channel),
        ("ledger", root.ledger.origin, manifest.ledger.origin),
    ):
        if expected != found:
            raise WrongManifest(f"the manifest is of {what} {found!r}, not {expected!r}", expected=expected, found=found)
    if manifest.issued > now + CLOCK_SKEW:
        raise InvalidManifest(
            f"the manifest was issued at {manifest.issued}, and it is {now}", expected=str(now), found=str(manifest.issued)
        )
    if seen is not None:
        _follow(manifest, Digest.of(data), seen)
    return manifest


def _follow(manifest: Manifest, envelope: Digest, seen: Seen) -> None:
    if manifest.generation < seen.generation:
        raise ManifestTooOld(
            f"generation {manifest.generation} of {manifest.channel} is older than {seen.generation}, which was seen before",
            expected=seen.generation,
            found=manifest.generation,
        )
    if manifest.generation == seen.generation and envelope != seen.envelope:
        raise ManifestFork(
            f"generation {seen.generation} of {manifest.channel} was seen before with other bytes", expected=seen.envelope, found=envelope
        )
    if manifest.generation == seen.generation + 1 and manifest.previous != seen.envelope:
        raise ManifestFork(
            f"generation {manifest.generation} of {manifest.channel} does not follow the generation {seen.generation} that was seen before",
            expected=seen.envelope,
            found=manifest.previous,
        )

"""Pull: what a channel holds, into a folder; signature, generation and every checksum are verified before a byte appears there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.canonical import decode
from lockage.base.digest import Digest
from lockage.base.errors import Integrity, LockageError, Usage
from lockage.evidence import dsse
from lockage.evidence.manifest import MANIFEST_TYPE, Manifest, Seen, WrongManifest, read_manifest
from lockage.ledger.checkpoint import open_checkpoint
from lockage.ports import BlobCorrupt, BlobMissing
from lockage.work.book import Book

if TYPE_CHECKING:
    from pathlib import Path

    from lockage.base.name import ChannelName, ProjectName
    from lockage.work.services import Services

__all__ = ["MANIFEST_FILE", "ChannelEmpty", "pull"]

#: Where a pulled folder keeps the manifest that it was made from; also the memory of the newest generation seen.
MANIFEST_FILE = ".lockage-manifest.json"


class ChannelEmpty(Usage):
    """A channel holds nothing of a project."""

    code = "channel-empty"
    hint = "`lockage status` shows what every channel holds."


class PulledFolderChanged(Integrity):
    """The manifest in a pulled folder, which remembers its generation, was changed."""

    code = "pulled-folder-changed"
    hint = "Find out what changed it; then pull into an empty folder."


def pull(services: Services, project: ProjectName, channel: ChannelName, folder: Path) -> Manifest:
    """Make ``folder`` hold exactly the artifacts of a channel.

    Raises :class:`ChannelEmpty`, what :func:`lockage.evidence.manifest.read_manifest` raises, BlobCorrupt and BlobMissing,
    and FolderUnwritable; then the folder is as it was.
    """
    book = Book.open(services, make=False)
    head = book.catalog.channel(project, channel)
    if head is None:
        raise ChannelEmpty(f"{channel} holds nothing of {project}", channel=channel, project=project)
    ref = services.blobs.locate(head.manifest)
    if ref is None:
        raise BlobMissing(f"the manifest of {channel} is not in the store", sha256=head.manifest)
    try:
        data = services.blobs.get(ref)
    except BlobCorrupt as error:
        raise error.naming(f"the manifest of {channel}") from error
    seen = _seen(services.folders.read(folder, MANIFEST_FILE), project, channel)
    manifest = read_manifest(data, book.root, project=project, channel=channel, now=services.clock.now(), seen=seen)
    # A ledger could name an old manifest as its newest: to who has seen none before that would be a channel turned back.
    if (manifest.generation, manifest.release.digest) != (head.generation, head.release):
        raise WrongManifest(
            f"the ledger's generation {head.generation} of {channel} is {head.release[:12]}…, its manifest says generation"
            f" {manifest.generation} is {manifest.release.digest[:12]}…",
            expected=head.release,
            found=manifest.release.digest,
        )
    # What the manifest says of the ledger must be signed by the ledger's own key, or it could be any ledger's.
    open_checkpoint(manifest.ledger.checkpoint.encode(), [book.key])
    services.folders.replace(folder, [(artifact.name, artifact.blob) for artifact in manifest.artifacts], {MANIFEST_FILE: data})
    return manifest


def _seen(before: bytes | None, project: ProjectName, channel: ChannelName) -> Seen | None:
    """What the folder was made from, if it was of the same channel; a memory, so its signature is not asked again."""
    if before is None:
        return None
    try:
        known = decode(dsse.parse_strict(before, MANIFEST_TYPE).payload, Manifest)
    except LockageError as error:
        raise PulledFolderChanged(f"{MANIFEST_FILE} in the folder cannot be read: {error.message}", file=MANIFEST_FILE) from error
    if (known.project, known.channel) != (project, channel):
        return None
    return Seen(generation=known.generation, envelope=Digest.of(before))

"""What is built: a tree with a date, a version and an origin. All four are its identity."""

from __future__ import annotations

import msgspec

from lockage.base.canonical import canonical_of
from lockage.base.digest import BlobRef, Digest
from lockage.base.instant import Instant
from lockage.base.name import Version
from lockage.base.path import RelPath

__all__ = ["CommitOrigin", "DirectoryOrigin", "Origin", "SdistOrigin", "Source"]


class CommitOrigin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="commit"):
    """A commit: its full object id, the repository's address if it has one (credentials removed), and the tag it was asked by.

    ``path`` is the directory of the repository that is the source; None: all of it.
    """

    commit: str
    repository: str | None = None
    tag: str | None = None
    path: RelPath | None = None


class SdistOrigin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="sdist"):
    """An sdist: its file name and the digest of the archive as it was given."""

    file: str
    sha256: Digest


class DirectoryOrigin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="directory"):
    """A plain directory or a working copy with changes; never promotable. ``reason`` says why it is not a commit."""

    reason: str


Origin = CommitOrigin | SdistOrigin | DirectoryOrigin


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A source: ``date`` is the commit's time, or an sdist's newest member, never before 1980-01-01."""

    tree: BlobRef
    date: Instant
    version: Version
    origin: Origin

    @property
    def digest(self) -> Digest:
        return Digest.of(canonical_of(self))

    @property
    def clean(self) -> bool:
        """Whether others can obtain the same source: a commit or an sdist."""
        return not isinstance(self.origin, DirectoryOrigin)

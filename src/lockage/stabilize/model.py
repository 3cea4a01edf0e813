"""The words of this room: kinds of archive, members, changes, and the report that is kept as evidence."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from lockage.base.digest import BlobRef
from lockage.base.instant import Instant
from lockage.stabilize.compressor import Compressor

__all__ = ["DATE", "ArchiveKind", "Change", "Fault", "MemberKind", "PassReport", "Report", "Stabilized", "archive_kind"]


class ArchiveKind(StrEnum):
    """What a file's name says that it is."""

    WHEEL = "wheel"
    ZIP = "zip"
    TAR = "tar"
    TAR_GZ = "tar.gz"
    TAR_BZ2 = "tar.bz2"
    TAR_XZ = "tar.xz"
    GZIP = "gzip"


#: By the end of the name, longest first; the name decides, not the bytes, so that a damaged archive stays an archive.
_SUFFIXES = (
    (".tar.bz2", ArchiveKind.TAR_BZ2),
    (".tar.gz", ArchiveKind.TAR_GZ),
    (".tar.xz", ArchiveKind.TAR_XZ),
    (".epub", ArchiveKind.ZIP),
    (".tbz2", ArchiveKind.TAR_BZ2),
    (".egg", ArchiveKind.ZIP),
    (".jar", ArchiveKind.ZIP),
    (".npz", ArchiveKind.ZIP),
    (".pyz", ArchiveKind.ZIP),
    (".tar", ArchiveKind.TAR),
    (".tgz", ArchiveKind.TAR_GZ),
    (".txz", ArchiveKind.TAR_XZ),
    (".whl", ArchiveKind.WHEEL),
    (".zip", ArchiveKind.ZIP),
    (".gz", ArchiveKind.GZIP),
)


def archive_kind(name: str) -> ArchiveKind | None:
    """What kind of archive a file of this name is; None if it is none."""
    lower = name.lower()
    return next((kind for suffix, kind in _SUFFIXES if lower.endswith(suffix)), None)


class MemberKind(StrEnum):
    """What a member of an archive is; the words of the content digest."""

    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"
    HARDLINK = "hardlink"
    SPECIAL = "special"
    PREFIX = "prefix"
    OPAQUE = "opaque"


#: What a report says in place of the date itself, so that reports of two dates can be compared.
DATE = "the source's date"


class Change(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One field that a pass changed, alike in ``count`` members; ``path`` is the first, empty for the file itself.

    A member of a member is ``inner.zip!member``, at any depth.
    """

    path: str
    field: str
    before: str
    after: str
    count: int = 1


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something wrong that a pass noticed and left as it was; ``code`` is a stable word."""

    code: str
    path: str
    message: str


class PassReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one pass did, to the file and to whatever is in it. ``kept`` says why it left the file as it was; then there are no changes.

    A member that was left as it was is a fault whose code begins with ``member-``.
    """

    name: str
    version: int
    changes: tuple[Change, ...] = ()
    faults: tuple[Fault, ...] = ()
    compressor: Compressor | None = None
    kept: str | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the passes made of one file: evidence, so it holds names, versions and both digests."""

    file: str
    date: Instant
    before: BlobRef
    after: BlobRef
    passes: tuple[PassReport, ...]

    @property
    def faults(self) -> tuple[Fault, ...]:
        return tuple(fault for done in self.passes for fault in done.faults)


class Stabilized(msgspec.Struct, frozen=True, kw_only=True):
    """A file after its passes."""

    data: bytes
    report: Report

    @property
    def changed(self) -> bool:
        return self.report.before != self.report.after

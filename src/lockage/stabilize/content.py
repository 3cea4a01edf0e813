"""The content digest: what an archive holds, whatever it is packed with (docs/formats/content-digest.md).

The sha256 of the canonical JSON list, in archive order, of [path, type, executable, link target, size, sha256]. What is no
archive is a list of one file with an empty path; what claims to be one but is not readable as such is one opaque entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.canonical import canonical
from lockage.base.digest import Digest
from lockage.base.errors import StepFailed
from lockage.stabilize.compressor import UNPACKED_LIMIT, gunzip
from lockage.stabilize.errors import Unhandled
from lockage.stabilize.model import ArchiveKind, MemberKind, archive_kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockage.stabilize.member import Member

__all__ = ["Contents", "content_digest", "contents_of"]


class Contents:
    """An archive's members in archive order, and the bytes before the first.

    ``members`` is None for what is not read as an archive; then ``data`` is its content, and ``kind`` says whether it should have been one.
    """

    __slots__ = ("data", "kind", "members", "prefix")

    def __init__(self, members: Sequence[Member] | None, prefix: bytes = b"", data: bytes = b"") -> None:
        self.members, self.prefix, self.data = members, prefix, data
        self.kind = MemberKind.FILE

    @classmethod
    def opaque(cls, data: bytes) -> Contents:
        """What claims to be an archive and is not readable as one."""
        found = cls(None, data=data)
        found.kind = MemberKind.OPAQUE
        return found


def contents_of(filename: str, data: bytes) -> Contents:
    """What the file holds; what its name claims and its bytes do not bear out is one opaque file."""
    try:
        return _opened(archive_kind(filename), data)
    except (StepFailed, Unhandled):
        return Contents.opaque(data)


def _opened(kind: ArchiveKind | None, data: bytes) -> Contents:
    match kind:
        case None:
            return Contents(None, data=data)
        case ArchiveKind.WHEEL | ArchiveKind.ZIP:
            from lockage.stabilize.zip_reader import read_zip  # each reader is loaded only when it is needed

            archive = read_zip(data)
            return Contents(archive.members, archive.prefix)
        case ArchiveKind.GZIP:
            return Contents(None, data=gunzip(data))
        case ArchiveKind.TAR | ArchiveKind.TAR_GZ | ArchiveKind.TAR_BZ2 | ArchiveKind.TAR_XZ:
            from lockage.stabilize.tar_reader import read_tar

            return Contents(read_tar(_unpacked(kind, data)).members)


def _unpacked(kind: ArchiveKind, data: bytes) -> bytes:
    if kind is ArchiveKind.TAR:
        return data
    if kind is ArchiveKind.TAR_GZ:
        return gunzip(data)
    from lockage.stabilize.stream import unpack

    return unpack("bzip2" if kind is ArchiveKind.TAR_BZ2 else "xz", data, UNPACKED_LIMIT, single=True)


def content_digest(filename: str, data: bytes) -> Digest:
    """The content digest of a file under this name; never raises for what its bytes are."""
    contents = contents_of(filename, data)
    try:
        rows = _rows(contents)
    except (StepFailed, Unhandled):  # a member whose bytes do not unpack
        rows = _rows(Contents.opaque(data))
    return Digest.of(canonical(rows))


_Row = list[str | int | bool | None]


def _rows(contents: Contents) -> list[_Row]:
    if contents.members is None:
        return [["", contents.kind.value, False, None, len(contents.data), Digest.of(contents.data)]]
    rows: list[_Row] = []
    if contents.prefix:
        rows.append(["", MemberKind.PREFIX.value, False, None, len(contents.prefix), Digest.of(contents.prefix)])
    for member in contents.members:
        digest = Digest.of(member.read()) if member.kind is MemberKind.FILE else None
        rows.append([member.path, member.kind.value, member.executable, member.target, member.size, digest])
    return rows

"""An sdist as a source: an archive with one directory at its top, unpacked into the blobs and never onto a disk.

Invariants: nothing outside the archive is read because of a name or link in it; what a step would see of the archive is
decided by its members alone. An archive is read once: afterwards hashing it is all that it costs.
"""

from __future__ import annotations

import errno
import os
import struct
from typing import IO, TYPE_CHECKING, Protocol

import msgspec

from lockage.base.canonical import InvalidDocument, canonical_of, decode
from lockage.base.digest import BlobRef, Digest
from lockage.base.instant import ZIP_FLOOR, Instant
from lockage.base.name import ProjectName, Version
from lockage.base.path import RelPath
from lockage.base.tree import Directory, FileNode, InvalidTree, LinkNode, Node, Tree
from lockage.ports import SourceRead, SourceUnusable
from lockage.record.source import SdistOrigin
from lockage.record.version import VersionCandidates, metadata_fields, pyproject_version, sdist_stem

if TYPE_CHECKING:
    import tarfile
    import zipfile
    from pathlib import Path

    from lockage.ports import Blobs, Memo

__all__ = ["SDIST_MEMO", "Limits", "SdistSource"]

#: The meaning of a remembered archive; to be raised when the same archive is to become another source.
SDIST_MEMO = "sdist-1"
_WHOLE = 8 << 20
_BATCH = 32 << 20
#: 2107-12-31T23:59:58Z, the last time that a zip member can carry; a later one is damage, not a date.
_CEILING = Instant(4354819198)
#: What the standard library's readers raise for some damaged headers, besides their own errors.
_ODD = (ValueError, LookupError, ArithmeticError, struct.error)
_HINT = "Fetch the sdist again, or build from the project's repository."


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much an archive may unpack to, so that a small file cannot fill the store: bytes in all, and members."""

    size: int = 8 << 30
    members: int = 500_000


class _Unpacked(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of an archive."""

    tree: BlobRef
    archive: BlobRef
    seconds: int
    project: ProjectName | None
    metadata: Version | None
    pyproject: Version | None
    recipe: BlobRef | None
    lock: BlobRef | None


class SdistSource:
    """Reads .tar.gz, .tgz, .tar.bz2, .tar.xz and .zip sdists. The archive as it was given is kept as a blob as well."""

    def __init__(self, blobs: Blobs, memo: Memo, *, limits: Limits = Limits()) -> None:  # noqa: B008  # immutable
        self._blobs = blobs
        self._memo = memo
        self._limits = limits

    def read(self, file: Path) -> SourceRead:
        """The source that the archive holds; raises :class:`SourceUnusable` naming the member that cannot be used."""
        try:
            file.name.encode()
        except UnicodeEncodeError as error:
            raise SourceUnusable(f"the archive's name is not UTF-8: {os.fsencode(file.name)!r}", hint="Rename the file.") from error
        try:
            with file.open("rb") as stream:
                digest = Digest.of_file(stream)
                unpacked = self._remembered(digest)
                if unpacked is None:
                    stream.seek(0)
                    unpacked = self._unpack(stream, file.name)
                    self._memo.put(SDIST_MEMO, digest, canonical_of(unpacked))
        except OSError as error:
            raise SourceUnusable(f"cannot read {file}: {error.strerror or error}", path=str(file)) from error
        return self._source(file.name, unpacked)

    def read_blob(self, file: str, archive: BlobRef) -> SourceRead:
        """The source that a kept archive holds; ``file`` is its name. Raises :class:`SourceUnusable`, BlobMissing, BlobCorrupt."""
        unpacked = self._remembered(archive.digest)
        if unpacked is None:
            with self._blobs.open(archive) as stream:
                unpacked = self._unpack(stream, file)
            self._memo.put(SDIST_MEMO, archive.digest, canonical_of(unpacked))
        return self._source(file, unpacked)

    def _source(self, file: str, unpacked: _Unpacked) -> SourceRead:
        project, named = sdist_stem(file)
        return SourceRead(
            tree=unpacked.tree,
            date=Instant(unpacked.seconds),
            origin=SdistOrigin(file=file, sha256=unpacked.archive.digest),
            versions=VersionCandidates(pyproject=unpacked.pyproject, metadata=unpacked.metadata or named),
            project=unpacked.project or project,
            recipe=None if unpacked.recipe is None else self._blobs.get(unpacked.recipe),
            lock=None if unpacked.lock is None else self._blobs.get(unpacked.lock),
        )

    def _remembered(self, digest: Digest) -> _Unpacked | None:
        kept = self._memo.get(SDIST_MEMO, digest)
        if kept is None:
            return None
        try:
            unpacked = decode(kept, _Unpacked)
        except InvalidDocument:
            return None  # another lockage wrote it; a memo counts for nothing
        return unpacked if self._blobs.has(unpacked.tree) and self._blobs.has(unpacked.archive) else None

    def _unpack(self, stream: IO[bytes], name: str) -> _Unpacked:
        archive = self._blobs.put_stream(stream)  # type: ignore[arg-type]  # an open file is a BinaryIO
        stream.seek(0)
        magic = stream.read(4)
        stream.seek(0)
        unpacking = _Unpacking(self._blobs, name, self._limits)
        if magic in (b"PK\x03\x04", b"PK\x05\x06"):
            _read_zip(stream, unpacking)
        else:
            _read_tar(stream, unpacking)
        tree = unpacking.tree()
        root, directories = tree.encode()
        self._blobs.put_many(directories.values())
        tops = {str(node.path): node.blob for node in tree if isinstance(node, FileNode) and "/" not in node.path}

        def top(name: str) -> bytes | None:
            return self._blobs.get(tops[name]) if name in tops else None

        project, version = metadata_fields(top("PKG-INFO") or b"")
        return _Unpacked(
            tree=root,
            archive=archive,
            seconds=int(unpacking.date),
            project=project,
            metadata=version,
            pyproject=pyproject_version(top("pyproject.toml")),
            recipe=tops.get("lockage.toml"),
            lock=tops.get("lockage.lock"),
        )


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Unpacking:
    """The nodes found so far, by their paths below the top directory; of two members with one name the last counts, as with tar."""

    def __init__(self, blobs: Blobs, archive: str, limits: Limits) -> None:
        self._blobs = blobs
        self._archive = archive
        self._limits = limits
        self._top: str | None = None
        self._members = 0
        self._size = 0
        self._waiting: list[bytes] = []
        self._waiting_size = 0
        self.nodes: dict[str, Node] = {}
        self.date = ZIP_FLOOR

    def refuse(self, message: str, member: str | None = None, hint: str = _HINT) -> SourceUnusable:
        shown = None if member is None else member.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")[:300]
        where = self._archive if shown is None else f"{self._archive}: {shown}"
        return SourceUnusable(f"{where}: {message}", hint=hint, file=self._archive, member=shown)

    def place(self, member: str, mtime: float) -> RelPath | None:
        """Where a member goes below the top directory, None for that directory itself; its time counts towards the date."""
        self._members += 1
        if self._members > self._limits.members:
            raise self.refuse(f"more than {self._limits.members} members")
        if ZIP_FLOOR <= mtime <= _CEILING:
            self.date = max(self.date, Instant(int(mtime)))
        text = member
        while text.startswith("./"):
            text = text[2:]
        text = text.rstrip("/")
        if text in ("", "."):
            return None
        try:
            path = RelPath(text)
        except ValueError:
            raise self.refuse("a member's name leads out of the archive or is not UTF-8", member) from None
        top, _, below = path.partition("/")
        if self._top is None:
            self._top = top
        if top != self._top:
            raise self.refuse(f"an sdist has one directory at its top, this has {self._top!r} and {top!r}")
        return RelPath(below) if below else None

    def located(self, member: str) -> str:
        """The key of a node that another member names; not counted as a member."""
        return member.removeprefix("./").partition("/")[2]

    def add_file(self, path: RelPath | None, member: str, size: int, stream: IO[bytes], *, executable: bool) -> None:
        if path is None:
            raise self.refuse("an sdist has one directory at its top, and its files inside that", member)
        self._size += size
        self._check_size()
        if size > _WHOLE:
            self._put(path, self._blobs.put_stream(stream), executable)  # type: ignore[arg-type]  # only read() is used
            return
        data = stream.read(size + 1)
        if len(data) != size:
            raise self.refuse(f"it holds {'more' if len(data) > size else 'fewer'} than the {size} bytes that the archive says", member)
        self._put(path, BlobRef.of(data), executable)
        self._waiting.append(data)
        self._waiting_size += size
        if self._waiting_size >= _BATCH:
            self._flush()

    def _put(self, path: RelPath, ref: BlobRef, executable: bool) -> None:
        self.nodes[path] = FileNode(path, ref, executable)

    def add_link(self, path: RelPath | None, member: str, target: str) -> None:
        if path is None or not _stays_inside(path, target):
            raise self.refuse(f"a link leads out of the archive, to {target[:200]!r}", member)
        try:
            target.encode()
        except UnicodeEncodeError:
            raise self.refuse("a link's target is not UTF-8", member) from None
        self.nodes[path] = LinkNode(path, target)

    def _flush(self) -> None:
        self._blobs.put_many(self._waiting)
        self._waiting, self._waiting_size = [], 0

    def drain(self, stream: _Readable) -> None:
        """Read what follows the last member, so that the compressor's own checksum is compared; it counts as content."""
        while data := stream.read(1 << 16):
            self._size += len(data)
            self._check_size()

    def _check_size(self) -> None:
        if self._size > self._limits.size:
            hint = "Check where this file comes from; it may be made to fill disks."
            raise self.refuse(f"it unpacks to more than {self._limits.size} bytes", hint=hint)

    def tree(self) -> Tree:
        self._flush()
        if not self.nodes:
            raise self.refuse("the archive holds no files")
        try:
            return Tree.of(self.nodes.values())
        except InvalidTree as error:
            raise self.refuse(f"its members do not make a tree: {error.message}") from error


def _stays_inside(path: RelPath, target: str) -> bool:
    """Whether a link's target, followed as text, is below the top directory. Nothing here ever follows one."""
    if not target or target.startswith("/"):
        return False
    depth = len(path.parts) - 1
    for part in target.split("/"):
        depth += {"": 0, ".": 0, "..": -1}.get(part, 1)
        if depth < 0:
            return False
    return True


def _read_tar(stream: IO[bytes], unpacking: _Unpacking) -> None:
    import lzma  # only the first reading of an archive pays for these
    import tarfile
    import zlib

    try:
        with tarfile.open(fileobj=stream, mode="r:*", encoding="utf-8", errors="surrogateescape") as archive:
            for member in archive:
                _add_tar_member(archive, member, unpacking)
            assert archive.fileobj is not None
            unpacking.drain(archive.fileobj)
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, OSError, *_ODD) as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        if isinstance(error, tarfile.ReadError) and not unpacking.nodes:
            raise unpacking.refuse("this is no .tar.gz, .tar.bz2, .tar.xz or .zip archive, or its beginning is damaged") from error
        raise unpacking.refuse(f"the archive is damaged: {error}") from error


def _add_tar_member(archive: tarfile.TarFile, member: tarfile.TarInfo, unpacking: _Unpacking) -> None:
    path = unpacking.place(member.name, member.mtime)
    if member.isdir():
        if path is not None and path not in unpacking.nodes:
            unpacking.nodes[path] = Directory(path)
    elif member.isreg():
        content = archive.extractfile(member)
        assert content is not None
        unpacking.add_file(path, member.name, member.size, content, executable=bool(member.mode & 0o100))
    elif member.issym():
        unpacking.add_link(path, member.name, member.linkname)
    elif member.islnk():
        other = unpacking.nodes.get(unpacking.located(member.linkname))
        if path is None or not isinstance(other, FileNode):
            raise unpacking.refuse(f"a hard link to {member.linkname[:200]!r}, which no earlier member is", member.name)
        unpacking.nodes[path] = msgspec.structs.replace(other, path=path)
    else:
        raise unpacking.refuse("a device, pipe or unknown kind of member", member.name)


def _read_zip(stream: IO[bytes], unpacking: _Unpacking) -> None:
    import zipfile  # as above
    import zlib

    try:
        with zipfile.ZipFile(stream) as archive:
            for member in archive.infolist():
                _add_zip_member(archive, member, unpacking)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error, OSError, *_ODD) as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        raise unpacking.refuse(f"the archive is damaged or uses what lockage does not read: {error}") from error


def _add_zip_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, unpacking: _Unpacking) -> None:
    import calendar
    import stat

    mode = member.external_attr >> 16 if member.create_system == 3 else 0  # APPNOTE 4.4.2: 3 is Unix
    if not member.filename:
        raise unpacking.refuse("a member without a name")
    if "\\" in member.filename:
        raise unpacking.refuse("a backslash in a member's name, which stands for a directory on some systems only", member.filename)
    path = unpacking.place(member.filename, calendar.timegm((*member.date_time, 0, 0, 0)))
    if member.is_dir():
        if path is not None and path not in unpacking.nodes:
            unpacking.nodes[path] = Directory(path)
    elif stat.S_ISLNK(mode):
        if member.file_size > 4096:
            raise unpacking.refuse("a link's target is longer than a path can be", member.filename)
        unpacking.add_link(path, member.filename, archive.read(member).decode("utf-8", "surrogateescape"))
    elif stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise unpacking.refuse("a device, pipe or unknown kind of member", member.filename)
    else:
        with archive.open(member) as content:
            unpacking.add_file(path, member.filename, member.file_size, content, executable=bool(mode & stat.S_IXUSR))

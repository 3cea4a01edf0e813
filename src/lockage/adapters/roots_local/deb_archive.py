"""Binary packages of Debian, deb(5): an ar archive of a format version, control.tar and data.tar; read as a stream.

Invariants: nothing is written and nothing executed; a member's path never climbs; what no root can hold is an error, never skipped.
"""

from __future__ import annotations

import tarfile
from io import RawIOBase
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from lockage.environment.root import InvalidPackage, Kind, Member, UnsupportedPackage, member_path, normal_mode, refuse_escaping_link

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["DebArchive"]

_MAGIC = b"!<arch>\n"
_HEADER = 60
#: More than any control paragraph; a larger one is not read.
_CONTROL_LIMIT = 8 << 20
#: More than the data of any package that Ubuntu packs with zstd, in bytes.
_MOST_UNPACKED = 8 << 30


class DebArchive:
    """One package: :attr:`control` is its control paragraph, :attr:`script` its postinst.

    Raises :class:`InvalidPackage` and :class:`UnsupportedPackage`.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream = stream
        self._name = name
        self._parts = self._index()
        found = self._scripts()
        if "control" not in found:
            raise self._invalid("has no control file")
        self.control = found["control"]
        self.script = found.get("postinst", "")

    def field(self, name: str) -> str:
        """A field of the control paragraph on one line; empty if it is not there."""
        found: list[str] = []
        for line in self.control.splitlines():
            if found and line[:1] in (" ", "\t"):
                found.append(line.strip())
            elif found:
                break
            elif line.lower().startswith(f"{name.lower()}:"):
                found.append(line.partition(":")[2].strip())
        return " ".join(found)

    @property
    def replaces(self) -> frozenset[str]:
        """The names in its Replaces field, without their versions (Debian policy 7.6)."""
        terms = (term.strip() for term in self.field("Replaces").split(","))
        return frozenset(term.partition("(")[0].partition(":")[0].strip() for term in terms if term)

    def members(self) -> Iterator[tuple[Member, IO[bytes] | None]]:
        """Every member of data.tar in archive order, with a stream of a file's bytes that ends when the next member is taken."""
        with self._tar("data.tar") as tar:
            for info in self._infos(tar):
                member = self._member(info)
                if member is not None:
                    yield member, tar.extractfile(info) if member.kind is Kind.FILE else None

    def _invalid(self, what: str) -> InvalidPackage:
        return InvalidPackage(f"{self._name} {what}", package=self._name)

    def _index(self) -> dict[str, tuple[int, int]]:
        """The ar members: name to (offset, size)."""
        if self._stream.read(len(_MAGIC)) != _MAGIC:
            raise self._invalid("is not a Debian package: it does not start with an ar header")
        parts: dict[str, tuple[int, int]] = {}
        at = len(_MAGIC)
        while True:
            self._stream.seek(at)
            header = self._stream.read(_HEADER)
            if not header:
                break
            size = header[48:58].strip()
            if len(header) < _HEADER or header[58:] != b"`\n" or not size.isdigit():
                raise self._invalid(f"has a damaged ar header at byte {at}")
            name = header[:16].decode("ascii", "replace").rstrip().rstrip("/")
            parts.setdefault(name, (at + _HEADER, int(size)))
            at += _HEADER + int(size) + int(size) % 2
        version = self._part(parts, "debian-binary").read(16)
        if not version.startswith(b"2."):
            raise self._invalid(f"is not a Debian package of format 2: {version!r}")
        return parts

    def _part(self, parts: dict[str, tuple[int, int]], name: str) -> _Section:
        if name not in parts:
            raise self._invalid(f"has no {name}")
        return _Section(self._stream, *parts[name])

    def _tar(self, stem: str) -> tarfile.TarFile:
        found = sorted(name for name in self._parts if name == stem or name.startswith(f"{stem}."))
        if len(found) != 1:
            raise self._invalid(f"has {len(found)} members named {stem}.* instead of one")
        opener = _OPENERS.get(found[0].removeprefix(stem))
        if opener is None:
            raise UnsupportedPackage(
                f"{self._name} holds {found[0]}; of the compressions of packages xz, gzip, bzip2, lzma, zstd and none can be read",
                package=self._name,
            )
        section = self._part(self._parts, found[0])
        try:
            return tarfile.open(
                fileobj=opener(cast("BinaryIO", section)), mode="r|", bufsize=1 << 18, encoding="utf-8", errors="surrogateescape"
            )
        except (tarfile.TarError, OSError, EOFError, ValueError) as error:
            raise self._invalid(f"has a damaged {found[0]}: {error}") from error

    def _scripts(self) -> dict[str, str]:
        """The texts of control.tar that count."""
        found: dict[str, str] = {}
        with self._tar("control.tar") as tar:
            for info in self._infos(tar):
                name = info.name.removeprefix("./")
                if name in ("control", "postinst") and info.isfile() and info.size <= _CONTROL_LIMIT:
                    stream = tar.extractfile(info)
                    assert stream is not None
                    found[name] = stream.read().decode("utf-8", "replace")
        return found

    def _infos(self, tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
        while True:
            try:
                info = tar.next()
            except (tarfile.TarError, OSError, EOFError, ValueError) as error:
                raise self._invalid(f"has a damaged tar archive: {error}") from error
            except Exception as error:  # lzma.LZMAError, zlib.error have no common base but Exception
                if type(error).__name__ not in ("LZMAError", "error"):
                    raise
                raise self._invalid(f"has a damaged compressed archive: {error}") from error
            if info is None:
                return
            yield info

    def _member(self, info: tarfile.TarInfo) -> Member | None:
        path = member_path(info.name, self._name)
        if path is None:
            return None
        if info.issym():
            kind, target = Kind.LINK, info.linkname
            refuse_escaping_link(path, target, self._name)
        elif info.islnk():
            found = member_path(info.linkname, self._name)
            if found is None:
                raise self._invalid(f"has a hardlink to its top: {path}")
            kind, target = Kind.HARDLINK, str(found)
        elif info.isdir():
            kind, target = Kind.DIRECTORY, ""
        elif info.isfile() and not info.issparse():
            kind, target = Kind.FILE, ""
        else:
            raise UnsupportedPackage(
                f"{self._name} ships a device, a pipe or a sparse file, which no root can hold: /{path}", package=self._name, path=path
            )
        return Member(path=path, kind=kind, mode=normal_mode(info.mode, kind), uid=info.uid, gid=info.gid, target=target, size=info.size)


class _Section(RawIOBase):
    """A part of a stream as a stream of its own."""

    def __init__(self, stream: BinaryIO, start: int, size: int) -> None:
        super().__init__()
        self._stream = stream
        self._at = start
        self._left = size

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        self._stream.seek(self._at)
        data = self._stream.read(wanted)
        self._at += len(data)
        self._left -= len(data)
        return data


def _xz(stream: BinaryIO) -> BinaryIO:
    import lzma

    return cast("BinaryIO", lzma.LZMAFile(stream))


def _gzip(stream: BinaryIO) -> BinaryIO:
    import gzip

    return cast("BinaryIO", gzip.GzipFile(fileobj=stream))


def _bzip2(stream: BinaryIO) -> BinaryIO:
    import bz2

    return cast("BinaryIO", bz2.BZ2File(stream))


def _zstd(stream: BinaryIO) -> BinaryIO:
    """The whole, in memory: the library that reads it has no streams."""
    from io import BytesIO

    from lockage.stabilize.errors import ArchiveTooLarge, MalformedArchive  # only other distributions' packages are packed so
    from lockage.stabilize.stream import unpack

    try:
        return BytesIO(unpack("zstd", stream.read(), _MOST_UNPACKED))
    except (ArchiveTooLarge, MalformedArchive) as error:
        raise ValueError(error.message) from error


_OPENERS: dict[str, Callable[[BinaryIO], BinaryIO]] = {
    "": lambda stream: stream,
    ".xz": _xz,
    ".lzma": _xz,
    ".gz": _gzip,
    ".bz2": _bzip2,
    ".zst": _zstd,
}

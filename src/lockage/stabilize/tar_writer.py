"""Writes tar archives in one fixed form: ustar headers, a PAX header only for what they cannot hold, no owner, one date."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.stabilize.model import MemberKind

if TYPE_CHECKING:
    from lockage.base.instant import Instant

__all__ = ["MODES", "TarWriter"]

_BLOCK = 512
#: POSIX: archives are written in records of 20 blocks.
_RECORD = 20 * _BLOCK
_TYPES = {MemberKind.FILE: b"0", MemberKind.HARDLINK: b"1", MemberKind.LINK: b"2", MemberKind.DIRECTORY: b"5"}
_PAX_NAME = b"././@PaxHeader"
MODES = {MemberKind.LINK: 0o777, MemberKind.DIRECTORY: 0o755, MemberKind.HARDLINK: 0o644, MemberKind.FILE: 0o644}


class TarWriter:
    """Puts an archive together, member by member; ``finish`` returns its bytes."""

    def __init__(self, date: Instant) -> None:
        self._out = bytearray()
        self._date = int(date)
        #: What the headers are written in so far.
        self.dialects: set[str] = set()

    def add(self, path: str, kind: MemberKind, data: bytes, *, mode: int, target: str | None = None) -> None:
        """Add a member; directories get their final slash. ``data`` only for files."""
        name = (f"{path}/" if kind is MemberKind.DIRECTORY else path).encode()
        link = (target or "").encode()
        records = b""
        if len(link) > 100 or not link.isascii():
            records += _record(b"linkpath", link)
        if len(name) > 100 or not name.isascii():
            records += _record(b"path", name)
        self.dialects.add("ustar")
        if records:
            self.dialects.add("PAX")
            self._block(_PAX_NAME, b"x", records, mode=0o644, date=0)
        self._block(name, _TYPES[kind], data, mode=mode, date=self._date, link=link)

    def _block(self, name: bytes, kind: bytes, data: bytes, *, mode: int, date: int, link: bytes = b"") -> None:
        if not name.isascii():
            name = name.decode().encode("ascii", "replace")
        if not link.isascii():
            link = link.decode().encode("ascii", "replace")
        header = bytearray(_BLOCK)
        header[0 : len(name[:100])] = name[:100]
        header[100:108] = b"%07o\0" % mode
        header[108:124] = b"0000000\0" * 2
        header[124:136] = b"%011o\0" % len(data)
        header[136:148] = b"%011o\0" % date
        header[148:156] = b" " * 8
        header[156:157] = kind
        header[157 : 157 + len(link[:100])] = link[:100]
        header[257:265] = b"ustar\x0000"
        header[329:345] = b"0000000\0" * 2
        header[148:156] = b"%06o\0 " % sum(header)
        self._out += header
        self._out += data
        self._out += bytes(-len(data) % _BLOCK)

    def finish(self) -> bytes:
        """The archive, ended by two empty blocks and filled up to a whole record."""
        self._out += bytes(2 * _BLOCK)
        self._out += bytes(-len(self._out) % _RECORD)
        return bytes(self._out)


def _record(keyword: bytes, value: bytes) -> bytes:
    """One PAX record; its length counts its own digits."""
    rest = len(keyword) + len(value) + 3
    size = rest + len(str(rest))
    size = rest + len(str(size))
    return b"%d %s=%s\n" % (size, keyword, value)

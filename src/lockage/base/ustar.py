"""Headers of tar archives in one fixed form: ustar, and a PAX header only for what that cannot hold (POSIX.1-2017, pax)."""

from __future__ import annotations

__all__ = ["BLOCK", "END", "member_header", "padding"]

BLOCK = 512
#: What ends an archive. Readers ask for two empty blocks, no more.
END = bytes(2 * BLOCK)
_PAX_NAME = b"././@PaxHeader"
#: The most that the field of a user or group id holds: seven octal digits.
_MOST_ID = 0o7777777
_MOST_SIZE = 0o77777777777


def padding(size: int) -> bytes:
    """What fills a member's last block."""
    return bytes(-size % BLOCK)


def member_header(path: str, kind: bytes, size: int = 0, *, mode: int, date: int, uid: int = 0, gid: int = 0, target: str = "") -> bytes:
    """The header of a member, with a PAX header before it where it needs one; ``kind`` is the type flag, ``date`` in seconds.

    Users have numbers and no names. Raises ValueError for what tar cannot hold.
    """
    if min(size, date, uid, gid) < 0 or max(uid, gid) > _MOST_ID or max(size, date) > _MOST_SIZE:
        raise ValueError(f"a tar header cannot hold a number of {path!r}")
    name, link = path.encode(), target.encode()
    records = b""
    if len(link) > 100 or not link.isascii():
        records += _record(b"linkpath", link)
    if len(name) > 100 or not name.isascii():
        records += _record(b"path", name)
    header = _header(name, kind, size, mode=mode, date=date, uid=uid, gid=gid, link=link)
    if not records:
        return header
    return _header(_PAX_NAME, b"x", len(records), mode=0o644, date=0, uid=0, gid=0, link=b"") + records + padding(len(records)) + header


def _header(name: bytes, kind: bytes, size: int, *, mode: int, date: int, uid: int, gid: int, link: bytes) -> bytes:
    if not name.isascii():
        name = name.decode().encode("ascii", "replace")
    if not link.isascii():
        link = link.decode().encode("ascii", "replace")
    header = bytearray(BLOCK)
    header[0 : len(name[:100])] = name[:100]
    header[100:108] = b"%07o\0" % mode
    header[108:116] = b"%07o\0" % uid
    header[116:124] = b"%07o\0" % gid
    header[124:136] = b"%011o\0" % size
    header[136:148] = b"%011o\0" % date
    header[148:156] = b" " * 8
    header[156:157] = kind
    header[157 : 157 + len(link[:100])] = link[:100]
    header[257:265] = b"ustar\x0000"
    header[329:345] = b"0000000\0" * 2
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def _record(keyword: bytes, value: bytes) -> bytes:
    """One PAX record; its length counts its own digits."""
    rest = len(keyword) + len(value) + 3
    size = rest + len(str(rest))
    size = rest + len(str(size))
    return b"%d %s=%s\n" % (size, keyword, value)

"""Writes zip archives in one fixed form: a function of prefix, members and date, and of the pinned compressor's bytes."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lockage.base.instant import ZIP_FLOOR
from lockage.stabilize.compressor import crc32, deflate
from lockage.stabilize.model import MemberKind

if TYPE_CHECKING:
    from lockage.base.instant import Instant

__all__ = ["CREATOR", "MODES", "ZipWriter", "dos_time"]

#: Version 2.0 on Unix (APPNOTE 4.4.2).
CREATOR = 3 << 8 | 20
_NEEDED = 20
_UTF8 = 1 << 11
_CEILING = 4354819198  # 2107-12-31T23:59:58Z, the last time that a zip member can carry
#: Full Unix modes by kind and executable bit.
MODES = {
    (MemberKind.FILE, False): 0o100644,
    (MemberKind.FILE, True): 0o100755,
    (MemberKind.DIRECTORY, False): 0o040755,
    (MemberKind.LINK, False): 0o120777,
}


def dos_time(date: Instant) -> int:
    """Date and time of APPNOTE 4.4.6 in one number, in UTC, two-second steps rounded down; clamped to what they can say."""
    moment = datetime.fromtimestamp(min(max(int(date), int(ZIP_FLOOR)), _CEILING), UTC)
    day = (moment.year - 1980) << 9 | moment.month << 5 | moment.day
    return day << 16 | moment.hour << 11 | moment.minute << 5 | moment.second // 2


class ZipWriter:
    """Puts an archive together, member by member; ``finish`` returns its bytes. No member may exceed 4 GiB."""

    def __init__(self, prefix: bytes, date: Instant) -> None:
        self._out = bytearray(prefix)
        self._central = bytearray()
        self._count = 0
        self._time = dos_time(date)

    def add(
        self, path: str, kind: MemberKind, data: bytes, *, executable: bool = False, stored: bool = False, time: int | None = None
    ) -> bytes:
        """Add a member; returns its bytes as they lie in the archive. A link's data are its target. Packed only if that is shorter.

        ``stored``: not even then; ``time``: another than the archive's, as :func:`dos_time` has it.
        """
        packed = deflate(data) if data and kind is MemberKind.FILE and not stored else bytearray(data)
        time = self._time if time is None else time
        method = 8 if len(packed) < len(data) else 0
        body = bytes(packed) if method else data
        name = f"{path}/".encode() if kind is MemberKind.DIRECTORY else path.encode()
        flags = 0 if name.isascii() else _UTF8
        mode = MODES[kind, executable]
        attributes = mode << 16 | (0x10 if kind is MemberKind.DIRECTORY else 0)
        common = (_NEEDED, flags, method, time & 0xFFFF, time >> 16, crc32(data), len(body), len(data), len(name), 0)
        self._central += struct.pack("<4s6H3L5H2L", b"PK\x01\x02", CREATOR, *common, 0, 0, 0, attributes, len(self._out)) + name
        self._out += struct.pack("<4s5H3L2H", b"PK\x03\x04", *common) + name + body
        self._count += 1
        return body

    def finish(self) -> bytes:
        """The archive. ZIP64 end records only where there are more members than the plain one can count."""
        start, size = len(self._out), len(self._central)
        out = self._out
        out += self._central
        if self._count >= 0xFFFF or start >= 0xFFFFFFFF:
            at = len(out)
            out += struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, CREATOR, 45, 0, 0, self._count, self._count, size, start)
            out += struct.pack("<4sLQL", b"PK\x06\x07", 0, at, 1)
        count, start = min(self._count, 0xFFFF), min(start, 0xFFFFFFFF)
        out += struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, size, start, 0)
        return bytes(out)

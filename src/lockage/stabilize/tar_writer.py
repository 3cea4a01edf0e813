"""Writes tar archives in one fixed form: ustar headers, a PAX header only for what they cannot hold, no owner, one date."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.ustar import BLOCK, END, member_header, padding
from lockage.stabilize.model import MemberKind

if TYPE_CHECKING:
    from lockage.base.instant import Instant

__all__ = ["MODES", "TarWriter"]

#: POSIX: archives are written in records of 20 blocks.
_RECORD = 20 * BLOCK
_TYPES = {MemberKind.FILE: b"0", MemberKind.HARDLINK: b"1", MemberKind.LINK: b"2", MemberKind.DIRECTORY: b"5"}
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
        name = f"{path}/" if kind is MemberKind.DIRECTORY else path
        header = member_header(name, _TYPES[kind], len(data), mode=mode, date=self._date, target=target or "")
        self.dialects.add("ustar")
        if len(header) > BLOCK:
            self.dialects.add("PAX")
        self._out += header
        self._out += data
        self._out += padding(len(data))

    def finish(self) -> bytes:
        """The archive, ended by two empty blocks and filled up to a whole record."""
        self._out += END
        self._out += bytes(-len(self._out) % _RECORD)
        return bytes(self._out)

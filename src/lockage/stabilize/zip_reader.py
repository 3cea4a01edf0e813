"""Reads zip archives strictly (PKWARE APPNOTE 6.3.9): what two readers could read differently is malformed.

Central directory and local headers must agree, members may not overlap, and there is one end record, at the very end.
Bytes before the first member (a shebang line, a self-extractor) are the prefix and belong to the archive's content.
"""

from __future__ import annotations

import stat
import struct

from lockage.stabilize.compressor import UNPACKED_LIMIT, crc32, inflate
from lockage.stabilize.errors import ArchiveTooLarge, EncryptedArchive, MalformedArchive, Unhandled
from lockage.stabilize.member import clean_path, forbid_below_links
from lockage.stabilize.model import MemberKind

__all__ = ["ZipArchive", "ZipMember", "read_zip"]

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_METHODS = {0: "stored", 8: "deflated", 12: "bzip2", 14: "lzma", 93: "zstd"}
_EXTRA_ZIP64 = 0x0001
_EXTRA_UNICODE_PATH = 0x7075
_FLAG_ENCRYPTED, _FLAG_DESCRIPTOR, _FLAG_PATCHED, _FLAG_STRONG, _FLAG_UTF8 = 1, 1 << 3, 1 << 5, 1 << 6, 1 << 11


class ZipMember:
    """One member, by its central directory entry."""

    __slots__ = (
        *("_data", "_unpacked", "comment", "crc", "creator", "executable", "extra", "flags", "kind", "method", "mode", "name"),
        *("others", "path", "size", "start", "stop", "target", "time"),
    )

    def __init__(
        self, data: bytes, name: str, start: int, stop: int, size: int, head: tuple[int, ...], extra: bytes, comment: bytes
    ) -> None:
        self._data, self.name, self.start, self.stop = data, name, start, stop
        made_by, _needed, self.flags, self.method, time, date, self.crc = head[:7]
        self.creator, self.time, self.mode = made_by, (date << 16) | time, head[14] >> 16
        self.extra, self.comment, self._unpacked = extra, comment, size
        #: Version needed, internal attributes, the DOS half of the external ones, length of the local header's extra field.
        self.others = (head[1], head[13], head[14] & 0xFFFF, head[15])
        self.path = clean_path(name)
        self.target: str | None = None
        if name.endswith("/"):
            if size:
                raise MalformedArchive(f"a directory with {size} bytes of content: {name!r}", member=name)
            self.kind, self.size = MemberKind.DIRECTORY, 0
        elif stat.S_ISLNK(self.mode):
            self.kind, self.size = MemberKind.LINK, 0
            self.target = self.read().decode("utf-8", "backslashreplace")
        else:
            self.kind, self.size = MemberKind.FILE, size
        self.executable = self.kind is MemberKind.FILE and bool(self.mode & 0o111)

    @property
    def packing(self) -> str:
        return _METHODS.get(self.method, str(self.method))

    def packed(self) -> bytes:
        return self._data[self.start : self.stop]

    def read(self) -> bytes:
        if self.method == 0:
            data = self.packed()
        elif self.method == 8:
            data = inflate(memoryview(self._data)[self.start : self.stop], self._unpacked, self.name)
        elif self.method == 12:
            import bz2  # rare

            try:
                data = bz2.BZ2Decompressor().decompress(self.packed(), self._unpacked + 1)
            except OSError as error:
                raise MalformedArchive(f"{self.name}: not a bzip2 stream: {error}", member=self.name) from error
        else:
            raise Unhandled(f"member {self.name!r} is packed with method {self.packing}")
        if len(data) != self._unpacked or crc32(data) != self.crc:
            raise MalformedArchive(f"{self.name}: its bytes do not have the declared size and CRC-32", member=self.name)
        return data

    def fields(self) -> dict[str, str]:
        return {
            "mtime": self.mtime,
            "mode": f"{self.mode:o}",
            "creator": str(self.creator),
            "flags": str(self.flags),
            "extra": self.extra.hex(),
            "comment": self.comment.decode("cp437"),
            "compression": self.packing,
            "other": ",".join(map(str, self.others)),
        }

    @property
    def mtime(self) -> str:
        """The stored local time, of no zone; two-second steps (APPNOTE 4.4.6)."""
        date, time = self.time >> 16, self.time & 0xFFFF
        day = f"{(date >> 9) + 1980}-{date >> 5 & 15:02}-{date & 31:02}"
        return f"{day} {time >> 11:02}:{time >> 5 & 63:02}:{(time & 31) * 2:02}"


class ZipArchive:
    """A zip archive: ``prefix`` lies before the first member; ``unreferenced`` bytes lie between members and belong to none."""

    __slots__ = ("comment", "members", "prefix", "unreferenced")

    def __init__(self, members: tuple[ZipMember, ...], prefix: bytes, comment: bytes, unreferenced: int) -> None:
        self.members, self.prefix, self.comment, self.unreferenced = members, prefix, comment, unreferenced


def read_zip(data: bytes, limit: int = UNPACKED_LIMIT) -> ZipArchive:
    """Read a zip archive that unpacks to ``limit`` bytes at most.

    Raises :class:`MalformedArchive` and the other errors of this room, and :class:`Unhandled`.
    """
    count, directory, directory_size, shift, comment = _find_directory(data)
    position, members, locals_ = directory, [], []
    total = 0
    for _ in range(count):
        member, local, position = _entry(data, position, directory + directory_size, shift, directory)
        total += member.size
        if total > limit:
            raise ArchiveTooLarge(f"a zip archive unpacks to more than {limit} bytes", limit=limit)
        members.append(member)
        locals_.append(local)
    if position != directory + directory_size:
        raise MalformedArchive("a zip archive's central directory holds more than its end record counts")
    forbid_below_links([(member.path, member.kind) for member in members])
    first = min(locals_, default=directory)
    return ZipArchive(tuple(members), data[:first], comment, _unreferenced(data, members, locals_, directory))


def _find_directory(data: bytes) -> tuple[int, int, int, int, bytes]:
    """Number of members, place and size of the central directory, what to add to stored offsets, and the comment."""
    floor = max(0, len(data) - _END.size - 0xFFFF)
    end = data.rfind(b"PK\x05\x06", floor)
    if end < 0 or end + _END.size > len(data):
        raise MalformedArchive("not a zip archive, or one that is cut short: it has no end record")
    _, disk, start_disk, _, count, size, offset, comment_size = _END.unpack_from(data, end)
    if end + _END.size + comment_size != len(data):
        raise MalformedArchive("a zip archive's end record is not at its end: bytes follow it, or a second record hides in its comment")
    other = data.rfind(b"PK\x05\x06", floor, end)
    if other >= 0 and other + _END.size + int.from_bytes(data[other + 20 : other + 22], "little") == len(data):
        raise MalformedArchive("a zip archive has two end records that both reach its end")
    stop = end
    if end >= _LOCATOR.size and data[end - _LOCATOR.size : end - _LOCATOR.size + 4] == b"PK\x06\x07":
        stop = data.rfind(b"PK\x06\x06", max(0, end - _LOCATOR.size - 0xFFFF), end - _LOCATOR.size)
        if stop < 0 or stop + _END64.size > end:
            raise MalformedArchive("a zip archive has a ZIP64 locator but no ZIP64 end record")
        _, _, _, _, disk, start_disk, _, count, size, offset = _END64.unpack_from(data, stop)
    if disk or start_disk:
        raise Unhandled("the zip archive is split over several files")
    start = stop - size
    shift = start - offset
    if start < 0 or shift < 0:
        raise MalformedArchive("a zip archive is cut short: its central directory would begin before the file does")
    return count, start, size, shift, data[end + _END.size :]


def _entry(data: bytes, position: int, stop: int, shift: int, directory: int) -> tuple[ZipMember, int, int]:
    """The member at this place of the central directory, the place of its local header, and the next place."""
    if position + _CENTRAL.size > stop or data[position : position + 4] != b"PK\x01\x02":
        raise MalformedArchive("a zip archive's central directory is damaged or shorter than its end record counts")
    head = _CENTRAL.unpack_from(data, position)[1:]
    packed, size, name_size, extra_size, comment_size, disk, local = head[7], head[8], head[9], head[10], head[11], head[12], head[15]
    at = position + _CENTRAL.size
    raw_name, extra = data[at : at + name_size], data[at + name_size : at + name_size + extra_size]
    comment = data[at + name_size + extra_size : at + name_size + extra_size + comment_size]
    position = at + name_size + extra_size + comment_size
    if position > stop:
        raise MalformedArchive("a zip archive's central directory is cut short")
    name = _name(raw_name, head[2])
    size, packed, local = _wide(extra, size, packed, local, name)
    if disk not in (0, 0xFFFF):
        raise Unhandled("the zip archive is split over several files")
    if head[2] & (_FLAG_ENCRYPTED | _FLAG_STRONG):
        raise EncryptedArchive(f"member {name!r} is encrypted", member=name)
    if head[2] & _FLAG_PATCHED:
        raise Unhandled(f"member {name!r} is a patch")
    local += shift
    start = _local(data, local, directory, raw_name, head, (packed, size), name)
    if start + packed > directory:
        raise MalformedArchive(f"{name}: its bytes would reach into the central directory", member=name)
    if head[3] == 0 and packed != size:
        raise MalformedArchive(f"{name}: stored, but with two sizes ({packed}, {size})", member=name)
    if size > UNPACKED_LIMIT:
        raise ArchiveTooLarge(f"member {name!r} declares {size} bytes, more than {UNPACKED_LIMIT}", member=name, limit=UNPACKED_LIMIT)
    fields = (*head[:15], start - local - _LOCAL.size - len(raw_name))
    return ZipMember(data, name, start, start + packed, size, fields, extra, comment), local, position


def _name(raw: bytes, flags: int) -> str:
    """The name as Python reads it: UTF-8 where bit 11 says so, code page 437 otherwise (APPNOTE appendix D)."""
    try:
        return raw.decode("utf-8" if flags & _FLAG_UTF8 else "cp437")
    except UnicodeDecodeError as error:
        raise MalformedArchive(f"a member's name is not UTF-8: {raw[:100]!r}") from error


def _extras(extra: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(extra):
        number, size = struct.unpack_from("<2H", extra, at)
        found.setdefault(number, extra[at + 4 : at + 4 + size])
        at += 4 + size
    return found


def _wide(extra: bytes, size: int, packed: int, local: int, name: str) -> tuple[int, int, int]:
    """The three numbers, from the ZIP64 extra field where they do not fit (APPNOTE 4.5.3)."""
    extras = _extras(extra)
    if _EXTRA_UNICODE_PATH in extras:
        raise Unhandled(f"member {name!r} has a second name (Unicode path extra field)")
    wide = extras.get(_EXTRA_ZIP64, b"")
    numbers = [size, packed, local]
    for index, number in enumerate(numbers):
        if number == 0xFFFFFFFF:
            if len(wide) < 8:
                raise MalformedArchive(f"{name}: its ZIP64 field is missing or cut short", member=name)
            numbers[index], wide = int.from_bytes(wide[:8], "little"), wide[8:]
    return numbers[0], numbers[1], numbers[2]


def _local(data: bytes, at: int, directory: int, raw_name: bytes, head: tuple[int, ...], sizes: tuple[int, int], name: str) -> int:
    """Where the member's bytes begin; the local header must say what the central directory says."""
    if at < 0 or at + _LOCAL.size > directory or data[at : at + 4] != b"PK\x03\x04":
        raise MalformedArchive(f"{name}: no local header where the central directory says", member=name)
    _, _, flags, method, _, _, crc, packed, size, name_size, extra_size = _LOCAL.unpack_from(data, at)
    start: int = at + _LOCAL.size + name_size + extra_size
    if data[at + _LOCAL.size : at + _LOCAL.size + name_size] != raw_name or method != head[3] or (flags ^ head[2]) & _FLAG_ENCRYPTED:
        raise MalformedArchive(
            f"{name}: its local header and the central directory disagree about its name, method or encryption", member=name
        )
    wide = size == 0xFFFFFFFF or packed == 0xFFFFFFFF
    if not flags & _FLAG_DESCRIPTOR and not wide and (crc, packed, size) != (head[6], *sizes):
        raise MalformedArchive(f"{name}: its local header and the central directory disagree about its size or CRC-32", member=name)
    return start


def _unreferenced(data: bytes, members: list[ZipMember], locals_: list[int], directory: int) -> int:
    """How many bytes between members belong to none; raises :class:`MalformedArchive` if members overlap."""
    order = sorted(range(len(members)), key=lambda index: locals_[index])
    lost = 0
    limits = [*(locals_[index] for index in order[1:]), directory]
    for index, limit in zip(order, limits, strict=False):  # of no members there are no limits
        member = members[index]
        gap = limit - member.stop
        if gap < 0:
            raise MalformedArchive(f"{member.name}: it overlaps the next member", member=member.name)
        if member.flags & _FLAG_DESCRIPTOR:
            gap -= _descriptor(data, member, gap)
        lost += gap
    return lost


def _descriptor(data: bytes, member: ZipMember, gap: int) -> int:
    """The length of the data descriptor behind a member (APPNOTE 4.3.9); 0 if there is none."""
    tail = data[member.stop : member.stop + min(gap, 24)]
    crc, lead = member.crc.to_bytes(4, "little"), b"PK\x07\x08"
    for length, start in ((16, lead + crc), (24, lead + crc), (12, crc), (20, crc)):
        if gap == length and tail.startswith(start):
            return length
    return 16 if gap > 16 and tail.startswith(lead + crc) else 0

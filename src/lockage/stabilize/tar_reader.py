"""Reads tar archives: ustar, PAX (POSIX.1-2001) and GNU long names. Strict about checksums, sizes and what follows the end.

Names are UTF-8. Sparse files, devices and pipes are well formed but not handled by the passes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.stabilize.errors import MalformedArchive, Unhandled
from lockage.stabilize.member import clean_path, forbid_below_links
from lockage.stabilize.model import MemberKind

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["TarArchive", "TarMember", "read_tar"]

_BLOCK = 512
_KINDS = {
    **dict.fromkeys((b"0", b"\0", b"7"), MemberKind.FILE),
    b"1": MemberKind.HARDLINK,
    b"2": MemberKind.LINK,
    b"5": MemberKind.DIRECTORY,
    **dict.fromkeys((b"3", b"4", b"6"), MemberKind.SPECIAL),
}
_PAX_LOCAL, _PAX_GLOBAL, _GNU_NAME, _GNU_TARGET = b"x", b"g", b"L", b"K"
#: No PAX header or long name that anyone needs is longer.
_HEADER_LIMIT = 1 << 20


class TarMember:
    """One member, by its header and the extended headers before it."""

    __slots__ = ("_data", "executable", "header", "kind", "name", "path", "size", "start", "target")

    def __init__(self, data: bytes, name: str, kind: MemberKind, target: str | None, span: tuple[int, int], header: dict[str, str]) -> None:
        self._data, self.name, self.kind, self.header = data, name, kind, header
        self.path = clean_path(name)
        self.start, self.size = span
        self.executable = kind is MemberKind.FILE and bool(int(header["mode"], 8) & 0o111)
        self.target = clean_path(target or "") if kind is MemberKind.HARDLINK else target

    @property
    def packing(self) -> str:
        return "stored"

    def packed(self) -> bytes:
        return self._data[self.start : self.start + self.size]

    def read(self) -> bytes:
        return self.packed()

    def fields(self) -> dict[str, str]:
        return self.header


class TarArchive:
    """A tar archive: its members, what its headers are written in, and what lies behind its end."""

    __slots__ = ("dialects", "members", "tail")

    def __init__(self, members: tuple[TarMember, ...], dialects: tuple[str, ...], tail: int) -> None:
        self.members, self.dialects, self.tail = members, dialects, tail


def read_tar(data: bytes) -> TarArchive:
    """Read a tar archive. Raises :class:`MalformedArchive` and the other errors of this room, and :class:`Unhandled`."""
    at = 0
    members: list[TarMember] = []
    shared: dict[str, str] = {}
    local: dict[str, str] = {}
    dialects: set[str] = set()
    while True:
        block = data[at : at + _BLOCK]
        if len(block) < _BLOCK:
            if members and not block and not local:
                break  # some writers leave the two empty blocks out
            raise MalformedArchive("a tar archive is cut short", found=len(data))
        if not block.strip(b"\0"):
            break
        _checksum(block, at)
        kind, size = block[156:157], _number(block[124:136], "size")
        body = at + _BLOCK
        if kind in (_PAX_LOCAL, _PAX_GLOBAL, _GNU_NAME, _GNU_TARGET):
            if size > _HEADER_LIMIT or body + size > len(data):
                raise MalformedArchive(f"an extended header of a tar archive is cut short or has {size} bytes")
            _extended(kind, data[body : body + size], shared, local)
            dialects.add("GNU" if kind in (_GNU_NAME, _GNU_TARGET) else "PAX")
            at = body + _padded(size)
            continue
        dialects.add(_dialect(block))
        member, stored = _member(data, block, body, size, {**shared, **local})
        members.append(member)
        local = {}
        at = body + _padded(stored)
        if at > len(data):
            raise MalformedArchive(f"{member.path}: the tar archive is cut short in it", member=member.path)
    if local:
        raise MalformedArchive("a tar archive ends after an extended header")
    tail = data[at:]
    if tail.strip(b"\0"):
        raise MalformedArchive(f"bytes follow the end of a tar archive ({len(tail)})")
    forbid_below_links([(member.path, member.kind) for member in members])
    return TarArchive(tuple(members), tuple(sorted(dialects)), len(tail))


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _checksum(block: bytes, at: int) -> None:
    expected = _number(block[148:156], "checksum")
    unsigned = sum(block) - sum(block[148:156]) + 8 * 32
    if expected == unsigned:
        return
    signed = unsigned - 256 * (sum(byte > 127 for byte in block) - sum(byte > 127 for byte in block[148:156]))
    if expected != signed:  # old writers summed signed bytes
        raise MalformedArchive(f"not a tar archive, or a damaged one: the header at byte {at} has a wrong checksum", offset=at)


def _number(field: bytes, what: str) -> int:
    """An octal number, or GNU's base-256 one."""
    if field[0] & 0x80:
        if field[0] != 0x80:
            raise MalformedArchive(f"a tar header's {what} is negative or too large")
        return int.from_bytes(field[1:])
    text = field.split(b"\0", 1)[0].strip(b" ")
    try:
        number = int(text or b"0", 8)
    except ValueError as error:
        raise MalformedArchive(f"a tar header's {what} is not an octal number: {field[:20]!r}") from error
    if number < 0:
        raise MalformedArchive(f"a tar header's {what} is negative")
    return number


def _text(field: bytes) -> str:
    try:
        return field.split(b"\0", 1)[0].decode()
    except UnicodeDecodeError as error:
        raise Unhandled(f"a name in the tar archive is not UTF-8: {field[:60]!r}") from error


def _dialect(block: bytes) -> str:
    magic = block[257:265]
    return {b"ustar\x0000": "ustar", b"ustar  \0": "GNU"}.get(magic, "old")


def _extended(kind: bytes, body: bytes, shared: dict[str, str], local: dict[str, str]) -> None:
    if kind == _GNU_NAME:
        local["path"] = _text(body)
    elif kind == _GNU_TARGET:
        local["linkpath"] = _text(body)
    else:
        (shared if kind == _PAX_GLOBAL else local).update(_records(body))


def _records(body: bytes) -> dict[str, str]:
    """The records of a PAX header: length, space, keyword, =, value, newline."""
    found: dict[str, str] = {}
    at = 0
    while at < len(body) and body[at]:
        digits, space, _ = body[at : at + 20].partition(b" ")
        if (
            not space
            or not digits.isdigit()
            or not 5 <= int(digits) <= len(body) - at
            or body[at + int(digits) - 1 : at + int(digits)] != b"\n"
        ):
            raise MalformedArchive("a PAX header of a tar archive is damaged")
        keyword, equals, value = body[at + len(digits) + 1 : at + int(digits) - 1].partition(b"=")
        if not equals:
            raise MalformedArchive("a PAX header of a tar archive has a record without `=`")
        if keyword in (b"path", b"linkpath", b"hdrcharset"):
            found[keyword.decode()] = _text(value) if b"\0" not in value else "\0"
        else:
            found[keyword.decode("utf-8", "backslashreplace")] = value.decode("utf-8", "backslashreplace")
        at += int(digits)
    return found


def _member(data: bytes, block: bytes, body: int, size: int, extended: Mapping[str, str]) -> tuple[TarMember, int]:
    """The member of a header block, and how many bytes of content follow it."""
    if any(key.startswith("GNU.sparse") for key in extended) or block[156:157] == b"S":
        raise Unhandled("the tar archive has a sparse file")
    if "hdrcharset" in extended:
        raise Unhandled("the tar archive declares a character set of its own")
    kind = _KINDS.get(block[156:157])
    if kind is None:
        raise Unhandled(f"the tar archive has a member of type {block[156:157]!r}")
    name = extended.get("path")
    if name is None:
        name = _text(block[:100])
        if _dialect(block) == "ustar" and block[345]:
            name = f"{_text(block[345:500])}/{name}"
    if kind is MemberKind.FILE and name.endswith("/"):
        kind = MemberKind.DIRECTORY  # as old writers and every reader do
    target = extended.get("linkpath", _text(block[157:257])) if kind in (MemberKind.LINK, MemberKind.HARDLINK) else None
    if "size" in extended:
        if not (extended["size"].isascii() and extended["size"].isdigit()):
            raise MalformedArchive(f"{name}: its PAX size is not a number: {extended['size'][:20]!r}", member=name)
        size = int(extended["size"])
    if size and kind is not MemberKind.FILE:
        raise MalformedArchive(f"{name}: a {kind} with {size} bytes of content", member=name)
    header = {
        "mtime": extended.get("mtime", str(_number(block[136:148], "mtime"))),
        "mode": f"{_number(block[100:108], 'mode') & 0o7777:o}",
        "uid": extended.get("uid", str(_number(block[108:116], "uid"))),
        "gid": extended.get("gid", str(_number(block[116:124], "gid"))),
        "uname": extended.get("uname", block[265:297].split(b"\0", 1)[0].decode("utf-8", "backslashreplace")),
        "gname": extended.get("gname", block[297:329].split(b"\0", 1)[0].decode("utf-8", "backslashreplace")),
    }
    known = {"path", "linkpath", "size", *header}
    header |= {f"pax {key}": value for key, value in sorted(extended.items()) if key not in known}
    return TarMember(data, name, kind, target, (body, size), header), size

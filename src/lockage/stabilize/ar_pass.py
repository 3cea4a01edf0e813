"""The pass `ar`: headers of a static library as `ar D` writes them. Order and symbol table stay, since linkers follow them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.stabilize.errors import MalformedArchive, Unhandled
from lockage.stabilize.model import Fault

if TYPE_CHECKING:
    from lockage.stabilize.job import Job

__all__ = ["stabilize_ar"]

_MAGIC = b"!<arch>\n"
_HEADER = 60
#: Fields of a header that say who and when (System V and BSD): name, start, stop.
_FIELDS = (("mtime", 16, 28), ("uid", 28, 34), ("gid", 34, 40))


def stabilize_ar(data: bytes, job: Job) -> bytes:
    """Every member of time and owner 0 and of mode 0644, 0755 if anybody may execute it. Raises :class:`MalformedArchive`."""
    if not data.startswith(_MAGIC):
        raise Unhandled("a thin archive names its members and does not hold them" if data.startswith(b"!<thin>\n") else "not an archive")
    out = bytearray(data)
    names = b""
    at = len(_MAGIC)
    while at < len(data):
        head = data[at : at + _HEADER]
        if len(head) < _HEADER or head[58:] != b"`\n":
            raise MalformedArchive(f"a static library is damaged: no header at byte {at}", offset=at)
        size = _number(head[48:58], 10, at)
        start = at + _HEADER
        if start + size > len(data):
            raise MalformedArchive("a static library is cut short", found=len(data))
        body = data[start : start + size]
        if head.startswith(b"// "):
            names = body  # its other fields are empty
        else:
            name, skip = _name(head, body, names)
            out[at : at + _HEADER] = _head(head, name, job)
            if not name.startswith(("/", "__.SYMDEF")):
                out[start + skip : start + size] = _member(name, body[skip:], job)
        at = start + size + size % 2
    return bytes(out)


def _number(field: bytes, base: int, at: int) -> int:
    try:
        return int(field.strip() or b"0", base)
    except ValueError as error:
        raise MalformedArchive(f"a static library is damaged: {field!r} is no number, in the header at byte {at}", offset=at) from error


def _name(head: bytes, body: bytes, names: bytes) -> tuple[str, int]:
    """A member's name, and how many bytes of its body are that name (BSD)."""
    raw = head[:16].rstrip(b" ")
    if raw.startswith(b"#1/") and raw[3:].isdigit():
        size = int(raw[3:])
        return body[:size].rstrip(b"\0").decode("utf-8", "replace"), size
    if raw.startswith(b"/") and raw[1:].isdigit():
        long = names[int(raw[1:]) :].partition(b"\n")[0]
        return long.removesuffix(b"/").decode("utf-8", "replace"), 0
    return (raw.removesuffix(b"/") or raw).decode("utf-8", "replace"), 0


def _head(head: bytes, name: str, job: Job) -> bytes:
    out = bytearray(head)
    for field, start, stop in _FIELDS:
        before = head[start:stop].strip().decode("ascii", "replace")
        if before:
            out[start:stop] = b"0".ljust(stop - start)
            job.change(name, field, before, "0")
    mode = _number(head[40:48], 8, 0)
    if mode and not name.startswith("/"):
        fixed = 0o100755 if mode & 0o111 else 0o100644
        fixed &= ~0o100000 if mode < 0o100000 else -1
        out[40:48] = b"%-8o" % fixed
        job.change(name, "mode", f"{mode:o}", f"{fixed:o}")
    return bytes(out)


def _member(name: str, body: bytes, job: Job) -> bytes:
    after = job.member(name, body)
    if len(after) == len(body):
        return after
    job.fault(Fault(code="member-size", path=name, message="its size would change, and with it the symbol table; it stays as it is"))
    return body

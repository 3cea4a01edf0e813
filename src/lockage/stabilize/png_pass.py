"""The pass `png`: the times that writers put beside the picture."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lockage.stabilize.compressor import crc32
from lockage.stabilize.errors import MalformedArchive
from lockage.stabilize.model import DATE

if TYPE_CHECKING:
    from lockage.stabilize.job import Job

__all__ = ["stabilize_png"]

_SIGNATURE = 8
#: Keywords of text chunks whose value is a time: PNG 11.3.3.2, and what ImageMagick writes.
_TIMES = (b"Creation Time", b"date:create", b"date:modify", b"date:timestamp")
#: What lies between keyword and text in a chunk that is not compressed: iTXt has two flags, a language and a translated keyword.
_BETWEEN = {b"tEXt": b"\0", b"iTXt": b"\0\0\0\0\0"}
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")


def stabilize_png(data: bytes, job: Job) -> bytes:
    """A picture whose times are the date; chunks of pixels and everything behind IEND stay. Raises :class:`MalformedArchive`."""
    out = [data[:_SIGNATURE]]
    at = _SIGNATURE
    kind = b""
    while kind != b"IEND":
        size, kind = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        stop = at + 12 + size
        if stop > len(data):
            raise MalformedArchive("a PNG file is cut short", found=len(data))
        out.append(_chunk(kind, data[at:stop], job))
        at = stop
    return b"".join((*out, data[at:]))


def _chunk(kind: bytes, whole: bytes, job: Job) -> bytes:
    moment = datetime.fromtimestamp(max(int(job.date), 0), UTC)
    body = whole[8:-4]
    keyword = kind if kind == b"tIME" else body.partition(b"\0")[0] if kind in _TEXTS else b""
    if kind == b"tIME":
        fixed = moment.year.to_bytes(2) + bytes((moment.month, moment.day, moment.hour, moment.minute, moment.second))
    elif keyword in _TIMES:
        kind = b"tEXt" if kind == b"zTXt" else kind
        fixed = keyword + _BETWEEN[kind] + moment.isoformat().encode()
    else:
        return whole
    after = len(fixed).to_bytes(4) + kind + fixed + crc32(kind + fixed).to_bytes(4)
    if after != whole:
        before = body.hex() if kind == b"tIME" else body[len(keyword) :].decode("latin-1").strip("\0")
        job.change("", keyword.decode(), before, DATE)
    return after

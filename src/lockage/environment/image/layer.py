"""A layer's bytes: a tar archive of entries, and its compression. Both are functions of the entries alone."""

from __future__ import annotations

import struct
from functools import partial
from typing import TYPE_CHECKING

from lockage.base.instant import ZIP_FLOOR
from lockage.base.ustar import END, member_header, padding
from lockage.environment.root import Kind
from lockage.stabilize.compressor import crc32, deflate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from lockage.environment.root import Entry

__all__ = ["LAYER_FORMAT", "layer_gzip", "layer_tar"]

#: Changes whenever the bytes of a layer could.
LAYER_FORMAT = 1
#: So many bytes go into one member of a gzip file (RFC 1952 2.2 lets there be several); part of the format.
_PIECE = 8 << 20
_GZIP_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\x02\xff"


def layer_tar(entries: Iterable[Entry], read: Callable[[Entry], bytes]) -> Iterator[bytes]:
    """The archive in pieces: members sorted by path, every time the fixed one, owners as numbers; ``read`` gives a file's bytes.

    Files of one non-empty source are one file: the names after the first are hard links to it.
    """
    first: dict[str, str] = {}
    date = int(ZIP_FLOOR)
    for entry in sorted(entries, key=lambda entry: entry.path.encode()):
        head = partial(member_header, mode=entry.mode, date=date, uid=entry.uid, gid=entry.gid)
        if entry.kind is Kind.DIRECTORY:
            yield head(f"{entry.path}/", b"5")
        elif entry.kind is Kind.LINK:
            yield head(entry.path, b"2", target=entry.target)
        elif entry.source and (name := first.setdefault(entry.source, entry.path)) != entry.path:
            yield head(entry.path, b"1", target=name)
        else:
            yield head(entry.path, b"0", entry.size)
            yield read(entry)
            yield padding(entry.size)
    yield END


def layer_gzip(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes as a gzip file of the pinned compressor, in members of a fixed size, so that little of it is in memory."""
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        while len(waiting) >= _PIECE:
            yield _gzip(bytes(waiting[:_PIECE]))
            del waiting[:_PIECE]
    if waiting:
        yield _gzip(bytes(waiting))


def _gzip(data: bytes) -> bytes:
    return b"".join((_GZIP_HEADER, deflate(data), struct.pack("<II", crc32(data), len(data))))

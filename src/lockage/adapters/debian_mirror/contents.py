"""A suite's Contents indices: fetched when a build misses a file, and kept as the lines that matter.

Invariants: the signed Release vouches for every index by sha256; what is kept may be old, and what is learned from it is advice.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from lockage.base.digest import Digest
from lockage.environment.debian import chosen_lines
from lockage.ports import UntrustedRelease

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lockage.base.digest import BlobRef
    from lockage.base.instant import Instant
    from lockage.environment.debian import Release
    from lockage.ports import Memo

    #: path of an index → its bytes, checked
    Fetch = Callable[[str], bytes]

__all__ = ["KeptContents", "fetch_lines", "index_of", "keep_contents", "kept_contents"]

_MEMO = "debian-contents-1"
#: Stable suites change every two months, and what they bring in between changes no development file.
_FRESH = 7 * 86400
_PIECE = 1 << 16


class KeptContents:
    """What the memo keeps of one index: since when, of which index, and its lines, unpacked when asked for."""

    def __init__(self, since: int, index: Digest, packed: bytes) -> None:
        self._since = since
        self.index = index
        self._packed = packed

    def fresh(self, now: Instant) -> bool:
        return 0 <= now - self._since < _FRESH

    def lines(self) -> bytes:
        return zlib.decompress(self._packed)


def kept_contents(memo: Memo, suite: str, part: str) -> KeptContents | None:
    """What is kept of a suite's index for one architecture, or for ``all``."""
    found = memo.get(_MEMO, f"{suite} {part}")
    if found is None or len(found) < 40:
        return None
    return KeptContents(int.from_bytes(found[:8], "big"), Digest(found[8:40].hex()), found[40:])


def keep_contents(memo: Memo, suite: str, part: str, index: Digest, lines: bytes, now: Instant) -> None:
    """Keep the lines of an index, as of now."""
    memo.put(_MEMO, f"{suite} {part}", int(now).to_bytes(8, "big") + index.raw + zlib.compress(lines, 1))


def index_of(release: Release, part: str) -> tuple[str, BlobRef] | None:
    """The path and digest of a suite's packed index for one architecture, or for ``all``; None if the suite has none."""
    path = f"main/Contents-{part}.gz"
    found = release.files.get(path)
    return None if found is None else (path, found)


def fetch_lines(release: Release, path: str, fetch: Fetch) -> bytes:
    """The lines of an index that a build could miss the file of. Raises UntrustedRelease, and what ``fetch`` raises."""
    plain = release.files.get(path.removesuffix(".gz"))
    limit = plain.size if plain is not None else 1 << 30
    try:
        return b"".join(chosen_lines(piece) for piece in _whole_lines(fetch(path), limit))
    except zlib.error as error:
        raise UntrustedRelease(f"{path} cannot be unpacked: {error}", reason="hash-mismatch") from error


def _whole_lines(packed: bytes, limit: int) -> Iterator[bytes]:
    """The index a piece at a time, so that half a gigabyte is never held; a small file cannot unpack to more than the Release says."""
    unpacker = zlib.decompressobj(31)
    rest, size = b"", 0
    for at in range(0, len(packed), _PIECE):
        piece = unpacker.decompress(packed[at : at + _PIECE], limit + 1 - size)
        size += len(piece)
        if size > limit:
            raise UntrustedRelease(f"a Contents index unpacks to more than the {limit} bytes that it should have", reason="hash-mismatch")
        rest += piece
        end = rest.rfind(b"\n") + 1
        yield rest[:end]
        rest = rest[end:]
    if rest:
        yield rest + b"\n"

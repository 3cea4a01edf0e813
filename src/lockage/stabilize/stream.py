"""Streams of bzip2, xz and zstd: read by whatever can, always with a bound, and written by one pinned package, ``cramjam``.

Invariant: for one pass version the same input gives the same bytes on every machine; as with DEFLATE nobody is trusted for that, and
the first use of each format in a process packs a fixed sample (docs/adr/0007-compressed-tars.md).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from lockage.base.digest import Digest
from lockage.stabilize.compressor import Compressor, sample
from lockage.stabilize.errors import ArchiveTooLarge, CompressorDiffers, MalformedArchive

if TYPE_CHECKING:
    from bz2 import BZ2Decompressor
    from collections.abc import Callable
    from lzma import LZMADecompressor

__all__ = ["STREAMS", "pack", "unpack"]

_PACKAGE = "cramjam"
_VERSION = "2.14.0"
#: By format: what packs it. The levels are what `tar` users know: bzip2 -9, xz -6, zstd -19.
STREAMS = {
    "bzip2": Compressor(
        package=_PACKAGE,
        version=_VERSION,
        library="bzip2 1.0.8",
        level=9,
        sample=Digest("2a729255e2fa5989d0dd0b691966089806baa7e1d082bb0c42f94a17ae294209"),
    ),
    "xz": Compressor(
        package=_PACKAGE,
        version=_VERSION,
        library="liblzma 5.2 (lzma-sys 0.1.20)",
        level=6,
        sample=Digest("5cbf7b3585f516c3e7c8e91c4f08576b0a30c17c88d2cdeebc0b6da8511ef7ec"),
    ),
    "zstd": Compressor(
        package=_PACKAGE,
        version=_VERSION,
        library="libzstd 1.5.7",
        level=19,
        sample=Digest("8cf691a2bb93da0f83d125a3baebb7655ac5fd97be0689811a58398852700ae0"),
    ),
}
#: Memory that a stream may ask of its reader.
_MEMORY = 1 << 30
_ZSTD_FRAME, _ZSTD_SKIPPABLE = b"\x28\xb5\x2f\xfd", b"\x2a\x4d\x18"
_ZSTD_BLOCK = 1 << 17  # RFC 8878 3.1.1.2.4: no block unpacks to more


@cache
def _packer(form: str) -> Callable[[bytes], bytes]:
    used = STREAMS[form]
    try:
        import cramjam  # loaded only when such a stream is written
    except ImportError as error:
        raise CompressorDiffers(f"the package `{_PACKAGE}` is not installed", package=_PACKAGE, expected=_VERSION, found=None) from error

    def packer(data: bytes) -> bytes:
        if form == "xz":
            return bytes(cramjam.xz.compress(data, preset=used.level))
        return bytes((cramjam.bzip2 if form == "bzip2" else cramjam.zstd).compress(data, level=used.level))

    packed = Digest.of(packer(sample()))
    if packed != used.sample:
        raise CompressorDiffers(
            f"`{_PACKAGE}` {cramjam.__version__} packs the fixed sample to other {form} bytes than `{_PACKAGE}` {_VERSION}",
            package=_PACKAGE,
            expected=used.sample,
            found=packed,
        )
    return packer


def pack(form: str, data: bytes) -> bytes:
    """One stream of this format (a key of :data:`STREAMS`). Raises :class:`CompressorDiffers`."""
    return _packer(form)(data)


def unpack(form: str, data: bytes, limit: int, *, single: bool = False) -> bytes:
    """All that the streams of this format hold; ``single``: there may be no second one, nor padding.

    Raises :class:`MalformedArchive` and :class:`ArchiveTooLarge`.
    """
    if form == "zstd":
        return _zstd(data, limit)
    parts: list[bytes] = []
    total = 0
    rest = data
    while True:
        unpacker, fault = _unpacker(form)
        try:
            part = unpacker.decompress(rest, limit - total + 1)
        except fault as error:
            raise MalformedArchive(f"not a {form} stream: {error}") from error
        total += len(part)
        if total > limit:
            raise ArchiveTooLarge(f"a {form} stream unpacks to more than {limit} bytes", limit=limit)
        if not unpacker.eof:
            raise MalformedArchive(f"a {form} stream is cut short")
        parts.append(part)
        rest = unpacker.unused_data
        if single and rest:
            raise MalformedArchive(f"{len(rest)} bytes follow a {form} stream", found=len(rest))
        if not rest.strip(b"\0"):  # padding
            return parts[0] if len(parts) == 1 else b"".join(parts)


def _unpacker(form: str) -> tuple[BZ2Decompressor | LZMADecompressor, type[Exception]]:
    """A decompressor, and what it raises for bytes that it cannot read."""
    if form == "bzip2":
        import bz2

        return bz2.BZ2Decompressor(), OSError
    import lzma

    return lzma.LZMADecompressor(memlimit=_MEMORY), lzma.LZMAError


def _zstd(data: bytes, limit: int) -> bytes:
    if _zstd_bound(data) > limit:
        raise ArchiveTooLarge(f"a zstd stream may unpack to more than {limit} bytes", limit=limit)
    try:
        import cramjam
    except ImportError as error:
        raise CompressorDiffers(f"the package `{_PACKAGE}` is not installed", package=_PACKAGE, expected=_VERSION, found=None) from error
    try:
        return bytes(cramjam.zstd.decompress(data))
    except cramjam.DecompressionError as error:
        raise MalformedArchive(f"not a zstd stream: {error}") from error


def _zstd_bound(data: bytes) -> int:
    """More bytes than the frames can unpack to, from the heads of their blocks (RFC 8878 3.1.1); raises :class:`MalformedArchive`."""
    at = bound = 0
    while at < len(data):
        if data[at + 1 : at + 4] == _ZSTD_SKIPPABLE and data[at] >> 4 == 5:
            at += 8 + int.from_bytes(data[at + 4 : at + 8], "little")
            continue
        if data[at : at + 4] != _ZSTD_FRAME or at + 6 > len(data):
            raise MalformedArchive("not a zstd stream, or bytes that belong to no frame follow its end")
        flags = data[at + 4]
        single = flags >> 5 & 1
        size_bytes = (single, 2, 4, 8)[flags >> 6]
        at += 5 + (not single) + (0, 1, 2, 4)[flags & 3] + size_bytes
        last = False
        while not last:
            head = int.from_bytes(data[at : at + 3], "little")
            last, kind, size = bool(head & 1), head >> 1 & 3, head >> 3
            bound += size if kind < 2 else _ZSTD_BLOCK
            at += 3 + (1 if kind == 1 else size)
            if at > len(data) or kind == 3:
                raise MalformedArchive("a zstd stream is cut short or damaged")
        at += 4 * (flags >> 2 & 1)
    if at != len(data) or not data:
        raise MalformedArchive("a zstd stream is cut short")
    return bound

"""The one compressor whose bytes artifacts are made of: libdeflate, through the pinned package ``deflate``.

Invariant: for one pass version the same input gives the same bytes on every CPU and operating system. Nobody is trusted
for that: the first use in a process compresses a fixed sample and compares its digest (docs/adr/0002-compressor.md).
Unpacking may use any correct implementation; the interpreter's zlib does it, always with a bound.
"""

from __future__ import annotations

import zlib
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from lockage.base.digest import Digest
from lockage.stabilize.errors import ArchiveTooLarge, CompressorDiffers, MalformedArchive

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["COMPRESSOR", "UNPACKED_LIMIT", "Compressor", "crc32", "deflate", "gunzip", "inflate", "sample"]

#: Bytes that one archive may unpack to. An artifact is handled in memory; below 4 GiB no member needs ZIP64 fields.
UNPACKED_LIMIT = 2 << 30


class Compressor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What packed the bytes: the package, its version, the library within, the level, and the digest of the fixed sample it packs."""

    package: str
    version: str
    library: str
    level: int
    sample: Digest


COMPRESSOR = Compressor(
    package="deflate",
    version="0.9.0",
    library="libdeflate 1.25",
    level=9,
    sample=Digest("b59d2efa93186c92b7cbf26342ae83e48095bf940407fe5d49faafe61ae6eca4"),
)


def sample() -> bytes:
    """What every compressor is tried on: literals, near and far matches, runs and a block that cannot be packed."""
    text = "".join(Digest.of(str(number).encode()) for number in range(600))
    noise = b"".join(Digest.of(b"noise %d" % number).raw for number in range(300))
    return (text + text[::-1] + text[700:30000]).encode() + noise + bytes(5000) + noise[::-1]


@cache
def _packer() -> Callable[[bytes | memoryview, int], bytearray]:
    try:
        import deflate as package  # loaded only when something is packed
    except ImportError as error:
        raise CompressorDiffers("the package `deflate` is not installed", expected=COMPRESSOR.version, found=None) from error
    packed = Digest.of(memoryview(package.deflate_compress(sample(), COMPRESSOR.level)))
    if packed != COMPRESSOR.sample:
        raise CompressorDiffers(
            f"`deflate` {package.__version__} packs the fixed sample to other bytes than `deflate` {COMPRESSOR.version}",
            expected=COMPRESSOR.sample,
            found=packed,
        )
    packer: Callable[[bytes | memoryview, int], bytearray] = package.deflate_compress
    return packer


def deflate(data: bytes | memoryview) -> bytearray:
    """The pinned compressor's raw DEFLATE stream of ``data`` (RFC 1951). Raises :class:`CompressorDiffers`."""
    return _packer()(data, COMPRESSOR.level)


def crc32(data: bytes | memoryview) -> int:
    """The CRC-32 of zip and gzip."""
    return zlib.crc32(data)


def inflate(packed: bytes | memoryview, size: int, what: str) -> bytes:
    """Unpack one raw DEFLATE stream that must give exactly ``size`` bytes and use all of ``packed``; raises :class:`MalformedArchive`."""
    unpacker = zlib.decompressobj(-15)
    try:
        data = unpacker.decompress(packed, size + 1)  # one more than declared: a longer stream must show itself
    except zlib.error as error:
        raise MalformedArchive(f"{what}: not a DEFLATE stream: {error}", member=what) from error
    if len(data) != size or not unpacker.eof:
        raise MalformedArchive(f"{what}: unpacks to another size than declared ({size})", member=what, expected=size, found=len(data))
    if unpacker.unused_data:
        raise MalformedArchive(f"{what}: {len(unpacker.unused_data)} bytes follow its DEFLATE stream", member=what)
    return data


def gunzip(data: bytes, limit: int = UNPACKED_LIMIT) -> bytes:
    """Unpack every part of a gzip file (RFC 1952); zero padding at the end is allowed.

    Raises :class:`MalformedArchive` and :class:`ArchiveTooLarge`.
    """
    parts: list[bytes] = []
    total = 0
    rest: bytes = data
    while True:
        unpacker = zlib.decompressobj(31)
        try:
            part = unpacker.decompress(rest, limit - total + 1)
        except zlib.error as error:
            raise MalformedArchive(f"not a gzip file: {error}") from error
        total += len(part)
        if total > limit:
            raise ArchiveTooLarge(f"a gzip file unpacks to more than {limit} bytes", limit=limit)
        if not unpacker.eof:
            raise MalformedArchive("a gzip file is cut short")
        parts.append(part)
        rest = unpacker.unused_data
        if not rest.strip(b"\0"):
            return parts[0] if len(parts) == 1 else b"".join(parts)
        if not rest.startswith(b"\x1f\x8b"):
            raise MalformedArchive(f"{len(rest)} bytes follow the end of a gzip file", found=len(rest))

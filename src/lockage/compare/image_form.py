"""How two PNG images differ: by chunk (ISO/IEC 15948); and whether the pixels do, or only their compression."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

from lockage.compare.finding import Finding, cut, fields_differing

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PNG", "compare_png"]

PNG = b"\x89PNG\r\n\x1a\n"
_UNPACKED = 1 << 28


def compare_png(a: bytes, b: bytes) -> Finding:
    """Header, texts, times and every other chunk. Raises ValueError or struct.error for what is no PNG image."""
    details = [*fields_differing("chunk", _chunks(a), _chunks(b))]
    return Finding(form="PNG image", details=tuple(details))


def _chunks(data: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    pixels = bytearray()
    for kind, body in _walk(data):
        if kind == "IDAT":
            pixels += body
            continue
        name, number = kind, 2
        while name in found:
            name, number = f"{kind} ({number})", number + 1
        found[name] = _said(kind, body)
    unpacker = zlib.decompressobj()
    try:
        whole = unpacker.decompress(bytes(pixels), _UNPACKED)
        found["pixels"] = f"{len(whole)} bytes, CRC-32 {zlib.crc32(whole):08x}"
    except zlib.error:
        found["pixels"] = f"not readable, CRC-32 {zlib.crc32(pixels):08x}"
    found["IDAT"] = f"{len(pixels)} compressed bytes, CRC-32 {zlib.crc32(pixels):08x}"
    return found


def _walk(data: bytes) -> Iterator[tuple[str, bytes]]:
    at = len(PNG)
    while at + 12 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        yield data[at + 4 : at + 8].decode("latin-1"), data[at + 8 : at + 8 + size]
        at += 12 + size
    if at != len(data):
        raise ValueError("the image is cut short, or bytes follow it")


def _said(kind: str, body: bytes) -> str:
    if kind == "IHDR" and len(body) == 13:
        width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", body)
        return f"{width}x{height}, {depth} bits, colour type {colour}" + ", interlaced" * bool(interlaced)
    if kind == "tIME" and len(body) == 7:
        year, month, day, hour, minute, second = struct.unpack(">HBBBBB", body)
        return f"{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
    if kind == "tEXt":
        return cut(body.replace(b"\0", b": ", 1).decode("latin-1"))
    return f"{len(body)} bytes, {body[:16].hex(' ')}, CRC-32 {zlib.crc32(body):08x}"

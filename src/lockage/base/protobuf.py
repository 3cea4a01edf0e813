"""The canonical protobuf wire encoding that REAPI v2 digests are made of: fields in tag order, defaults left out.

Writing needs no protobuf runtime, so that computing an action's digest imports nothing. Reading covers what was written
here and by other REAPI implementations: unknown fields are an error, because a digest that we re-encode must not lose any.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["bytes_field", "field_at", "fields", "string_field", "varint", "varint_field"]


#: The encodings of one byte: of most tags and lengths.
_SHORT = tuple(bytes([value]) for value in range(0x80))


def varint(value: int) -> bytes:
    """Base-128 encoding of a non-negative integer (protobuf encoding guide, "Base 128 Varints")."""
    if value < len(_SHORT):
        return _SHORT[value]
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def varint_field(number: int, value: int) -> bytes:
    """An integer, enum or boolean field; nothing for the default 0."""
    return varint(number << 3) + varint(value) if value else b""


def bytes_field(number: int, data: bytes) -> bytes:
    """A bytes or message field, written even if empty: repeated elements and set sub-messages have presence."""
    size = len(data)
    length = _SHORT[size] if size < len(_SHORT) else varint(size)
    return (_SHORT[number << 3 | 2] if number < 16 else varint(number << 3 | 2)) + length + data


def string_field(number: int, text: str) -> bytes:
    """A singular string field; nothing for the default empty text."""
    return bytes_field(number, text.encode()) if text else b""


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError("truncated or overlong varint")
        byte = data[at]
        at += 1
        if byte < 0x80 and not shift:
            return byte, at
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def field_at(data: bytes, at: int) -> tuple[int, int | bytes, int]:
    """The field that begins here: its number, its integer or bytes, and where it ends; raises ValueError if malformed."""
    tag, at = _read_varint(data, at)
    number, kind = tag >> 3, tag & 7
    if kind == 0:
        value, at = _read_varint(data, at)
        return number, value, at
    if kind == 2:
        size, at = _read_varint(data, at)
        if at + size > len(data):
            raise ValueError("truncated field")
        return number, data[at : at + size], at + size
    raise ValueError(f"wire type {kind} does not occur in REAPI trees")


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a message in order, as (number, integer or bytes); raises ValueError if malformed."""
    at = 0
    while at < len(data):
        number, value, at = field_at(data, at)
        yield number, value

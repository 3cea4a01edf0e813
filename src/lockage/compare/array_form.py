"""How two NumPy arrays in files differ: their headers by field, then their elements (NEP 1, the .npy format)."""

from __future__ import annotations

import ast

from lockage.compare.content import ranges_of
from lockage.compare.difference import Detail
from lockage.compare.finding import Finding, cut, fields_differing

__all__ = ["NPY", "compare_npy"]

NPY = b"\x93NUMPY"
_HEADER = 1 << 16


def compare_npy(a: bytes, b: bytes) -> Finding:
    """Type, shape and order, then the ranges of the elements' bytes. Raises ValueError for what is no such file."""
    (header_a, start_a), (header_b, start_b) = _header(a), _header(b)
    details = list(fields_differing("header", header_a, header_b))
    one, two = a[start_a:], b[start_b:]
    if one == two:
        return Finding(form="NumPy array", details=tuple(details))
    ranges = ranges_of(one, two, base=start_a)
    size = _item_size(header_a.get("descr", ""))
    if header_a == header_b and size:
        first = (ranges.spans[0].offset - start_a) // size
        details.append(
            Detail(kind="element", name=f"number {first} of {len(one) // size}", a=_hex(one, first, size), b=_hex(two, first, size))
        )
    return Finding(form="NumPy array", details=tuple(details), ranges=ranges)


def _hex(data: bytes, number: int, size: int) -> str:
    return data[number * size : (number + 1) * size].hex(" ")


def _header(data: bytes) -> tuple[dict[str, str], int]:
    """The fields as text, the version among them, and where the elements begin."""
    if len(data) < 12:
        raise ValueError("cut short")
    wide = data[6] > 1
    size = int.from_bytes(data[8:12] if wide else data[8:10], "little")
    start = (12 if wide else 10) + size
    if size > _HEADER or start > len(data):
        raise ValueError("cut short, or a header too long")
    fields = ast.literal_eval(data[start - size : start].decode("latin-1").strip())
    if not isinstance(fields, dict):
        raise TypeError("not a header")
    return {"version": f"{data[6]}.{data[7]}"} | {str(key): cut(str(value)) for key, value in fields.items()}, start


def _item_size(kind: str) -> int:
    digits = kind[2:]
    return int(digits) * (4 if kind[1:2] == "U" else 1) if digits.isdecimal() and int(digits) <= 64 else 0

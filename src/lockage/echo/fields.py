"""Bytes in a row, each behind its length; and their sha256."""

from __future__ import annotations

import hashlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["packed", "sha256", "sha256_of_file", "unpacked"]

_LENGTH = 8
_CHUNK = 1 << 20


def sha256(data: bytes) -> bytes:
    """The 32 raw bytes, as :func:`lockage.base.digest.sha256` gives them; that module brings msgspec."""
    return hashlib.sha256(data).digest()


def sha256_of_file(path: str) -> bytes:
    """The 32 raw bytes of a file's sha256. Raises OSError."""
    state = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 (pathlib is not imported here)
        while chunk := file.read(_CHUNK):
            state.update(chunk)
    return state.digest()


def packed(fields: Iterable[bytes]) -> bytes:
    """All of them in one: no two rows become the same bytes."""
    return b"".join([len(field).to_bytes(_LENGTH, "big") + field for field in fields])


def unpacked(data: bytes) -> list[bytes]:
    """The row that :func:`packed` was given; raises ValueError for anything else."""
    fields, at = [], 0
    while at < len(data):
        begin = at + _LENGTH
        at = begin + int.from_bytes(data[at:begin], "big")
        if at > len(data) or begin > len(data):
            raise ValueError("a field is cut off")
        fields.append(data[begin:at])
    return fields

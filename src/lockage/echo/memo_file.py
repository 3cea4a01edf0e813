"""A memo's file: the digest of the rest, the key's length, the key and the value; ``KIND/ab/cdef…`` by the digest of the key."""

from __future__ import annotations

from lockage.echo.fields import packed, sha256

__all__ = ["body_of", "place_of", "value_in"]

_DIGEST = 32


def place_of(kind: str, key: str) -> str:
    """Where it lies below the folder of memos."""
    name = sha256(key.encode()).hex()
    return f"{kind}/{name[:2]}/{name[2:]}"


def body_of(key: str, value: bytes) -> bytes:
    """What the file holds."""
    body = packed([key.encode()]) + value
    return sha256(body) + body


def value_in(data: bytes, key: str) -> bytes | None:
    """The value in such a file; None if it is damaged, or another key's."""
    head = packed([key.encode()])
    if data[:_DIGEST] != sha256(data[_DIGEST:]) or not data.startswith(head, _DIGEST):
        return None
    return data[_DIGEST + len(head) :]

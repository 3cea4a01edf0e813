"""Content identities: sha256 digests and references to blobs.

The only place where ``hashlib`` is used, but for the helpers that hash many files (:mod:`lockage.hashing`). A :class:`Digest` is 64
lowercase hex digits; as REAPI v2 does, a reference to a blob carries its size as well, and the size is part of its identity.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Self

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable
    from io import BufferedReader, BytesIO

__all__ = ["EMPTY_BLOB", "BlobRef", "Digest", "Hasher", "sha256"]

_CHUNK = 1 << 20
_HEX = frozenset("0123456789abcdef")


def sha256(data: bytes) -> bytes:
    """The 32 raw bytes of a sha256, for Merkle trees and key ids; identities of blobs are a :class:`Digest`."""
    return hashlib.sha256(data).digest()


class Digest(str):
    """A sha256 digest, written as 64 lowercase hex digits. Raises ValueError for anything else."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        if len(text) != 64 or not _HEX.issuperset(text):
            raise ValueError(f"not a sha256 digest (64 lowercase hex digits): {text[:80]!r}")
        return super().__new__(cls, text)

    @classmethod
    def of(cls, data: bytes | memoryview) -> Self:
        """Digest of these bytes."""
        return str.__new__(cls, hashlib.sha256(data).hexdigest())

    @classmethod
    def of_file(cls, stream: BufferedReader | BytesIO) -> Self:
        """Digest of everything left in an open binary file."""
        return str.__new__(cls, hashlib.file_digest(stream, "sha256").hexdigest())

    @property
    def raw(self) -> bytes:
        """The 32 bytes."""
        return bytes.fromhex(self)

    @classmethod
    def from_raw(cls, raw: bytes) -> Self:
        """The digest that these 32 bytes are."""
        return cls(raw.hex())


class BlobRef(msgspec.Struct, frozen=True, order=True, forbid_unknown_fields=True, rename={"digest": "sha256"}):
    """A blob's identity, the REAPI ``Digest``: sha256 and size in bytes. Its text is ``HASH/SIZE``."""

    digest: Digest
    size: int

    def __str__(self) -> str:
        return f"{self.digest}/{self.size}"

    @classmethod
    def of(cls, data: bytes | memoryview) -> BlobRef:
        """Reference to these bytes."""
        return cls(Digest.of(data), len(data))

    @classmethod
    def parse(cls, text: str) -> BlobRef:
        """Read ``HASH/SIZE``; raises ValueError."""
        digest, slash, size = text.partition("/")
        if not slash or not size.isascii() or not size.isdigit() or str(int(size)) != size:
            raise ValueError(f"not HASH/SIZE: {text[:100]!r}")
        return cls(Digest(digest), int(size))


class Hasher:
    """An incremental sha256 that also counts bytes."""

    __slots__ = ("_state", "size")

    def __init__(self, parts: Iterable[bytes] = ()) -> None:
        self._state = hashlib.sha256()
        self.size = 0
        for part in parts:
            self.update(part)

    def update(self, data: bytes | memoryview) -> None:
        self._state.update(data)
        self.size += len(data)

    def digest(self) -> Digest:
        return Digest(self._state.hexdigest())

    def ref(self) -> BlobRef:
        return BlobRef(self.digest(), self.size)


EMPTY_BLOB = BlobRef.of(b"")

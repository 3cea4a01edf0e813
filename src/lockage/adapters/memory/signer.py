"""Keys that follow from a seed and their name, for tests and golden vectors; they protect nothing."""

from __future__ import annotations

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lockage.base.digest import Digest
from lockage.ports import KeyUnusable

__all__ = ["MemoryKeys", "MemorySigner"]


class MemorySigner:
    """A key that anyone can derive."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(Digest.of(seed).raw)

    @property
    def public(self) -> bytes:
        return self._key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data)


class MemoryKeys:
    """Keys derived from one seed."""

    def __init__(self, seed: bytes = b"lockage test keys, not secret") -> None:
        self._seed = seed
        self._made: dict[str, MemorySigner] = {}

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._made))

    def load(self, name: str) -> MemorySigner:
        if name not in self._made:
            raise KeyUnusable(f"there is no key {name!r}", name=name)
        return self._made[name]

    def load_or_create(self, name: str) -> MemorySigner:
        if not name or not all(c.isascii() and (c.isalnum() or c in "-_") for c in name):
            raise KeyUnusable(f"{name[:80]!r} cannot be the name of a key: letters, digits, '-' and '_'", name=name[:80])
        return self._made.setdefault(name, MemorySigner(self._seed + b"/" + name.encode()))

"""Pinned trust roots in a dictionary."""

from __future__ import annotations

__all__ = ["MemoryPins"]


class MemoryPins:
    """Implements :class:`lockage.ports.Pins`. ``pinned`` may be changed by a test."""

    def __init__(self) -> None:
        self.pinned: dict[str, bytes] = {}

    def trust_root(self, origin: str) -> bytes | None:
        return self.pinned.get(origin)

    def pin(self, origin: str, trust_root: bytes) -> None:
        self.pinned[origin] = bytes(trust_root)

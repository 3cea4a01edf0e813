"""Image layouts that are dictionaries."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from lockage.base.digest import BlobRef, Digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["MemoryImageLayouts", "MemoryLayout"]


class MemoryLayout:
    """Implements :class:`lockage.ports.images.ImageLayout`; ``puts`` counts what was written."""

    def __init__(self) -> None:
        self.blobs: dict[Digest, bytes] = {}
        self.index: bytes | None = None
        self.puts = 0

    def has(self, ref: BlobRef) -> bool:
        return ref.digest in self.blobs

    def put(self, pieces: Iterable[bytes]) -> BlobRef:
        data = b"".join(pieces)
        ref = BlobRef.of(data)
        self.blobs[ref.digest] = data
        self.puts += 1
        return ref

    def publish(self, index: bytes) -> None:
        self.index = index


class MemoryImageLayouts:
    """Implements :class:`lockage.ports.images.ImageLayouts`: ``layouts`` by the name they were opened under."""

    def __init__(self) -> None:
        self.layouts: dict[Path, MemoryLayout] = {}

    @contextmanager
    def open(self, target: Path) -> Iterator[MemoryLayout]:
        yield self.layouts.setdefault(target, MemoryLayout())

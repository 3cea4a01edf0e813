"""Images in memory: places with the blobs that they have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.digest import BlobRef, Digest
from lockage.ports import ImageChanged, ImageVanished

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockage.ports import Blobs

__all__ = ["MemoryBaseImages"]


class MemoryBaseImages:
    """Implements :class:`lockage.ports.images.BaseImages`; ``places`` have what a test puts there. ``asked`` are the digests asked for.

    ``tags`` name images by place and tag.
    """

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self.places: dict[str, dict[Digest, bytes]] = {}
        self.asked: list[Digest] = []
        self.tags: dict[tuple[str, str], Digest] = {}

    def document(self, place: str, digest: Digest, *, limit: int) -> bytes:
        return self._had(place, digest, limit)

    def tagged(self, place: str, tag: str, *, limit: int) -> bytes:
        digest = self.tags.get((place, tag))
        if digest is None:
            raise ImageVanished(f"{place} has no tag {tag}", place=place, tag=tag)
        return self._had(place, digest, limit)

    def fetch(self, place: str, parts: Sequence[BlobRef]) -> None:
        for ref in parts:
            if not self._blobs.has(ref):
                self._blobs.put(self._had(place, ref.digest, ref.size))

    def _had(self, place: str, digest: Digest, limit: int) -> bytes:
        self.asked.append(digest)
        data = self.places.get(place, {}).get(digest)
        if data is None:
            raise ImageVanished(f"{place} has no sha256:{digest}", place=place, expected=f"sha256:{digest}")
        if len(data) > limit or Digest.of(data) != digest:
            raise ImageChanged(f"{place} has other bytes as sha256:{digest}", place=place, expected=f"sha256:{digest}")
        return data

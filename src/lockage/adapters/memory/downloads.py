"""Addresses that a test fills."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.digest import BlobRef
from lockage.ports import InputChanged, InputVanished, ServiceUnreachable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockage.ports import Blobs
    from lockage.recipe.model import FetchInput

__all__ = ["MemoryDownloads"]


class MemoryDownloads:
    """Implements :class:`lockage.ports.Downloads`. ``files`` are bytes by address, ``down`` addresses that do not answer.

    ``asked`` are the addresses that were asked for, in order.
    """

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self.files: dict[str, bytes] = {}
        self.down: set[str] = set()
        self.asked: list[str] = []

    def fetch(self, inputs: Sequence[FetchInput]) -> list[BlobRef]:
        return [self._blobs.locate(wanted.sha256) or self._blobs.put(self._download(wanted)) for wanted in inputs]

    def _download(self, wanted: FetchInput) -> bytes:
        changed: str | None = None
        unreachable = None
        for url in wanted.urls:
            self.asked.append(url)
            if url in self.down:
                unreachable = unreachable or url
                continue
            data = self.files.get(url)
            if data is None:
                continue
            found = BlobRef.of(data)
            if found.digest == wanted.sha256 and found.size <= wanted.limit:
                return data
            changed = changed or (str(found.digest) if found.size <= wanted.limit else f"more than {wanted.limit} bytes")
        if changed is not None:
            raise InputChanged(
                f"{wanted.name} should be {wanted.sha256}, is {changed}", input=wanted.name, expected=wanted.sha256, found=changed
            )
        if unreachable is not None:
            raise ServiceUnreachable(f"{unreachable} does not answer", url=unreachable)
        raise InputVanished(f"{wanted.name} is at none of its addresses", input=wanted.name, urls=wanted.urls, expected=wanted.sha256)

"""Whom an image is had from: its place says whether that is a registry or a layout on this machine. Each is made when it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.environment.base import LAYOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lockage.base.digest import BlobRef, Digest
    from lockage.ports.images import BaseImages

__all__ = ["ImageRouter"]


class ImageRouter:
    """Implements :class:`lockage.ports.images.BaseImages` by two others."""

    def __init__(self, *, registries: Callable[[], BaseImages], layouts: Callable[[], BaseImages]) -> None:
        self._registries = registries
        self._layouts = layouts

    def _of(self, place: str) -> BaseImages:
        return (self._layouts if place.startswith(LAYOUT) else self._registries)()

    def document(self, place: str, digest: Digest, *, limit: int) -> bytes:
        return self._of(place).document(place, digest, limit=limit)

    def tagged(self, place: str, tag: str, *, limit: int) -> bytes:
        return self._of(place).tagged(place, tag, limit=limit)

    def fetch(self, place: str, parts: Sequence[BlobRef]) -> None:
        self._of(place).fetch(place, parts)

"""Where images go, OCI image layouts of the user's, folders or archives; and where those come from that environments begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from lockage.base.digest import BlobRef, Digest

__all__ = ["BaseImages", "ImageLayout", "ImageLayouts"]


class ImageLayout(Protocol):
    """One layout, being written; nothing that was there before is changed until :meth:`publish`."""

    @property
    def index(self) -> bytes | None:
        """The present ``index.json``; None in a new layout."""
        ...

    def has(self, ref: BlobRef) -> bool:
        """Whether a blob of this digest and size is there."""
        ...

    def put(self, pieces: Iterable[bytes]) -> BlobRef:
        """Keep a blob that comes in pieces. Raises :class:`FolderUnwritable` and what the pieces raise."""
        ...

    def publish(self, index: bytes) -> None:
        """Put the index in place, after all that it names. Raises :class:`FolderUnwritable`."""
        ...


class ImageLayouts(Protocol):
    """Opens layouts: a name that ends in ``.tar`` is an archive of a layout, made whole or not at all; any other is a folder."""

    def open(self, target: Path) -> AbstractContextManager[ImageLayout]:
        """Raises :class:`FolderUnwritable`, and InvalidLayout for a folder that holds something else."""
        ...


class BaseImages(Protocol):
    """Images that environments begin with, by the place that a recipe names: ``REGISTRY/NAME``, or ``oci:PATH`` for an image layout.

    Whoever has them is not trusted: what comes is verified by its sha256 before anything is kept. Raises :class:`ImageVanished`,
    :class:`ImageChanged`, ServiceUnreachable, StoreUnwritable.
    """

    def document(self, place: str, digest: Digest, *, limit: int) -> bytes:
        """A manifest or an index of at most so many bytes."""
        ...

    def tagged(self, place: str, tag: str, *, limit: int) -> bytes:
        """The manifest or index that a tag names now; an empty one names the only image of a layout, and ``latest`` of a registry."""
        ...

    def fetch(self, place: str, parts: Sequence[BlobRef]) -> None:
        """Make sure that every one of these parts of an image is in the blobs, whole; downloads in parallel what is not."""
        ...

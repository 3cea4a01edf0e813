"""Images from OCI image layouts on this machine (image-spec 1.1.1, image-layout.md): folders, or tar archives of one.

Invariant: nothing is kept before its sha256 was checked; of an archive nothing is unpacked.
"""

from __future__ import annotations

import tarfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

from lockage.base.digest import BlobRef, Digest
from lockage.environment.base import LAYOUT
from lockage.environment.image.reading import tagged_image
from lockage.ports import ImageChanged, ImageVanished, ServiceUnreachable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from lockage.ports import Blobs

__all__ = ["FolderImages"]


class FolderImages:
    """Implements :class:`lockage.ports.images.BaseImages` for places ``oci:PATH``; ``here`` is what relative paths are relative to."""

    def __init__(self, blobs: Blobs, here: Path) -> None:
        self._blobs = blobs
        self._here = here

    def document(self, place: str, digest: Digest, *, limit: int) -> bytes:
        with self._part(place, digest) as stream:
            data = stream.read(limit + 1)
        if len(data) > limit or Digest.of(data) != digest:
            raise _changed(place, digest)
        return data

    def tagged(self, place: str, tag: str, *, limit: int) -> bytes:
        with self._file(place, "index.json", "index.json") as stream:
            data = stream.read(limit + 1)
        found = tagged_image(data, tag)
        if found is None:
            which = f"has no image with the tag {tag!r}" if tag else "has not exactly one image, so a tag must name it"
            raise ImageVanished(f"{place} {which}", hint="Name a tag as in oci:PATH:TAG; index.json of the layout has them.", place=place)
        return self.document(place, found, limit=limit)

    def fetch(self, place: str, parts: Sequence[BlobRef]) -> None:
        for ref in parts:
            if not self._blobs.has(ref):
                with self._part(place, ref.digest) as stream:
                    if BlobRef(Digest.of_file(stream), stream.tell()) != ref:  # type: ignore[arg-type]  # a file, or a part of one
                        raise _changed(place, ref.digest)
                    stream.seek(0)
                    self._blobs.put_stream(stream)

    def _part(self, place: str, digest: Digest) -> AbstractContextManager[BinaryIO]:
        return self._file(place, f"blobs/sha256/{digest}", f"sha256:{digest}")

    @contextmanager
    def _file(self, place: str, name: str, title: str) -> Iterator[BinaryIO]:
        """A file of the layout, open. Raises ImageVanished, ServiceUnreachable."""
        path = self._here / place.removeprefix(LAYOUT)
        try:
            if path.is_dir():
                with (path / name).open("rb") as file:
                    yield file
                return
            with tarfile.open(path, "r:") as archive:
                found = archive.extractfile(_member(archive, name))
                if found is None:
                    raise KeyError(name)
                with found:
                    yield cast("BinaryIO", found)
        except (FileNotFoundError, NotADirectoryError, KeyError) as error:
            what = "that layout has no such file" if path.exists() else "there is no such layout"
            raise ImageVanished(f"a part of the image at {place} is not kept, and {what}: {title}", place=place, expected=title) from error
        except tarfile.TarError as error:
            raise ImageVanished(f"{place} is neither an image layout nor a tar archive of one: {error}", place=place) from error
        except OSError as error:
            raise ServiceUnreachable(
                f"{path} cannot be read: {error.strerror or error}", hint="Grant read permission, or check the disk.", place=place
            ) from error


def _member(archive: tarfile.TarFile, name: str) -> tarfile.TarInfo:
    try:
        return archive.getmember(name)
    except KeyError:
        return archive.getmember(f"./{name}")


def _changed(place: str, digest: Digest) -> ImageChanged:
    return ImageChanged(
        f"the image at {place}: a blob does not have the bytes that it is named by: sha256:{digest}",
        hint="The layout is damaged; make it anew.",
        place=place,
        expected=f"sha256:{digest}",
    )

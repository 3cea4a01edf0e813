"""Blobs read: from a pack or from their own files, whichever has them whole.

Invariants: no bytes are returned that have not been hashed; a file or pack in which a blob is damaged is set aside when a read finds it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO

from lockage.adapters.blobs_local.packed import PACKED
from lockage.adapters.blobs_local.standing import AT_ONCE, open_file
from lockage.base.digest import Digest
from lockage.portable import READ
from lockage.ports import BlobCorrupt, BlobMissing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lockage.adapters.blobs_local.lease import Lease
    from lockage.adapters.blobs_local.packed import PackedBlobs
    from lockage.adapters.blobs_local.standing import Files
    from lockage.base.digest import BlobRef

__all__ = ["Reader"]

#: Up to this size `open` serves the very bytes that it hashed; a larger file is hashed and then read again.
_IN_MEMORY = 8 << 20


class Reader:
    """Reads the blobs in ``folder``; ``lost`` is called when one is found damaged or missing."""

    def __init__(self, folder: Path, lease: Lease, files: Files, packed: PackedBlobs, *, lost: Callable[[], None]) -> None:
        self._folder = folder
        self._lease = lease
        self._files = files
        self._packed = packed
        self._lost = lost

    def get(self, ref: BlobRef) -> bytes:
        if ref.size <= AT_ONCE:
            self._lease.take()
            with suppress(OSError):
                if ref.size <= PACKED and (place := self._packed.known(ref.digest)) is not None:
                    data = place[0].read(place[1], place[2]) or b""
                    if len(data) == ref.size and Digest.of(data) == ref.digest:
                        return data
                data = _read(self._files.place(ref.digest), ref.size)
                if len(data) == ref.size and Digest.of(data) == ref.digest:
                    return data
        with self.open(ref) as stream:  # which also says what is wrong
            return stream.read()

    def open(self, ref: BlobRef) -> BinaryIO:
        """From the pack that this process knows, else from its own file, else from any pack."""
        self._lease.take()
        stray: BlobCorrupt | None = None
        try:
            if ref.size <= PACKED and self._packed.known(ref.digest) is not None:
                data, stray = self._from_pack(ref)
                if data is not None:
                    return BytesIO(data)
            try:
                stream = self._file(ref)
            except BlobCorrupt as error:
                stream, stray = None, error
            if stream is None and ref.size <= PACKED:
                data, other = self._from_pack(ref)
                stray = stray or other
                if data is not None:
                    return BytesIO(data)
        except OSError as error:
            raise self._files.unreadable(ref.digest, error) from error
        if stream is not None:
            return stream
        if stray is not None:
            raise stray
        self._lost()
        raise BlobMissing(f"blob {ref} is not in the store {self._folder}", blob=str(ref), store=str(self._folder))

    def _file(self, ref: BlobRef) -> BinaryIO | None:
        """The blob's own file, verified; None if it has none. Raises OSError."""
        stream = self._files.found(ref.digest, open_file)
        if stream is None:
            return None
        try:
            if os.fstat(stream.fileno()).st_size <= _IN_MEMORY:
                data = stream.read()
                found, size = Digest.of(data), len(data)
                verified: BinaryIO = BytesIO(data)
            else:
                found, size = Digest.of_file(stream), stream.tell()
                stream.seek(0)
                verified = stream
            if found != ref.digest:
                path = self._files.path(ref.digest)
                self._files.set_aside(path, os.fstat(stream.fileno()).st_ino)
                self._lost()
                raise self._corrupt(ref, path, found)
        except (OSError, BlobCorrupt):
            stream.close()
            raise
        if verified is not stream:
            stream.close()
        if size != ref.size:
            verified.close()
            raise BlobMissing(
                f"blob {ref} is not in the store: {ref.digest} has {size} bytes", blob=str(ref), expected=ref.size, found=size
            )
        return verified

    def _from_pack(self, ref: BlobRef) -> tuple[bytes | None, BlobCorrupt | None]:
        data, found = self._packed.get(ref)
        if found is None:
            return data, None
        self._lost()
        return data, self._corrupt(ref, self._packed.packs.folder, found)

    def _corrupt(self, ref: BlobRef, path: Path, found: str) -> BlobCorrupt:
        return BlobCorrupt(
            f"blob {ref.digest} has other bytes in {path}: expected sha256 {ref.digest}, found {found}",
            path=str(path),
            expected=str(ref.digest),
            found=str(found),
            quarantine=str(self._files.quarantine),
        )


def _read(place: str, size: int) -> bytes:
    """What a file holds, as far as one read gives it; its end is seen if it is longer than that."""
    handle = os.open(place, READ)
    try:
        return os.read(handle, size + 1)
    finally:
        os.close(handle)

"""OCI image layouts on this machine (image-spec 1.1.1, image-layout.md): folders that several images share, or tar archives of one.

Invariants: a blob is under its digest whole or not at all; the index names only what is there, and is the last thing written. An
archive is made beside its place and put there whole.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lockage import durable, portable
from lockage.base.digest import BlobRef, Hasher
from lockage.base.instant import ZIP_FLOOR
from lockage.base.ustar import END, member_header, padding
from lockage.environment.image import InvalidLayout
from lockage.ports import FolderUnwritable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from tempfile import _TemporaryFileWrapper
    from typing import IO

    from lockage.ports.images import ImageLayout

__all__ = ["LocalImageLayouts"]

_MARK = b'{"imageLayoutVersion":"1.0.0"}'
_CHUNK = 1 << 20


class LocalImageLayouts:
    """Implements :class:`lockage.ports.images.ImageLayouts`."""

    @contextmanager
    def open(self, target: Path) -> Iterator[ImageLayout]:
        try:
            if target.suffix == ".tar":
                with _staging(target) as folder:
                    yield _Layout(folder, archive=target)
            else:
                _check_folder(target)
                (target / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)
                with durable.locked_folder(target):
                    yield _Layout(target)
        except OSError as error:
            raise FolderUnwritable(
                f"{target} cannot be written: {error.strerror or error}",
                hint="Name a folder or archive that this user may write, on a file system with room for the image.",
                folder=str(target),
            ) from error


@contextmanager
def _staging(target: Path) -> Iterator[Path]:
    import shutil

    target.parent.mkdir(parents=True, exist_ok=True)
    folder, lock = durable.claim_folder(target.parent, f".{target.name}.lockage-", shutil.rmtree)
    try:
        (folder / "blobs" / "sha256").mkdir(parents=True)
        yield folder
    finally:
        os.close(lock)
        shutil.rmtree(folder, ignore_errors=True)


def _check_folder(folder: Path) -> None:
    """Refuse what is neither absent, empty nor a layout. Raises InvalidLayout and OSError."""
    if not folder.exists():
        return
    present = {entry.name for entry in os.scandir(folder)}
    try:
        mark = (folder / "oci-layout").read_bytes()
    except FileNotFoundError:
        if present - {"blobs"}:
            raise InvalidLayout(
                f"{folder} holds files and is no image layout: {', '.join(sorted(present)[:3])}", folder=str(folder)
            ) from None
        return
    if b'"1.' not in mark:
        raise InvalidLayout(f"{folder} is an image layout of another version: {mark[:80]!r}", folder=str(folder))


class _Layout:
    def __init__(self, folder: Path, archive: Path | None = None) -> None:
        self._folder = folder
        self._archive = archive
        self._blobs = folder / "blobs" / "sha256"

    @property
    def index(self) -> bytes | None:
        try:
            return (self._folder / "index.json").read_bytes()
        except FileNotFoundError:
            return None

    def has(self, ref: BlobRef) -> bool:
        try:
            return (self._blobs / ref.digest).stat().st_size == ref.size
        except FileNotFoundError:
            return False

    def put(self, pieces: Iterable[bytes]) -> BlobRef:
        import tempfile

        hasher = Hasher()
        with tempfile.NamedTemporaryFile(dir=self._blobs, prefix=".lockage-", delete=False) as file:
            try:
                for piece in pieces:
                    hasher.update(piece)
                    file.write(piece)
                _settle(file)
                Path(file.name).replace(self._blobs / hasher.digest())
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
        return hasher.ref()

    def publish(self, index: bytes) -> None:
        portable.sync_folder(self._blobs)
        self._write("oci-layout", _MARK)
        self._write("index.json", index)
        portable.sync_folder(self._folder)
        if self._archive is not None:
            self._pack(self._archive)

    def _write(self, name: str, data: bytes) -> None:
        import tempfile

        with tempfile.NamedTemporaryFile(dir=self._folder, prefix=".lockage-", delete=False) as file:
            try:
                file.write(data)
                _settle(file)
                Path(file.name).replace(self._folder / name)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise

    def _pack(self, archive: Path) -> None:
        """The layout as an archive: members sorted, no owners, the fixed time."""
        packed = self._folder / "archive"
        files = sorted(["oci-layout", "index.json", *(f"blobs/sha256/{path.name}" for path in self._blobs.iterdir())])
        date = int(ZIP_FLOOR)
        with packed.open("wb") as out:
            for folder in ("blobs/", "blobs/sha256/"):
                out.write(member_header(folder, b"5", mode=0o755, date=date))
            for name in files:
                size = (self._folder / name).stat().st_size
                out.write(member_header(name, b"0", size, mode=0o644, date=date))
                with (self._folder / name).open("rb") as file:
                    while piece := file.read(_CHUNK):
                        out.write(piece)
                out.write(padding(size))
            out.write(END)
            _settle(out)
        packed.replace(archive)
        portable.sync_folder(archive.parent)


def _settle(file: IO[bytes] | _TemporaryFileWrapper[bytes]) -> None:
    """The bytes on disk, to be read by everybody."""
    file.flush()
    portable.set_mode(file.fileno(), 0o644)
    portable.sync_file(file.fileno())

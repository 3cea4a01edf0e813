"""Folders on this machine that results are put into: every file whole or absent, nothing unverified ever visible.

Where nothing has changed nothing is written, so shutil and tempfile (which bring all compressors and random) are imported late.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from lockage.base.digest import Digest
from lockage.ports import FolderUnwritable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lockage.base.digest import BlobRef
    from lockage.ports import Blobs

__all__ = ["LocalFolders"]


class LocalFolders:
    """Implements :class:`lockage.ports.Folders` with blobs from one store."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    def place(self, folder: Path, files: Sequence[tuple[str, BlobRef]]) -> None:
        try:
            if not folder.is_dir():
                folder.mkdir(parents=True)
                (folder / ".gitignore").write_text("*\n")  # results in a work tree do not make it dirty
            for name, ref in files:
                if not _holds(folder / name, ref):
                    self._write(folder, name, ref)
        except OSError as error:
            raise _unwritable(folder, error) from error

    def read(self, folder: Path, name: str) -> bytes | None:
        try:
            return (folder / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _unwritable(folder, error) from error

    def write(self, folder: Path, name: str, data: bytes) -> None:
        import tempfile

        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=folder, prefix=".lockage-", delete=False) as target:
                try:
                    target.write(data)
                    target.flush()
                    os.fchmod(target.fileno(), 0o644)
                    os.fsync(target.fileno())
                    Path(target.name).replace(folder / name)
                except BaseException:
                    Path(target.name).unlink(missing_ok=True)
                    raise
            _sync_folder(folder)
        except OSError as error:
            raise _unwritable(folder, error) from error

    def replace(self, folder: Path, files: Sequence[tuple[str, BlobRef]], keep: Mapping[str, bytes]) -> None:
        import shutil
        import tempfile

        try:
            folder = folder.absolute()
            present = sorted(entry.name for entry in os.scandir(folder)) if folder.is_dir() else []
            if present and next(iter(keep)) not in present:
                raise FolderUnwritable(f"{folder} holds files that lockage did not put there: {', '.join(present[:3])}", folder=str(folder))
            folder.parent.mkdir(parents=True, exist_ok=True)
            staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
            try:
                staging.chmod(0o755)
                for name, ref in files:
                    self._write(staging, name, ref)
                for name, data in keep.items():
                    _write_whole(staging / name, data)
                _sync_folder(staging)
                self._swap(staging, folder)
            finally:
                shutil.rmtree(staging, ignore_errors=True)
        except OSError as error:
            raise _unwritable(folder, error) from error

    def _swap(self, staging: Path, folder: Path) -> None:
        """Put the staged folder in the place of the old one; on a crash between the two renames the old one lies beside it, whole."""
        import shutil

        if not folder.exists():
            staging.rename(folder)
        else:
            aside = folder.with_name(f".{folder.name}.before")
            shutil.rmtree(aside, ignore_errors=True)
            folder.rename(aside)
            try:
                staging.rename(folder)
            except OSError:
                aside.rename(folder)
                raise
            shutil.rmtree(aside, ignore_errors=True)
        _sync_folder(folder.parent)

    def _write(self, folder: Path, name: str, ref: BlobRef) -> None:
        import shutil
        import tempfile

        with self._blobs.open(ref) as source, tempfile.NamedTemporaryFile(dir=folder, prefix=".lockage-", delete=False) as target:
            try:
                shutil.copyfileobj(source, target, 1 << 20)
                target.flush()
                os.fchmod(target.fileno(), 0o644)
                os.fsync(target.fileno())
                Path(target.name).replace(folder / name)
            except BaseException:
                Path(target.name).unlink(missing_ok=True)
                raise


def _holds(path: Path, ref: BlobRef) -> bool:
    """Whether a regular file with exactly these bytes is there."""
    if path.is_symlink() or not path.is_file() or path.stat().st_size != ref.size:
        return False
    with path.open("rb") as file:
        return Digest.of_file(file) == ref.digest


def _write_whole(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unwritable(folder: Path, error: OSError) -> FolderUnwritable:
    return FolderUnwritable(f"cannot write {folder}: {error.strerror}", folder=str(folder))

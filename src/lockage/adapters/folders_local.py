"""Folders on this machine that results are put into: every file whole or absent, nothing unverified ever visible.

Where nothing has changed nothing is written, so shutil and tempfile (which bring all compressors and random) are imported late.
"""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lockage import portable
from lockage.base.digest import Digest
from lockage.ports import KEPT_MARK, BlobCorrupt, FolderUnwritable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lockage.base.digest import BlobRef
    from lockage.ports import Blobs

__all__ = ["LocalFolders"]

#: linux/fcntl.h AT_FDCWD and linux/fs.h RENAME_EXCHANGE.
_HERE, _EXCHANGE = -100, 2
#: How often somebody else may make or remove the folder while it is put there.
_SWAPS = 5


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
            raise FolderUnwritable(f"cannot read {folder / name}: {error.strerror}", folder=str(folder)) from error

    def write(self, folder: Path, name: str, data: bytes) -> None:
        import tempfile

        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=folder, prefix=".lockage-", delete=False) as target:
                try:
                    target.write(data)
                    target.flush()
                    portable.set_mode(target.fileno(), 0o644)
                    portable.sync_file(target.fileno())
                    Path(target.name).replace(folder / name)
                except BaseException:
                    Path(target.name).unlink(missing_ok=True)
                    raise
            portable.sync_folder(folder)
        except OSError as error:
            raise _unwritable(folder, error) from error

    def check_kept(self, folder: Path) -> None:
        try:
            _check_ours(folder, KEPT_MARK)
        except OSError as error:
            raise _unwritable(folder, error) from error

    def replace(self, folder: Path, files: Sequence[tuple[str, BlobRef]], keep: Mapping[str, bytes]) -> None:
        import shutil
        import tempfile

        try:
            folder = folder.resolve()  # a link to a folder stays a link
            _check_ours(folder, next(iter(keep)))
            folder.parent.mkdir(parents=True, exist_ok=True)
            staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
            try:
                staging.chmod(0o755)
                for name, ref in files:
                    self._write(staging, name, ref)
                for name, data in keep.items():
                    _write_whole(staging / name, data)
                portable.sync_folder(staging)
                _swap(staging, folder)
                portable.sync_folder(folder.parent)
            finally:
                shutil.rmtree(staging, ignore_errors=True)  # by now what the folder held before
        except OSError as error:
            raise _unwritable(folder, error) from error

    def _write(self, folder: Path, name: str, ref: BlobRef) -> None:
        import shutil
        import tempfile

        try:
            opened = self._blobs.open(ref)
        except BlobCorrupt as error:
            raise error.naming(name) from error
        with opened as source, tempfile.NamedTemporaryFile(dir=folder, prefix=".lockage-", delete=False) as target:
            try:
                shutil.copyfileobj(source, target, 1 << 20)
                target.flush()
                portable.set_mode(target.fileno(), 0o644)
                portable.sync_file(target.fileno())
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


def _check_ours(folder: Path, mark: str) -> None:
    """Refuse a folder with files that lockage did not put there. Raises OSError."""
    present = sorted(entry.name for entry in os.scandir(folder)) if folder.exists() else []
    if present and mark not in present:
        raise FolderUnwritable(f"{folder} holds files that lockage did not put there: {', '.join(present[:3])}", folder=str(folder))


def _swap(staging: Path, folder: Path) -> None:
    """Put the staged folder in the place of the old one, which is then where the staged one was: whoever looks sees one or the other.

    Where the file system cannot exchange two names, there is a moment between two renames in which neither is there.
    """
    for _ in range(_SWAPS):
        error = _exchange(staging, folder)
        if not error:
            return
        if error != errno.ENOENT and folder.exists():
            aside = staging.with_name(f"{staging.name}.before")
            folder.rename(aside)
            try:
                staging.rename(folder)
            except OSError:
                aside.rename(folder)
                raise
            aside.rename(staging)
            return
        try:
            staging.rename(folder)
        except OSError as failed:
            if failed.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            continue  # somebody else has just made it
        return
    raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(folder))


def _exchange(one: Path, other: Path) -> int:
    """Exchange two names in one step: renameat2(2) with RENAME_EXCHANGE. Returns 0, or the error number."""
    if sys.platform == "win32":
        return errno.ENOSYS
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    renameat2 = getattr(library, "renameat2", None)
    if renameat2 is None:
        return errno.ENOSYS
    failed = renameat2(_HERE, os.fsencode(one), _HERE, os.fsencode(other), ctypes.c_uint(_EXCHANGE))
    return ctypes.get_errno() if failed else 0


def _write_whole(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        portable.sync_file(file.fileno())


def _unwritable(folder: Path, error: OSError) -> FolderUnwritable:
    return FolderUnwritable(f"cannot write {folder}: {error.strerror}", folder=str(folder))

"""Folders on this machine that results are put into: every file whole or absent, nothing unverified ever visible.

Where nothing has changed nothing is written, so shutil (which brings all compressors) is imported late.
"""

from __future__ import annotations

import errno
import os
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from lockage import durable, portable
from lockage.base.digest import Digest
from lockage.echo.kept import SPOOL as _SPOOL
from lockage.ports import KEPT_MARK, BlobCorrupt, FolderUnwritable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from lockage.base.digest import BlobRef
    from lockage.ports import Blobs

__all__ = ["LocalFolders"]

#: linux/fcntl.h AT_FDCWD and linux/fs.h RENAME_EXCHANGE.
_HERE, _EXCHANGE = -100, 2
#: How often somebody else may make or remove the folder while it is put there.
_SWAPS = 5
_CHUNK = 1 << 20


class LocalFolders:
    """Implements :class:`lockage.ports.Folders` with blobs from one store."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    def place(self, folder: Path, files: Sequence[tuple[str, BlobRef]]) -> None:
        try:
            durable.ensure_folder(folder, private=False)
            fresh = all(entry.name == _SPOOL for entry in folder.iterdir())  # or left of a process that was killed
            missing = [(name, ref) for name, ref in files if not _holds(folder / name, ref)]
            if not fresh and not missing and not (folder / _SPOOL).exists():
                return
            with _spool(folder) as spool:  # made even to write nothing: another process was killed before all was durable
                durable.sync_folder(folder)
                if fresh:
                    spool.write(folder / ".gitignore", b"*\n", mode=0o644)  # results in a work tree do not make it dirty
                staged = [self._staged(spool, name, ref) for name, ref in missing]
                spool.publish(staged, [folder / name for name, _ in missing], mode=0o644)
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
        try:
            durable.ensure_folder(folder, private=False)
            with _spool(folder, hidden=True) as spool:
                spool.write(folder / name, data, mode=0o644)
        except OSError as error:
            raise _unwritable(folder, error) from error

    def check_kept(self, folder: Path) -> None:
        try:
            _check_ours(folder, KEPT_MARK)
        except OSError as error:
            raise _unwritable(folder, error) from error

    def replace(self, folder: Path, files: Sequence[tuple[str, BlobRef]], keep: Mapping[str, bytes]) -> None:
        try:
            folder = folder.resolve()  # a link to a folder stays a link
            _check_ours(folder, next(iter(keep)))
            durable.ensure_folder(folder.parent, private=False)
            with _staging(folder) as staging:
                for name, ref in files:
                    self._write(staging / name, ref)
                for name, data in keep.items():
                    _write_whole(staging / name, data)
                portable.sync_folder(staging)
                _swap(staging, folder)
                portable.sync_folder(folder.parent)
        except OSError as error:
            raise _unwritable(folder, error) from error

    def _staged(self, spool: durable.Spool, name: str, ref: BlobRef) -> durable.Staged:
        """A blob as a file that is to be called ``name``."""
        with self._open(name, ref) as source:
            staged = spool.stage()
            try:
                while chunk := source.read(_CHUNK):
                    staged.write(chunk)
                staged.finish(0o644)
            except BaseException:
                staged.discard()
                raise
        return staged

    def _open(self, name: str, ref: BlobRef) -> BinaryIO:
        try:
            return self._blobs.open(ref)
        except BlobCorrupt as error:
            raise error.naming(name) from error

    def _write(self, path: Path, ref: BlobRef) -> None:
        """A blob as a new file of a folder that nobody sees yet."""
        with self._open(path.name, ref) as source, path.open("xb") as target:
            while chunk := source.read(_CHUNK):
                target.write(chunk)
            target.flush()
            portable.set_mode(target.fileno(), 0o644)
            portable.sync_file(target.fileno())


@contextmanager
def _spool(folder: Path, *, hidden: bool = False) -> Iterator[durable.Spool]:
    """Temporary files in a folder, which is there: in a folder of their own, which is gone afterwards if all went well.

    ``hidden``: git must not see what a process that is killed leaves there, as a work tree with other files is not clean.
    """
    place = folder / _SPOOL
    ignore = place / ".gitignore"
    durable.ensure_folder(place)
    if hidden:
        with ignore.open("wb") as file:
            file.write(b"*\n")
            file.flush()
            portable.sync_file(file.fileno())
        portable.sync_folder(place)
    spool = durable.Spool(place)
    try:
        spool.sweep()
        yield spool
    finally:
        spool.close()
        with suppress(OSError):
            ignore.unlink(missing_ok=True)
            place.rmdir()  # unless another process has files there


@contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """A new folder beside one that it is to take the place of; removed at the end is what then has its name."""
    import shutil

    staging, lock = durable.claim_folder(folder.parent, f".{folder.name}.lockage-", shutil.rmtree)
    try:
        staging.chmod(0o755)
        yield staging
    finally:
        os.close(lock)
        shutil.rmtree(staging, ignore_errors=True)


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

"""How bytes become durable: the one atomic write, its temporary files, folder synchronisation and file locks.

Invariants: a file appears under its name whole or not at all, and is on the disk, with its folder's entry, when the call
returns; modes do not depend on the umask; temporary files of a process that was killed are removed by the next process
that writes. Nothing here knows what the bytes mean. A folder that lockage makes is its user's alone (0700).
"""

from __future__ import annotations

import errno
import itertools
import os
import stat
import sys
import weakref
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from lockage import portable
from lockage.ports import StoreUnwritable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

__all__ = [
    "Spool",
    "Staged",
    "claim_folder",
    "ensure_folder",
    "ensure_folders",
    "locked",
    "locked_folder",
    "reached",
    "refusal",
    "sync_file_system",
    "sync_folder",
    "sync_folders",
    "unwritable",
    "write_file",
]

#: With more files or folders than this, one syncfs is cheaper than an fsync of each.
_MANY = 16

_CAUSES = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission is missing",
    errno.EPERM: "permission is missing",
    errno.EFBIG: "a file would exceed the allowed size",
    errno.ENOTDIR: "a part of the path is not a folder",
}


def _pass(step: str) -> None:
    """Does nothing."""


#: Called with the name of each durable step before it is taken; tests replace it to stop a process there.
reached: Callable[[str], None] = _pass


@contextmanager
def unwritable(folder: Path) -> Iterator[None]:
    """Turn an operating system error into :class:`StoreUnwritable` naming the folder and the cause."""
    try:
        yield
    except OSError as error:
        raise refusal(folder, error) from error


def refusal(folder: Path, error: OSError) -> StoreUnwritable:
    """What :func:`unwritable` raises; for where a context for each of thousands of files would cost more than it guards."""
    cause = _CAUSES.get(error.errno or 0, error.strerror or str(error))
    return StoreUnwritable(f"cannot write below {folder}: {cause}", folder=str(folder), cause=cause, errno=error.errno)


def sync_folder(folder: Path) -> None:
    """Make the entries of a folder durable. Raises OSError."""
    portable.sync_folder(folder)


#: Folders whose entries this process knows to be durable.
_confirmed: set[Path] = set()


def ensure_folder(folder: Path, *, private: bool = True) -> None:
    """Make a folder and its missing parents durably, for this user alone (0700) unless not ``private``. Raises OSError.

    The entry of a folder that is there may have been made by a process that was killed before it could synchronise it, so it is
    synchronised here as well, once in a process; of a parent before anything is made in it.
    """
    try:
        folder.mkdir(0o700 if private else 0o777)
    except FileExistsError:
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "not a folder", str(folder)) from None
        _confirm(folder)
        return
    except FileNotFoundError:
        ensure_folder(folder.parent, private=private)
        ensure_folder(folder, private=private)
        return
    _confirmed.discard(folder)  # somebody removed it since
    if private:
        folder.chmod(0o700)
    _confirm(folder.parent)
    _confirm(folder)


def _confirm(folder: Path) -> None:
    """Make a folder's own entry durable, unless this process did. Raises OSError."""
    if folder not in _confirmed:
        with suppress(PermissionError):  # where this user may not look, no process of this user made a folder
            sync_folder(folder.parent)
        _confirmed.add(folder)


def ensure_folders(parent: Path, folders: Iterable[Path]) -> None:
    """Make several folders in one, as :func:`ensure_folder` does, durably together. Raises OSError."""
    ensure_folder(parent)
    for folder in folders:
        try:
            folder.mkdir(0o700)
            folder.chmod(0o700)
        except FileExistsError:
            if not folder.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, "not a folder", str(folder)) from None
    sync_folder(parent)


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file, made if it is missing; waits for whoever has it. Processes and threads exclude each other."""
    with unwritable(file.parent):
        ensure_folder(file.parent)
        handle = portable.open_lock(file)
    try:
        portable.hold(handle)
        yield
    finally:
        os.close(handle)


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Hold an exclusive lock on a folder itself, made if it is missing; waits for whoever has it."""
    with unwritable(folder):
        ensure_folder(folder)
        handle = portable.open_lock(folder, folder=True)
    try:
        portable.hold(handle)
        yield
    finally:
        os.close(handle)


@contextmanager
def used_folder(folder: Path) -> Iterator[None]:
    """Say that a folder, made if it is missing, is used: others may use it too, nobody deletes it, its time is that of its last use.

    Where folders cannot be locked together nothing but the time says so. Raises StoreUnwritable.
    """
    with unwritable(folder):
        ensure_folder(folder)
        handle = portable.open_lock(folder, folder=True)
        try:
            portable.share(handle)
            while not folder.exists():  # it was deleted before it was locked
                ensure_folder(folder)
                os.close(handle)
                handle = portable.open_lock(folder, folder=True)
                portable.share(handle)
        except OSError:
            pass  # as in Spool: a file system that cannot lock folders
        with suppress(OSError):
            os.utime(folder)
    try:
        yield
    finally:
        os.close(handle)


@contextmanager
def unused(path: Path, *, folder: bool = False) -> Iterator[bool]:
    """Whether nobody holds a lock of a file or folder, which nobody can take meanwhile. Raises OSError."""
    handle = portable.open_lock(path, folder=folder)
    try:
        try:
            portable.hold(handle, wait=False)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)


class Staged:
    """A temporary file being written; it becomes a file by :meth:`Spool.publish`, or is removed by :meth:`discard`."""

    __slots__ = ("_handle", "_spool", "facts", "name", "published")

    def __init__(self, name: str, spool: Spool | None = None, mode: int = 0o600) -> None:
        self._spool = spool  # which would remove the file if it were no more
        self.name = name  # there may be tens of thousands, so no object is made of it
        self.published = False
        #: Time of change in nanoseconds and inode, once it is finished.
        self.facts = (0, 0)
        self._handle = os.open(name, portable.CREATE, mode)

    @property
    def path(self) -> Path:
        """Where it is until it is published."""
        return Path(self.name)

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes. Raises OSError."""
        written = os.write(self._handle, data)
        while written < len(data):  # as a rule never
            written += os.write(self._handle, memoryview(data)[written:])

    def lock(self) -> int | None:
        """A descriptor that keeps others from taking the file for one of a killed process until it is closed; None if they did already."""
        handle = os.dup(self._handle)
        try:
            portable.hold(handle, wait=False)
            if self.path.exists():
                return handle
        except BlockingIOError:
            pass
        except OSError:
            return handle  # a file system without locks, where nobody takes anything away
        os.close(handle)
        return None

    def finish(self, mode: int, owner: tuple[int, int] | None = None) -> None:
        """No more is written; the bytes are not durable yet. ``owner``: user and group to belong to. Raises OSError."""
        if self._handle >= 0:
            if owner is not None:
                portable.set_owner(self._handle, owner)
            found = os.fstat(self._handle)
            self.facts = found.st_mtime_ns, found.st_ino
            if stat.S_IMODE(found.st_mode) != mode:
                portable.set_mode(self._handle, mode)
            os.close(self._handle)
            self._handle = -1

    def discard(self) -> None:
        """Remove the file unless it was published; never raises."""
        if self._handle >= 0:
            with suppress(OSError):
                os.close(self._handle)
            self._handle = -1
        if not self.published:
            with suppress(OSError):
                self.path.unlink()


class Spool:
    """A folder for the temporary files of many processes, on the file system where the files will be.

    Each process has a folder of its own in it, locked as long as it lives; a folder that nobody locks was left by a process
    that was killed, and the first write of the next process removes it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own: Path | None = None
        self._owner = 0
        self._release: weakref.finalize[[Path, int, int], Spool] | None = None
        self._count = itertools.count()

    def claim(self) -> Path:
        """This process's folder; to be asked for before several threads stage. Raises OSError."""
        if self._own is not None and self._owner == os.getpid():
            return self._own
        while True:
            ensure_folder(self._folder)
            own = self._folder / f"{os.getpid()}-{os.urandom(6).hex()}"
            try:
                self.sweep()
                own.mkdir(0o700)
                own.chmod(0o700)
                handle = portable.open_lock(own, folder=True)
            except FileNotFoundError:
                continue  # another process closed the spool, or swept ours away before it was locked
            try:
                portable.hold(handle, wait=False)
                if own.exists():
                    break
            except BlockingIOError:
                pass  # a sweeper was quicker; it removes the folder
            except OSError:
                break  # a file system that cannot lock folders, as of a network: nothing is swept there
            os.close(handle)
        self._own, self._owner = own, os.getpid()
        self._release = weakref.finalize(self, _release, own, handle, os.getpid())
        return own

    def close(self) -> None:
        """Remove this process's temporary files now rather than when it ends; never raises."""
        if self._release is not None:
            self._release()
        self._own = self._release = None

    def sweep(self) -> None:
        """Remove what processes left that were killed. Raises OSError if the folder cannot be read."""
        for left in self._folder.iterdir():
            try:
                handle = portable.open_lock(left, folder=True)
            except OSError:
                continue
            try:
                portable.hold(handle, wait=False)
                _remove(left)
            except OSError:
                pass  # its process lives, or somebody else is sweeping
            finally:
                os.close(handle)

    def stage(self, mode: int = 0o600) -> Staged:
        """A new temporary file, to be finished with that mode if it is known already. Raises OSError."""
        own = self._own if self._owner == os.getpid() else None  # there are thousands
        return Staged(f"{own or self.claim()}{os.sep}{next(self._count)}", self, mode if portable.REPLACES_READ_ONLY else 0o600)

    def publish(self, staged: Sequence[Staged], targets: Sequence[Path | str], *, mode: int = 0o444) -> None:
        """Make several files durable and then visible under their names, replacing what was there. Raises OSError.

        Their folders must exist. Whatever happens, no temporary file is left.
        """
        try:
            for item in staged:
                item.finish(mode)
            reached("before-sync")
            _sync(staged)
            for item, target in zip(staged, targets, strict=True):
                reached("before-rename")
                os.replace(item.name, target)  # noqa: PTH105  # as the name says
                item.published = True
            reached("before-folder-sync")
            sync_folders({str(target).rpartition(os.sep)[0] for target in targets})
            reached("published")
        except BaseException:
            for item in staged:
                item.discard()
            raise

    def write(self, target: Path, data: bytes, *, mode: int = 0o444) -> None:
        """The atomic write of one file; its folder must exist. Raises OSError."""
        staged = self.stage()
        try:
            reached("staged")
            staged.write(data)
        except BaseException:
            staged.discard()
            raise
        self.publish([staged], [target], mode=mode)


def claim_folder(parent: Path, prefix: str, remove: Callable[[Path], None]) -> tuple[Path, int]:
    """A new folder for this process alone (0700), and a descriptor to be closed when it is gone or has its final name. Raises OSError.

    It is locked as long as the descriptor is open; those of the same prefix that nobody locks were left by processes that were killed,
    and are given to ``remove`` first.
    """
    for left in sorted(entry for entry in parent.iterdir() if entry.name.startswith(prefix)):
        with suppress(OSError):
            lock = portable.open_lock(left, folder=True)
            try:
                portable.hold(lock, wait=False)
                remove(left)
            finally:
                os.close(lock)
    while True:
        folder = parent / f"{prefix}{os.getpid()}-{os.urandom(6).hex()}"
        folder.mkdir(0o700)
        try:
            lock = portable.open_lock(folder, folder=True)
        except FileNotFoundError:
            continue  # another process was quicker than the lock
        try:
            portable.hold(lock, wait=False)
            if folder.exists():
                return folder, lock
        except BlockingIOError:
            pass  # the same
        except OSError:
            return folder, lock  # as in Spool
        os.close(lock)


def sync_folders(folders: Iterable[Path | str]) -> None:
    """Make the entries of several folders of one file system durable: each once, or many with syncfs(2). Raises OSError."""
    wanted = sorted({str(folder) for folder in folders})  # text, as there may be hundreds, many times in a build
    if len(wanted) > _MANY and sync_file_system(Path(wanted[0])):
        return
    for folder in wanted:
        sync_folder(Path(folder))


def write_file(target: Path, data: bytes, *, mode: int = 0o644, owner: tuple[int, int] | None = None, tidy: bool = False) -> None:
    """The atomic write of one file outside the store, by way of a temporary file beside it. Raises :class:`StoreUnwritable`.

    ``owner``: user and group that the file is to belong to if the system allows it, else whoever writes it. Temporary files of the
    same name are removed if their processes were killed; with ``tidy`` those of all names: the folder has only files written this way.
    """
    with unwritable(target.parent):
        staged, lock = _staged_beside(target, tidy=tidy)
        try:
            staged.write(data)
            staged.finish(mode, owner)
            reached("before-sync")
            _sync([staged])
            reached("before-rename")
            staged.path.replace(target)
            staged.published = True
        finally:
            staged.discard()
            if lock is not None:
                os.close(lock)
        reached("before-folder-sync")
        sync_folder(target.parent)
        reached("published")


def _staged_beside(target: Path, *, tidy: bool = False) -> tuple[Staged, int | None]:
    """A temporary file beside a file, and a descriptor that is locked as long as it is needed; None where open files cannot be renamed."""
    prefix, suffix = f".{target.name}.", ".partial"
    name = f"{prefix}{os.getpid()}-{os.urandom(6).hex()}{suffix}"
    if sys.platform == "win32":
        return Staged(str(target.with_name(name))), None
    for left in os.listdir(target.parent):  # noqa: PTH208 (of names, most of which are of no interest)
        if left.startswith("." if tidy else prefix) and left.endswith(suffix):
            _remove_left(target.with_name(left))
    while True:
        staged = Staged(str(target.with_name(name)))
        lock = staged.lock()
        if lock is not None:
            return staged, lock
        staged.discard()  # another process took it for one that nobody needs


def _remove_left(path: Path) -> None:
    """Remove a temporary file unless its process lives."""
    with suppress(OSError):
        handle = os.open(path, portable.READ_ONLY_PLAIN)
        try:
            portable.hold(handle, wait=False)
            path.unlink()
        finally:
            os.close(handle)


def _remove(folder: Path) -> None:
    for left in folder.iterdir():
        left.unlink()
    folder.rmdir()


def _release(own: Path, handle: int, owner: int) -> None:
    """Remove a process's folder when it ends; a forked child must not remove its parent's."""
    if os.getpid() == owner:
        with suppress(OSError):
            _remove(own)
    with suppress(OSError):
        os.close(handle)
    if os.getpid() == owner and own.exists():  # Windows removes no file that is open, as our lock's was
        with suppress(OSError):
            _remove(own)


def _sync(staged: Sequence[Staged]) -> None:
    """Make finished files of one file system durable: each by itself, or many with syncfs(2) where there is one."""
    if len(staged) > _MANY and sync_file_system(staged[0].path.parent):
        return
    for item in staged:
        file = os.open(item.name, portable.READ)
        try:
            portable.sync_file(file)
        finally:
            os.close(file)


@cache
def _syncfs() -> Callable[[int], int] | None:
    if sys.platform == "win32":
        return None
    import ctypes  # where many files are written only

    return getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)


def sync_file_system(folder: Path) -> bool:
    """Make everything on the file system of a folder durable with syncfs(2); False where that cannot be. Raises OSError."""
    syncfs = _syncfs()
    if syncfs is None:
        return False
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return syncfs(handle) == 0
    finally:
        os.close(handle)

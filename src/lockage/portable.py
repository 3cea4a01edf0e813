"""Where operating systems differ in what keeping files needs: locks, flags of open(2), folders as descriptors, owners and modes.

Invariants: importing this works on every platform that Python runs on; on Linux each function is the one system call that its
name says. Windows has no descriptors of folders, so a folder is locked by a file in it and its entries cannot be synchronised,
and it has no modes or owners that mean what POSIX means, so none are set or judged there.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "CREATE",
    "LOCK_FILE",
    "READ",
    "READ_ONLY_PLAIN",
    "REPLACES_READ_ONLY",
    "hold",
    "open_lock",
    "set_mode",
    "set_owner",
    "share",
    "sync_file",
    "sync_folder",
    "user_id",
]

#: Windows translates line ends unless told that bytes are meant; a child process must not inherit any of our descriptors.
_ALWAYS = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOINHERIT", 0)
_DIRECTORY: int | None = getattr(os, "O_DIRECTORY", None)
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)

#: Flags of open(2): a file to be synchronised (Windows does that only with a handle that may write), a new file that is nobody
#: else's, and a file that is read only if it is neither a link nor a pipe that would make us wait.
READ = (os.O_RDONLY if sys.platform != "win32" else os.O_RDWR) | _ALWAYS
CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW | _ALWAYS
READ_ONLY_PLAIN = os.O_RDONLY | _NO_FOLLOW | getattr(os, "O_NONBLOCK", 0) | _ALWAYS

#: What a file system says that cannot synchronise folders (fsync(2): "fd is bound to a special file which does not support it").
_NOT_SYNCHRONISED = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS)

#: The file that stands for a folder's lock where folders cannot be opened.
LOCK_FILE = ".lock"
#: Seconds between two attempts at a lock where the system has no call that waits for one.
_AGAIN = 0.05


def open_lock(path: Path, *, folder: bool = False) -> int:
    """A descriptor to lock: of a file, made if it is missing, or of a folder itself. Raises OSError."""
    if folder and _DIRECTORY is not None:
        return os.open(path, os.O_RDONLY | _DIRECTORY | _ALWAYS)
    return os.open(path / LOCK_FILE if folder else path, os.O_RDWR | os.O_CREAT | _ALWAYS, 0o600)


def hold(descriptor: int, *, wait: bool = True) -> None:
    """Lock a descriptor against everybody else until it is closed. Raises BlockingIOError if not to wait and somebody has it."""
    if sys.platform == "win32":
        while True:
            os.lseek(descriptor, 0, os.SEEK_SET)
            try:
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            except OSError as error:
                if not wait:
                    raise BlockingIOError(error.errno, error.strerror) from error
                time.sleep(_AGAIN)
                continue
            return
    else:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))


def share(descriptor: int) -> None:
    """Lock a descriptor together with others who share it, until it is closed; waits for who holds it alone. Windows cannot: no lock."""
    if sys.platform != "win32":
        fcntl.flock(descriptor, fcntl.LOCK_SH)


def sync_file(descriptor: int) -> None:
    """Make a file's bytes durable; on macOS fsync(2) leaves them in the drive's cache, and a call of its own does not. Raises OSError."""
    if sys.platform == "darwin":
        try:
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
        except OSError:  # a file system on a server does not know it
            os.fsync(descriptor)
    else:
        os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    """Make the entries of a folder durable; on Windows and some network file systems they are, or cannot be made so. Raises OSError."""
    if _DIRECTORY is None:
        return
    descriptor = os.open(folder, os.O_RDONLY | _DIRECTORY | _ALWAYS)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NOT_SYNCHRONISED:
            raise
    finally:
        os.close(descriptor)


#: Whether a file that is read-only can be replaced.
REPLACES_READ_ONLY = sys.platform != "win32"


def set_mode(descriptor: int, mode: int) -> None:
    """The mode of an open file; nothing on Windows, where a file that is read-only could not be replaced. Raises OSError."""
    if sys.platform != "win32":
        os.fchmod(descriptor, mode)


def set_owner(descriptor: int, owner: tuple[int, int]) -> None:
    """User and group of an open file, if they are others and the system lets this user give them; nothing on Windows."""
    if sys.platform != "win32":
        state = os.fstat(descriptor)
        if (state.st_uid, state.st_gid) != owner:
            with suppress(PermissionError):
                os.fchown(descriptor, *owner)


def user_id() -> int | None:
    """The user's number; None on Windows, which has none."""
    if sys.platform == "win32":
        return None
    return os.geteuid()

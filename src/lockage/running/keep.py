"""Copies what a failed step left in its workspace into a folder of the user's.

Invariants: no link is followed; what is neither a file, a folder nor a link is left out; what was there before is gone only once
the new copy is whole.
"""

from __future__ import annotations

import os
import shutil
import stat
from typing import TYPE_CHECKING

from lockage.ports import KEPT_MARK, FolderUnwritable

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["keep_workspace"]

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def keep_workspace(workspace: int, folder: Path) -> None:
    """Copy the open folder ``workspace`` to ``folder``, in the place of what was there. Raises FolderUnwritable."""
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    try:
        _mark(folder.parent)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        _copy(workspace, os.fsencode(partial))
        if folder.exists():
            shutil.rmtree(folder)
        partial.replace(folder)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise FolderUnwritable(f"the failed step's files cannot be kept in {folder}: {error.strerror}", folder=str(folder)) from error


def _mark(place: Path) -> None:
    """Make the folder of what failed steps left; no work tree counts what is in it."""
    place.mkdir(parents=True, exist_ok=True)
    (place / ".gitignore").write_text("*\n")
    (place / KEPT_MARK).write_text("What failed steps left. lockage replaces it.\n")


def _copy(source: int, target: bytes) -> None:
    for text in os.listdir(source):
        name = os.fsencode(text)  # which need not be UTF-8
        path = os.path.join(target, name)  # noqa: PTH118 (names are bytes that need not be text)
        mode = os.stat(name, dir_fd=source, follow_symlinks=False).st_mode
        if stat.S_ISLNK(mode):
            os.symlink(os.readlink(name, dir_fd=source), path)  # noqa: PTH211 (bytes)
        elif stat.S_ISDIR(mode):
            os.mkdir(path)  # noqa: PTH102 (bytes)
            below = os.open(name, _FOLDER, dir_fd=_readable(source, name, mode, 0o500))
            try:
                _copy(below, path)
            finally:
                os.close(below)
        elif stat.S_ISREG(mode):
            _readable(source, name, mode, 0o400)
            with open(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=source), "rb") as stream, open(path, "xb") as copy:  # noqa: PTH123 (by descriptor)
                shutil.copyfileobj(stream, copy, 1 << 20)
            os.chmod(path, stat.S_IMODE(mode) & 0o777 | 0o600)  # noqa: PTH101 (bytes)


def _readable(folder: int, name: bytes, mode: int, needed: int) -> int:
    """Take back permissions that a step may have taken away from its own files; returns the folder."""
    if mode & needed != needed:
        os.chmod(name, stat.S_IMODE(mode) | needed, dir_fd=folder)
    return folder

"""How a held sandbox's root is found from outside, and what was made for it there is frozen."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["bound_root", "freeze", "standing_root"]

_HELD = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
#: A line of proc(5) mountinfo whose fifth field, the mount point, is one that bubblewrap has only while it works.
_SCAFFOLD = re.compile(rb"^(?:\S+ ){4}/(?:newroot|oldroot)[ /]", re.MULTILINE)

_Identity = tuple[int, int]
#: Of folders that roots are, as long as they are found by it.
_identities: dict[str, _Identity] = {}


def bound_root(process: int, whole: str) -> int | None:
    """A descriptor of the root where it is a folder that can be told by its identity: it need not be in its place yet.

    All mounts have been made; what bubblewrap may still have to do is to leave its scaffold, in which the root is called ``newroot``.
    None in the moment in which it is neither there nor in its place. Raises OSError if the process is gone.
    """
    wanted = _identities.get(whole)
    if wanted is None:
        wanted = _identities[whole] = _identity(os.stat(whole))  # noqa: PTH116 (asked for every step)
    top = f"/proc/{process}/root"
    for place in (f"{top}/newroot", top):
        try:
            found = os.open(place, _HELD)
        except FileNotFoundError:
            if place == top:
                raise
            continue  # it has left its scaffold, or the process is gone
        if _identity(os.fstat(found)) == wanted:
            return found
        os.close(found)
    _identities.pop(whole, None)  # it may have been made anew
    return None


def standing_root(process: int, place: str) -> int | None:
    """A descriptor of the root once bubblewrap has left its scaffold: ``place`` is mounted, the old and new roots are no mount points.

    Raises OSError if the process is gone.
    """
    # Cheap looks first: mountinfo takes a lock that bubblewrap needs for its mounts.
    root = Path(f"/proc/{process}/root/")
    if root.samefile("/") or not Path(f"{root}{place}").is_dir():
        return None
    mounts = Path(f"/proc/{process}/mountinfo").read_bytes()
    escaped = place.encode()
    for plain in b"\\ \t\n":  # proc(5): these four are written as octal
        escaped = escaped.replace(bytes([plain]), b"\\%03o" % plain)
    mounted = any(line.split(b" ", 5)[4] == escaped for line in mounts.splitlines() if escaped in line)
    return os.open(f"/proc/{process}/root", _HELD) if mounted and _SCAFFOLD.search(mounts) is None else None


def _identity(folder: os.stat_result) -> _Identity:
    return folder.st_dev, folder.st_ino


def freeze(root: int, folders: Iterable[tuple[str, int]], links: Iterable[tuple[str, str]], *, time: int) -> None:
    """Give the folders and links that were made for the sandbox their time, and take away the permission to write there."""
    for path, _ in links:
        os.utime(path, (time, time), dir_fd=root, follow_symlinks=False)
    for path, mode in folders:
        os.chmod(path, mode & ~0o222, dir_fd=root)
        os.utime(path, (time, time), dir_fd=root)

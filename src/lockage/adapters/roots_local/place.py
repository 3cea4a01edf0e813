"""What was spooled or is kept gets its names in a root, as the entries say.

Invariant: what is put in place has the modes of its entry whatever the umask, and one fixed time.
"""

# ruff: noqa: PTH101, PTH102, PTH123, PTH211
# Plain text paths and os calls: with ten thousand files, making Path objects would cost as much as the system calls.
from __future__ import annotations

import errno
import os
import shutil
from typing import TYPE_CHECKING

from lockage.adapters.roots_local.spool import FIXED_TIME_NS
from lockage.environment.root import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lockage.adapters.roots_local.spool import FileSpool
    from lockage.base.path import RelPath
    from lockage.environment.root import Entry

__all__ = ["place"]

#: The file has as many names as the file system allows; may have no other, or not here; the file system knows none, or its policy does not.
_NO_LINK = (errno.EMLINK, errno.EPERM, errno.EACCES, errno.EXDEV, errno.EOPNOTSUPP, errno.ENOSYS)


def place(entries: Mapping[RelPath, Entry], added: Mapping[RelPath, bytes], spool: FileSpool, into: Path, below: str = "") -> None:
    """Make ``into`` and in it every entry, sorted; ``below`` is the part of their paths that ``into`` stands for. Raises OSError."""
    into.mkdir(0o755)
    top = f"{into}/"
    cut = len(below) + 1 if below else 0
    copies: dict[str, str] = {}
    ordered = [entries[path] for path in sorted(entries)]
    for entry in ordered:
        path = top + entry.path[cut:]
        if entry.kind is Kind.DIRECTORY:
            if entry.path != below:
                os.mkdir(path, 0o700)
            continue
        if entry.kind is Kind.LINK:
            os.symlink(entry.target, path)
        elif entry.path in added:
            with open(path, "xb") as file:
                file.write(added[entry.path])
            os.chmod(path, entry.mode)
        else:
            _link(spool.where(entry.source), path, copies)
            continue
        os.utime(path, ns=(FIXED_TIME_NS, FIXED_TIME_NS), follow_symlinks=False)
    for entry in reversed(ordered):
        if entry.kind is Kind.DIRECTORY:
            path = top + entry.path[cut:]
            os.chmod(path, entry.mode)
            os.utime(path, ns=(FIXED_TIME_NS, FIXED_TIME_NS))
    os.utime(into, ns=(FIXED_TIME_NS, FIXED_TIME_NS))
    into.chmod(0o755)


def _link(source: str, path: str, copies: dict[str, str]) -> None:
    """Give a file another name, or a copy where it can have none; what has two names in a root has two names of that copy, if it can."""
    try:
        os.link(copies.get(source, source), path)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        shutil.copy2(source, path)  # says what is wrong if it is something else
        copies[source] = path

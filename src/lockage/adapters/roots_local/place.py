"""What was spooled is put in place as the entries of a root say.

Invariant: what is put in place has the modes of its entry whatever the umask, and one fixed time.
"""

# ruff: noqa: PTH101, PTH102, PTH104, PTH123, PTH211
# Plain text paths and os calls: with ten thousand files, making Path objects would cost as much as the system calls.
from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lockage.base.instant import ZIP_FLOOR
from lockage.environment.root import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lockage.adapters.roots_local.spool import FileSpool
    from lockage.base.path import RelPath
    from lockage.environment.root import Entry

__all__ = ["FIXED_TIME_NS", "place"]

#: The modification time of everything in a root.
FIXED_TIME_NS = int(ZIP_FLOOR) * 1_000_000_000


def place(entries: Mapping[RelPath, Entry], added: Mapping[RelPath, bytes], spool: FileSpool, into: Path, below: str = "") -> None:
    """Make ``into`` and in it every entry, sorted; ``below`` is the part of their paths that ``into`` stands for. Raises OSError."""
    into.mkdir(0o755)
    top = f"{into}/"
    cut = len(below) + 1 if below else 0
    ordered = [entries[path] for path in sorted(entries)]
    placed: dict[str, str] = {}
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
        elif entry.source in placed:
            os.link(placed[entry.source], path)
            continue
        else:
            os.rename(spool.folder / entry.source, path)
            placed[entry.source] = path
        if entry.kind is Kind.FILE:
            os.chmod(path, entry.mode)
        os.utime(path, ns=(FIXED_TIME_NS, FIXED_TIME_NS), follow_symlinks=False)
    for entry in reversed(ordered):
        if entry.kind is Kind.DIRECTORY:
            path = top + entry.path[cut:]
            os.chmod(path, entry.mode)
            os.utime(path, ns=(FIXED_TIME_NS, FIXED_TIME_NS))
    os.utime(into, ns=(FIXED_TIME_NS, FIXED_TIME_NS))
    into.chmod(0o755)

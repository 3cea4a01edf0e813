"""Files that were begun and broken off, so that the next attempt, also of another process, goes on with them.

Invariant: whoever takes a left file renames it first, so that no two write to one.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["partial"]


@contextmanager
def partial(folder: Path, name: str) -> Iterator[BinaryIO]:
    """A file of this process's alone with what an earlier attempt left of ``name``, if any; it stays for the next one unless all goes well.

    The folder is there. Raises OSError.
    """
    kept = folder / f"{name}.partial"
    own = folder / f"{name}.{os.getpid()}-{os.urandom(4).hex()}"
    for left in folder.glob(f"{name}.*"):
        if left == kept or _abandoned(left):
            with suppress(FileNotFoundError):
                left.rename(own)
                break
    sink = own.open("r+b" if own.exists() else "w+b")
    try:
        with sink:
            yield sink
        own.unlink(missing_ok=True)
    finally:
        with suppress(OSError):
            if own.stat().st_size:
                own.replace(kept)
            else:
                own.unlink()


def _abandoned(left: Path) -> bool:
    """Whether the process that wrote it is gone; where processes cannot be looked up none counts as gone."""
    owner = left.suffix[1:].partition("-")[0]
    return owner.isdecimal() and Path("/proc/self").exists() and not Path("/proc", owner).exists()

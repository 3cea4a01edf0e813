"""Where a step runs on the host: a folder below the store, the same for one step after another as long as no other runs beside it.

Invariant: a place belongs to one step of all processes at a time; what a killed process left in one is gone before the next step sees it.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from typing import TYPE_CHECKING

from lockage import portable
from lockage.running.remove import remove_workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Place", "taken_place"]


class Place:
    """The folders of one step, by absolute path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.build = folder / "build"
        self.home = folder / "home"
        self.temporary = folder / "tmp"

    def make(self) -> None:
        """The folders, empty. Raises OSError."""
        remove_workspace(self.folder)
        for part in (self.folder, self.build, self.home, self.temporary):
            part.mkdir()
            part.chmod(0o700 if part == self.folder else 0o755)


@contextlib.contextmanager
def taken_place(scratch: Path) -> Iterator[Place]:
    """The first place that nobody has; it is removed at the end. Raises OSError."""
    for number in itertools.count(1):
        mark = scratch / f"{number}.lock"
        lock = portable.open_lock(mark)
        try:
            portable.hold(lock, wait=False)
        except BlockingIOError:
            os.close(lock)
            continue
        try:
            place = Place(scratch / str(number))
            place.make()
            yield place
        finally:
            remove_workspace(scratch / str(number))
            os.close(lock)
        return

"""Latches as files of a folder, each locked while somebody holds it; a file stays when it is let go."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lockage import durable, portable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from lockage.base.name import LatchName

__all__ = ["LocalLatches"]

#: Seconds between two attempts, the first and the longest: who waits must hear that it is to stop, which no system call would.
_SOON, _LATER = 0.02, 0.25


class LocalLatches:
    """Implements :class:`lockage.ports.Latches`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._interruptions = 0

    def interrupt(self) -> None:
        self._interruptions += 1

    @contextmanager
    def held(self, names: Collection[LatchName], blocked: Callable[[LatchName], None] | None = None) -> Iterator[bool]:
        handles: list[int] = []
        try:
            yield self._take(sorted(names), handles, blocked)
        finally:
            for handle in reversed(handles):
                os.close(handle)

    def _take(self, names: list[LatchName], handles: list[int], blocked: Callable[[LatchName], None] | None) -> bool:
        """Take them one after the other; sorted, so that no two wait for each other."""
        interruptions = self._interruptions
        with durable.unwritable(self._folder):
            durable.ensure_folder(self._folder)
            for name in names:
                handles.append(portable.open_lock(self._folder / name))
                pause = _SOON
                while not _held(handles[-1]):
                    if pause == _SOON and blocked is not None:
                        blocked(name)
                    if self._interruptions != interruptions:
                        return False
                    time.sleep(pause)
                    pause = min(pause * 2, _LATER)
        return True


def _held(handle: int) -> bool:
    try:
        portable.hold(handle, wait=False)
    except BlockingIOError:
        return False
    return True

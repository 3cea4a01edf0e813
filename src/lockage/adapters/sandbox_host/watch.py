"""Watches a step that runs on the host: its processes are those below its supervisor, its files those in its place."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from lockage.adapters.sandbox_host.supervise import descendants
from lockage.running.watch import Watch, disk_exceeded, disk_message

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from lockage.recipe.model import Resources
    from lockage.running.log import Log

__all__ = ["HostWatch"]

_BLOCK = 512  # stat(2), st_blocks
#: To sum up files may take this part of the time at most.
_SHARE = 20


class HostWatch(Watch):
    """The limits of one step, once ``supervisor`` and ``folder`` are set; memory and processes are those seen at short intervals."""

    supervisor = 0
    folder: Path | None = None

    def __init__(self, resources: Resources, log: Log, stop: Callable[[], None], *, log_limit: int) -> None:
        super().__init__(resources, log, stop, log_limit=log_limit)
        self._disk = resources.disk
        self._whole = resources
        self._look_again = 0.0

    def members(self, processes: int) -> list[str]:  # noqa: ARG002 (the host's /proc holds others' as well)
        """The processes below the supervisor."""
        return [str(process) for process in descendants(self.supervisor)] if self.supervisor else []

    def disk(self, folders: Sequence[int] = ()) -> None:  # noqa: ARG002 (a file system of the host holds others' files as well)
        """Sum up what the step's folder holds; not every time where that takes long."""
        began = time.monotonic()
        if self.folder is None or began < self._look_again:
            return
        used = _held(self.folder)
        self._look_again = began + _SHARE * (time.monotonic() - began)
        if used >= self._disk:
            self.full = True
            self.end("disk-limit", disk_message(self._whole), disk_exceeded(self._whole, used))

    def last_disk(self) -> None:
        """The same once more, whenever it was done last."""
        self._look_again = 0.0
        self.disk()


def _held(folder: Path) -> int:
    """Bytes that the files below a folder take; what vanishes meanwhile takes none."""
    used = 0
    waiting = [os.fspath(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        used += entry.stat(follow_symlinks=False).st_blocks * _BLOCK
        except OSError:
            continue
    return used

"""Images of a disk made real in their folders, one after the other, changing only what differs."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.crash.disk import Image, Item

__all__ = ["Bench"]

_Mark = tuple[int, int, int]


class Bench:
    """Makes the folders ``tops`` hold an image; what others changed in them since is seen and undone."""

    def __init__(self, tops: list[str]) -> None:
        self._tops = tops
        self._made: dict[str, tuple[Item, _Mark]] = {}

    def show(self, image: Image) -> None:
        """Everything as the image has it."""
        there = dict(self._there())
        kept: dict[str, tuple[Item, _Mark]] = {}
        for path, mark in sorted(there.items(), reverse=True):
            made = self._made.get(path)
            wanted = image.get(path)
            same_file = made is not None and wanted is not None and made == (wanted, mark)
            folder = stat.S_ISDIR(os.lstat(path).st_mode) if not same_file or (wanted and wanted.kind == "folder") else False
            if folder and wanted is not None and wanted.kind == "folder":
                os.chmod(path, wanted.mode)  # noqa: PTH101 (thousands of times)
            elif folder:
                os.rmdir(path)  # noqa: PTH106
            elif same_file and made is not None:
                kept[path] = made
            else:
                os.unlink(path)  # noqa: PTH108
        for path, item in sorted(image.items()):
            if item.kind == "folder":
                if not os.path.isdir(path):  # noqa: PTH112
                    os.mkdir(path)  # noqa: PTH102
                    os.chmod(path, item.mode)  # noqa: PTH101
            elif path not in kept:
                kept[path] = (item, self._make(path, item))
        self._made = kept

    def _make(self, path: str, item: Item) -> _Mark:
        if item.kind == "link":
            os.symlink(os.fsdecode(item.data), path)  # noqa: PTH211
        else:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                os.write(handle, item.data)
                os.fchmod(handle, item.mode)
            finally:
                os.close(handle)
        return _mark(os.lstat(path))

    def _there(self) -> Iterator[tuple[str, _Mark]]:
        waiting = [top for top in self._tops if os.path.lexists(top)]
        while waiting:
            path = waiting.pop()
            state = os.lstat(path)
            yield path, _mark(state)
            if stat.S_ISDIR(state.st_mode):
                waiting += [entry.path for entry in os.scandir(path)]


def _mark(state: os.stat_result) -> _Mark:
    return state.st_ino, state.st_size, state.st_mtime_ns

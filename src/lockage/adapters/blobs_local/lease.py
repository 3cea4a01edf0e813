"""Leases: how processes that read a store and one that sweeps it leave each other in peace, without either waiting.

A process locks the newest file of ``leases/`` together with others before it looks at its first blob, and holds it until it ends.
A sweep moves what is not needed to ``trash/N``, where N is the number of that file, and begins the file N+1. Whoever then misses a
blob looks into the trash and takes it back. So only who held a file up to N may believe to be there what is in ``trash/N``, and it
is deleted once nobody holds one of those (docs/adr/0009-leases.md).
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from lockage import durable, portable
from lockage.base.instant import Instant

__all__ = ["Lease", "numbered"]


#: A blob may be taken back by one and put into the trash by another between two looks; more often than this is no accident.
_TRIES = 4


class Lease:
    """This process's lease on the blobs in ``folder``. ``paused``: it takes none, as a sweep does that waits for nobody, itself least."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._leases = folder / "leases"
        self._trash = str(folder / "trash")
        self._handle: int | None = None
        self.paused = False

    def take(self) -> None:
        """Hold the newest lease, if none is held. A store that is not there or cannot be written is not swept from here either."""
        if self._handle is not None or self.paused or not self._folder.is_dir():
            return
        with suppress(OSError):
            durable.ensure_folder(self._leases)
            while self._handle is None:
                file = self._leases / str(max(numbered(self._leases), default=1))
                handle = portable.open_lock(file)
                portable.share(handle)
                with suppress(FileNotFoundError):
                    if file.stat().st_ino == os.fstat(handle).st_ino:
                        self._handle = handle
                        return
                os.close(handle)  # a sweep has just done away with it
        self._handle = -1 if self._handle is None else self._handle

    def let_go(self) -> None:
        """Hold none any more."""
        if self._handle is not None and self._handle >= 0:
            os.close(self._handle)
        self._handle = None

    def others_since(self) -> Instant | None:
        """When the oldest lease that somebody else holds was begun: who holds it came later. Lets go of this process's own."""
        self.let_go()
        for number in numbered(self._leases):
            file = self._leases / str(number)
            with suppress(OSError):  # a sweep has just done away with it, or the store cannot be written, and is not swept either
                begun = Instant(int(file.stat().st_mtime))  # nobody ever writes to it
                handle = portable.open_lock(file)
                try:
                    portable.hold(handle, wait=False)
                except BlockingIOError:
                    return begun
                finally:
                    os.close(handle)
        return None

    def __del__(self) -> None:
        self.let_go()

    def sees_trash(self) -> bool:
        """Whether a sweep has put anything where it can be taken back from."""
        try:
            return bool(os.listdir(self._trash))  # noqa: PTH208 (as below)
        except OSError:
            return False

    def rescue(self, digest: str, target: str) -> bool:
        """Whether a blob that was missed is there after all: taken back now from where a sweep put it, or by somebody else just before."""
        if not os.access(self._trash, os.F_OK):  # no exception for what is nearly always so
            return os.access(target, os.F_OK)
        for _ in range(_TRIES):
            try:
                generations = os.listdir(self._trash)  # noqa: PTH208 (each miss asks, and nearly always nothing is there)
            except OSError:
                generations = []
            for generation in generations:
                try:
                    durable.ensure_folder(Path(target).parent)
                    os.rename(f"{self._trash}/{generation}/{digest}", target)  # noqa: PTH104
                except OSError:
                    continue
                return True
            if not generations or os.path.exists(target):  # noqa: PTH110 (most are asked for in vain)
                break
        return os.path.exists(target)  # noqa: PTH110


def numbered(folder: Path) -> list[int]:
    """The numbers that are names in a folder, sorted; none if it is not there."""
    try:
        return sorted(int(path.name) for path in folder.iterdir() if path.name.isdecimal())
    except (FileNotFoundError, NotADirectoryError):
        return []

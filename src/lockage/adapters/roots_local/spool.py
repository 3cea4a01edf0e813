"""Bytes of files that wait to be put in place: a folder of numbered files, each hashed while it is written."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from lockage.base.digest import Hasher

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from lockage.environment.root import Entry

__all__ = ["FileSpool"]


class FileSpool:
    """A folder, written by several threads; each process that writes to it does so in a ``part`` of its own, a folder in it.

    The name that a write gives back is relative to the whole folder, whichever part it went to.
    """

    def __init__(self, folder: Path, part: str = "") -> None:
        self.folder = folder
        self._prefix = f"{part}/" if part else ""
        (folder / part).mkdir(0o700)
        self._count = 0
        self._lock = threading.Lock()
        self.stopped = False

    def stop(self) -> None:
        """Let every write that is under way end with an error."""
        self.stopped = True

    def write(self, chunks: Iterable[bytes]) -> tuple[str, Hasher]:
        """A new file with these bytes: its name and the digest of what was written. Raises OSError."""
        with self._lock:
            self._count += 1
            name = f"{self._prefix}{self._count}"
        hasher = Hasher()
        handle = os.open(f"{self.folder}/{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            for chunk in chunks:
                if self.stopped:
                    raise InterruptedError("unpacking was stopped")
                hasher.update(chunk)
                view = memoryview(chunk)
                while view:
                    view = view[os.write(handle, view) :]
        finally:
            os.close(handle)
        return name, hasher

    def read(self, entry: Entry) -> bytes:
        """The bytes of an entry that was spooled. Raises OSError."""
        return (self.folder / entry.source).read_bytes()

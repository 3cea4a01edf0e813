"""Bytes of files that wait to be put in place: a folder with a part for each package, whose files are numbered and hashed while written.

Invariant: a spooled file has the mode of its member whatever the umask, and the one time of everything in a root, so that nothing of
it changes when it is put in place.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lockage.base.digest import Hasher
from lockage.base.instant import ZIP_FLOOR

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from lockage.environment.root import Entry

__all__ = ["FIXED_TIME_NS", "FileSpool", "SpoolPart"]

#: The modification time of everything in a root.
FIXED_TIME_NS = int(ZIP_FLOOR) * 1_000_000_000


class FileSpool:
    """A folder, written by several threads and processes, each package by one of them; ``kept`` is where packages that were lent lie.

    A source is PART/NUMBER, wherever the part is.
    """

    def __init__(self, folder: Path, kept: Path | None = None) -> None:
        folder.mkdir(0o700, exist_ok=True)
        self.folder = folder
        self._kept = kept
        self._borrowed: set[str] = set()
        self.stopped = False

    def stop(self) -> None:
        """Let every write that is under way end with an error."""
        self.stopped = True

    def part(self, name: str) -> SpoolPart:
        """A new part, for one package. Raises OSError."""
        return SpoolPart(self, name)

    def drop(self, name: str) -> None:
        """Remove what was begun of a part, if anything; only its writer may be gone. Raises OSError."""
        if (self.folder / name).exists():
            import shutil  # almost never

            shutil.rmtree(self.folder / name)

    def borrow(self, name: str) -> None:
        """From now on the files of this part are those of the kept package."""
        self._borrowed.add(name)

    def borrowed(self, name: str) -> bool:
        """Whether the files of this part are those of a kept package."""
        return name in self._borrowed

    def where(self, source: str) -> str:
        """The file that a source is."""
        part = source.partition("/")[0]
        return f"{self._kept if part in self._borrowed else self.folder}/{source}"

    def read(self, entry: Entry) -> bytes:
        """The bytes of an entry that was spooled. Raises OSError."""
        with open(self.where(entry.source), "rb") as file:  # noqa: PTH123 (a text path)
            return file.read()


class SpoolPart:
    """The files of one package, written by one thread."""

    def __init__(self, spool: FileSpool, name: str) -> None:
        (spool.folder / name).mkdir(0o700)
        self._spool = spool
        self._name = name
        self._count = 0

    def write(self, chunks: Iterable[bytes], mode: int) -> tuple[str, Hasher]:
        """A new file with these bytes: its source, and the digest of what was written. Raises OSError."""
        hasher = Hasher()
        return self._written(chunks, mode, hasher), hasher

    def write_known(self, data: bytes, mode: int) -> str:
        """A new file with bytes whose digest is known: its source. Raises OSError."""
        return self._written((data,), mode, None)

    def _written(self, chunks: Iterable[bytes], mode: int, hasher: Hasher | None) -> str:
        self._count += 1
        source = f"{self._name}/{self._count}"
        handle = os.open(f"{self._spool.folder}/{source}", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            for chunk in chunks:
                if self._spool.stopped:
                    raise InterruptedError("unpacking was stopped")
                if hasher is not None:
                    hasher.update(chunk)
                view = memoryview(chunk)
                while view:
                    view = view[os.write(handle, view) :]
            os.fchmod(handle, mode)
            os.utime(handle, ns=(FIXED_TIME_NS, FIXED_TIME_NS))
        finally:
            os.close(handle)
        return source

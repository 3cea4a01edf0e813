"""What one step prints: in memory as long as it is little, as it is for most."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, cast

if TYPE_CHECKING:
    from pathlib import Path

    from lockage.base.digest import BlobRef
    from lockage.ports import Blobs

__all__ = ["Log"]

#: A log up to this size never touches the disk.
_IN_MEMORY = 1 << 20


class Log:
    """Written while its step runs, and kept once that has ended; what exceeds memory is in a file of ``folder`` that has no name."""

    __slots__ = ("_file", "_folder", "_memory", "closed")

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._memory = bytearray()
        self._file: BinaryIO | None = None
        self.closed = False

    def write(self, data: bytes) -> None:
        """Add to it. Raises OSError."""
        if self._file is None:
            self._memory += data
            if len(self._memory) <= _IN_MEMORY:
                return
            import tempfile  # slow to import; few steps print as much

            self._file = cast(BinaryIO, tempfile.TemporaryFile(dir=self._folder))  # noqa: SIM115 (closed with it)
            data, self._memory = bytes(self._memory), bytearray()
        self._file.write(data)

    def keep(self, blobs: Blobs) -> BlobRef:
        """Put what was written into the blobs; nothing is added after that. Raises OSError, and what the blobs raise."""
        if self._file is None:
            return blobs.put_soon([bytes(self._memory)])[0]
        self._file.seek(0)
        return blobs.put_stream(self._file)

    def close(self) -> None:
        """Leave nothing of it."""
        self.closed = True
        if self._file is not None:
            self._file.close()

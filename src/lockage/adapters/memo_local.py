"""Derived facts as files: ``KIND/ab/cdef…``, named by the digest of the key. Best effort: a memo never fails its caller."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lockage import durable
from lockage.echo.memo_file import body_of, place_of, value_in

if TYPE_CHECKING:
    from lockage.base.instant import Instant
    from lockage.ports.storage import Swept

__all__ = ["LocalMemo"]


class LocalMemo:
    """Implements :class:`lockage.ports.Memo`. :mod:`lockage.echo.memo_file` says what a file holds.

    Written whole by rename but not synchronised: what a power cut damages fails its checksum and counts as absent.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._text = str(folder)
        self._spool = durable.Spool(folder / "tmp")

    def _path(self, kind: str, key: str) -> Path:
        return self._folder / place_of(kind, key)

    def get(self, kind: str, key: str) -> bytes | None:
        place = f"{self._text}/{place_of(kind, key)}"
        if not os.access(place, os.F_OK):  # most are asked for in vain
            return None
        try:
            data = Path(place).read_bytes()
        except OSError:
            return None
        return value_in(data, key)

    def forget(self, kind: str) -> None:
        """Let go of every fact of a kind; best effort."""
        import shutil  # not needed as long as the store is whole

        shutil.rmtree(self._folder / kind, ignore_errors=True)

    def put(self, kind: str, key: str, value: bytes) -> None:
        path = self._path(kind, key)
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            staged = self._spool.stage()
            try:
                staged.write(body_of(key, value))
                staged.finish(0o600)
                staged.path.replace(path)
                staged.published = True
            finally:
                staged.discard()

    def sweep(self, before: Instant, *, dry: bool = False) -> Swept:
        from lockage.ports.storage import Swept  # no build needs it

        with suppress(OSError):
            if not dry:
                self._spool.sweep()
        count = size = 0
        for path in self._folder.glob("*/??/*"):
            with suppress(OSError):
                state = path.stat()
                if state.st_mtime < before:
                    if not dry:
                        path.unlink()
                    count, size = count + 1, size + state.st_size
        return Swept(count=count, size=size)

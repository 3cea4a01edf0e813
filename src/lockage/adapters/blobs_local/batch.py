"""Blobs on their way into the store: staged one by one, made durable and visible together.

Invariant: whatever happens, a staged file is published or removed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from types import TracebackType

    from lockage.base.digest import BlobRef
    from lockage.durable import Staged

__all__ = ["Batch"]

#: A batch ends at this many blobs or bytes: each costs two synchronisations, and what is in it lies in the spool until it ends.
_COUNT = 16384
_BYTES = 1 << 30


class Batch:
    """A context that publishes what was added when it is left, and now and then before; after an error, nothing more.

    ``publish`` takes staged files by their blob, and the shards of blobs that are present, of which only the entries must be durable.
    """

    def __init__(self, publish: Callable[[dict[BlobRef, Staged], Collection[str]], None]) -> None:
        self._publish = publish
        self._staged: dict[BlobRef, Staged] = {}
        self._present: set[str] = set()
        self._size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self._flush()
        for staged in self._staged.values():
            staged.discard()

    def __len__(self) -> int:
        return len(self._staged)

    def __contains__(self, ref: BlobRef) -> bool:
        return ref in self._staged

    def add(self, ref: BlobRef, staged: Staged | None) -> None:
        """One blob with its file, which is finished; without one it is present, or in this batch already."""
        if staged is None:
            if ref not in self._staged:
                self._present.add(ref.digest[:2])
            return
        if ref in self._staged:
            staged.discard()
            return
        self._staged[ref] = staged
        self._size += ref.size
        if len(self._staged) >= _COUNT or self._size >= _BYTES:
            self._flush()

    def note(self, shards: Collection[str]) -> None:
        """Blobs of these shards are present, as those without a file are."""
        self._present.update(shards)

    def _flush(self) -> None:
        staged, present = self._staged, self._present
        self._staged, self._present, self._size = {}, set(), 0
        try:
            self._publish(staged, present)
        except BaseException:
            for one in staged.values():
                one.discard()
            raise

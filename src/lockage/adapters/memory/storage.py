"""A store's place that is memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.instant import ZIP_FLOOR
from lockage.ports.storage import KeptKind, Swept

if TYPE_CHECKING:
    from lockage.adapters.memory.store import MemoryBlobs
    from lockage.base.digest import Digest
    from lockage.base.instant import Instant

__all__ = ["MemoryStorage"]


class MemoryStorage:
    """Implements :class:`lockage.ports.Storage` over the blobs; ``room`` is what :meth:`free` says."""

    def __init__(self, blobs: MemoryBlobs) -> None:
        self._blobs = blobs
        self.room = 1 << 40
        self.locks: set[Digest] = set()

    def kinds(self) -> tuple[KeptKind, ...]:
        data = self._blobs.data.values()
        oldest = ZIP_FLOOR if data else None
        return (KeptKind(kind="blobs", count=len(data), size=sum(map(len, data)), oldest=oldest, again=False),)

    def free(self) -> int:
        return self.room

    def know_lock(self, lock: Digest) -> None:
        self.locks.add(lock)

    def known_locks(self, since: Instant) -> tuple[Digest, ...]:  # noqa: ARG002 (what is in memory has no age)
        return tuple(sorted(self.locks))

    def forget_locks(self, before: Instant) -> None:
        pass

    def sweep_copies(self, before: Instant, *, dry: bool = False) -> dict[str, Swept]:  # noqa: ARG002 (nothing is copied into memory)
        return {"clones": Swept(), "cache": Swept()}

    def sweep_damaged(self, before: Instant, *, dry: bool = False) -> Swept:  # noqa: ARG002 (nothing is set aside in memory)
        return Swept()

"""What the adapters of a store can say of all that they keep: how much there is of it, and what of it is broken."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, Self

import msgspec

from lockage.base.instant import Instant

if TYPE_CHECKING:
    from types import TracebackType

    from lockage.base.digest import Digest

__all__ = ["Audit", "BlobSweep", "Damage", "Heard", "KeptKind", "Storage", "Stream", "Swept"]

#: Hears of the bytes that were read since it was called last; from the thread that asked for the audit.
Heard = Callable[[int], None]


class Stream(Protocol):
    """What bytes are read from: an open file without a buffer, or one in memory."""

    def __enter__(self) -> Self: ...
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> bool | None: ...
    def read(self, size: int = -1, /) -> bytes: ...
    def readinto(self, buffer: bytearray | memoryview, /) -> int | None:
        """How many bytes were read into the buffer; none at the end."""
        ...

    def seek(self, offset: int, /) -> int: ...


class Damage(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is not what was put there: its name, what is wrong with it, and where it was set aside (None: it was left)."""

    name: str
    what: str
    aside: str | None = None


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked at, in number and bytes, and what of it was broken. Nothing is ever deleted."""

    count: int
    size: int
    damaged: tuple[Damage, ...] = ()


class Swept(msgspec.Struct, frozen=True, kw_only=True):
    """What was deleted, or would be, in number and bytes."""

    count: int = 0
    size: int = 0


class BlobSweep(msgspec.Struct, frozen=True, kw_only=True):
    """What a sweep of the blobs deleted; ``waiting`` is deleted by a later one, once no command that runs now can miss it."""

    gone: Swept = Swept()
    waiting: Swept = Swept()


class KeptKind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of thing that a store holds: in number and bytes, the oldest, and whether it can be had or made again."""

    kind: str
    count: int
    size: int
    oldest: Instant | None
    again: bool


class Storage(Protocol):
    """The place where a store is. Raises :class:`StoreUnreadable`."""

    def kinds(self) -> tuple[KeptKind, ...]:
        """What it holds; looking changes nothing, and what vanishes meanwhile is not counted."""
        ...

    def free(self) -> int:
        """Bytes that its disk has left for this user."""
        ...

    def know_lock(self, lock: Digest) -> None:
        """Note that a lock was made now: what it names is wanted, though nothing may have been built with it yet. Best effort."""
        ...

    def known_locks(self, since: Instant) -> tuple[Digest, ...]:
        """The locks that were made then or later, sorted."""
        ...

    def forget_locks(self, before: Instant) -> None:
        """Know nothing of locks that were made earlier. Best effort."""
        ...

    def sweep_copies(self, before: Instant, *, dry: bool = False) -> dict[str, Swept]:
        """Delete copies of what others have that were last used before then and that nobody uses now, by kind: ``clones``, ``cache``.

        What is there to be sure (the newest index seen of each suite) stays. ``dry`` only says what would go. Raises StoreUnwritable.
        """
        ...

    def sweep_damaged(self, before: Instant, *, dry: bool = False) -> Swept:
        """Delete what was set aside as damaged before then; ``dry`` only says what would go. Raises StoreUnwritable."""
        ...

"""What keeps bytes by their digests, results by their actions, and what is derived; how much of that there is, and how whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO, Protocol, Self

import msgspec

from lockage.base.instant import Instant

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from types import TracebackType

    from lockage.base.digest import BlobRef, Digest
    from lockage.record.result import ActionResult

__all__ = ["ActionCache", "Audit", "BlobSweep", "Blobs", "Damage", "Heard", "KeptKind", "Memo", "Storage", "Stream", "Swept"]

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


class Blobs(Protocol):
    """Immutable bytes by digest. Every method that returns bytes has verified them, or raises :class:`BlobCorrupt`.

    ``put*`` are durable when they return and idempotent. Raises :class:`BlobMissing`, :class:`StoreUnwritable`.
    """

    def put(self, data: bytes) -> BlobRef: ...
    def put_many(self, items: Iterable[bytes]) -> list[BlobRef]:
        """Store several; cheaper than one by one, as all are made durable together."""
        ...

    def put_soon(self, items: Iterable[bytes]) -> list[BlobRef]:
        """As :meth:`put_many`, but what is put is durable only when :meth:`settle` has returned; this process sees it at once."""
        ...

    def put_messages(self, messages: Mapping[BlobRef, bytes], *, doubting: bool = False) -> None:
        """As :meth:`put_soon`, of bytes whose references their maker has at hand; they raise no doubts unless ``doubting``."""
        ...

    @property
    def doubts(self) -> bool:
        """Whether anything put soon may have been there already and not be whole: of bytes that this process neither wrote nor hashed.

        :meth:`vouch` settles it.
        """
        ...

    def settle(self) -> None:
        """Wait until all that was put soon is durable; raises what keeping it raised."""
        ...

    def put_stream(self, stream: BinaryIO) -> BlobRef: ...
    def put_streams(self, items: Iterable[Callable[[], Stream]], sizes: Iterable[int] = ()) -> list[BlobRef]:
        """Store several streams, each opened when its turn comes and then closed; read once, several beside each other.

        ``sizes``: about how many bytes each has, so that the large ones are not left to the end.
        What opening or reading raises is raised as it is; then nothing of the last batch is kept.
        """
        ...

    def put_files(self, top: bytes, files: Iterable[tuple[bytes, int]], opened: Callable[[bytes], Stream]) -> list[BlobRef]:
        """As :meth:`put_streams` for files, of which there may be many: names below the folder ``top``, each with a guess of its size.

        They are taken as they come. Those that an adapter does not read by their names, or cannot, are opened by ``opened``.
        """
        ...

    def get(self, ref: BlobRef) -> bytes: ...
    def open(self, ref: BlobRef) -> BinaryIO:
        """A verified binary stream of the blob, seekable; the caller closes it."""
        ...

    def has(self, ref: BlobRef) -> bool:
        """Whether a blob of that digest and size is present (not re-hashed)."""
        ...

    def recognises(self, ref: BlobRef) -> bool | None:
        """True: it is there and looks as it did when this process wrote or hashed it; None: who knows.

        False: it is not there, or what is there plays no part, as it is written when it is put soon.
        """
        ...

    def locate(self, digest: Digest) -> BlobRef | None:
        """The reference of a present blob of which only the sha256 is known."""
        ...

    def vouch(self, refs: Sequence[BlobRef], witness: bytes | None) -> bytes | None:
        """A witness that all these blobs are there and whole; None if any is not, and then every damaged one is set aside.

        Those that are still as ``witness``, an earlier answer, says are not hashed again: a folder looks at size, time of change and
        inode. That answer may have been about other blobs beside them. Without a witness all are hashed; with anything else in its
        place, such as no bytes, all but those that this process has written or hashed itself and that look as they did then.
        """
        ...

    def audit(self, heard: Heard) -> Audit:
        """Hash every blob again; those of other bytes are set aside. May run beside everything else."""
        ...

    def sweep(self, needed: Callable[[], Collection[Digest]], before: Instant, *, dry: bool = False) -> BlobSweep:
        """Delete the blobs that are not ``needed`` and were written earlier than ``before``; ``dry`` only says what would go.

        May run beside everything else, but for another sweep: what a process that runs now may have seen is not deleted before it
        has ended, and comes back if it is asked for. ``needed`` is asked again before anything is deleted for good.
        """
        ...

    def used_since(self) -> Instant | None:
        """When the processes that use the store beside this one began, at the earliest; None if there is none. May be too early."""
        ...


class ActionCache(Protocol):
    """Results of actions by action digest. A damaged or half-written entry counts as absent."""

    def get(self, action: BlobRef) -> ActionResult | None: ...
    def put(self, action: BlobRef, result: ActionResult) -> None: ...
    def put_many(self, results: Iterable[tuple[BlobRef, ActionResult]]) -> None:
        """Keep several; cheaper than one by one, as all are made durable together."""
        ...

    def put_soon(self, action: BlobRef, result: ActionResult) -> None:
        """As :meth:`put`, but durable only when :meth:`settle` has returned, and never before the blobs that were put soon before it."""
        ...

    def settle(self) -> None:
        """Wait until all that was put soon is durable; raises what keeping it raised."""
        ...

    def holds(self, actions: Sequence[BlobRef]) -> bool:
        """Whether there is an entry for each of these; none is read."""
        ...

    def entries(self) -> Iterator[tuple[BlobRef, ActionResult]]:
        """Every whole entry, in no order."""
        ...

    def audit(self, heard: Heard) -> Audit:
        """Read every entry; damaged ones are set aside."""
        ...

    def sweep(self, needed: Collection[BlobRef], before: Instant, *, dry: bool = False) -> dict[BlobRef, int]:
        """Delete the entries of other actions that were written earlier than ``before``; those actions, with the bytes of the entries.

        ``dry`` only says what would go. Raises StoreUnwritable.
        """
        ...


class Memo(Protocol):
    """Derived facts that cost something to compute and may vanish at any time; never the only copy, never trusted for integrity."""

    def get(self, kind: str, key: str) -> bytes | None: ...
    def put(self, kind: str, key: str, value: bytes) -> None: ...
    def sweep(self, before: Instant, *, dry: bool = False) -> Swept:
        """Delete what was put earlier than ``before``; ``dry`` only says what would go. Best effort."""
        ...

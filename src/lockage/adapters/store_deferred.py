"""Blobs and results that are kept a little later, many at a time: a step need not wait for the disk, and a build pays for few syncs.

Invariants: what waits is in memory, where this process alone sees it, and never under a name in the store before it is durable; a result
is kept after every blob that was put before it; what could not be kept is raised by the next call that asks for durability; what was
there before it was put is doubted until it has been vouched for.
"""

from __future__ import annotations

import threading
import time
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO

from lockage.base.digest import BlobRef

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from lockage.base.digest import Digest
    from lockage.base.instant import Instant
    from lockage.ports import ActionCache, Blobs
    from lockage.ports.storage import Audit, BlobSweep, Heard, Stream
    from lockage.record.result import ActionResult

__all__ = ["DeferredActionCache", "DeferredBlobs"]

#: So many bytes may wait; what is beyond is kept at once.
_ROOM = 32 << 20
#: So many bytes of what has been kept may still be read from memory, of blobs up to a size: steps read what others have just made.
_RECENT, _SMALL = 4 << 20, 1 << 16
#: Of so many blobs it is remembered that they are durable.
_KNOWN = 1 << 16
#: Seconds between two turns: at most so much more is lost if the process is killed.
_PAUSE = 0.25
#: Seconds after which a waiting thread looks up, so that the handler of a signal can run.
_LOOK_UP = 1.0


class _Waiting:
    """What waits, and the thread that keeps it; one for a store's blobs and results."""

    def __init__(self, blobs: Blobs) -> None:
        self.inner = blobs
        self.cache: ActionCache | None = None
        #: Blobs that are nowhere else yet, or in the store without being known to be durable.
        self.blobs: dict[BlobRef, bytes] = {}
        self.results: dict[BlobRef, ActionResult] = {}
        self.size = 0
        self.durable: set[BlobRef] = set()
        #: Blobs that the store had when they were put, and that nobody has vouched for since.
        self.doubted: set[BlobRef] = set()
        #: Blobs that were kept last, the latest at the end. Nothing but reading is answered from here: the store may have lost them since.
        self.recent: dict[BlobRef, bytes] = {}
        self._recent_size = 0
        self._seen: set[BlobRef] = set()
        self._seen_until = 0.0
        self._error: BaseException | None = None
        self._busy = False
        #: Whether somebody waits for all of it.
        self._hurry = False
        #: Taken by itself where nobody is to be woken: each step takes it several times.
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)

    def lately(self, ref: BlobRef) -> bool:
        """Whether the store had a blob, durably, no longer ago than a result waits to be kept."""
        return ref in self._seen and time.monotonic() < self._seen_until

    def see(self, ref: BlobRef) -> None:
        """Note that the store has a blob now."""
        now = time.monotonic()
        if now >= self._seen_until:
            self._seen, self._seen_until = set(), now + _PAUSE
        self._seen.add(ref)

    def add(self, ref: BlobRef, data: bytes) -> None:
        """Let a blob wait, or keep it now if there is no room for it."""
        with self._lock:
            if ref in self.blobs:
                return
            if self.size + len(data) <= _ROOM:
                self.blobs[ref] = data
                self.size += len(data)
                return
        self.inner.put(data)

    def keep(self, action: BlobRef, result: ActionResult) -> None:
        """Let a result wait, and see to it that what waits is being kept. Raises what keeping raised before."""
        with self._lock:
            failed = self._error is not None
            if not failed:
                self.results[action] = result
                if self._busy:
                    return
        if failed:
            self.settle()
        self.start()

    def start(self) -> None:
        """See to it that what waits is being kept."""
        with self._changed:
            if not self._busy and self._error is None:
                threading.Thread(target=self._run, name="keeper", daemon=True).start()  # it begins when we let go of the lock
                self._busy = True

    def settle(self) -> None:
        """Wait until nothing waits. Raises what keeping it raised."""
        while True:
            with self._changed:
                self._hurry = True
                self._changed.notify_all()
                while self._busy:
                    self._changed.wait(_LOOK_UP)
                self._hurry = False
                error, self._error = self._error, None
                if error is not None:
                    self._forget(dict(self.blobs), dict(self.results))
                    raise error
                if not (self.blobs or self.results):
                    return
            self.start()

    def _run(self) -> None:
        while True:
            with self._changed:
                blobs, results = dict(self.blobs), dict(self.results)
                if self._error is not None or not (blobs or results):
                    self._busy = False
                    self._changed.notify_all()
                    return
            try:
                self.inner.put_messages(blobs)
                if results and self.cache is not None:
                    self.cache.put_many(results.items())
            except BaseException as error:  # noqa: BLE001 (handed to whoever asks whether all is durable)
                with self._changed:
                    self._error = error
                continue
            with self._changed:
                if len(self.durable) > _KNOWN:
                    self.durable.clear()
                self.durable.update(blobs)
                self._remember(blobs)
                self._forget(blobs, results)
                if not self._hurry:  # so that more comes together
                    self._changed.wait(_PAUSE)

    def _remember(self, blobs: dict[BlobRef, bytes]) -> None:
        for ref, data in blobs.items():
            if len(data) <= _SMALL and ref not in self.recent:
                self.recent[ref] = data
                self._recent_size += len(data)
        while self._recent_size > _RECENT:
            self._recent_size -= len(self.recent.pop(next(iter(self.recent))))

    def _forget(self, blobs: dict[BlobRef, bytes], results: dict[BlobRef, ActionResult]) -> None:
        for ref in blobs:
            del self.blobs[ref]
        self.size -= sum(map(len, blobs.values()))
        for action, result in results.items():
            if self.results.get(action) is result:  # a later one waits for the next turn
                del self.results[action]


class DeferredBlobs:
    """Implements :class:`lockage.ports.Blobs` over another."""

    def __init__(self, inner: Blobs) -> None:
        self._inner = inner
        self.waiting = _Waiting(inner)

    def put_soon(self, items: Iterable[bytes]) -> list[BlobRef]:
        refs = []
        for data in items:
            ref = BlobRef.of(data)
            refs.append(ref)
            self._soon(ref, data)
        return refs

    def put_messages(self, messages: Mapping[BlobRef, bytes], *, doubting: bool = False) -> None:
        waiting = self.waiting
        for ref, data in messages.items():
            if doubting:
                self._soon(ref, data)
            elif ref not in waiting.blobs and not (ref in waiting.durable and self._inner.has(ref)):
                waiting.add(ref, data)

    def _soon(self, ref: BlobRef, data: bytes) -> None:
        waiting = self.waiting
        if waiting.lately(ref):  # as the empty log of every step that says nothing
            return
        known = self._inner.recognises(ref)
        if known is None:
            waiting.doubted.add(ref)
        if known and ref in waiting.durable:
            waiting.see(ref)
        else:
            waiting.add(ref, data)

    @property
    def doubts(self) -> bool:
        return bool(self.waiting.doubted)

    def settle(self) -> None:
        self.waiting.settle()
        self._inner.settle()

    def get(self, ref: BlobRef) -> bytes:
        data = self.waiting.blobs.get(ref)
        if data is None:
            data = self.waiting.recent.get(ref)
        return self._inner.get(ref) if data is None else data

    def open(self, ref: BlobRef) -> BinaryIO:
        data = self.waiting.blobs.get(ref)
        return self._inner.open(ref) if data is None else BytesIO(data)

    def has(self, ref: BlobRef) -> bool:
        return ref in self.waiting.blobs or self._inner.has(ref)

    def recognises(self, ref: BlobRef) -> bool | None:
        return True if ref in self.waiting.blobs else self._inner.recognises(ref)

    def locate(self, digest: Digest) -> BlobRef | None:
        found = next((ref for ref in list(self.waiting.blobs) if ref.digest == digest), None)
        return self._inner.locate(digest) if found is None else found

    def vouch(self, refs: Sequence[BlobRef], witness: bytes | None) -> bytes | None:
        waiting = self.waiting.blobs  # which are whole in memory; the witness will be of those that are in the store, whole or not
        others = [ref for ref in refs if ref not in waiting or self._inner.has(ref)] if waiting else refs
        found = (witness or b"") if refs and not others else self._inner.vouch(others, witness)
        self.waiting.doubted.difference_update(refs)  # the damaged ones too: they are set aside, and written when they are put again
        return found

    # What is to be durable at once, or is not deferred

    def put(self, data: bytes) -> BlobRef:
        return self._inner.put(data)

    def put_many(self, items: Iterable[bytes]) -> list[BlobRef]:
        return self._inner.put_many(items)

    def put_stream(self, stream: BinaryIO) -> BlobRef:
        ref = self._inner.put_stream(stream)
        if not self._inner.recognises(ref):  # it was there
            self.waiting.doubted.add(ref)
        return ref

    def put_streams(self, items: Iterable[Callable[[], Stream]], sizes: Iterable[int] = ()) -> list[BlobRef]:
        return self._inner.put_streams(items, sizes)

    def put_files(self, top: bytes, files: Iterable[tuple[bytes, int]], opened: Callable[[bytes], Stream]) -> list[BlobRef]:
        return self._inner.put_files(top, files, opened)

    def audit(self, heard: Heard) -> Audit:
        self.settle()
        return self._inner.audit(heard)

    def sweep(self, needed: Callable[[], Collection[Digest]], before: Instant, *, dry: bool = False) -> BlobSweep:
        self.settle()
        return self._inner.sweep(needed, before, dry=dry)

    def used_since(self) -> Instant | None:
        return self._inner.used_since()


class DeferredActionCache:
    """Implements :class:`lockage.ports.ActionCache` over another; ``blobs`` are those that results refer to."""

    def __init__(self, inner: ActionCache, blobs: DeferredBlobs) -> None:
        self._inner = inner
        self._waiting = blobs.waiting
        self._waiting.cache = inner

    def put_soon(self, action: BlobRef, result: ActionResult) -> None:
        self._waiting.keep(action, result)

    def settle(self) -> None:
        self._waiting.settle()
        self._inner.settle()

    def get(self, action: BlobRef) -> ActionResult | None:
        return self._waiting.results.get(action) or self._inner.get(action)

    def holds(self, actions: Sequence[BlobRef]) -> bool:
        return self._inner.holds([action for action in actions if action not in self._waiting.results])

    def put(self, action: BlobRef, result: ActionResult) -> None:
        self.settle()
        self._inner.put(action, result)

    def put_many(self, results: Iterable[tuple[BlobRef, ActionResult]]) -> None:
        self.settle()
        self._inner.put_many(results)

    def entries(self) -> Iterator[tuple[BlobRef, ActionResult]]:
        self.settle()
        return self._inner.entries()

    def audit(self, heard: Heard) -> Audit:
        self.settle()
        return self._inner.audit(heard)

    def sweep(self, needed: Collection[BlobRef], before: Instant, *, dry: bool = False) -> dict[BlobRef, int]:
        self.settle()
        return self._inner.sweep(needed, before, dry=dry)

"""Streams into a batch, several beside each other: reading, hashing and writing let go of the interpreter.

A small stream is held in memory, and written only if its blob is not present. A large one is written while it is hashed, unless what came
before was present: then it is hashed alone, and read again in the rare case that it is not. So each byte is read once and hashed once.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

from lockage.base.digest import BlobRef, Hasher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from contextlib import AbstractContextManager

    from lockage.adapters.blobs_local.batch import Batch
    from lockage.durable import Staged

    Opened = Callable[[], BinaryIO]

__all__ = ["taken"]

_SMALL = 256 << 10
_CHUNK = 1 << 20
#: So many streams are one piece of work for a thread, and so many pieces are under way.
_PIECE = 32
_WAYS = 8


def taken(
    items: Iterable[Opened],
    batch: Batch,
    *,
    has: Callable[[BlobRef], bool],
    stage: Callable[[], Staged],
    writing: Callable[[], AbstractContextManager[None]],
) -> list[BlobRef]:
    """The blobs of the streams, in their order. Only the calling thread adds to the batch; what is written is written in ``writing``."""
    taker = _Taker(has, stage, writing)
    refs: list[BlobRef] = []
    source = iter(items)
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="storing")
    try:
        while window := list(islice(source, _PIECE * _WAYS * workers)):
            pieces = [window[at : at + _PIECE] for at in range(0, len(window), _PIECE)]
            for found in list(pool.map(taker.take, pieces)):
                for ref, staged in found:
                    taker.waiting.discard(staged)
                    batch.add(ref, staged)
                    refs.append(ref)
    finally:
        pool.shutdown(cancel_futures=True)
        for left in taker.waiting:
            if left is not None:
                left.discard()
    return refs


class _Taker:
    def __init__(
        self, has: Callable[[BlobRef], bool], stage: Callable[[], Staged], writing: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._has = has
        self._stage = stage
        self._writing = writing
        self._was_present = False
        #: What was staged and is not in the batch yet.
        self.waiting: set[Staged | None] = set()

    def take(self, items: Sequence[Opened]) -> list[tuple[BlobRef, Staged | None]]:
        return [self._one(opened) for opened in items]

    def _one(self, opened: Opened) -> tuple[BlobRef, Staged | None]:
        with opened() as stream:
            first = stream.read(_SMALL)
            rest = stream.read(1) if len(first) == _SMALL else b""
            if not rest:
                ref = BlobRef.of(first)
                self._was_present = self._has(ref)
                if self._was_present:
                    return ref, None
                staged = self._staged()
                self._finish(staged, first)
                return ref, staged
            if self._was_present:
                ref = self._hashed(stream, first + rest, None)
                if self._has(ref):
                    return ref, None
                stream.seek(0)
                first, rest = b"", b""
            staged = self._staged()
            ref = self._hashed(stream, first + rest, staged)
            self._was_present = self._has(ref)
            if self._was_present:
                staged.discard()
                self.waiting.discard(staged)
                return ref, None
            self._finish(staged)
            return ref, staged

    def _staged(self) -> Staged:
        with self._writing():
            staged = self._stage()
        self.waiting.add(staged)
        return staged

    def _finish(self, staged: Staged, data: bytes = b"") -> None:
        with self._writing():
            staged.write(data)
            staged.finish(0o444)

    def _hashed(self, stream: BinaryIO, begun: bytes, staged: Staged | None) -> BlobRef:
        """The blob of what was read already and all that follows, written on the way if it is staged."""
        hasher = Hasher()
        data = begun or stream.read(_CHUNK)
        while data:
            hasher.update(data)
            if staged is not None:
                with self._writing():
                    staged.write(data)
            data = stream.read(_CHUNK)
        return hasher.ref()

"""Blobs into a batch, several beside each other: reading, hashing and writing let go of the interpreter.

A small stream is held in memory, and written only if its blob is not present. A large one is written while it is hashed, unless what came
before was present: then it is hashed alone, and read again in the rare case that it is not. So each byte is read once and hashed once.

Small files cost the interpreter more than the processor, and large ones the other way round. So one thread begins with the smallest and
all others with the largest, until they meet: threads that all had small ones would wait for each other.
"""

from __future__ import annotations

import os
from collections import deque
from contextlib import closing
from itertools import islice
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from lockage.base.digest import BlobRef, Hasher

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
    from concurrent.futures import Future
    from contextlib import AbstractContextManager

    from lockage.adapters.blobs_local.batch import Batch
    from lockage.durable import Staged
    from lockage.ports.storage import Stream

    Opened = Callable[[], Stream]
    Taken = list[tuple[int, BlobRef, "Staged | None"]]

__all__ = ["Taker", "put_beside", "taken"]

#: What each thread reads into; a stream that fits is small.
_BUFFER = 1 << 20
#: So many streams, or bytes by what is said of their sizes, are one piece of work.
_PIECE = 32
_WINDOW = 1 << 14
#: Of bytes that come one after the other, so many pieces may wait for each thread.
_WAITING = 4


class Taker:
    """Stages what a store lacks. ``present`` says what it has; what is written is written in ``writing``.

    A large stream is hashed before any of it is written if the one before it was there, and the first as well with ``look_first``.
    """

    def __init__(
        self,
        present: Callable[[BlobRef], bool],
        stage: Callable[[], Staged],
        writing: Callable[[], AbstractContextManager[None]],
        *,
        look_first: bool = False,
    ) -> None:
        self._present = present
        self._stage = stage
        self._writing = writing
        self._was_present = look_first
        #: What was staged and is not in the batch yet.
        self.waiting: set[Staged] = set()

    def hand_over(self, batch: Batch, ref: BlobRef, staged: Staged | None) -> None:
        """Into the batch, which publishes or removes what it was given."""
        if staged is not None:
            self.waiting.discard(staged)
        batch.add(ref, staged)

    def discard(self) -> None:
        """Remove what did not come into a batch."""
        for left in tuple(self.waiting):
            left.discard()

    def data(self, data: bytes | memoryview) -> tuple[BlobRef, Staged | None]:
        """Bytes in memory."""
        ref = BlobRef.of(data)
        self._was_present = present = self._present(ref)
        if present:
            return ref, None
        with self._writing():
            staged = self._stage()
            self.waiting.add(staged)
            staged.write(data)
            staged.finish(0o444)
        return ref, staged

    def stream(self, opened: Opened, buffer: memoryview) -> tuple[BlobRef, Staged | None]:
        """A stream, read into a buffer that is the thread's own."""
        with opened() as stream:
            size = stream.readinto(buffer) or 0
            while size < _BUFFER and (more := stream.readinto(buffer[size:])):
                size += more
            if size < _BUFFER:
                return self.data(buffer[:size])
            if self._was_present:
                ref = self._hashed(stream, buffer, size, None)
                if self._present(ref):
                    return ref, None
                stream.seek(0)
                size = 0
            with self._writing():
                staged = self._stage()
            self.waiting.add(staged)
            ref = self._hashed(stream, buffer, size, staged)
            self._was_present = self._present(ref)
            if self._was_present:
                staged.discard()
                self.waiting.discard(staged)
                return ref, None
            with self._writing():
                staged.finish(0o444)
            return ref, staged

    def _hashed(self, stream: Stream, buffer: memoryview, size: int, staged: Staged | None) -> BlobRef:
        """The blob of what the buffer holds already and all that follows, written on the way if it is staged."""
        hasher = Hasher()
        size = size or stream.readinto(buffer) or 0
        while size:
            hasher.update(buffer[:size])
            if staged is not None:
                with self._writing():
                    staged.write(buffer[:size])
            size = stream.readinto(buffer) or 0
        return hasher.ref()


def taken(items: Iterable[Opened], sizes: Iterable[int], batch: Batch, taker: Taker) -> list[BlobRef]:
    """The blobs of the streams, in their order; ``sizes`` are guesses. Only the calling thread adds to the batch."""
    refs: list[BlobRef] = []
    source, guesses = iter(items), iter(sizes)
    try:
        while window := list(islice(source, _WINDOW)):
            found: list[BlobRef | None] = [None] * len(window)
            pieces = _pieces(len(window), list(islice(guesses, len(window))))
            with closing(_taken(window, pieces, taker)) as taking:
                for number, ref, staged in taking:
                    taker.hand_over(batch, ref, staged)
                    found[number] = ref
            refs += [ref for ref in found if ref is not None]
    finally:
        taker.discard()
    return refs


def _workers() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _pieces(count: int, sizes: Sequence[int]) -> deque[list[int]]:
    """The numbers of the streams in pieces of work, the largest first."""
    order = sorted(range(count), key=sizes.__getitem__, reverse=True) if len(sizes) == count else range(count)
    pieces: deque[list[int]] = deque()
    piece: list[int] = []
    held = 0
    for number in order:
        piece.append(number)
        held += sizes[number] if len(sizes) == count else 0
        if len(piece) == _PIECE or held >= _BUFFER:
            pieces.append(piece)
            piece, held = [], 0
    if piece:
        pieces.append(piece)
    return pieces


def _taken(items: Sequence[Opened], pieces: deque[list[int]], taker: Taker) -> Generator[tuple[int, BlobRef, Staged | None]]:
    """Each stream's number, blob and file as they get ready. Raises what a stream or a file raised, and then nobody begins another.

    No thread is left when this ends.
    """
    ready: SimpleQueue[Taken | BaseException] = SimpleQueue()
    count = len(pieces)

    def take(piece: list[int], buffer: memoryview) -> Taken:
        return [(number, *taker.stream(items[number], buffer)) for number in piece]

    def work(next_piece: Callable[[], list[int]]) -> None:
        buffer = memoryview(bytearray(_BUFFER))
        try:
            while True:
                ready.put(take(next_piece(), buffer))
        except IndexError:
            return  # there are no more pieces
        except BaseException as error:  # noqa: BLE001  # whatever it is, it is raised where the streams are wanted
            ready.put(error)

    # What is small and comes first says whether the others are likely to be present.
    yield from take(pieces.pop(), memoryview(bytearray(_BUFFER)))
    threads: list[Thread] = []
    try:
        for number in range(min(_workers(), count - 1)):
            thread = Thread(target=work, args=(pieces.popleft if number else pieces.pop,), name=f"storing-{number}")
            thread.start()
            threads.append(thread)
        for _ in range(count - 1):
            found = ready.get()
            if isinstance(found, BaseException):
                raise found
            yield from found
    finally:
        pieces.clear()
        for thread in threads:
            thread.join()


def put_beside(items: Iterator[bytes], batch: Batch, taker: Taker) -> list[BlobRef]:
    """The blobs of bytes that come one after the other, hashed and written by other threads while the next ones come."""
    from concurrent.futures import ThreadPoolExecutor  # it brings logging; few builds take a stream of bytes

    refs: list[BlobRef] = []
    workers = _workers()
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="storing") as pool:
        waiting: deque[Future[list[tuple[BlobRef, Staged | None]]]] = deque()

        def take(piece: list[bytes]) -> list[tuple[BlobRef, Staged | None]]:
            return [taker.data(data) for data in piece]

        def settle() -> None:
            for ref, staged in waiting.popleft().result():
                taker.hand_over(batch, ref, staged)
                refs.append(ref)

        try:
            for piece in _bundles(items):
                waiting.append(pool.submit(take, piece))
                if len(waiting) > _WAITING * workers:
                    settle()
            while waiting:
                settle()
        finally:
            pool.shutdown(cancel_futures=True)
            taker.discard()
    return refs


def _bundles(items: Iterator[bytes]) -> Iterator[list[bytes]]:
    """What comes, in pieces of work."""
    piece: list[bytes] = []
    held = 0
    for data in items:
        piece.append(data)
        held += len(data)
        if len(piece) == _PIECE or held >= _BUFFER:
            yield piece
            piece, held = [], 0
    if piece:
        yield piece

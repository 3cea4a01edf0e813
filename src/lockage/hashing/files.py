"""Files to the helpers, and what they say of them back, while more files are being found.

What is largest is begun first, as far as it is known by then, so that no helper has a large file left when the others are done.
"""

from __future__ import annotations

import os
import select
import struct
import subprocess
import sys
from collections import deque
from heapq import heappop, heappush
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from lockage.base.digest import Digest
from lockage.hashing.hasher import PRESENT, UNREAD

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

__all__ = ["Hashed", "hashed", "worthwhile"]

#: From so many files or bytes on starting helpers, some 10 ms each, takes less than they save.
_MANY = 4096
_MUCH = 64 << 20
#: So many files or bytes, by what is said of their sizes, are one piece of work.
_PIECE = 128
_PIECE_BYTES = 2 << 20
#: So many pieces are with a helper at a time, so that it need not wait for the next one.
_AHEAD = 4
_MOST = 64


class Hashed(NamedTuple):
    """What was found of a file, by its place among those given; None if it could not be read. ``present``: the store has such a blob."""

    place: int
    digest: Digest | None
    size: int
    present: bool


class _Piece(NamedTuple):
    first: int
    names: list[bytes]


def worthwhile(files: int, size: int) -> bool:
    """Whether so many files of so many bytes are worth the start of helpers here."""
    return (files >= _MANY or size >= _MUCH) and hasattr(os, "readv") and _cores() > 1 and _program() is not None  # Windows has none


def hashed(top: bytes, files: Iterable[tuple[bytes, int]], *, store: bytes = b"") -> Generator[Hashed]:
    """Each file's digest as it gets ready: names below the folder ``top``, with guesses of their sizes, taken as they come.

    ``store``: where blobs are, to be asked for each. A file that cannot be read, or whose helper ended, is told without a digest.
    Raises what ``files`` raises. When it is closed, the helpers end.
    """
    helpers = _started(top, store)
    try:
        waiting: list[tuple[int, int, _Piece]] = []
        pieces = _pieces(files)
        for size, piece in pieces:
            heappush(waiting, (-size, piece.first, piece))
            yield from _exchanged(helpers, waiting, wait=False)
        while helpers and (waiting or any(helper.asked for helper in helpers)):
            yield from _exchanged(helpers, waiting, wait=True)
        for _, _, piece in waiting:
            yield from _unread(piece)
    finally:
        for helper in helpers:
            helper.end()


def _pieces(files: Iterable[tuple[bytes, int]]) -> Iterator[tuple[int, _Piece]]:
    """Work of about the same size, and how many bytes it is said to be."""
    names: list[bytes] = []
    first = held = 0
    for name, size in files:
        names.append(name)
        held += size
        if held >= _PIECE_BYTES or len(names) == _PIECE:
            yield held, _Piece(first, names)
            first += len(names)
            names, held = [], 0
    if names:
        yield held, _Piece(first, names)


def _exchanged(helpers: list[_Helper], waiting: list[tuple[int, int, _Piece]], *, wait: bool) -> Iterator[Hashed]:
    """Hand out what waits as far as it is wanted, and tell what has been answered; with ``wait`` once something has been.

    A pipe may hold as little as a page. So nothing is written that does not fit: who waits to be heard does not listen.
    """
    while True:
        for helper in tuple(helpers):
            while waiting and len(helper.asked) < _AHEAD:
                helper.ask(heappop(waiting)[2])
            helper.send()
            if not helper.alive:
                helpers.remove(helper)
                helper.end()
                for piece in helper.asked:
                    yield from _unread(piece)
        events = select.poll()  # which takes any descriptor
        for helper in helpers:
            if helper.asked:
                events.register(helper.answers, select.POLLIN)
            if helper.unsent:
                events.register(helper.requests, select.POLLOUT)
        busy = [helper for helper in helpers if helper.asked]
        ready = {descriptor for descriptor, _ in events.poll(None if wait else 0)} if busy else set()
        if not ready:
            return
        for helper in busy:
            if helper.answers in ready:
                wait = False
                yield from helper.answered()


def _unread(piece: _Piece) -> Iterator[Hashed]:
    return (Hashed(place, None, 0, present=False) for place in range(piece.first, piece.first + len(piece.names)))


class _Helper:
    """One helper, what it was asked and has not answered, and what of that did not fit into the pipe yet."""

    def __init__(self, command: Sequence[bytes | str]) -> None:
        self.asked: deque[_Piece] = deque()
        self.unsent = memoryview(b"")
        self.alive = True
        self._process = subprocess.Popen(  # noqa: S603 (the interpreter that runs this, with a file of this package)
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0, process_group=0
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests, self._answers = self._process.stdin, self._process.stdout
        self.requests, self.answers = self._requests.fileno(), self._answers.fileno()
        os.set_blocking(self.requests, False)

    def ask(self, piece: _Piece) -> None:
        """To be sent by :meth:`send`."""
        names = b"\0".join(piece.names)
        request = len(names).to_bytes(4, "little") + names
        self.asked.append(piece)
        self.unsent = memoryview(b"".join((self.unsent, request)) if self.unsent else request)

    def send(self) -> None:
        """As much as the pipe takes now."""
        try:
            while self.unsent and (sent := self._requests.write(self.unsent)):
                self.unsent = self.unsent[sent:]
        except OSError:
            self.alive = False

    def answered(self) -> Iterator[Hashed]:
        """The answer to what was asked first; nothing if the helper has ended, which shows the next time."""
        piece = self.asked[0]
        files = len(piece.names)
        found = self._whole(41 * files)
        if len(found) < 41 * files:
            self.alive = False
            return
        self.asked.popleft()
        digests, sizes, states = found[: 32 * files].hex(), struct.unpack_from(f"<{files}q", found, 32 * files), found[40 * files :]
        for place, size, state in zip(range(files), sizes, states, strict=True):
            digest = None if state == UNREAD else str.__new__(Digest, digests[64 * place : 64 * place + 64])
            yield tuple.__new__(Hashed, (piece.first + place, digest, size, state == PRESENT))  # a call of it takes twice as long

    def _whole(self, length: int) -> bytes:
        parts: list[bytes] = []
        while length and (part := self._answers.read(length)):
            parts.append(part)
            length -= len(part)
        return b"".join(parts)

    def end(self) -> None:
        """It ends by itself when it has nothing to read or nobody to tell, but for what it is reading now."""
        self._process.kill()
        self._requests.close()
        self._answers.close()
        self._process.wait()


def _started(top: bytes, store: bytes) -> list[_Helper]:
    """As many helpers as there are cores; fewer, or none, if the system refuses."""
    helpers: list[_Helper] = []
    program = _program()
    if program is None:
        return helpers
    try:
        while len(helpers) < min(_cores(), _MOST):
            helpers.append(_Helper((sys.executable, "-I", "-S", program, top, store)))
    except OSError:
        pass  # too many processes or open files
    return helpers


def _program() -> str | None:
    """The helper's file; None if lockage does not lie in files, or it is not known what interprets this, or that is this program itself."""
    file = str(Path(__file__).with_name("hasher.py"))
    interpreter = sys.executable and not hasattr(sys, "frozen")
    return file if interpreter and hasattr(os, "readv") and os.path.exists(file) else None  # noqa: PTH110


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

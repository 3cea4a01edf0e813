"""Implements the port ``Workers``: performances in the thread that waits, one piece after the other, and tasks on threads.

What one thread does needs no other to be woken, and no lock: between two sandboxes that is a good part of what a step costs.

Invariants: no signal's handler raises within a piece, as it could leave a process behind that nobody knows; what was begun is known
before its first piece is done.
"""

from __future__ import annotations

import os
import select
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from lockage.adapters.workers_local.shield import Shield
from lockage.ports.workers import Aside, Held

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from lockage.adapters.workers_local.threads import ThreadWorkers
    from lockage.ports.workers import Performance, Waiting

__all__ = ["LoopWorkers"]


class _Bell:
    """A pipe that threads ring by, as the loop waits for descriptors only."""

    def __init__(self) -> None:
        self.heard, self._rung = os.pipe()
        os.set_blocking(self.heard, False)

    def ring(self) -> None:
        os.write(self._rung, b"\0")

    def quiet(self) -> None:
        with suppress(BlockingIOError):
            os.read(self.heard, 1 << 12)

    def __del__(self) -> None:
        os.close(self.heard)
        os.close(self._rung)


class _Play:
    """One performance: what it waits for, until when, and whether it may go on beyond where it is held."""

    __slots__ = ("given", "held", "key", "performance", "released", "until", "waits")

    def __init__(self, key: str, performance: Performance) -> None:
        self.key = key
        self.performance = performance
        self.released = False
        self.held = False
        self.waits: tuple[tuple[int, int], ...] = ()
        self.until = 0.0
        #: What has happened that it waits for.
        self.given: dict[int, int] = {}


class LoopWorkers:
    """Implements :class:`lockage.ports.Workers`; for one thread, which is the one that signals' handlers run in or has none to fear."""

    def __init__(self) -> None:
        self._forget()
        self._shield = Shield()

    def _forget(self) -> None:
        self._crew: ThreadWorkers | None = None
        #: Tasks on threads that have not been waited for, and performances of which something is done aside, by their keys there.
        self._tasks = 0
        self._asides: dict[str, _Play] = {}
        self._bell: _Bell | None = None
        self._plays: dict[str, _Play] = {}
        self._poll: select.poll | None = None  # not every system has it, nor needs it
        self._waiting: dict[int, _Play] = {}
        #: Performances that have come to their ends, with what they came to.
        self._over: dict[str, object] = {}
        self._ended: deque[tuple[str, object]] = deque()

    @property
    def _threads(self) -> ThreadWorkers:
        """Made when first needed, as most builds need none."""
        if self._crew is None:
            from lockage.adapters.workers_local.threads import ThreadWorkers

            self._crew = ThreadWorkers()
        return self._crew

    def start(self, key: str, task: Callable[[], object]) -> None:
        self._tasks += 1
        self._threads.start(key, task)

    def begin(self, key: str, performance: Performance) -> None:
        if self._poll is None:
            self._poll = select.poll()
        play = self._plays[key] = _Play(key, performance)
        self._shield.put_up()
        self._go_on(play, None)

    def release(self, key: str) -> None:
        play = self._plays[key]
        play.released = True
        if key in self._over:
            self._end(play)
        elif play.held:
            self._go_on(play, None)

    def dismiss(self, keys: Collection[str]) -> None:
        for key in keys:
            self._close(self._plays[key])
            del self._plays[key]
        self._rest()

    def wait(self) -> tuple[str, object]:
        while not self._ended:
            if self._waiting:
                self._turn()
            elif self._tasks or self._asides:
                self._heard(self._threads.wait())
            else:
                raise RuntimeError("nothing was started")
        ended = self._ended.popleft()
        self._rest()
        return ended

    def abandon(self, interrupt: Callable[[], None]) -> None:
        # A signal may have come between any two instructions of the methods above, but not within a piece: what is in a table
        # may have ended, and what has begun is in it.
        with self._shield:
            if self._plays:
                interrupt()
            if self._crew is not None:
                self._crew.abandon(interrupt)
            for play in self._plays.values():
                with suppress(Exception):  # the others are to be closed all the same, and what broke them off is being raised
                    play.performance.close()
            self._forget()
            self._shield.forgive()
        self._shield.take_down()

    def _turn(self) -> None:
        """Wait until something has happened that one of them waits for, and let each go on that something has happened to."""
        if self._tasks or self._asides:
            self._listen()
            if self._ended:
                return
        assert self._poll is not None
        until = min([play.until for play in self._waiting.values()])
        ready: dict[str, _Play] = {}
        for descriptor, events in self._poll.poll(max(0.0, until - time.monotonic()) * 1000):
            play = self._waiting.get(descriptor)
            if play is None:  # the bell
                self._hear()
            else:
                play.given[descriptor] = events
                ready[play.key] = play
        if until <= (now := time.monotonic()):  # also of those that have to wait beside one that always has something to say
            ready |= {play.key: play for play in self._waiting.values() if play.until <= now}
        for play in ready.values():
            for descriptor, _ in play.waits:
                self._poll.unregister(descriptor)
                del self._waiting[descriptor]
            given, play.given = play.given, {}
            self._go_on(play, given)

    def _go_on(self, play: _Play, given: object, error: BaseException | None = None) -> None:
        """Do pieces until it waits, is held, or has come to its end."""
        with self._shield:
            play.held = False
            try:
                while True:
                    wanted = play.performance.send(given) if error is None else play.performance.throw(error)
                    given = error = None
                    if not isinstance(wanted, Held):
                        break
                    if not play.released:
                        play.held = True
                        return
            except StopIteration as end:
                self._over[play.key] = end.value
            except BaseException as raised:  # noqa: BLE001 (handed to who waits)
                self._over[play.key] = raised
            else:
                if isinstance(wanted, Aside):
                    self._asides[f"aside {play.key}"] = play
                    self._threads.start(f"aside {play.key}", wanted.task)
                else:
                    self._await(play, wanted)
                return
            if play.released:
                self._end(play)

    def _await(self, play: _Play, wanted: Waiting) -> None:
        assert self._poll is not None
        play.waits = wanted.descriptors
        play.until = time.monotonic() + wanted.seconds
        for descriptor, events in wanted.descriptors:
            self._poll.register(descriptor, events)
            self._waiting[descriptor] = play

    def _end(self, play: _Play) -> None:
        self._ended.append((play.key, self._over.pop(play.key)))
        del self._plays[play.key]

    def _close(self, play: _Play) -> None:
        assert self._poll is not None
        while f"aside {play.key}" in self._asides:  # which uses what closing takes away
            self._heard(self._threads.wait())
        for descriptor, _ in play.waits:
            if self._waiting.get(descriptor) is play:
                self._poll.unregister(descriptor)
                del self._waiting[descriptor]
        with self._shield:
            play.performance.close()
        self._over.pop(play.key, None)

    def _rest(self) -> None:
        if not self._plays:
            self._shield.take_down()

    def _listen(self) -> None:
        """Hear of threads as well."""
        assert self._poll is not None
        if self._bell is None:
            bell = self._bell = _Bell()
            self._threads.tell_by(bell.ring)
            self._poll.register(bell.heard, select.POLLIN)
            self._hear()  # what ended before has not rung

    def _hear(self) -> None:
        assert self._bell is not None
        self._bell.quiet()
        while (ended := self._threads.taken()) is not None:
            self._heard(ended)

    def _heard(self, ended: tuple[str, object]) -> None:
        """Of a task on a thread that has ended."""
        key, outcome = ended
        play = self._asides.pop(key, None)
        if play is None:
            self._tasks -= 1
            self._ended.append(ended)
        elif isinstance(outcome, BaseException):
            self._go_on(play, None, outcome)
        else:
            self._go_on(play, outcome)

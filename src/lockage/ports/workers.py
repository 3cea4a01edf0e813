"""What does tasks beside each other, and what a task is that need not have a thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator
from enum import Enum
from typing import Any, Protocol

import msgspec

__all__ = ["HELD", "Aside", "Held", "Performance", "Waiting", "Workers"]


class Waiting(msgspec.Struct, frozen=True):
    """What a performance waits for: descriptors, each with the events of poll(2) that are asked for, but for so many seconds at most.

    It goes on with those that something has happened to, each with what that was; there are none if it was not in time.
    """

    descriptors: tuple[tuple[int, int], ...]
    seconds: float


class Aside(msgspec.Struct, frozen=True):
    """What takes long, to be done by another thread; the performance goes on with what it gives, or raises."""

    task: Callable[[], object]


class Held(Enum):
    """That everything is ready, and whoever asked for the performance decides when it goes on."""

    HELD = "held"


HELD = Held.HELD

#: A task in pieces, none of which waits: it yields what it waits for between them, is held once, and returns its result.
Performance = Generator[Waiting | Aside | Held, Any, object]  # Any: a mapping of descriptors, or what was done aside


class Workers(Protocol):
    """Does tasks beside each other, each under a key."""

    def start(self, key: str, task: Callable[[], object]) -> None:
        """Do a task that may wait."""
        ...

    def begin(self, key: str, performance: Performance) -> None:
        """Do a performance's pieces up to where it is held; what it raises is its result."""
        ...

    def release(self, key: str) -> None:
        """Let what was begun go on beyond that, as soon as it has come to it."""
        ...

    def dismiss(self, keys: Collection[str]) -> None:
        """Close performances that are not to be released; nothing is left of them."""
        ...

    def wait(self) -> tuple[str, object]:
        """The key and result of the next task that ends, and was released; what a task raised is its result."""
        ...

    def abandon(self, interrupt: Callable[[], None]) -> None:
        """Forget every task: none begins any more, and those under way are ended by ``interrupt``, called until all have.

        Holds wherever a signal broke off another method; other tasks may be started afterwards.
        """
        ...

"""A performance done in one go: by a thread that has nothing else to do, and waits where it waits."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, Any, TypeVar

from lockage.ports.workers import Aside, Held

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from lockage.ports.workers import Waiting

__all__ = ["in_one_go"]

T = TypeVar("T")


def in_one_go(pieces: Generator[Waiting | Aside | Held, Any, T]) -> T:  # Any: see Performance
    """What it returns; it goes on at once where it is held. Raises what it raises."""
    try:
        wanted = next(pieces)
        while True:
            if isinstance(wanted, Held):
                wanted = next(pieces)
            elif isinstance(wanted, Aside):
                wanted = _done(pieces, wanted)
            else:
                wanted = pieces.send(_happened(wanted))
    except StopIteration as end:
        found: T = end.value
        return found
    finally:
        pieces.close()


def _done(pieces: Generator[Waiting | Aside | Held, Any, T], aside: Aside) -> Waiting | Aside | Held:
    try:
        given = aside.task()
    except BaseException as error:  # noqa: BLE001 (the performance's to handle)
        return pieces.throw(error)
    return pieces.send(given)


def _happened(wanted: Waiting) -> Mapping[int, int]:
    poll = select.poll()
    for descriptor, events in wanted.descriptors:
        poll.register(descriptor, events)
    return dict(poll.poll(wanted.seconds * 1000))

"""The C library, for what ``os`` does not offer, or offers at a price.

Invariant: only what never waits is called by way of :func:`at_once`, which keeps the interpreter's lock: to let go of it and take it
again costs more than such a call, most of all where other threads want it.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["at_once", "check", "close_at_once", "failure", "libc"]


@cache
def libc() -> ctypes.CDLL:
    """For calls that may wait."""
    return ctypes.CDLL(None, use_errno=True)


@cache
def at_once() -> ctypes.PyDLL:
    """For calls that never wait."""
    return ctypes.PyDLL(None, use_errno=True)


def check(number: int) -> None:
    """Raises OSError for an error's number, as functions of posix_spawn(3) return it."""
    if number != 0:
        raise OSError(number, os.strerror(number))


def failure() -> OSError:
    """What the last call in this thread has failed with."""
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))


def close_at_once(descriptors: Iterable[int]) -> None:
    """Close what goes without waiting: pipes, sockets, processes. Not folders, with which a whole file system may go."""
    close = at_once().close
    for descriptor in descriptors:
        close(descriptor)

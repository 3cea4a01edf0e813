"""What was made of a value, for whoever comes with the very same object next.

Most steps of a plan share one tuple of a hundred names and values: to hash or compare it costs more than all else that is done with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Latest"]

V = TypeVar("V")
T = TypeVar("T")


class Latest(Generic[V, T]):
    """Calls ``make`` unless it is given the object that it was given last; of equal objects that ``make`` knows it tells itself."""

    def __init__(self, make: Callable[[V], T]) -> None:
        self._make = make
        self._last: tuple[V, T] | None = None

    def __call__(self, value: V) -> T:
        last = self._last  # taken once: another thread may put another pair there
        if last is None or last[0] is not value:
            last = self._last = value, self._make(value)
        return last[1]

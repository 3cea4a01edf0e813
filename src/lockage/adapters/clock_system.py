"""The system's clock: the only place where the time of day is read."""

from __future__ import annotations

import time

from lockage.base.instant import Instant

__all__ = ["SystemClock"]


class SystemClock:
    """Implements :class:`lockage.ports.Clock`."""

    def now(self) -> Instant:
        return Instant(int(time.time()))

    def steady(self) -> int:
        return time.monotonic_ns() // 1_000_000

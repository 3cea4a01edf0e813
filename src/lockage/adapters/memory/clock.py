"""A clock that stands still until it is told to go on."""

from __future__ import annotations

from lockage.base.instant import Instant

__all__ = ["FixedClock"]


class FixedClock:
    """Implements :class:`lockage.ports.Clock`."""

    def __init__(self, now: str = "2026-01-01T00:00:00Z") -> None:
        self._now = Instant.parse(now)
        self.steady_ms = 0

    def now(self) -> Instant:
        return self._now

    def steady(self) -> int:
        return self.steady_ms

    def advance(self, seconds: int) -> None:
        """Let time pass; a negative number sets the clock back, as people do."""
        self._now = Instant(self._now + seconds)

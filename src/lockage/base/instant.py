"""Points in time. Time is an argument everywhere below the adapters; this module never reads a clock."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Self

__all__ = ["ZIP_FLOOR", "Instant"]


class Instant(int):
    """Whole seconds since 1970-01-01T00:00:00Z; its text is RFC 3339 with a ``Z``, such as ``2026-11-23T20:00:00Z``."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``YYYY-MM-DDTHH:MM:SSZ``; raises ValueError for any other form."""
        return cls(int(datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()))

    @classmethod
    def from_json(cls, value: object) -> Self:
        if not isinstance(value, str):
            raise ValueError("a time is written as text, YYYY-MM-DDTHH:MM:SSZ")
        return cls.parse(value)

    def __str__(self) -> str:
        return datetime.fromtimestamp(int(self), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def __repr__(self) -> str:
        return f"Instant({str(self)!r})"


#: 1980-01-01T00:00:00Z, the earliest time that a zip member can carry (APPNOTE 4.4.6); the fixed epoch of steps without a date stamp.
ZIP_FLOOR = Instant(315532800)

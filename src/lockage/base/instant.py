"""Points in time. Time is an argument everywhere below the adapters; this module never reads a clock."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Self

__all__ = ["ZIP_FLOOR", "Instant"]

#: Stricter and many times quicker than strptime, which takes `2026-1-1` too.
_FORM = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})Z")


class Instant(int):
    """Whole seconds since 1970-01-01T00:00:00Z; its text is RFC 3339 with a ``Z``, such as ``2026-11-23T20:00:00Z``."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``YYYY-MM-DDTHH:MM:SSZ``; raises ValueError for any other form."""
        found = _FORM.fullmatch(text)
        if found is None:
            raise ValueError(f"not a time of the form YYYY-MM-DDTHH:MM:SSZ: {text[:40]!r}")
        year, month, day, hour, minute, second = map(int, found.groups())
        return cls(int(datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()))

    @classmethod
    def from_json(cls, value: object) -> Self:
        if not isinstance(value, str):
            raise ValueError("a time is written as text, YYYY-MM-DDTHH:MM:SSZ")
        return cls.parse(value)

    def __str__(self) -> str:
        return datetime.fromtimestamp(int(self), UTC).isoformat()[:19] + "Z"

    def __repr__(self) -> str:
        return f"Instant({str(self)!r})"


#: 1980-01-01T00:00:00Z, the earliest time that a zip member can carry (APPNOTE 4.4.6); the fixed epoch of steps without a date stamp.
ZIP_FLOOR = Instant(315532800)

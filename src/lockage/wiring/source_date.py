"""SOURCE_DATE_EPOCH of the process, for commands that are used without a source."""

from __future__ import annotations

import os

from lockage.base.instant import Instant
from lockage.wiring.settings import InvalidSetting

__all__ = ["source_date"]

#: The last second of the year 9999, beyond which no date has a text.
_LAST = 253402300799


def source_date() -> Instant | None:
    """The date that the variable names (https://reproducible-builds.org/specs/source-date-epoch); None if it is not set.

    Raises :class:`InvalidSetting`.
    """
    text = os.environ.get("SOURCE_DATE_EPOCH")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and int(text[:20]) <= _LAST):
        raise InvalidSetting(
            f"SOURCE_DATE_EPOCH is {text[:40]!r}: whole seconds since 1970 are expected",
            hint="Set it to digits only, such as the output of `git log -1 --format=%ct`.",
            setting="SOURCE_DATE_EPOCH",
        )
    return Instant(text)

"""Sizes and durations as people write them: ``1 GiB``, ``10 min``."""

from __future__ import annotations

import re

__all__ = ["DURATION_FORM", "SIZE_FORM", "duration", "size"]

#: IEC 80000-13 for powers of two, SI for powers of ten.
_SIZES = {
    "B": 1,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
    "TiB": 1 << 40,
}
_TIMES = {"h": 3600, "min": 60, "s": 1}

#: What is told to somebody who wrote something else.
SIZE_FORM = 'a size such as "512 MiB" or "1 GiB", or bytes as an integer'
DURATION_FORM = 'a duration such as "90 s", "10 min" or "1 h 30 min", or seconds as an integer'


def size(text: str) -> int:
    """Bytes of ``NUMBER UNIT``; a decimal fraction may be used if it gives whole bytes. Raises ValueError."""
    found = re.fullmatch(r"([0-9]{1,15})(?:\.([0-9]{1,9}))? ?([A-Za-z]{1,3})", text)
    if found is None or found[3] not in _SIZES:
        raise ValueError(f"not {SIZE_FORM}: {text[:60]!r}")
    fraction = found[2] or ""
    scale = int("1" + "0" * len(fraction))
    amount, rest = divmod(int(found[1] + fraction) * _SIZES[found[3]], scale)
    if rest:
        raise ValueError(f"not a whole number of bytes: {text[:60]!r}")
    return amount


def duration(text: str) -> int:
    """Seconds of ``N h``, ``N min``, ``N s`` or several of them from large to small. Raises ValueError."""
    found = re.fullmatch(r"(?:([0-9]{1,6}) ?h)?(?: ?([0-9]{1,6}) ?min)?(?: ?([0-9]{1,8}) ?s)?", text)
    if found is None or not text or text.startswith(" "):
        raise ValueError(f"not {DURATION_FORM}: {text[:60]!r}")
    return sum(int(amount) * unit for amount, unit in zip(found.groups(), _TIMES.values(), strict=True) if amount)

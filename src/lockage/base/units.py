"""Sizes and times for people, spelled in one way everywhere; machines get bytes and milliseconds."""

from __future__ import annotations

__all__ = ["counted", "human_ago", "human_duration", "human_size", "human_time"]


def counted(count: int, what: str) -> str:
    """A number of things: ``1 step``, ``10,000 steps``."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def human_size(size: int) -> str:
    """A number of bytes: ``14.2 MiB``. What rounds up to a whole next unit is told in that unit."""
    if size < 1024:
        return f"{size} B"
    number = float(size)
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        number /= 1024
        if round(number, 1) < 1024 or unit == "TiB":
            return f"{number:.1f} {unit}"
    raise AssertionError


def human_time(milliseconds: int) -> str:
    """A duration: ``0.4 s``, ``12.3 s``, ``1 min 23 s``, ``2 h 05 min``."""
    tenths = (milliseconds + 50) // 100
    if tenths < 600:
        return f"{tenths // 10}.{tenths % 10} s"
    seconds = (milliseconds + 500) // 1000
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02} s"
    minutes = (seconds + 30) // 60
    return f"{minutes // 60} h {minutes % 60:02} min"


def human_duration(seconds: int) -> str:
    """A length of time that somebody set, as they would write it: ``2 s``, ``10 min``, ``1 h 30 min``."""
    parts = ((seconds // 3600, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"


def human_ago(seconds: int) -> str:
    """How long ago something was: ``just now``, ``5 min ago``, ``3 h ago``, ``12 days ago``."""
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{seconds // 60} min ago"
    if seconds < 2 * 86400:
        return f"{seconds // 3600} h ago"
    return f"{seconds // 86400} days ago"

"""The resources of executions for people: one column for each that is known of any, whichever a lockage measures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.canonical import plain
from lockage.base.units import human_size, human_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockage.record.result import Usage

__all__ = ["usage_columns"]

#: Headings of those that read better than their name; the unit follows from the name (:func:`_shown`).
_HEADINGS = {
    "wall_ms": "wall",
    "user_ms": "user",
    "system_ms": "system",
    "peak_memory": "memory",
    "read_bytes": "read",
    "written_bytes": "written",
    "peak_charged": "charged",
    "disk_read_bytes": "disk read",
    "disk_written_bytes": "disk written",
    "peak_processes": "at once",
}
#: Bytes, besides those whose name says so.
_SIZES = frozenset({"peak_memory", "peak_charged"})


def usage_columns(usages: Sequence[Usage | None]) -> tuple[list[str], list[list[str]]]:
    """Headings, and a row for each; a resource of which nothing was measured in any has no column."""
    rows = [{} if usage is None else plain(usage) for usage in usages]
    names = [name for name in dict.fromkeys(name for row in rows for name in row) if any(_counts(row.get(name)) for row in rows)]
    return [_HEADINGS.get(name, name.removesuffix("_ms").replace("_", " ")) for name in names], [
        [_shown(name, row.get(name)) for name in names] for row in rows
    ]


def _counts(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _shown(name: str, value: object) -> str:
    if not _counts(value):
        return "" if value is None or value == 0 else str(value)
    assert isinstance(value, int)
    if name.endswith("_ms"):
        return human_time(value)
    return human_size(value) if name.endswith("_bytes") or name in _SIZES else str(value)

"""What `git status --porcelain=v2 --branch -z` says."""

from __future__ import annotations

import msgspec

__all__ = ["Status", "read_status"]

#: How many fields stand before the path of an entry of each kind (git-status(1), "Changed Tracked Entries").
_FIELDS = {"1": 8, "2": 9, "u": 10, "?": 1}


class Status(msgspec.Struct, frozen=True):
    """The commit that HEAD is (None: none yet), and the paths that differ from it, untracked ones included."""

    head: str | None
    changes: tuple[str, ...]


def read_status(data: bytes) -> Status:
    """Read git's output."""
    head: str | None = None
    changes: list[str] = []
    records = iter(data.decode("utf-8", "backslashreplace").split("\0")[:-1])
    for record in records:
        if record.startswith("# branch.oid "):
            oid = record.removeprefix("# branch.oid ")
            head = None if oid == "(initial)" else oid
        elif record[:1] in _FIELDS:
            changes.append(record.split(" ", _FIELDS[record[0]])[-1])
            if record[0] == "2":
                next(records)  # where it was renamed from
    return Status(head, tuple(changes))

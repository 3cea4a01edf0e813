"""What `git status --porcelain=v2 --branch -z` says."""

from __future__ import annotations

import msgspec

__all__ = ["Status", "read_status"]

#: How many fields stand before the path of an entry of each kind (git-status(1), "Changed Tracked Entries").
_FIELDS = {"1": 8, "2": 9, "u": 10, "?": 1}
#: Which of them says whether it is a submodule, and which is the object that the index names.
_SUBMODULE, _INDEXED = 2, 7


class Status(msgspec.Struct, frozen=True):
    """The commit that HEAD is (None: none yet), and what differs from it, untracked files included: ``changes`` is to be shown,
    ``paths`` are the same as bytes, with the old paths of what was renamed. ``links``: what the index has for changed submodules.
    ``untracked``: whether there is anything that git does not know.
    """

    head: str | None
    changes: tuple[str, ...]
    paths: frozenset[bytes] = frozenset()
    links: dict[str, str] = {}
    untracked: bool = False

    def and_below(self, path: str, other: Status) -> Status:
        """With the changes of a submodule at ``path``."""
        changes = (*self.changes, *(f"{path}/{name}" for name in other.changes))
        return Status(self.head, changes, self.paths | {path.encode() + b"/" + name for name in other.paths}, self.links, self.untracked)


def read_status(data: bytes) -> Status:
    """Read git's output."""
    head: str | None = None
    changes: list[str] = []
    paths: set[bytes] = set()
    links: dict[str, str] = {}
    untracked = False
    records = iter(data.split(b"\0")[:-1])
    for raw in records:
        record = raw.decode("utf-8", "backslashreplace")
        if record.startswith("# branch.oid "):
            oid = record.removeprefix("# branch.oid ")
            head = None if oid == "(initial)" else oid
        elif record[:1] in _FIELDS:
            fields = record.split(" ", _FIELDS[record[0]])
            changes.append(fields[-1])
            untracked |= record[0] == "?"
            paths.add(raw.split(b" ", _FIELDS[record[0]])[-1])
            if record[0] == "2":
                paths.add(next(records))
            if record[0] in "12" and fields[_SUBMODULE].startswith("S"):
                links[fields[-1]] = fields[_INDEXED]
    return Status(head, tuple(changes), frozenset(paths), links, untracked)

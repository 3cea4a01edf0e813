"""What `git status --porcelain=v2 --branch -z` says."""

from __future__ import annotations

import msgspec

from lockage.echo.git import changed, commit_of

__all__ = ["Status", "read_status"]

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
    oid = commit_of(data)
    head = None if oid in (b"", b"(initial)") else oid.decode()
    changes: list[str] = []
    paths: set[bytes] = set()
    links: dict[str, str] = {}
    untracked = False
    for raw, before in changed(data):
        fields = [field.decode("utf-8", "backslashreplace") for field in raw]
        changes.append(fields[-1])
        untracked |= fields[0] == "?"
        paths.add(raw[-1])
        if before is not None:
            paths.add(before)
        if fields[0] in "12" and fields[_SUBMODULE].startswith("S"):
            links[fields[-1]] = fields[_INDEXED]
    return Status(head, tuple(changes), frozenset(paths), links, untracked)

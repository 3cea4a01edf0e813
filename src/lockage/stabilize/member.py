"""Members of archives as every reader in this room gives them, and what their paths may be."""

from __future__ import annotations

from typing import Protocol

from lockage.stabilize.errors import MalformedArchive, UnsafeArchive
from lockage.stabilize.model import MemberKind

__all__ = ["Member", "clean_path", "forbid_below_links"]


class Member(Protocol):
    """One member, in archive order. ``size`` is that of a file's unpacked bytes and 0 for everything else."""

    @property
    def path(self) -> str: ...
    @property
    def kind(self) -> MemberKind: ...
    @property
    def executable(self) -> bool: ...
    @property
    def target(self) -> str | None: ...
    @property
    def size(self) -> int: ...
    def read(self) -> bytes:
        """The unpacked bytes of a file, checked against what the archive declares; raises :class:`MalformedArchive`."""
        ...

    def packed(self) -> bytes:
        """The bytes as they lie in the archive: equal packed bytes and an equal ``packing`` mean equal content."""
        ...

    @property
    def packing(self) -> str: ...
    def fields(self) -> dict[str, str]:
        """Everything else that the archive says of the member, by field."""
        ...


def clean_path(name: str) -> str:
    """A member's path without ``./``, doubled and trailing slashes; ``.`` for the top.

    Raises :class:`MalformedArchive` and :class:`UnsafeArchive`.
    """
    if not name or "\0" in name:
        raise MalformedArchive(f"a member has an empty name or a NUL in it: {name[:100]!r}", member=name[:100])
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise MalformedArchive(f"a member's name is not UTF-8: {name[:100]!r}", member=ascii(name)[:100]) from error
    parts = [part for part in name.split("/") if part not in ("", ".")]
    windows = name.replace("\\", "/")  # a reader on Windows takes both for separators
    if windows.startswith("/") or ".." in windows.split("/") or (name[1:2] == ":" and name[0].isalpha()):
        raise UnsafeArchive(f"a member's path leaves the folder it is unpacked into: {name[:200]!r}", member=name[:200])
    return "/".join(parts) or "."


def forbid_below_links(members: list[tuple[str, MemberKind]]) -> None:
    """Raise :class:`UnsafeArchive` if a member would be written through a symbolic link of the same archive."""
    links = {path for path, kind in members if kind is MemberKind.LINK}
    if not links:
        return
    seen: set[str] = set()
    for path, _ in members:
        if path in links and path in seen:
            raise UnsafeArchive(f"a symbolic link shares its path with another member: {path[:200]!r}", member=path[:200])
        seen.add(path)
        end = path.rfind("/")
        while end > 0:
            if path[:end] in links:
                raise UnsafeArchive(f"a member lies below the symbolic link {path[:end]!r}: {path[:200]!r}", member=path[:200])
            end = path.rfind("/", 0, end)

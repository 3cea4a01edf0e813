"""A file or a folder of this machine as a side of a comparison."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from lockage.base.errors import Usage
from lockage.compare.side import FileSide, SetSide
from lockage.stabilize.model import MemberKind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lockage.compare.side import Side

__all__ = ["FolderFile", "UnreadableFile", "side_of"]


class UnreadableFile(Usage):
    """A file or folder that was named cannot be read."""

    code = "unreadable-file"
    hint = "Check its permissions, or run this as a user who may read it."


class FolderFile:
    """One entry of a folder as a member; it is read when it is compared, and not kept."""

    __slots__ = ("_mode", "_place", "executable", "kind", "path", "size", "target")
    packing = "stored"

    def __init__(self, place: Path, path: str) -> None:
        found = place.lstat()
        self._place, self._mode = place, stat.S_IMODE(found.st_mode)
        self.kind = _kind(found.st_mode)
        self.path = f"{path}/" if self.kind is MemberKind.DIRECTORY else path
        self.size = found.st_size if self.kind is MemberKind.FILE else 0
        self.executable = self.kind is MemberKind.FILE and bool(self._mode & 0o111)
        self.target = _printed(str(place.readlink())) if self.kind is MemberKind.LINK else None

    def read(self) -> bytes:
        try:
            return self._place.read_bytes()
        except OSError as error:
            raise UnreadableFile(f"cannot read {self._place}: {error.strerror}", file=str(self._place)) from error

    def packed(self) -> bytes:
        return self.read()

    def fields(self) -> dict[str, str]:
        return {"mode": f"{self._mode:o}"} if self.kind is not MemberKind.LINK else {}


def side_of(place: Path, title: str) -> Side:
    """What is there, to be compared. Raises :class:`UnreadableFile`."""
    try:
        if place.is_dir():
            members = sorted(_walk(place, ""), key=lambda member: member.path)
            return SetSide(title=title, members=members)
        return FileSide(title=title, name=place.name, data=place.read_bytes())
    except OSError as error:
        raise UnreadableFile(f"cannot read {error.filename or place}: {error.strerror}", file=str(place)) from error


def _walk(folder: Path, prefix: str) -> Iterator[FolderFile]:
    for entry in folder.iterdir():
        name = _printed(entry.name)
        found = FolderFile(entry, f"{prefix}{name}")
        yield found
        if found.kind is MemberKind.DIRECTORY:
            yield from _walk(entry, f"{prefix}{name}/")


def _printed(name: str) -> str:
    """A name that is not UTF-8, as one that is."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _kind(mode: int) -> MemberKind:
    if stat.S_ISDIR(mode):
        return MemberKind.DIRECTORY
    if stat.S_ISLNK(mode):
        return MemberKind.LINK
    return MemberKind.FILE if stat.S_ISREG(mode) else MemberKind.SPECIAL

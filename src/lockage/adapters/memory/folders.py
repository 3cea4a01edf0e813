"""Folders in a dictionary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.ports import KEPT_MARK, FolderUnwritable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lockage.base.digest import BlobRef
    from lockage.ports import Blobs

__all__ = ["MemoryFolders"]


class MemoryFolders:
    """Implements :class:`lockage.ports.Folders`. ``data`` is each folder's files by name, for a test to look at and to put files in."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self.data: dict[Path, dict[str, bytes]] = {}

    def place(self, folder: Path, files: Sequence[tuple[str, BlobRef]]) -> None:
        for name, ref in files:
            data = self._blobs.get(ref)
            self.data.setdefault(folder.absolute(), {})[name] = data

    def read(self, folder: Path, name: str) -> bytes | None:
        return self.data.get(folder.absolute(), {}).get(name)

    def write(self, folder: Path, name: str, data: bytes) -> None:
        self.data.setdefault(folder.absolute(), {})[name] = bytes(data)

    def check_kept(self, folder: Path) -> None:
        present = self.data.get(folder.absolute())
        if present and KEPT_MARK not in present:
            raise FolderUnwritable(f"{folder} holds files that lockage did not put there: {', '.join(sorted(present)[:3])}")

    def replace(self, folder: Path, files: Sequence[tuple[str, BlobRef]], keep: Mapping[str, bytes]) -> None:
        present = self.data.get(folder.absolute())
        if present and next(iter(keep)) not in present:
            raise FolderUnwritable(f"{folder} holds files that lockage did not put there: {', '.join(sorted(present)[:3])}")
        made = {name: self._blobs.get(ref) for name, ref in files}
        self.data[folder.absolute()] = made | {name: bytes(data) for name, data in keep.items()}

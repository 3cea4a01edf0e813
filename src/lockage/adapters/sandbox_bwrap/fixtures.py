"""Fixed files and folders kept under scratch, so that a sandbox can bind them.

Invariant: what is handed out was compared byte for byte in this process, so a torn write of an earlier one does no harm.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from lockage.base.digest import Hasher
from lockage.base.instant import ZIP_FLOOR

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Fixtures"]


class Fixtures:
    """Folders of fixed files by content, made once and checked once in each process. Safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, Path] = {}
        self._lock = threading.Lock()

    def file(self, content: bytes) -> Path:
        """A read-only file with that content."""
        return self.tree({"content": content}) / "content"

    def tree(self, files: Mapping[str, bytes]) -> Path:
        """A folder with these files, all modes and times fixed."""
        hasher = Hasher()
        for path in sorted(files):
            hasher.update(f"{path}\0{len(files[path])}\0".encode() + files[path])
        name = hasher.digest()
        with self._lock:
            found = self._known.get(name)
            if found is None:
                found = self._folder / name
                if not _holds(found, files):
                    self._make(found, files)
                self._known[name] = found
            return found

    def _make(self, target: Path, files: Mapping[str, bytes]) -> None:
        import shutil  # both are slow to import, and what was made once is kept
        import tempfile

        self._folder.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=".new-", dir=self._folder))
        for path, content in files.items():
            file = fresh / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        for parent, _, names in os.walk(fresh, topdown=False):
            for name in names:
                (Path(parent) / name).chmod(0o444)
                os.utime(Path(parent) / name, (ZIP_FLOOR, ZIP_FLOOR))
            Path(parent).chmod(0o755)
            os.utime(parent, (ZIP_FLOOR, ZIP_FLOOR))
        try:
            fresh.rename(target)
        except OSError:  # another process was first, or a damaged one is in the way
            if not _holds(target, files):
                target.rename(fresh.with_suffix(".bad"))
                fresh.rename(target)
                shutil.rmtree(fresh.with_suffix(".bad"), ignore_errors=True)
            else:
                shutil.rmtree(fresh, ignore_errors=True)


def _holds(folder: Path, files: Mapping[str, bytes]) -> bool:
    try:
        return all((folder / path).read_bytes() == content for path, content in files.items())
    except OSError:
        return False

"""Which reader reads a locator: an address, a repository, a path at a revision, an sdist, a directory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from lockage.base.path import RelPath
from lockage.ports import SourceRead, SourceUnusable
from lockage.record.locator import parse_remote, revisions_of_path, split_subdirectory

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lockage.base.digest import BlobRef
    from lockage.record.locator import Remote

__all__ = ["Repositories", "SourceRouter"]


class Repositories(Protocol):
    """Reads commits."""

    def read_work_tree(self, top: Path, path: RelPath | None) -> SourceRead | None: ...
    def read_commit(self, top: Path, revision: str, path: RelPath | None) -> SourceRead: ...
    def read_remote(self, remote: Remote, path: RelPath | None = None) -> SourceRead: ...


class Archives(Protocol):
    """Reads sdists."""

    def read(self, file: Path) -> SourceRead: ...
    def read_blob(self, file: str, archive: BlobRef) -> SourceRead: ...


class Directories(Protocol):
    """Reads directories."""

    def read(self, folder: Path, reason: str = ...) -> SourceRead: ...


class SourceRouter:
    """Implements :class:`lockage.ports.Sources`. What exists as a path is never taken for anything else.

    Each reader is made when a locator turns out to need it. ``here`` is what relative paths are relative to.
    """

    def __init__(
        self,
        *,
        repositories: Callable[[], Repositories],
        archives: Callable[[], Archives],
        directories: Callable[[], Directories],
        here: Path,
    ) -> None:
        self._repositories = repositories
        self._archives = archives
        self._directories = directories
        self._here = here

    def read(self, locator: str) -> SourceRead:
        """Read a source; raises :class:`SourceUnusable` with what was tried."""
        if not locator or "\0" in locator:
            raise SourceUnusable("the source's name is empty or holds a NUL")
        try:
            locator.encode()
        except UnicodeEncodeError as error:
            raise SourceUnusable(f"the source's name is not UTF-8: {os.fsencode(locator)!r}", hint="Rename it.") from error
        try:
            found = self._existing(locator, None)
            if found is not None:
                return found
            text, directory = split_subdirectory(locator)
            below = _subdirectory(directory) if directory is not None else None
            return (self._existing(text, below) if below else None) or self._elsewhere(text, below)
        except OSError as error:
            raise SourceUnusable(f"cannot read {locator[:200]}: {error.strerror}", path=locator[:200]) from error

    def read_sdist(self, file: str, archive: BlobRef) -> SourceRead:
        return self._archives().read_blob(file, archive)

    def _existing(self, locator: str, below: RelPath | None) -> SourceRead | None:
        path = self._here / locator
        if path.is_file() and below is None:
            return self._archives().read(path)
        if path.is_file():
            raise SourceUnusable(f"{locator} is a file, so no directory of it can be named: {below}", path=locator)
        if path.is_dir():
            return self._directory(path, below)
        if path.exists():
            raise SourceUnusable(f"{locator} is neither a file nor a directory", path=locator)
        return None

    def _elsewhere(self, locator: str, below: RelPath | None) -> SourceRead:
        if "://" not in locator:
            for text, revision in revisions_of_path(locator):
                folder = self._here / text
                if folder.is_dir():
                    return self._at_revision(folder, text, revision, below)
        remote = parse_remote(locator)
        if remote is not None:
            if remote.address.endswith((".tar.gz", ".tgz", ".zip", ".tar.bz2", ".tar.xz", ".whl")):
                raise SourceUnusable(
                    f"{remote.public} is a file, not a repository", hint="Download it, check its sha256, and give the file."
                )
            return self._repositories().read_remote(remote, below)
        raise SourceUnusable(
            f"there is no source {locator!r}: no such file or directory, and not the address of a repository", path=locator
        )

    def _directory(self, path: Path, below: RelPath | None) -> SourceRead:
        folder = path.resolve()
        if _is_bare(folder):
            return self._repositories().read_commit(folder, "HEAD", below)
        if below is not None:
            folder = (folder / below).resolve()
            if not folder.is_dir():
                raise SourceUnusable(f"{path} has no directory {below}", path=str(path / below))
        top = _top(folder)
        if top is None:
            return self._directories().read(folder)
        read = self._repositories().read_work_tree(top, _below(top, folder))
        if read is None:
            return self._directories().read(folder, f"it lies in the repository {top.name} but is not part of its commit")
        return read

    def _at_revision(self, path: Path, text: str, revision: str, below: RelPath | None) -> SourceRead:
        folder = path.resolve()
        top = folder if _is_bare(folder) else _top(folder)
        if top is None:
            raise SourceUnusable(f"{text} is no git repository, so it has no revision {revision!r}", path=text, revision=revision)
        inside = _below(top, folder)
        return self._repositories().read_commit(top, revision, inside.joined(below) if inside and below else inside or below)


def _subdirectory(text: str) -> RelPath:
    try:
        return RelPath(text.rstrip("/"))
    except ValueError as error:
        raise SourceUnusable(
            f"not a directory inside a repository: {text[:200]!r}", hint="Write it as in `URL@REVISION#subdirectory=services/api`."
        ) from error


def _top(folder: Path) -> Path | None:
    """The top of the working copy that a directory is in."""
    return next((parent for parent in (folder, *folder.parents) if (parent / ".git").exists()), None)


def _below(top: Path, folder: Path) -> RelPath | None:
    try:
        return None if folder == top else RelPath(folder.relative_to(top).as_posix())
    except ValueError as error:
        raise SourceUnusable(f"the path of {folder!s} is not UTF-8") from error


def _is_bare(folder: Path) -> bool:
    return (folder / "HEAD").is_file() and (folder / "objects").is_dir() and (folder / "refs").is_dir()

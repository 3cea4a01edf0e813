"""A plain directory as a source: its files as they are now. It can be built, never promoted.

Not read: what version control, interpreters and lockage itself leave behind (:data:`IGNORED`, anywhere), and ``dist`` and
``lockage-failed`` at the top, where builds put their artifacts and what failed. Links are kept as links and never followed; the
date is 1980-01-01, because nothing else about a directory is the same on another machine. A file that has not changed since it was read is
neither read nor hashed again (:mod:`.index`).
"""

from __future__ import annotations

import os
import stat
from io import BytesIO, FileIO
from typing import TYPE_CHECKING

from lockage.adapters.source_directory.index import NOTHING, SeenFile, is_settled, read_index, read_seen, write_index, write_seen
from lockage.adapters.source_directory.names import link_target, relative, unusual
from lockage.base.instant import ZIP_FLOOR
from lockage.base.name import Version
from lockage.base.tree import Directory, FileNode, LinkNode, Node, Tree, top_file
from lockage.ports import SourceRead, SourceUnusable
from lockage.record.source import DirectoryOrigin
from lockage.record.version import VersionCandidates, metadata_fields, pyproject_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from lockage.base.digest import BlobRef
    from lockage.base.path import RelPath
    from lockage.ports import Blobs, Clock, Memo
    from lockage.ports.storage import Stream

__all__ = ["IGNORED", "DirectorySource"]

IGNORED = frozenset(
    {".git", ".hg", ".lockage", ".mypy_cache", ".nox", ".pytest_cache", ".ruff_cache", ".svn", ".tox", ".venv", "__pycache__"}
)
_IGNORED_AT_TOP = frozenset({"dist", "lockage-failed"})


class DirectorySource:
    """Reads directories into the blobs. With a ``memo`` and a ``clock`` only what has changed is read; ``opened`` opens a file."""

    def __init__(
        self, blobs: Blobs, memo: Memo | None = None, clock: Clock | None = None, *, opened: Callable[[bytes], Stream] | None = None
    ) -> None:
        self._blobs = blobs
        self._memo = memo
        self._clock = clock
        self._opened = opened or _opened

    def read(self, folder: Path, reason: str = "it is a plain directory, not a commit") -> SourceRead:
        """The directory with everything in it; raises :class:`SourceUnusable` for what a tree cannot hold."""
        root = self._root(folder)

        def top(name: str) -> bytes | None:
            return top_file(root, name, self._blobs.get)

        metadata = top("PKG-INFO")
        project, version = metadata_fields(metadata) if metadata else (None, None)
        return SourceRead(
            tree=root,
            date=ZIP_FLOOR,
            origin=DirectoryOrigin(reason=reason),
            versions=VersionCandidates(
                pyproject=pyproject_version(top("pyproject.toml")), metadata=version, fallback=Version("0+directory")
            ),
            project=project,
            recipe=top("lockage.toml"),
            lock=top("lockage.lock"),
        )

    def _root(self, folder: Path) -> BlobRef:
        from lockage.adapters.source_directory.walk import Walk  # a snapshot of a working copy has no need of it

        folder = folder.absolute()
        known = NOTHING if self._memo is None else read_index(self._memo, folder)
        top = known.folders.get("")
        if top is None or not self._blobs.has(top.ref):
            known = NOTHING  # what was kept of it is not in the blobs any more
        now = int(self._clock.now()) if self._clock is not None and self._memo is not None else 0
        walk = Walk(os.fsencode(folder), known, now, ignored=_is_ignored)
        refs = self._put(folder, walk.files())
        root, directories, index = walk.finished(refs)
        self._blobs.put_many(directories)
        if self._memo is not None and index is not None:
            write_index(self._memo, folder, index)
        return root

    def _put(self, folder: Path, files: Iterable[tuple[bytes, int]]) -> list[BlobRef | None]:
        """The blobs of files, read; None for one that is gone. With each name is a guess of its size. Raises :class:`SourceUnusable`."""
        top = os.fsencode(folder)
        gone: set[bytes] = set()
        names: list[bytes] = []

        def named() -> Iterator[tuple[bytes, int]]:
            for file in files:
                names.append(file[0])
                yield file

        def opening(name: bytes) -> Stream:
            try:
                return self._opened(os.path.join(top, name))  # noqa: PTH118  # names are bytes that need not be text
            except (FileNotFoundError, NotADirectoryError):
                gone.add(name)
                return BytesIO()
            except OSError as error:
                raise _unreadable(name, error) from error

        try:
            refs: list[BlobRef | None] = [*self._blobs.put_files(top, named(), opening)]
        except OSError as error:
            raise SourceUnusable(f"cannot read the files of {folder}: {error.strerror}", path=str(folder)) from error
        return refs if not gone else [None if name in gone else ref for name, ref in zip(names, refs, strict=True)]

    def snapshot(self, folder: Path, names: Iterable[bytes]) -> Tree:
        """The named files, links and empty directories below ``folder`` as they are now; those that are gone are left out."""
        known = {} if self._memo is None else read_seen(self._memo, folder)
        now = int(self._clock.now()) if self._clock is not None and self._memo is not None else 0
        nodes: list[Node] = []
        seen: list[SeenFile] = []
        unread: list[tuple[bytes, RelPath, os.stat_result]] = []
        for name in sorted(names):
            path = relative(name)
            full = os.path.join(os.fsencode(folder), name)  # noqa: PTH118  # names are bytes that need not be text
            try:
                status = os.lstat(full)
                if stat.S_ISREG(status.st_mode):
                    file = known.get(path)
                    if file is not None and file.is_still(status) and self._blobs.has(file.ref):
                        seen.append(file)
                        nodes.append(FileNode(path, file.ref, file.executable))
                    else:
                        unread.append((name, path, status))
                elif stat.S_ISLNK(status.st_mode):
                    nodes.append(LinkNode(path, link_target(full, path)))
                elif stat.S_ISDIR(status.st_mode):
                    nodes.append(Directory(path))
                else:
                    raise unusual(path)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise _unreadable(name, error) from error
        refs = self._put(folder, [(name, status.st_size) for name, _, status in unread]) if unread else []
        for (_, path, status), ref in zip(unread, refs, strict=True):
            if ref is not None:
                nodes.append(FileNode(path, ref, bool(status.st_mode & stat.S_IXUSR)))
                if is_settled(status, now):
                    seen.append(SeenFile.of(str(path), status, ref))
        if self._memo is not None and seen != list(known.values()):
            write_seen(self._memo, folder, sorted(seen, key=lambda file: file.name.encode()))
        return Tree.of(nodes)


def _opened(full: bytes) -> Stream:
    return FileIO(full)  # what open() adds for every file is a third of the time that a small one takes


def _unreadable(name: bytes, error: OSError) -> SourceUnusable:
    path = name.decode("utf-8", "backslashreplace")
    return SourceUnusable(f"cannot read {path}: {error.strerror}", path=path)


def _is_ignored(prefix: str, name: str) -> bool:
    return name in IGNORED or (not prefix and name in _IGNORED_AT_TOP)

"""A plain directory as a source: its files as they are now. It can be built, never promoted.

Not read: what version control, interpreters and lockage itself leave behind (:data:`IGNORED`, anywhere), and ``dist`` and
``lockage-failed`` at the top, where builds put their artifacts and what failed. Links are kept as links and never followed; the
date is 1980-01-01, because nothing else about a directory is the same on another machine.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from lockage.base.digest import BlobRef, Digest
from lockage.base.instant import ZIP_FLOOR
from lockage.base.name import Version
from lockage.base.path import RelPath
from lockage.base.tree import Directory, FileNode, LinkNode, Node, Tree, top_file
from lockage.ports import SourceRead, SourceUnusable
from lockage.record.source import DirectoryOrigin
from lockage.record.version import VersionCandidates, metadata_fields, pyproject_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from lockage.ports import Blobs

__all__ = ["IGNORED", "DirectorySource"]

IGNORED = frozenset(
    {".git", ".hg", ".lockage", ".mypy_cache", ".nox", ".pytest_cache", ".ruff_cache", ".svn", ".tox", ".venv", "__pycache__"}
)
_IGNORED_AT_TOP = frozenset({"dist", "lockage-failed"})
#: Larger files are hashed and stored as streams.
_WHOLE = 8 << 20
#: So many bytes of new files are made durable together.
_BATCH = 32 << 20


class DirectorySource:
    """Reads directories into the blobs."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    def read(self, folder: Path, reason: str = "it is a plain directory, not a commit") -> SourceRead:
        """The directory with everything in it; raises :class:`SourceUnusable` for what a tree cannot hold."""
        tree = self.snapshot(folder, _names(folder))
        root, directories = tree.encode()
        self._blobs.put_many(directories.values())

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

    def snapshot(self, folder: Path, names: Iterable[bytes]) -> Tree:
        """The named files, links and empty directories below ``folder`` as they are now; those that are gone are left out."""
        nodes: list[Node] = []
        waiting: list[bytes] = []
        size = 0
        for name in sorted(names):
            path = relative(name)
            full = os.path.join(os.fsencode(folder), name)  # noqa: PTH118  # names are bytes that need not be text
            try:
                node, data = self._node(full, path)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise SourceUnusable(f"cannot read {path}: {error.strerror}", path=path) from error
            nodes.append(node)
            if data is not None:
                waiting.append(data)
                size += len(data)
            if size >= _BATCH:
                self._blobs.put_many(waiting)
                waiting, size = [], 0
        self._blobs.put_many(waiting)
        return Tree.of(nodes)

    def _node(self, full: bytes, path: RelPath) -> tuple[Node, bytes | None]:
        """The node, and its bytes if they are not in the blobs yet."""
        status = os.lstat(full)
        kind = stat.S_IFMT(status.st_mode)
        if kind == stat.S_IFLNK:
            try:
                return LinkNode(path, os.readlink(full).decode()), None  # noqa: PTH115  # as above
            except UnicodeDecodeError as error:
                raise SourceUnusable(f"the target of the link {path} is not UTF-8", path=path) from error
        if kind == stat.S_IFDIR:
            return Directory(path), None
        if kind != stat.S_IFREG:
            raise SourceUnusable(
                f"{path} is neither a file, a directory nor a link", path=path, hint="Remove the socket, pipe or device from the source."
            )
        executable = bool(status.st_mode & stat.S_IXUSR)
        with open(full, "rb") as stream:  # noqa: PTH123  # as above
            if status.st_size > _WHOLE:
                ref = BlobRef(Digest.of_file(stream), stream.tell())
                if not self._blobs.has(ref):
                    stream.seek(0)
                    ref = self._blobs.put_stream(stream)
                return FileNode(path, ref, executable), None
            data = stream.read()
        ref = BlobRef.of(data)
        return FileNode(path, ref, executable), None if self._blobs.has(ref) else data


def relative(name: bytes) -> RelPath:
    """A name as a path of a tree; raises :class:`SourceUnusable` if it is not UTF-8."""
    try:
        return RelPath(name.decode())
    except ValueError as error:
        shown = name.decode("utf-8", "backslashreplace")
        raise SourceUnusable(
            f"a file name cannot be used, as it is not UTF-8: {shown}", path=shown, hint="Rename the file named."
        ) from error


def _names(folder: Path) -> Iterator[bytes]:
    """Every file, link and directory below ``folder`` that is not ignored."""
    waiting: list[bytes] = [b""]
    while waiting:
        prefix = waiting.pop()
        try:
            with os.scandir(os.path.join(os.fsencode(folder), prefix)) as entries:  # noqa: PTH118  # names are bytes that need not be text
                found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        except OSError as error:
            shown = os.fsdecode(os.path.join(os.fsencode(folder), prefix))  # noqa: PTH118  # as above
            raise SourceUnusable(f"cannot read the directory {shown}: {error.strerror}", path=shown) from error
        for name, is_folder in found:
            text = os.fsdecode(name)
            if text in IGNORED or (not prefix and text in _IGNORED_AT_TOP):
                continue
            yield prefix + name
            if is_folder:
                waiting.append(prefix + name + b"/")

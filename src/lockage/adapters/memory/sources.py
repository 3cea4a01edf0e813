"""Sources that a test declares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.instant import ZIP_FLOOR, Instant
from lockage.base.name import Version
from lockage.base.path import RelPath
from lockage.base.tree import FileNode, LinkNode, Tree
from lockage.ports import SourceRead, SourceUnusable
from lockage.record.source import CommitOrigin, Origin, SdistOrigin
from lockage.record.version import VersionCandidates

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockage.base.digest import BlobRef
    from lockage.base.tree import Node
    from lockage.ports import Blobs

__all__ = ["MemorySources"]


class MemorySources:
    """Implements :class:`lockage.ports.Sources`."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._known: dict[str, SourceRead] = {}
        self._bytes: dict[str, tuple[bytes, ...]] = {}

    def add(
        self,
        locator: str,
        files: Mapping[str, bytes],
        *,
        origin: Origin | None = None,
        date: Instant = ZIP_FLOOR,
        version: str = "1.0",
        executables: frozenset[str] = frozenset(),
        links: Mapping[str, str] = {},  # never written
    ) -> SourceRead:
        """Declare what reading ``locator`` gives; by default a commit named by the digest of its tree."""
        nodes: list[Node] = [FileNode(RelPath(name), self._blobs.put(data), name in executables) for name, data in files.items()]
        nodes += [LinkNode(RelPath(name), target) for name, target in links.items()]
        root, directories = Tree.of(nodes).encode()
        self._blobs.put_many(directories.values())
        self._bytes[locator] = (*files.values(), *directories.values())
        self._known[locator] = SourceRead(
            tree=root,
            date=date,
            origin=origin or CommitOrigin(commit=root.digest[:40]),
            versions=VersionCandidates(tag=Version(version)),
            recipe=files.get("lockage.toml"),
            lock=files.get("lockage.lock"),
        )
        return self._known[locator]

    def put(self, locator: str, read: SourceRead) -> None:
        """Declare exactly what reading ``locator`` gives."""
        self._known[locator] = read

    def read(self, locator: str) -> SourceRead:
        """What was declared, its bytes kept again; raises :class:`SourceUnusable` for anything else."""
        found = self._known.get(locator)
        if found is None:
            raise SourceUnusable(f"there is no source {locator!r}", path=locator)
        self._blobs.put_many(self._bytes.get(locator, ()))
        return found

    def read_sdist(self, file: str, archive: BlobRef) -> SourceRead:
        """A kept .tar.gz, unpacked."""
        import tarfile

        with self._blobs.open(archive) as stream, tarfile.open(fileobj=stream) as members:
            files = {
                RelPath(member.name.partition("/")[2]): content.read() for member in members if (content := members.extractfile(member))
            }
        root, directories = Tree.of(FileNode(path, self._blobs.put(data), executable=False) for path, data in files.items()).encode()
        self._blobs.put_many(directories.values())
        version = Version(file.removesuffix(".tar.gz").rpartition("-")[2])
        return SourceRead(
            tree=root,
            date=ZIP_FLOOR,
            origin=SdistOrigin(file=file, sha256=archive.digest),
            versions=VersionCandidates(metadata=version),
        )

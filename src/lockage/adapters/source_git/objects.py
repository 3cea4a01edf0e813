"""git objects → nodes of a tree with their contents in the blobs: `ls-tree` for the names, one `cat-file --batch` for the contents.

Attributes (eol, filter, export-ignore, export-subst) are not applied: the source is what was committed, byte for byte. Submodules
and pointers of Git LFS are only found here; :mod:`.importer` puts what they stand for in their place.
"""

from __future__ import annotations

from io import BytesIO
from typing import IO, TYPE_CHECKING

import msgspec

from lockage.adapters.source_git.pointer import is_pointer
from lockage.adapters.source_git.process import Git, GitFailed, Running, ending
from lockage.base.path import RelPath
from lockage.base.tree import FileNode, LinkNode, Node
from lockage.ports import SourceUnusable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from lockage.adapters.source_git.known import Known
    from lockage.base.digest import BlobRef
    from lockage.ports import Blobs

__all__ = ["INCOMPLETE", "Contents", "Entry", "Found", "entries", "listed", "look_up", "read_contents", "typed"]

_WHOLE = 8 << 20
_NAMED = 5
INCOMPLETE = "The clone is partial or damaged; complete it with `git fetch --refetch`, or clone it again."


class Found(msgspec.Struct, frozen=True):
    """An object that was asked for by name."""

    oid: str
    kind: str
    data: bytes


class Entry(msgspec.Struct, frozen=True):
    """One line of ls-tree."""

    mode: str
    oid: str
    path: RelPath


def look_up(running: Running, count: int) -> list[Found | None]:
    """The answers of a ``cat-file --batch`` that was asked for ``count`` objects, in order; None for those that are not there."""
    data = running.output()
    found: list[Found | None] = []
    at = 0
    for _ in range(count):
        end = data.find(b"\n", at)
        head = data[at:end].decode(errors="replace").rsplit(" ", 2)
        at = end + 1
        if len(head) != 3 or not head[2].isdigit():
            found.append(None)
            continue
        size = int(head[2])
        found.append(Found(head[0], head[1], data[at : at + size]))
        at += size + 1
    return found


def entries(git: Git, repository: Path, tree: str) -> list[Entry]:
    """Every file, link and submodule of a tree object; raises :class:`SourceUnusable` for names that are not UTF-8."""
    running = git.objects(repository, ("ls-tree", "-r", "-z", "--full-tree", tree))
    with ending(running):
        try:
            lines = running.output().split(b"\0")[:-1]
        except GitFailed as error:
            raise SourceUnusable(f"git could not list the tree {tree}: {error.text}", tree=tree, hint=INCOMPLETE) from error
    found: list[Entry] = []
    bad: list[bytes] = []
    for line in lines:
        head, _, name = line.partition(b"\t")
        mode, _, oid = head.decode().split(" ")
        try:
            found.append(Entry(mode, oid, RelPath(name.decode())))
        except ValueError:
            bad.append(name)
    if bad:
        raise SourceUnusable(
            f"the commit has file names that are not UTF-8 paths: {listed([name.decode('utf-8', 'backslashreplace') for name in bad])}",
            paths=tuple(name.decode("utf-8", "backslashreplace") for name in bad),
            hint=f"Rename them in a new commit, such as with `git mv {typed(bad[0])} NEW-NAME`.",
        )
    return found


def read_contents(git: Git, repository: Path, found: Sequence[Entry], blobs: Blobs, known: Known | None = None) -> Contents:
    """The contents of files and links, in the blobs; raises :class:`SourceUnusable` for an object that is not there.

    Files that are ``known`` are not read.
    """
    links = {entry.oid for entry in found if entry.mode == "120000"}
    names = dict.fromkeys(entry.oid for entry in found)
    present = {oid: ref for oid in names if known is not None and oid not in links and (ref := known.blob(oid)) is not None}
    wanted = [oid for oid in names if oid not in present]
    if not wanted:
        return Contents.empty(blobs, present)
    running = git.objects(repository, ("cat-file", "--batch"), "".join(f"{oid}\n" for oid in wanted).encode())
    with ending(running):
        assert running.process.stdout is not None
        contents = Contents(running.process.stdout, blobs, links, present)
        contents.read(wanted)
        try:
            running.checked(b"")
        except GitFailed as error:
            raise SourceUnusable(f"git could not read {repository}: {error.text}", path=str(repository)) from error
    return contents


def typed(name: bytes) -> str:
    """A name as it can be typed into a shell, whatever bytes it holds (``$'…'``: bash, zsh, and POSIX since 2024)."""
    shown = "".join(chr(byte) if 32 <= byte < 127 and byte not in b"'\\" else f"\\x{byte:02x}" for byte in name)
    return f"$'{shown}'"


def listed(names: Sequence[str]) -> str:
    """Some names and how many more there are."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


class Contents:
    """The stream of ``cat-file --batch``, moved into the blobs without holding more than a batch of it."""

    def __init__(self, stream: IO[bytes], blobs: Blobs, links: set[str], present: dict[str, BlobRef]) -> None:
        self._stream = stream
        self._blobs = blobs
        self._links = links
        #: By object; those that were there before are among them.
        self.refs = present
        self.targets: dict[str, str] = {}
        #: The bytes of what has the form of a pointer.
        self.pointers: dict[str, bytes] = {}

    @classmethod
    def empty(cls, blobs: Blobs, present: dict[str, BlobRef]) -> Contents:
        """Nothing but what was there before."""
        return cls(BytesIO(), blobs, set(), present)

    @property
    def kept(self) -> dict[str, BlobRef]:
        """What another import may use: neither links nor pointers."""
        return {oid: ref for oid, ref in self.refs.items() if oid not in self._links and oid not in self.pointers}

    def node(self, entry: Entry) -> Node:
        """The file or link of an entry that was read."""
        if entry.mode == "120000":
            return LinkNode(entry.path, self.targets[entry.oid])
        return FileNode(entry.path, self.refs[entry.oid], executable=entry.mode == "100755")

    def read(self, wanted: Iterable[str]) -> None:
        """Move the answers for these objects into the blobs, all small ones together."""
        names: list[str] = []
        self.refs.update(zip(names, self._blobs.put_many(self._small(wanted, names)), strict=True))

    def _small(self, wanted: Iterable[str], names: list[str]) -> Iterator[bytes]:
        """The bytes of small objects, which are named in ``names``; large ones are streams of their own."""
        for oid in wanted:
            length = self._head(oid)
            if length > _WHOLE:
                self.refs[oid] = self._blobs.put_stream(_Bounded(self._stream, length))  # type: ignore[arg-type]  # only read() is used
            else:
                data = self._whole(oid, length)
                names.append(oid)
                yield data
            self._stream.read(1)

    def _head(self, oid: str) -> int:
        head = self._stream.readline().decode(errors="replace").split()
        if len(head) != 3 or head[1] != "blob":
            raise SourceUnusable(
                f"the repository lacks the object {oid}",
                object=oid,
                hint=INCOMPLETE,
            )
        return int(head[2])

    def _whole(self, oid: str, length: int) -> bytes:
        data = self._stream.read(length)
        if len(data) != length:
            raise SourceUnusable(f"git ended before the object {oid} was complete", object=oid)
        if oid in self._links:
            try:
                self.targets[oid] = data.decode()
            except UnicodeDecodeError as error:
                raise SourceUnusable(f"a link's target is not UTF-8: {data.decode('utf-8', 'backslashreplace')}", object=oid) from error
        if is_pointer(data):
            self.pointers[oid] = data
        return data


class _Bounded:
    """The next ``length`` bytes of a stream."""

    def __init__(self, stream: IO[bytes], length: int) -> None:
        self._stream = stream
        self._left = length

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(data)
        if not data and self._left:
            raise SourceUnusable("git ended in the middle of an object")
        return data

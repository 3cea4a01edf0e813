"""A directory walked with what is known of it: which files must be read, and then its Directory messages, from the leaves up."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import msgspec

from lockage.adapters.source_directory.index import Index, SeenFile, SeenFolder, is_settled
from lockage.adapters.source_directory.names import link_target, relative, unusual
from lockage.base.digest import BlobRef
from lockage.base.tree import encode_directory
from lockage.ports import SourceUnusable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["Walk"]


class _Unread(msgspec.Struct, frozen=True):
    """A file to be read, by the position that it has among the unread ones."""

    name: str
    number: int


class _Folder(msgspec.Struct):
    """A folder as it is now: ``files`` in the order of their names."""

    files: list[SeenFile | _Unread]
    links: list[tuple[str, str]]
    folders: list[str]
    changed: bool


class Walk:
    """One look at every name below ``top``, as :meth:`files` goes on. ``unread`` are the files found by then whose bytes are not known.

    With each is what lstat(2) said of it. ``now`` is a time (seconds) before anything is looked at; 0 if nothing is to be kept.
    """

    def __init__(self, top: bytes, known: Index, now: int, *, ignored: Callable[[str, str], bool]) -> None:
        self._top = top
        self._known = known.folders
        self._now = now
        self._ignored = ignored
        self._found: dict[str, _Folder] = {}
        self.unread: list[tuple[bytes, os.stat_result]] = []

    def files(self) -> Iterator[tuple[bytes, int]]:
        """The unread files as they are found, with their sizes. Raises :class:`SourceUnusable`."""
        waiting, told = [""], 0
        while waiting:
            prefix = waiting.pop()
            folder = self._found[prefix] = self._folder(prefix)
            waiting += [f"{prefix}{name}/" for name in folder.folders]
            yield from [(name, status.st_size) for name, status in self.unread[told:]]
            told = len(self.unread)

    def _folder(self, prefix: str) -> _Folder:
        known = self._known.get(prefix)
        files = {file.name: file for file in known.files} if known is not None else {}
        folder = _Folder([], [], [], changed=False)
        at = os.path.join(self._top, prefix.encode())  # noqa: PTH118  # names are bytes that need not be text
        try:
            with os.scandir(at) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            shown = os.fsdecode(at)
            raise SourceUnusable(f"cannot read the directory {shown}: {error.strerror}", path=shown) from error
        for entry in found:
            self._entry(folder, prefix, entry, files)
        if known is not None:
            folder.changed |= (
                not known.whole
                or len(folder.files) != len(known.files)
                or tuple(folder.folders) != known.folders
                or tuple(folder.links) != known.links
            )
        else:
            folder.changed = True
        return folder

    def _entry(self, folder: _Folder, prefix: str, entry: os.DirEntry[bytes], files: dict[str, SeenFile]) -> None:
        try:
            name = entry.name.decode()
        except UnicodeDecodeError:
            relative(prefix.encode() + entry.name)  # says so
            raise
        if self._ignored(prefix, name):
            return
        try:
            if entry.is_dir(follow_symlinks=False):
                folder.folders.append(name)
            elif entry.is_symlink():
                folder.links.append((name, link_target(entry.path, prefix + name)))
            elif entry.is_file(follow_symlinks=False):
                status = entry.stat(follow_symlinks=False)
                known = files.get(name)
                if known is not None and known.is_still(status):
                    folder.files.append(known)
                else:
                    folder.files.append(_Unread(name, len(self.unread)))
                    folder.changed = True
                    self.unread.append((prefix.encode() + entry.name, status))
            else:
                raise unusual(prefix + name)
        except FileNotFoundError:
            return  # it went while we looked
        except OSError as error:
            raise SourceUnusable(f"cannot read {prefix}{name}: {error.strerror}", path=f"{prefix}{name}") from error

    def finished(self, refs: Sequence[BlobRef | None]) -> tuple[BlobRef, list[bytes], Index | None]:
        """When all files were found: the root, the messages that may be new to the blobs, what is to be remembered (None: as it was).

        ``refs`` are the blobs of the unread files, None for one that is gone.
        """
        done: dict[str, SeenFolder] = {}
        messages: list[bytes] = []
        changed = self._found.keys() != self._known.keys()
        for prefix in reversed(self._found):  # what is below a folder was found after it
            folder = self._found[prefix]
            below = [(name, done[f"{prefix}{name}/"].ref) for name in folder.folders]
            known = self._known.get(prefix)
            same = known is not None and not folder.changed and all(self._is_same(f"{prefix}{name}/", ref) for name, ref in below)
            if same and known is not None:
                done[prefix] = known
                continue
            changed = True
            done[prefix] = self._encoded(folder, below, refs, messages)
        return done[""].ref, messages, Index(done) if changed and self._now else None

    def _is_same(self, prefix: str, ref: BlobRef) -> bool:
        known = self._known.get(prefix)
        return known is not None and known.ref == ref

    def _encoded(
        self, folder: _Folder, below: list[tuple[str, BlobRef]], refs: Sequence[BlobRef | None], messages: list[bytes]
    ) -> SeenFolder:
        files: list[tuple[str, BlobRef, bool]] = []
        kept: list[SeenFile] = []
        for file in folder.files:
            if isinstance(file, SeenFile):
                kept.append(file)
                files.append((file.name, file.ref, file.executable))
                continue
            ref, status = refs[file.number], self.unread[file.number][1]
            if ref is None:
                continue
            files.append((file.name, ref, bool(status.st_mode & stat.S_IXUSR)))
            if self._now and is_settled(status, self._now) and ref.size == status.st_size:
                kept.append(SeenFile.of(file.name, status, ref))
        message = encode_directory(files, below, folder.links)
        messages.append(message)
        ref = BlobRef.of(message)
        whole = len(kept) == len(files)
        return SeenFolder(tuple(kept), tuple(folder.links), tuple(folder.folders), str(ref.digest), ref.size, whole)

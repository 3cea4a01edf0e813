"""Packages' bytes spread over a spool folder, and from there put in place as the entries of a root say.

Invariants: every file in the spool is named by a number and is hashed while it is written; what is put in place has the modes of
its entry whatever the umask, and one fixed time.
"""

# ruff: noqa: PTH101, PTH102, PTH104, PTH123, PTH211
# Plain text paths and os calls: with ten thousand files, making Path objects would cost as much as the system calls.
from __future__ import annotations

import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from typing import TYPE_CHECKING

import msgspec

from lockage.adapters.roots_local.deb_archive import DebArchive
from lockage.base.digest import Hasher
from lockage.base.instant import ZIP_FLOOR
from lockage.environment.root import InvalidPackage, Kind, Member, Package
from lockage.ports import BlobCorrupt

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path
    from typing import IO

    from lockage.base.path import RelPath
    from lockage.environment.lock import LockedPackage
    from lockage.environment.root import Entry
    from lockage.ports import Blobs

__all__ = ["FIXED_TIME_NS", "FileSpool", "place", "unpack_debs"]

#: The modification time of everything in a root.
FIXED_TIME_NS = int(ZIP_FLOOR) * 1_000_000_000
_CHUNK = 1 << 20


class FileSpool:
    """A folder of numbered files, written by several threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(0o700)
        self._count = 0
        self._lock = threading.Lock()
        self._stopped = False

    def stop(self) -> None:
        """Let every write that is under way end with an error."""
        self._stopped = True

    def write(self, chunks: Iterable[bytes]) -> tuple[str, Hasher]:
        """A new file with these bytes: its name and the digest of what was written. Raises OSError."""
        with self._lock:
            self._count += 1
            name = str(self._count)
        hasher = Hasher()
        handle = os.open(self.folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            for chunk in chunks:
                if self._stopped:
                    raise InterruptedError("unpacking was stopped")
                hasher.update(chunk)
                view = memoryview(chunk)
                while view:
                    view = view[os.write(handle, view) :]
        finally:
            os.close(handle)
        return name, hasher

    def read(self, entry: Entry) -> bytes:
        """The bytes of an entry that was spooled. Raises OSError."""
        return (self.folder / entry.source).read_bytes()


def unpack_debs(
    packages: Sequence[LockedPackage], blobs: Blobs, spool: FileSpool, workers: int, arriving: Iterable[LockedPackage] = ()
) -> list[Package]:
    """Spool the files of every package, several at once: those that are ``arriving`` as they come, then the largest first.

    The bytes of each package are verified as they are opened. What does not belong to ``packages`` is passed over.
    """
    ordered = sorted(packages, key=lambda locked: (-locked.size, locked.name))
    wanted = set(packages)
    with ThreadPoolExecutor(workers, thread_name_prefix="unpack") as pool:
        try:
            tasks: dict[LockedPackage, Future[Package]] = {}
            for locked in chain(arriving, ordered):
                if locked in wanted and locked not in tasks:
                    tasks[locked] = pool.submit(_unpack_deb, locked, blobs, spool)
            return [tasks[locked].result() for locked in ordered]
        except BaseException:
            spool.stop()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _unpack_deb(locked: LockedPackage, blobs: Blobs, spool: FileSpool) -> Package:
    name = locked.path.name
    try:
        opened = blobs.open(locked.ref)
    except BlobCorrupt as error:
        raise error.naming(f"the package {name}") from error
    with opened as stream:
        archive = DebArchive(stream, name)
        members = [_spooled(member, content, spool, name) for member, content in archive.members()]
        return Package(
            name=archive.field("Package") or locked.name, members=tuple(members), replaces=archive.replaces, control=archive.control
        )


def _spooled(member: Member, content: IO[bytes] | None, spool: FileSpool, name: str) -> Member:
    if content is None:
        return member
    source, hasher = spool.write(_chunks(content, member, name))
    return msgspec.structs.replace(member, source=source, size=hasher.size, sha256=hasher.digest())


def _chunks(content: IO[bytes], member: Member, name: str) -> Iterable[bytes]:
    left = member.size
    while left:
        try:
            chunk = content.read(min(left, _CHUNK))
        except Exception as error:  # decompressors' errors have no common base but Exception
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise InvalidPackage(f"{name} is damaged at {member.path}: {error}", package=name, path=member.path) from error
        if not chunk:
            raise InvalidPackage(f"{name} ends within {member.path}", package=name, path=member.path)
        left -= len(chunk)
        yield chunk


def place(entries: Mapping[RelPath, Entry], added: Mapping[RelPath, bytes], spool: FileSpool, into: Path, below: str = "") -> None:
    """Make ``into`` and in it every entry, sorted; ``below`` is the part of their paths that ``into`` stands for. Raises OSError."""
    into.mkdir(0o755)
    top = f"{into}/"
    cut = len(below) + 1 if below else 0
    ordered = [entries[path] for path in sorted(entries)]
    placed: dict[str, str] = {}
    for entry in ordered:
        path = top + entry.path[cut:]
        if entry.kind is Kind.DIRECTORY:
            if entry.path != below:
                os.mkdir(path, 0o700)
            continue
        if entry.kind is Kind.LINK:
            os.symlink(entry.target, path)
        elif entry.path in added:
            with open(path, "xb") as file:
                file.write(added[entry.path])
        elif entry.source in placed:
            os.link(placed[entry.source], path)
            continue
        else:
            os.rename(spool.folder / entry.source, path)
            placed[entry.source] = path
        if entry.kind is Kind.FILE:
            os.chmod(path, entry.mode)
        os.utime(path, ns=(FIXED_TIME_NS, FIXED_TIME_NS), follow_symlinks=False)
    for entry in reversed(ordered):
        if entry.kind is Kind.DIRECTORY:
            path = top + entry.path[cut:]
            os.chmod(path, entry.mode)
            os.utime(path, ns=(FIXED_TIME_NS, FIXED_TIME_NS))
    os.utime(into, ns=(FIXED_TIME_NS, FIXED_TIME_NS))
    into.chmod(0o755)

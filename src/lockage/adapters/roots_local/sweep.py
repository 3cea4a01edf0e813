"""Whether a kept root is still what was put there: a sweep of stat, and where that is not enough, of the bytes.

Invariants: a sweep without findings means that no file was written, added, removed, replaced or had its mode changed since the
stamp was taken (the change time of an inode cannot be set by programs). A copied or restored root has other inodes and change
times; then the bytes decide, and the stamp is taken anew. The change time of a file that other layers have names of as well is
not in the stamp but in the times of its package, which are written anew whenever it gets or loses a name.
"""

from __future__ import annotations

import os
import stat
from contextlib import closing
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from lockage.adapters.roots_local.read_only import if_writable
from lockage.adapters.roots_local.spool import FIXED_TIME_NS
from lockage.base.digest import Digest
from lockage.base.path import RelPath
from lockage.durable import unwritable
from lockage.environment.root import Entry, Kind
from lockage.hashing import hashed, worthwhile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["Hashes", "Kept", "Walked", "first_difference", "set_times", "stamp_of", "walked"]

#: Paths and states.
Walked = list[tuple[str, os.stat_result]]

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NONE: Mapping[int, int] = MappingProxyType({})


class Kept(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One entry of a kept layer's manifest: its path within the layer, and what is seen of it on disk."""

    path: str
    kind: Kind
    mode: int
    uid: int = 0
    gid: int = 0
    target: str = ""
    size: int = 0
    sha256: Digest | None = None
    source: str = ""

    def entry(self, below: str, package: str) -> Entry:
        """The entry of a root that this is, if the layer is mounted at ``below`` (empty, or ending in a slash)."""
        return Entry(
            path=RelPath(below + self.path),
            kind=self.kind,
            mode=self.mode,
            uid=self.uid,
            gid=self.gid,
            target=self.target,
            size=self.size,
            sha256=self.sha256,
            source=self.source,
            package=package,
        )


def walked(folder: Path) -> Walked:
    """Everything in a folder, and what stat says of it, sorted by path. Raises OSError."""
    return sorted(_walk(str(folder)))


def stamp_of(found: Walked, shared: Mapping[int, int] = _NONE) -> Digest:
    """A digest over path, mode, size, modification time, change time and inode of everything that was found.

    Of an inode of ``shared`` files that has the change time known of it, that counts as "shared".
    """
    lines = [
        f"{path}\0{state.st_mode}\0{0 if stat.S_ISDIR(state.st_mode) else state.st_size}\0{state.st_mtime_ns}\0"
        f"{'shared' if shared.get(state.st_ino) == state.st_ctime_ns else state.st_ctime_ns}\0{state.st_ino}\n"
        for path, state in found
    ]
    return Digest.of("".join(lines).encode("utf-8", "surrogateescape"))


def set_times(folder: Path, found: Walked) -> bool:
    """Give what was found in a folder the one time of everything in a root; whether any had another, and has not now. Raises OSError.

    A copy may have the time at which it was made, which steps would see. Where this user may not, it keeps that.
    """
    others = [f"{folder}/{path}" for path, state in found if state.st_mtime_ns != FIXED_TIME_NS]
    with if_writable(), unwritable(folder):
        for path in others:
            os.utime(path, ns=(FIXED_TIME_NS, FIXED_TIME_NS), follow_symlinks=False)
        return bool(others)
    return False


def _walk(top: str) -> Walked:
    found: Walked = []
    waiting = [""]
    while waiting:
        prefix = waiting.pop()
        folder = os.open(f"{top}/{prefix}", _FOLDER)  # so that the kernel walks the long way to it once, not for every file
        try:
            with os.scandir(folder) as items:
                for item in items:
                    path = prefix + item.name
                    found.append((path, item.stat(follow_symlinks=False)))
                    if item.is_dir(follow_symlinks=False):
                        waiting.append(f"{path}/")
        finally:
            os.close(folder)
    return found


class Hashes:
    """Digests of files that were hashed just now: a file of several names is hashed once. ``size`` is how many bytes that were.

    They are known by inode and change time: an inode that was deleted meanwhile may be another file's.
    """

    def __init__(self) -> None:
        self.size = 0
        self._known: dict[tuple[int, int], Digest] = {}

    def ahead(self, folder: Path, files: Sequence[tuple[str, os.stat_result]]) -> None:
        """Have helpers hash the files of a folder, if they are many. What they cannot read is left to :meth:`of`."""
        new = {key: (path, state) for path, state in files if (key := _known_by(state)) not in self._known}
        if worthwhile(len(new), sum(state.st_size for _, state in new.values())):
            states = [state for _, state in new.values()]
            names = ((os.fsencode(path), state.st_size) for path, state in new.values())
            with closing(hashed(os.fsencode(folder), names)) as answers:
                for place, digest, _, _ in answers:
                    if digest is not None:
                        self._known[_known_by(states[place])] = digest
                        self.size += states[place].st_size

    def of(self, path: Path, state: os.stat_result) -> Digest:
        """The digest of a file, whose state is this. Raises OSError."""
        digest = self._known.get(_known_by(state))
        if digest is None:
            with path.open("rb") as file:
                digest = self._known[_known_by(state)] = Digest.of_file(file)
            self.size += state.st_size
        return digest


def _known_by(state: os.stat_result) -> tuple[int, int]:
    return state.st_ino, state.st_ctime_ns


def first_difference(folder: Path, manifest: Sequence[Kept], hashes: Hashes | None = None) -> tuple[str, str] | None:
    """The first path, in sorted order, where a folder is not what its manifest says, and what is wrong there. Raises OSError.

    ``hashes``: of files that were hashed just now and are not hashed again; those of this folder are added.
    """
    hashes = Hashes() if hashes is None else hashes
    expected = {kept.path: kept for kept in manifest}
    actual = dict(_walk(str(folder)))
    hashes.ahead(
        folder, [(kept.path, actual[kept.path]) for kept in manifest if kept.path in actual and _is_file_of(kept, actual[kept.path])]
    )
    for path in sorted(expected.keys() | actual.keys()):
        if path not in actual:
            return path, "is missing"
        if path not in expected:
            return path, "was added"
        wrong = _wrong(folder, expected[path], actual[path], hashes)
        if wrong is not None:
            return path, wrong
    return None


def _is_file_of(kept: Kept, found: os.stat_result) -> bool:
    return kept.kind is Kind.FILE and stat.S_ISREG(found.st_mode) and found.st_size == kept.size


def _wrong(folder: Path, kept: Kept, found: os.stat_result, hashes: Hashes) -> str | None:
    path = folder / kept.path
    if kept.kind is Kind.LINK:
        if not stat.S_ISLNK(found.st_mode):
            return "is no link any more"
        target = str(path.readlink())
        return None if target == kept.target else f"links to {target} instead of {kept.target}"
    if not (stat.S_ISDIR if kept.kind is Kind.DIRECTORY else stat.S_ISREG)(found.st_mode):
        return f"is no {kept.kind} any more"
    if stat.S_IMODE(found.st_mode) != kept.mode:
        return f"has mode {stat.S_IMODE(found.st_mode):o} instead of {kept.mode:o}"
    if kept.kind is Kind.DIRECTORY:
        return None
    if found.st_size != kept.size:
        return f"has {found.st_size} bytes instead of {kept.size}"
    digest = hashes.of(path, found)
    return None if digest == kept.sha256 else f"has sha256 {digest} instead of {kept.sha256}"

"""Whether a kept root is still what was put there: a sweep of stat, and where that is not enough, of the bytes.

Invariants: a sweep without findings means that no file was written, added, removed, replaced or had its mode changed since the
stamp was taken (the change time of an inode cannot be set by programs). A copied or restored root has other inodes and change
times; then the bytes decide, and the stamp is taken anew.
"""

from __future__ import annotations

import os
import stat
from contextlib import closing
from typing import TYPE_CHECKING

import msgspec

from lockage.base.digest import Digest, Hasher
from lockage.base.path import RelPath
from lockage.environment.root import Entry, Kind
from lockage.hashing import hashed, worthwhile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["Kept", "first_difference", "stamp_of"]


class Kept(msgspec.Struct, frozen=True, array_like=True):
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


def stamp_of(folder: Path) -> Digest:
    """A digest over path, mode, size, modification time, change time and inode of everything in a folder. Raises OSError."""
    return Hasher(
        f"{path}\0{found.st_mode}\0{found.st_size if not stat.S_ISDIR(found.st_mode) else 0}\0{found.st_mtime_ns}\0"
        f"{found.st_ctime_ns}\0{found.st_ino}\n".encode("utf-8", "surrogateescape")
        for path, found in sorted(_walk(str(folder), ""))
    ).digest()


def _walk(folder: str, prefix: str) -> Iterator[tuple[str, os.stat_result]]:
    below: list[str] = []
    with os.scandir(folder) as found:
        for item in found:
            path = prefix + item.name
            yield path, item.stat(follow_symlinks=False)
            if item.is_dir(follow_symlinks=False):
                below.append(item.name)
    for name in below:
        yield from _walk(f"{folder}/{name}", f"{prefix}{name}/")


def first_difference(folder: Path, manifest: Sequence[Kept]) -> tuple[str, str] | None:
    """The first path, in sorted order, where a folder is not what its manifest says, and what is wrong there. Raises OSError."""
    expected = {kept.path: kept for kept in manifest}
    actual = dict(_walk(str(folder), ""))
    digests = _digests(folder, [kept for kept in manifest if kept.kind is Kind.FILE], actual)
    for path in sorted(expected.keys() | actual.keys()):
        if path not in actual:
            return path, "is missing"
        if path not in expected:
            return path, "was added"
        wrong = _wrong(folder, expected[path], actual[path], digests.get(path))
        if wrong is not None:
            return path, wrong
    return None


def _digests(folder: Path, files: Sequence[Kept], actual: Mapping[str, os.stat_result]) -> dict[str, Digest]:
    """What helpers find in the files that are to be hashed; nothing if they are few."""
    same = [kept for kept in files if kept.path in actual and _is_file_of(actual[kept.path], kept.size)]
    if not worthwhile(len(same), sum(kept.size for kept in same)):
        return {}
    names = ((os.fsencode(kept.path), kept.size) for kept in same)
    with closing(hashed(os.fsencode(folder), names)) as answers:
        return {same[place].path: digest for place, digest, _, _ in answers if digest is not None}


def _is_file_of(found: os.stat_result, size: int) -> bool:
    return stat.S_ISREG(found.st_mode) and found.st_size == size


def _wrong(folder: Path, kept: Kept, found: os.stat_result, digest: Digest | None) -> str | None:
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
    if digest is None:
        with path.open("rb") as file:
            digest = Digest.of_file(file)
    return None if digest == kept.sha256 else f"has sha256 {digest} instead of {kept.sha256}"

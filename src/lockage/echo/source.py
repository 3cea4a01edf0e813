"""A look at a source: what tells whether it is still what it was when it was read, without reading it.

Of a working copy that is what git says of it, with the commit that is checked out; of each file that has changed what lstat(2) says; and
what the nearest tag and the repository's address follow from. Objects of git need no look, as their names say their bytes. Of an sdist
it is the digest. Whatever is not as simple as that has no look: other places than a working copy's own folder, submodules, directories.
"""

from __future__ import annotations

import os
import stat

from lockage.echo.fields import packed, sha256_of_file
from lockage.echo.git import Comparison, changed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["COARSEST", "Look", "looking"]

#: Nanoseconds. What has changed within as many may change again and look the same: FAT has the coarsest time stamps, of two seconds.
COARSEST = 3_000_000_000
#: What may lie beside a recipe and is read without git where a working copy has changes.
_READ = ("lockage.toml", "lockage.lock", "pyproject.toml")
#: What says that there are submodules, that refs are not files, or that they lie in another folder.
_NOT_SIMPLE = (".gitmodules", ".git/reftable", ".git/commondir")
_ABSENT = b"-"


class Look:
    """A look that was begun; :meth:`ended` says what was seen, and ``newest`` then when the youngest of it changed (nanoseconds)."""

    def __init__(self, folder: str, top: str | None, comparison: Comparison | None) -> None:
        self._folder, self._top, self._comparison = folder, top, comparison
        self.newest = 0

    def ended(self) -> bytes | None:
        """What was seen: as long as that is the same, a reading gives the same. None if there is more to the source than that."""
        if self._comparison is None or self._top is None:
            return packed([b"file", os.fsencode(self._folder), sha256_of_file(self._folder)])
        seen = [*self._repository(f"{self._top}/.git"), *(self._state(f"{self._folder}/{name}") for name in _READ)]
        said = self._comparison.output()
        if said is None:
            return None
        for fields, before in changed(said):
            if fields[-1].endswith(b"/") or (fields[0] != b"?" and fields[2].startswith(b"S")):
                return None  # another repository in this one
            paths = fields[-1:] if before is None else [fields[-1], before]
            seen += [self._state(os.fsencode(self._top) + b"/" + path) for path in paths]
        return packed([b"git", os.fsencode(self._folder), os.fsencode(self._top), said, *seen])

    def _repository(self, folder: str) -> Iterator[bytes]:
        yield _bytes_of(f"{folder}/config")
        for name in ("packed-refs", "shallow"):
            yield self._state(f"{folder}/{name}", os.stat)  # git follows a link that is in their place
        yield from _tags(f"{folder}/refs/tags")

    def _state(self, path: str | bytes, look: Callable[[str | bytes], os.stat_result] = os.lstat) -> bytes:
        try:
            found = look(path)
        except (FileNotFoundError, NotADirectoryError):
            return _ABSENT
        self.newest = max(self.newest, found.st_mtime_ns, found.st_ctime_ns)
        facts = (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev, found.st_mode)
        return " ".join(map(str, facts)).encode()

    def stop(self) -> None:
        """It is of no use any more."""
        if self._comparison is not None:
            self._comparison.stop()


def _tags(folder: str) -> Iterator[bytes]:
    """Every name below a folder of refs, and what it holds; raises ValueError for a ref that stands for another, which may move alone."""
    try:
        with os.scandir(folder) as entries:
            names = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
    except FileNotFoundError:
        names = []  # all of them are packed
    for name, is_folder in names:
        yield os.fsencode(name)
        if is_folder:
            yield from _tags(f"{folder}/{name}")
            continue
        data = _bytes_of(f"{folder}/{name}")
        if data.startswith(b"ref:"):
            raise ValueError("a tag that is another ref")
        yield data


def _bytes_of(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 (pathlib is not imported here)
        return file.read()


def looking(locator: str, here: str, environ: Mapping[str, str]) -> Look | None:
    """Begin to look at what ``locator`` names, seen from the folder ``here``; None if no look can tell. Raises OSError, ValueError."""
    path = os.path.realpath(f"{here}/{locator}" if not os.path.isabs(locator) else locator)  # noqa: PTH117
    if not locator or path.endswith("/"):
        return None
    mode = os.stat(path).st_mode  # noqa: PTH116
    if stat.S_ISREG(mode):
        return Look(path, None, None)
    if not stat.S_ISDIR(mode) or _is_bare(path):
        return None
    top = path
    while not os.path.lexists(f"{top}/.git"):
        top, _, _ = top.rpartition("/")
        if not top:
            return None
    simple = stat.S_ISDIR(os.lstat(f"{top}/.git").st_mode)  # and not of a linked working copy, or of a submodule
    if not simple or any(os.path.lexists(f"{top}/{name}") for name in _NOT_SIMPLE):
        return None
    return Look(path, top, Comparison(top, environ))


def _is_bare(folder: str) -> bool:
    return os.path.isfile(f"{folder}/HEAD") and os.path.isdir(f"{folder}/objects") and os.path.isdir(f"{folder}/refs")  # noqa: PTH112, PTH113

"""Whether what a store and other folders should hold is there and as it was when it was last hashed."""

from __future__ import annotations

import os
import stat

from lockage.echo.fields import sha256_of_file, unpacked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["SPOOL", "as_they_were", "holds_files", "settled_folder", "there", "unchanged"]

#: The folder of temporary files in a folder of results; one that is there says that not everything may be durable.
SPOOL = ".lockage"
_DIGEST = 32
_HEX = 2 * _DIGEST


def _numbers(data: bytes) -> list[int]:
    """Bytes as numbers of 64 bits."""
    return memoryview(data).cast("Q").tolist()


def unchanged(objects: str, names: bytes, sizes: bytes, facts: bytes) -> bool:
    """Whether each blob's file has its size, and the time of change and the inode that it had when it was hashed last. Raises OSError.

    ``names`` are 32 bytes a blob, ``sizes`` a number, ``facts`` two numbers, as in a witness (:mod:`lockage.adapters.blobs_local`).
    There may be tens of thousands in a build that does nothing else, so no object is made for any of them.
    """
    text, top, at, look = names.hex(), f"{objects}/", 0, os.stat
    numbers = _numbers(facts)
    for size, modified, inode in zip(_numbers(sizes), numbers[::2], numbers[1::2], strict=True):
        found = look(f"{top}{text[at : at + 2]}/{text[at + 2 : at + _HEX]}")
        if found.st_mtime_ns != modified or found.st_size != size or found.st_ino != inode:
            return False
        at += _HEX
    return at == len(text)


def as_they_were(store: str, paths: bytes, facts: bytes) -> bool:
    """Whether each of these files of a store has its size, and the time of change and the inode that it had. Raises OSError.

    ``paths`` are packed texts, ``facts`` three numbers for each. They never change under their names, so all that is in them is as it was.
    """
    numbers, look = _numbers(facts), os.stat
    for path, size, modified, inode in zip(unpacked(paths), numbers[::3], numbers[1::3], numbers[2::3], strict=True):
        found = look(f"{store}/{os.fsdecode(path)}")
        if found.st_mtime_ns != modified or found.st_size != size or found.st_ino != inode:
            return False
    return True


def there(folder: str, names: bytes, sizes: bytes, *, sized: bool) -> bool:
    """Whether each of these files is there: of its size, or with the size in its name where not ``sized``. Raises OSError."""
    text, top, at = names.hex(), f"{folder}/", 0
    for size in _numbers(sizes):
        path = f"{top}{text[at : at + 2]}/{text[at + 2 : at + _HEX]}"
        if sized:
            if os.stat(path).st_size != size:  # noqa: PTH116
                return False
        elif not os.access(f"{path}-{size}", os.F_OK):
            return False
        at += _HEX
    return at == len(text)


def holds_files(files: Iterable[tuple[str, bytes]]) -> bool:
    """Whether each of these is a regular file, no link, with the bytes of this digest. Raises OSError."""
    return all(stat.S_ISREG(os.lstat(path).st_mode) and sha256_of_file(path) == digest for path, digest in files)


def settled_folder(folder: str) -> bool:
    """Whether a folder of results has some, and all of them are durable. Raises OSError."""
    names = os.listdir(folder)  # noqa: PTH208
    return bool(names) and SPOOL not in names

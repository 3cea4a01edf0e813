"""Every blob of a store hashed again: by helpers if there are many, which say of each whether it is whole; what may not be is read here."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

from lockage.adapters.blobs_local.packed import is_whole
from lockage.base.digest import Digest
from lockage.hashing import hashed, worthwhile
from lockage.packs import rows
from lockage.ports import StoreUnreadable
from lockage.ports.storage import Audit, Damage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from lockage.adapters.blobs_local.packed import PackedBlobs
    from lockage.ports.storage import Heard

    #: Sets a file of that inode aside; where it is now, None if it was left or healed meanwhile.
    SetAside = Callable[[Path, int], Path | None]

__all__ = ["audit"]


def audit(objects: Path, packed: PackedBlobs, set_aside: SetAside, heard: Heard) -> Audit:
    """Look at all files of ``objects``, and at all that is in packs. Raises :class:`StoreUnreadable`."""
    files = [(f"{shard}/{name}", size) for shard, _ in _entries(objects) for name, size in _entries(objects / shard)]
    count, size = len(files), 0
    damaged: list[Damage] = []
    for read, found in _examined(objects, files, set_aside):
        size += read
        heard(read)
        if found is not None:
            damaged.append(found)
    for held, read, broken in _packs_examined(packed):
        count, size = count + held, size + read
        heard(read)
        damaged += broken
    return Audit(count=count, size=size, damaged=tuple(sorted(damaged, key=lambda damage: damage.name)))


def _examined(objects: Path, files: list[tuple[str, int]], set_aside: SetAside) -> Iterator[tuple[int, Damage | None]]:
    left = files
    if worthwhile(len(files), sum(size for _, size in files)):
        left = []
        with closing(hashed(os.fsencode(objects), ((os.fsencode(name), size) for name, size in files))) as answers:
            for place, digest, size, _ in answers:
                if digest == files[place][0].replace("/", ""):
                    yield size, None
                else:
                    left.append(files[place])
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1, thread_name_prefix="audit") as pool:
        try:
            yield from pool.map(lambda file: _examine(objects / file[0], set_aside), left)
        finally:
            pool.shutdown(cancel_futures=True)


def _examine(path: Path, set_aside: SetAside) -> tuple[int, Damage | None]:
    """How many bytes a file has, and what is wrong with it."""
    name = path.parent.name + path.name
    try:
        with path.open("rb") as stream:
            found, size, inode = Digest.of_file(stream), stream.tell(), os.fstat(stream.fileno()).st_ino
    except FileNotFoundError:
        return 0, None  # a process that reads found it damaged, and was quicker
    except OSError as error:
        return 0, Damage(name=name, what=f"cannot be read: {error.strerror or error}")
    if found == name:
        return size, None
    aside = set_aside(path, inode)
    return size, Damage(name=name, what=f"has sha256 {found}", aside=None if aside is None else str(aside))


def _packs_examined(packed: PackedBlobs) -> Iterator[tuple[int, int, list[Damage]]]:
    """Of each pack how many blobs it has, of how many bytes, and what is wrong with them."""
    folder = packed.packs.folder
    try:
        packed.packs.forget()
        for pack in packed.packs.all():
            data = pack.read(0, pack.size)
            if data is None:
                continue  # another process was quicker
            stray = {name: Digest.of(part) for name, part in rows(pack, data) if not is_whole(name, part)}
            aside = packed.mend(pack)[1] if stray else None
            where = None if aside is None else str(aside)
            yield (
                len(pack.table),
                sum(pack.table.sizes),
                [Damage(name=name, what=f"has sha256 {found}", aside=where) for name, found in stray.items()],
            )
    except OSError as error:
        raise StoreUnreadable(f"cannot read {folder}: {error.strerror}", path=str(folder)) from error
    unheard, packed.unheard = packed.unheard, []
    yield 0, 0, unheard


def _entries(folder: Path) -> list[tuple[str, int]]:
    """Names in a folder, sorted, and the sizes of what has them; none if it is no folder."""
    try:
        with os.scandir(folder) as entries:
            return sorted((entry.name, entry.stat(follow_symlinks=False).st_size) for entry in entries)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise StoreUnreadable(f"cannot read {folder}: {error.strerror}", path=str(folder)) from error

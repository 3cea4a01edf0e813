"""Packs written anew: without what is damaged, or several as one.

Invariants: what is whole is durable in a new pack before the old one goes, so that a process that dies here has lost nothing; a damaged
pack is set aside, never deleted. Several processes may mend the same pack: each writes what is whole, and one of them sets it aside.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from lockage import durable
from lockage.packs.pack import load, rows, salvaged

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from lockage.packs.pack import Pack
    from lockage.packs.packs import Packs

    Whole = Callable[[str, bytes], bool]
    Wanted = Callable[[Pack, str], bool]

__all__ = ["mend", "tidy", "together"]

#: What keeps a damaged file where it is: another process was quicker, or nothing can be written.
_LEFT = (errno.ENOENT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT)
#: A new pack ends at this many names or bytes.
_NAMES = 1 << 16
_BYTES = 8 << 20
#: When there are more packs than this of one kind, from few names to many, they are put together.
_MANY = 128
_KINDS = ((0, 1 << 11), (1 << 11, 1 << 14))


def mend(packs: Packs, path: Path, aside: Path, whole: Whole) -> tuple[list[str], Path | None]:
    """Set a damaged pack aside after all that is whole in it was kept: the names of what is not, and where it is now (None: left).

    Raises OSError.
    """
    try:
        rows = list(salvaged(path.read_bytes(), whole))
    except FileNotFoundError:
        return [], None  # another process was quicker
    lost = [name for name, data in rows if data is None]
    target = aside / f"{path.name}-{os.getpid()}-{os.urandom(4).hex()}"
    try:
        good = {name: data for name, data in rows if data is not None}
        if good:
            packs.add(good, after=path.name)
        durable.ensure_folder(aside)
        durable.reached("before-discard")
        path.rename(target)
    except OSError as error:
        if error.errno not in _LEFT:
            raise
        return lost, None
    return lost, target


def together(packs: Packs, chosen: Sequence[Pack], wanted: Wanted, whole: Whole, made: list[Pack] | None = None) -> list[Pack]:
    """New packs (to ``made``) of what is ``wanted`` in these; the old ones in which that is whole, and that may go. Raises OSError."""
    new: list[Pack] = [] if made is None else made
    gone: list[Pack] = []
    if not chosen:
        return gone
    latest = max(pack.name for pack in chosen)
    items: dict[str, bytes] = {}
    size = 0
    for pack in chosen:
        found = _read(pack, wanted, whole)
        if found is None:
            continue
        gone.append(pack)
        items.update(found)
        size += sum(map(len, found.values()))
        if len(items) >= _NAMES or size >= _BYTES:
            new.append(packs.add(items, after=latest))
            items, size = {}, 0
    if items:
        new.append(packs.add(items, after=latest))
    return gone


def tidy(packs: Packs, folder: Path, wanted: Wanted, whole: Whole) -> list[Pack]:
    """Put packs together if there are many, unless somebody has locked ``folder`` to sweep it: the new ones. Raises OSError."""
    made: list[Pack] = []
    if len(packs.names()) > _MANY:
        with durable.unused(folder, folder=True) as alone:
            for crowd in _crowds(packs) if alone else ():
                for pack in together(packs, crowd, wanted, whole, made):
                    packs.remove(pack)
        packs.refresh()
    return made


def _crowds(packs: Packs) -> list[list[Pack]]:
    found: list[Pack] = []
    for name in sorted(packs.names()):
        with suppress(FileNotFoundError, ValueError):  # whoever misses something of a damaged one mends it
            found.append(load(packs.folder / name))
    kinds = [[pack for pack in found if least <= len(pack.table) < most] for least, most in _KINDS]
    return [kind for kind in kinds if len(kind) > _MANY]


def _read(pack: Pack, wanted: Wanted, whole: Whole) -> dict[str, bytes] | None:
    """What is wanted of a pack; None if any of it is damaged or the pack is gone."""
    data = pack.read(0, pack.size)
    if data is None:
        return None
    found: dict[str, bytes] = {}
    for name, part in rows(pack, data):
        if wanted(pack, name):
            if not whole(name, part):
                return None
            found[name] = part
    return found

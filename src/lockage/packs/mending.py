"""Packs written anew: without what is damaged, or several as one.

Invariants: what is whole is durable in a new pack before the old one goes, so that a process that dies here has lost nothing; a damaged
pack is set aside, never deleted. Several processes may mend the same pack: each writes what is whole, and one of them sets it aside.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from lockage import durable
from lockage.packs.form import salvaged
from lockage.packs.packs import LARGE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from lockage.packs.pack import Pack
    from lockage.packs.packs import Packs

    Whole = Callable[[str, bytes], bool]

__all__ = ["mend", "rows", "tidy", "together"]

#: What keeps a damaged file where it is: another process was quicker, or nothing can be written.
_LEFT = (errno.ENOENT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT)
#: A new pack ends at this many names or bytes.
_NAMES = 1 << 17
_BYTES = 64 << 20
#: When there are more packs than this of one kind, from few names to many, they are put together.
_MANY = 128
_KINDS = ((0, 1 << 11), (1 << 11, LARGE + 1))


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


def together(packs: Packs, chosen: Sequence[Pack], wanted: Callable[[Pack, str], bool], whole: Whole) -> list[Pack]:
    """New packs of what is ``wanted`` in these; those of the old ones in which all of that is whole, and that may go. Raises OSError."""
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
            packs.add(items, after=latest)
            items, size = {}, 0
    if items:
        packs.add(items, after=latest)
    return gone


def tidy(packs: Packs, folder: Path, whole: Whole) -> list[Pack]:
    """Put packs together if there are many, unless somebody has locked ``folder`` to sweep it: the new ones. Raises OSError."""
    made: list[Pack] = []
    if packs.count() > _MANY and _crowds(packs):
        with durable.unused(folder, folder=True) as alone:
            for crowd in _crowds(packs) if alone else ():
                before = {pack.name for pack in packs.all()}
                for pack in together(packs, crowd, packs.latest, whole):
                    packs.remove(pack)
                made += [pack for pack in packs.all() if pack.name not in before]
    return made


def _crowds(packs: Packs) -> list[list[Pack]]:
    found = packs.all()
    kinds = [[pack for pack in found if least <= len(pack.table) < most] for least, most in _KINDS]
    return [kind for kind in kinds if len(kind) > _MANY]


def _read(pack: Pack, wanted: Callable[[Pack, str], bool], whole: Whole) -> dict[str, bytes] | None:
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


def rows(pack: Pack, data: bytes) -> Iterator[tuple[str, bytes]]:
    """Each name of a pack and its bytes in ``data``, which is all of it."""
    table = pack.table
    for name, offset, size in zip(table.texts(), table.offsets, table.sizes, strict=True):
        yield name, data[offset : offset + size]

"""What a sweep does about packs: those in which something is not needed are written anew without it, and go to the trash.

Invariants: what is needed is durable in a new pack before its old one goes to the trash; a pack of which anything needed is damaged stays
for who reads it or looks at everything; younger packs are left as they are.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from lockage import durable
from lockage.adapters.blobs_local.packed import is_whole
from lockage.packs import load
from lockage.packs.mending import together

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from lockage.adapters.blobs_local.packed import PackedBlobs
    from lockage.base.digest import Digest
    from lockage.base.instant import Instant
    from lockage.packs import Pack

__all__ = ["PackSweep", "only_in", "put_back", "unneeded_packed"]

#: Packs of fewer blobs are small, and put together if there are more than one.
_SMALL = 1 << 12
_SECOND = 1_000_000_000


class PackSweep:
    """A sweep of the packs that were written earlier than ``before``."""

    def __init__(self, packed: PackedBlobs, needed: Collection[Digest], before: Instant) -> None:
        self._packed = packed
        self._needed = needed
        self._old = _old(packed, before)
        self._gone: list[Pack] = []

    @cached_property
    def chosen(self) -> list[Pack]:
        """Those that are to be written anew, or need not be."""
        holders = self._holders
        rest = [pack for pack in self._old if any(holders.get(name) is not pack for name in pack.table.texts())]
        small = [pack for pack in self._old if len(pack.table) < _SMALL]
        return [pack for pack in self._old if pack in rest or (pack in small and len(small) > 1)]

    @cached_property
    def _holders(self) -> dict[str, Pack]:
        """The pack that is to keep each blob that is needed: of the old ones, the latest."""
        return {name: pack for pack in self._old for name in pack.table.texts() if name in self._needed}

    def without_any(self) -> dict[Path, Sequence[int]]:
        """The files in which nothing is needed, and the sizes of what is in them."""
        packs = [pack for pack in self._old if not any(name in self._needed for name in pack.table.texts())]
        return {Path(pack.path): pack.table.sizes for pack in packs if pack.looks() is not None}

    def rewrite(self) -> None:
        """Write anew what is needed of the chosen. Raises OSError."""
        holders = self._holders
        self._gone = together(self._packed.packs, self.chosen, lambda pack, name: holders.get(name) is pack, is_whole)
        if self._gone:
            durable.sync_folder(self._packed.packs.folder)

    def gone(self) -> list[Path]:
        """The files that may go now."""
        return [Path(pack.path) for pack in self._gone]


def unneeded_packed(folder: Path, packed: PackedBlobs, needed: Collection[Digest], before: Instant) -> Iterator[int]:
    """The sizes of blobs in old packs that nothing needs and that are nowhere else."""
    old = _old(packed, before)
    young = {name for pack in packed.packs.all() if pack not in old for name in pack.table.texts()}
    found = {name: size for pack in old for name, size in zip(pack.table.texts(), pack.table.sizes, strict=True) if name not in needed}
    yield from (size for name, size in found.items() if name not in young and not _apart(folder, name))


def only_in(folder: Path, packed: PackedBlobs, path: Path) -> Iterator[tuple[str, int]]:
    """Names and sizes of the blobs in a pack in the trash that are nowhere else."""
    with suppress(OSError, ValueError):  # somebody has just taken it back, or it is damaged, and nothing of it can be had
        table = load(path).table
        packed.packs.refresh()  # this pack was in its place not long ago
        for name, size in zip(table.texts(), table.sizes, strict=True):
            place = packed.packs.find(name)
            if (place is None or place[0].looks() is None) and not _apart(folder, name):
                yield name, size


def put_back(packed: PackedBlobs, path: Path, names: Collection[str]) -> bool:
    """Write some of a pack in the trash anew; False if the whole pack went back, as not all of that is whole. Raises OSError."""
    if together(packed.packs, [load(path)], lambda _, name: name in names, is_whole):
        return True
    packed.packs.ready()
    path.rename(packed.packs.folder / path.name)
    return False


def _apart(folder: Path, name: str) -> bool:
    """Whether a blob is a file of its own as well."""
    return os.access(f"{folder}{os.sep}sha256{os.sep}{name[:2]}{os.sep}{name[2:]}", os.F_OK)


def _old(packed: PackedBlobs, before: Instant) -> list[Pack]:
    looks = [(pack, pack.looks()) for pack in packed.packs.all()]
    return [pack for pack, look in looks if look is not None and look[0] < before * _SECOND]

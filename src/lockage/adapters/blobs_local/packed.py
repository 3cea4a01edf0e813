"""Small blobs that were put many at a time: in ``packs/``, each pack one file (:mod:`lockage.packs`).

Invariants: no bytes leave here that have not been hashed; a pack in which a blob is found damaged is set aside after all that is whole
in it was written anew, so that only what is damaged is missing; what a sweep put into the trash comes back when it is missed.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from lockage.base.digest import Digest
from lockage.packs import Pack, Packs, load, pack_name, rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from lockage import durable
    from lockage.base.digest import BlobRef
    from lockage.packs import Place
    from lockage.ports.storage import Damage

__all__ = ["PACKED", "PackedBlobs", "is_whole"]

#: Larger blobs are files of their own.
PACKED = 1 << 14
#: A pack may be put together with others, or into the trash, between being found and being read.
_LOOKS = 3


def is_whole(name: str, data: bytes) -> bool:
    """Whether bytes are those of a name."""
    return Digest.of(data) == name


class PackedBlobs:
    """The packs below ``folder``. ``lost`` is called when a blob is found damaged, ``begin`` before the first is written."""

    def __init__(self, folder: Path, spool: durable.Spool, *, lost: Callable[[], None], begin: Callable[[], None]) -> None:
        self.packs = Packs(folder / "packs", spool, begin=begin, unreadable=self._unreadable)
        self.find = self.packs.find
        self.known = self.packs.known
        self._folder = folder
        self._trash = str(folder / "trash")
        self._lost = lost
        #: Names of packs in the trash, and what they hold.
        self._trashed: dict[str, frozenset[str]] = {}
        #: What was found damaged where nobody asked for it, until an audit tells of it.
        self.unheard: list[Damage] = []

    def there(self, digest: str) -> Place | None:
        """Where a blob lies that this process knows, if its pack is there."""
        place = self.known(digest)
        if place is None or place[0].looks() is not None:
            return place
        return self.again(digest)

    def again(self, digest: str) -> Place | None:
        """Where a blob lies that is nowhere else, after a look at what others did, and into the trash."""
        place = self.packs.found(digest)
        if place is not None and place[0].looks() is None:  # put together with others, damaged, or swept away
            if os.access(place[0].path, os.F_OK):  # it has another size
                self._lost()
                self.mend(place[0])
            else:
                self.packs.refresh()
            place = self.packs.find(digest)
            if place is not None and place[0].looks() is None:
                place = None
        return self._rescued(digest) if place is None else place

    def _rescued(self, digest: str) -> Place | None:
        if not os.access(self._trash, os.F_OK):  # no exception for what is nearly always so
            return None
        for generation, name in trashed_packs(self._trash):
            path = f"{self._trash}{os.sep}{generation}{os.sep}{name}"
            try:
                if name not in self._trashed:
                    self._trashed[name] = frozenset(load(Path(path)).table.texts())
                if digest in self._trashed[name]:
                    self.packs.ready()
                    os.rename(path, f"{self.packs.folder}{os.sep}{name}")  # noqa: PTH104
            except (OSError, ValueError):
                continue  # another process was quicker
        self.packs.refresh()
        place = self.packs.find(digest)
        return place if place is not None and place[0].looks() is not None else None

    def get(self, ref: BlobRef) -> tuple[bytes | None, str | None]:
        """The bytes of a blob if they are whole here; and what was found in their place, if that was damaged and nothing else is here."""
        found: str | None = None
        for _ in range(_LOOKS):
            place = self.known(ref.digest) or self.again(ref.digest)
            if place is None:
                break
            pack, offset, size = place
            data = pack.read(offset, size)
            if data is None:
                self.packs.refresh()
                continue
            digest = Digest.of(data)
            if digest == ref.digest:
                return (data, found) if size == ref.size else (None, found)
            found = digest
            if self.mend(pack)[1] is None:
                break  # it stays where it is, and would be found again
        return None, found

    def mend(self, pack: Pack) -> tuple[list[str], Path | None]:
        """Set a damaged pack aside: what is lost, and where it is now (None: left)."""
        from lockage.packs.mending import mend  # no build needs it that finds everything whole

        found = mend(self.packs, Path(pack.path), self._folder / "quarantine", is_whole)
        self.packs.refresh()
        return found

    def _unreadable(self, path: Path) -> None:
        from lockage.packs.mending import mend  # as above
        from lockage.ports.storage import Damage

        lost, aside = mend(self.packs, path, self._folder / "quarantine", is_whole)
        self._lost()
        where = None if aside is None else str(aside)
        self.unheard += [Damage(name=name, what="is damaged in a pack", aside=where) for name in lost]
        self.unheard.append(Damage(name=path.name, what="is no whole pack", aside=where))

    def add(self, items: Mapping[str, bytes]) -> Pack:
        """Write a pack. Raises OSError."""
        return self.packs.add(items)

    def whole(self, refs: Iterable[tuple[BlobRef, int]]) -> set[BlobRef]:
        """Those that are in a pack of the inode that was seen, and whole there; packs in which any of the others is are set aside."""
        by_pack: dict[Pack, dict[str, BlobRef]] = {}
        for ref, inode in refs:
            place = self.known(ref.digest)
            if place is not None and place[2] == ref.size and place[0].facts[1] == inode:
                by_pack.setdefault(place[0], {})[ref.digest] = ref
        good: set[BlobRef] = set()
        for pack, wanted in by_pack.items():
            found = {ref for name, ref in wanted.items() if is_whole(name, self._bytes(pack, name))} if _is_few(wanted, pack) else set()
            if not found:
                data = pack.read(0, pack.size) or b""
                found = {wanted[name] for name, part in rows(pack, data) if name in wanted and is_whole(name, part)}
            good |= found
            if len(found) < len(wanted) and pack.looks() is not None:
                self._lost()
                self.mend(pack)
        return good

    def _bytes(self, pack: Pack, name: str) -> bytes:
        place = pack.place(name)
        return b"" if place is None else pack.read(*place) or b""

    def hashed(self, ref: BlobRef) -> tuple[int, int] | None:
        """Time of change and inode of the pack in which a blob was just found to be whole; None if it is in none."""
        place = self.there(ref.digest)
        facts = None if place is None else place[0].looks()  # from before the reading: what changes while it is read is seen the next time
        data, _ = self.get(ref)
        return facts if data is not None and place is not None and self.find(ref.digest) == place else None


def trashed_packs(trash: str) -> Iterator[tuple[str, str]]:
    """The generations and names of the packs that a sweep put away."""
    try:
        generations = os.listdir(trash)  # noqa: PTH208  # asked for each miss
    except OSError:
        return
    for generation in generations:
        try:
            names = os.listdir(f"{trash}{os.sep}{generation}")  # noqa: PTH208  # as above
        except OSError:
            continue
        for name in names:
            if pack_name(name):
                yield generation, name


def _is_few(wanted: Mapping[str, BlobRef], pack: Pack) -> bool:
    """Whether to read some of a pack, and not all of it."""
    return 16 * len(wanted) < len(pack.table)

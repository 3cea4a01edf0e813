"""The sweep of a store's blobs: what nothing needs goes to the trash, and from there once nobody can miss it (see ``lease``).

Invariants: nothing is deleted that ``needed`` names, asked after it was put into the trash; a process that dies here has deleted
nothing that is needed, and the next sweep goes on where it ended. Where the disk is so full that nothing can be moved, files are
deleted in their places while nobody else holds a lease, and nobody can take one.
"""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack, suppress
from itertools import chain
from typing import TYPE_CHECKING

from lockage import durable, portable
from lockage.adapters.blobs_local.lease import Lease, numbered
from lockage.adapters.blobs_local.sweep_packs import PackSweep, only_in, put_back, unneeded_packed
from lockage.packs import load, pack_name
from lockage.ports import StoreUnwritable
from lockage.ports.storage import BlobSweep, Swept

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from pathlib import Path

    from lockage.adapters.blobs_local.packed import PackedBlobs
    from lockage.base.digest import Digest
    from lockage.base.instant import Instant

    Needed = Callable[[], Collection[Digest]]

__all__ = ["sweep"]

_FULL = (errno.ENOSPC, errno.EDQUOT)


def sweep(
    folder: Path, lease: Lease, packed: PackedBlobs, needed: Needed, before: Instant, *, dry: bool, lost: Callable[[], None]
) -> BlobSweep:
    """Sweep the blobs in ``folder``. Raises StoreUnwritable and what ``needed`` raises."""
    if not folder.is_dir():
        needed()
        return BlobSweep()
    if dry:
        wanted = needed()
        return BlobSweep(
            gone=_sum(chain((size for _, size in _unneeded(folder, wanted, before)), unneeded_packed(folder, packed, wanted, before))),
            waiting=_trashed(folder, packed),
        )
    with durable.locked_folder(folder), durable.unwritable(folder):
        lease.let_go()
        lease.paused = True
        try:
            wanted = needed()
            victims = list(_unneeded(folder, wanted, before))
            packs = PackSweep(packed, wanted, before)
            if victims or packs.chosen:
                durable.sync_file_system(folder)  # the records that named them are to be gone after a power cut as well
                lost()  # what remembers that files are kept must not outlive them
            return _Sweeping(folder, packed, needed).run(victims, packs)
        finally:
            lease.paused = False


class _Sweeping:
    def __init__(self, folder: Path, packed: PackedBlobs, needed: Needed) -> None:
        self._folder = folder
        self._packed = packed
        self._objects, self._trash, self._leases = folder / "sha256", folder / "trash", folder / "leases"
        self._needed = needed
        self._again: Collection[Digest] | None = None

    def run(self, victims: list[tuple[Path, int]], packs: PackSweep) -> BlobSweep:
        number = max(numbered(self._leases), default=1)
        full = False
        if victims or packs.chosen:
            try:
                packs.rewrite()
                self._discard([*(path for path, _ in victims), *packs.gone()], number)
            except OSError as error:
                if error.errno not in _FULL:
                    raise
                full = True
        gone = self._empty_trash(number)
        if full:
            left = [(path, size) for path, size in victims if path.exists()]
            held = packs.without_any()  # of all others what is needed would have to be written first
            gone = Swept(count=gone.count + len(left), size=gone.size + sum(size for _, size in left))
            gone = Swept(count=gone.count + sum(map(len, held.values())), size=gone.size + sum(map(sum, held.values())))
            self._delete_in_place([*(path for path, _ in left), *held], number)
        return BlobSweep(gone=gone, waiting=_trashed(self._folder, self._packed))

    def _discard(self, victims: list[Path], number: int) -> None:
        """Move blobs to the trash, and begin the lease that does not cover them."""
        durable.ensure_folder(self._trash)
        generation = self._trash / str(number)
        durable.ensure_folder(generation)
        for path in victims:
            durable.reached("before-discard")
            with suppress(FileNotFoundError):
                path.rename(generation / (path.name if pack_name(path.name) else f"{path.parent.name}{path.name}"))
        durable.ensure_folder(self._leases)
        durable.reached("discarded")
        os.close(portable.open_lock(self._leases / str(number + 1)))

    def _empty_trash(self, number: int) -> Swept:
        """Delete the generations that nobody can miss any more; what is needed after all goes back."""
        count = size = 0
        with ExitStack() as held:
            closed: set[int] = set()
            for generation in numbered(self._trash):
                leases = {lease for lease in numbered(self._leases) if lease <= generation}
                closed |= self._closed(leases - closed, held)
                if leases - closed:
                    break  # who holds one may believe it to be there
                count, size = self._delete(self._trash / str(generation), count, size)
            newest = max(numbered(self._leases), default=number)
            for lease in closed:
                if lease < newest:
                    (self._leases / str(lease)).unlink(missing_ok=True)
            with suppress(OSError):
                self._trash.rmdir()
        return Swept(count=count, size=size)

    def _closed(self, leases: Collection[int], held: ExitStack) -> set[int]:
        """Those of some leases that nobody holds; nobody can take them until ``held`` ends."""
        found: set[int] = set()
        for lease in leases:
            handle = portable.open_lock(self._leases / str(lease))
            held.callback(os.close, handle)
            try:
                portable.hold(handle, wait=False)
            except BlockingIOError:
                continue
            found.add(lease)
        return found

    def _delete(self, generation: Path, count: int, size: int) -> tuple[int, int]:
        if self._again is None:
            self._again = self._needed()  # a build that ended meanwhile may have recorded what it took from the cache
        for path in generation.iterdir():
            if pack_name(path.name):
                held, length = self._delete_pack(path, self._again)
                count, size = count + held, size + length
                continue
            if path.name in self._again:
                path.rename(self._objects / path.name[:2] / path.name[2:])
                continue
            durable.reached("before-delete")
            with suppress(FileNotFoundError):
                length = path.stat().st_size
                path.unlink()
                count, size = count + 1, size + length
        with suppress(OSError):
            generation.rmdir()
        return count, size

    def _delete_pack(self, path: Path, needed: Collection[Digest]) -> tuple[int, int]:
        """Delete a pack, after what is needed and nowhere else was put back: how many blobs went with it, and their bytes."""
        left = list(only_in(self._folder, self._packed, path))
        back = {name for name, _ in left if name in needed}
        if back and not put_back(self._packed, path, back):
            return 0, 0
        left = [(name, size) for name, size in left if name not in back]
        durable.reached("before-delete")
        path.unlink(missing_ok=True)
        return len(left), sum(size for _, size in left)

    def _delete_in_place(self, victims: list[Path], number: int) -> None:
        with ExitStack() as held:
            leases = {number, *numbered(self._leases)}
            if self._closed(leases, held) != leases:
                raise StoreUnwritable(
                    f"cannot sweep {self._folder}: the disk is full, and other commands use the store",
                    hint="Wait until they have ended, and run it again: with some room it need not wait for them.",
                    folder=str(self._folder),
                    cause="the disk is full",
                )
            needed = self._needed()
            for path in victims:
                names = load(path).table.texts() if pack_name(path.name) else [f"{path.parent.name}{path.name}"]
                if not any(name in needed for name in names):
                    path.unlink(missing_ok=True)


def _unneeded(folder: Path, needed: Collection[Digest], before: Instant) -> Iterator[tuple[Path, int]]:
    """The blobs that nothing needs and that were written earlier than ``before``, each with its size."""
    for shard in sorted(folder.glob("sha256/??")):
        with os.scandir(shard) as entries:
            for entry in entries:
                if shard.name + entry.name in needed:
                    continue
                with suppress(FileNotFoundError):
                    state = entry.stat(follow_symlinks=False)
                    if state.st_mtime < before:
                        yield shard / entry.name, state.st_size


def _trashed(folder: Path, packed: PackedBlobs) -> Swept:
    sizes: list[int] = []
    for path in folder.glob("trash/*/*"):
        with suppress(FileNotFoundError):  # somebody has just taken it back
            if pack_name(path.name):
                sizes += (size for _, size in only_in(folder, packed, path))
            else:
                sizes.append(path.stat().st_size)
    return _sum(iter(sizes))


def _sum(sizes: Iterable[int]) -> Swept:
    count = size = 0
    for one in sizes:
        count, size = count + 1, size + one
    return Swept(count=count, size=size)

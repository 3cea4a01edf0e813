"""A store's folder as a whole: what lies in it, and which format it has (docs/store.md).

Invariants: looking changes nothing and makes nothing; a store of a newer format is refused before anything of it is read. The
format is a number in the file ``format``; a store without one has format 1, as the first stores had none. One of format 1 is read and
written as it is until something is put into a pack, of which format 1 knows nothing: then it says that it has format 2.
"""

from __future__ import annotations

import os
import stat
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from lockage import durable
from lockage.base.digest import Digest
from lockage.base.instant import Instant
from lockage.ports import StoreFormatUnknown, StoreUnreadable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from lockage.ports.storage import KeptKind, Swept

__all__ = ["STORE_FORMAT", "StoreFolder", "admit", "begin"]

#: The newest format of a store that this lockage reads and writes.
STORE_FORMAT = 2
_FILE = "format"
#: How the name of a folder begins that is being deleted.
_GONE = ".gone-"

#: Kind → where it lies, whether each folder there counts as one thing, and whether it can be had or made again.
_KINDS: tuple[tuple[str, tuple[str, ...], bool, bool], ...] = (
    ("blobs", ("blobs/sha256", "blobs/packs"), False, False),
    ("ledger", ("ledger.db", "ledger.db-wal", "ledger.db-shm"), False, False),
    ("runs", ("runs",), False, False),
    ("actions", ("actions",), False, True),
    ("roots", ("roots/os", "roots/python", "roots/instruments", "roots/packages"), True, True),
    ("clones", ("clones",), True, True),
    ("memo", ("memo",), False, True),
    ("cache", ("cache", "blobs/tmp", "actions/tmp", "memo/tmp", "roots/tmp"), False, True),
    ("trash", ("blobs/trash",), False, True),
    ("damaged", ("blobs/quarantine", "actions/damaged", "roots/damaged"), False, True),
)


#: What the things that are counted are made of.
_MADE_OF = ("roots/packages",)


def admit(folder: Path) -> None:
    """Raise :class:`StoreFormatUnknown` unless the store is of a format that is known here; one small read."""
    try:
        text = (folder / _FILE).read_bytes()[:100]
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise StoreUnreadable(f"cannot read {folder / _FILE}: {error.strerror}", path=str(folder / _FILE)) from error
    number = text.strip().decode(errors="replace")
    if not (number.isascii() and number.isdecimal() and 1 <= int(number) <= STORE_FORMAT):
        raise StoreFormatUnknown(
            f"the store {folder} has format {number[:20]!r}; this lockage knows formats up to {STORE_FORMAT}",
            file=str(folder / _FILE),
            found=number[:20],
            expected=STORE_FORMAT,
        )


def begin(folder: Path) -> None:
    """Say of a store that is being begun, or gets its first pack, which format it has. Raises StoreUnwritable."""
    with durable.unwritable(folder):
        durable.ensure_folder(folder)
    durable.write_file(folder / _FILE, f"{STORE_FORMAT}\n".encode())


class StoreFolder:
    """Implements :class:`lockage.ports.Storage`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def kinds(self) -> tuple[KeptKind, ...]:
        return tuple(self._kind(*kind) for kind in _KINDS)

    def _kind(self, kind: str, places: tuple[str, ...], folders: bool, again: bool) -> KeptKind:
        from lockage.ports.storage import KeptKind  # only the format is looked at by every command

        count, size = 0, 0
        oldest: float | None = None
        seen: set[tuple[int, int]] = set()  # a file of many names is there once
        leave = {str(self._folder / name) for _, others, _, _ in _KINDS for name in others if name not in places}
        for place in places:
            top = self._folder / place
            for file in _files(top, leave):
                if (file.st_dev, file.st_ino) in seen:
                    continue
                seen.add((file.st_dev, file.st_ino))
                size += file.st_size
                if not folders:
                    count += 1
                    oldest = file.st_mtime if oldest is None else min(oldest, file.st_mtime)
            if not folders:
                count += _packed_beside(top)
            if folders and place not in _MADE_OF:  # what is in them may carry other times than its own
                times = list(_folder_times(top))
                count += len(times)
                oldest = min([*times, *([] if oldest is None else [oldest])], default=None)
        return KeptKind(kind=kind, count=count, size=size, oldest=None if oldest is None else Instant(int(oldest)), again=again)

    def know_lock(self, lock: Digest) -> None:
        folder = self._folder / "locks"
        with suppress(OSError):
            durable.ensure_folder(folder)
            (folder / lock).touch(0o600)

    def known_locks(self, since: Instant) -> tuple[Digest, ...]:
        return tuple(sorted(Digest(path.name) for path in self._locks() if path.stat().st_mtime >= since))

    def forget_locks(self, before: Instant) -> None:
        for path in self._locks():
            with suppress(OSError):
                if path.stat().st_mtime < before:
                    path.unlink()

    def _locks(self) -> Iterator[Path]:
        return (path for path in list((self._folder / "locks").glob("*")) if len(path.name) == len(Digest.of(b"")))

    def sweep_copies(self, before: Instant, *, dry: bool = False) -> dict[str, Swept]:
        clones, cache = self._folder / "clones", self._folder / "cache"
        with durable.unwritable(self._folder):
            for left in [*clones.glob(f"{_GONE}*"), *cache.glob(f"{_GONE}*")] if not dry else ():
                _delete(left)  # of a process that was killed
            broken = [found for name in ("fetch", "images") for found in _sweep_files(cache / name, before, dry=dry)]
            return {
                "clones": _summed([_sweep_copy(path, before, dry=dry) for path in sorted(clones.glob("*.git"))]),
                "cache": _summed([*broken, _sweep_copy(cache / "uv", before, dry=dry)]),
            }

    def sweep_damaged(self, before: Instant, *, dry: bool = False) -> Swept:
        import shutil  # no build needs it

        from lockage.ports.storage import Swept

        (places,) = (places for kind, places, _, _ in _KINDS if kind == "damaged")
        count = size = 0
        with durable.unwritable(self._folder):
            for path in (path for place in places for path in sorted(self._folder.glob(f"{place}/*"))):
                if path.lstat().st_ctime >= before:  # when it was set aside: being renamed is a change
                    continue
                count, size = count + 1, size + sum(file.st_size for file in _files(path, set()))
                if path.is_dir() and not dry:
                    shutil.rmtree(path)
                elif not dry:
                    path.unlink()
        return Swept(count=count, size=size)

    def free(self) -> int:
        import shutil  # no build needs it

        place = self._folder
        while not place.exists():
            place = place.parent
        try:
            return shutil.disk_usage(place).free
        except OSError as error:
            raise StoreUnreadable(f"cannot read {place}: {error.strerror}", path=str(place)) from error


def _sweep_copy(path: Path, before: Instant, *, dry: bool) -> Swept | None:
    """Delete a folder that was last used before; None if it stays. Who begins to use it holds the lock beside it, if it has one."""
    from lockage.ports.storage import Swept  # no build needs it

    try:
        if path.stat().st_mtime >= before:
            return None
        with ExitStack() as stack:
            lock = path.with_suffix(".lock")
            if lock.exists() and not stack.enter_context(durable.unused(lock)):
                return None
            if not stack.enter_context(durable.unused(path, folder=True)) or path.stat().st_mtime >= before:
                return None
            found = Swept(count=1, size=sum(file.st_size for file in _files(path, set())))
            if not dry:
                gone = path.with_name(f"{_GONE}{os.getpid()}-{path.name}")
                path.rename(gone)
                _delete(gone)
            return found
    except FileNotFoundError:
        return None


def _sweep_files(folder: Path, before: Instant, *, dry: bool) -> Iterator[Swept]:
    """Delete the files of a folder that were last written before; who writes to one goes on with it."""
    from lockage.ports.storage import Swept  # no build needs it

    for path in sorted(folder.glob("*")):
        with suppress(FileNotFoundError):
            found = path.stat()
            if found.st_mtime < before:
                if not dry:
                    path.unlink()
                yield Swept(count=1, size=found.st_size)


def _summed(found: Iterable[Swept | None]) -> Swept:
    from lockage.ports.storage import Swept  # no build needs it

    gone = [swept for swept in found if swept is not None]
    return Swept(count=sum(swept.count for swept in gone), size=sum(swept.size for swept in gone))


def _delete(folder: Path) -> None:
    import shutil  # no build needs it

    shutil.rmtree(folder)


def _files(top: Path, leave: set[str]) -> Iterator[os.stat_result]:
    """The stat of everything but folders below a place, or of the place itself if it is a file."""
    try:
        found = top.stat()
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise StoreUnreadable(f"cannot read {top}: {error.strerror}", path=str(top)) from error
    if not stat.S_ISDIR(found.st_mode):
        yield found
        return
    waiting = [str(top)]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if not entry.is_dir(follow_symlinks=False):
                        yield entry.stat(follow_symlinks=False)
                    elif entry.path not in leave:
                        waiting.append(entry.path)
        except FileNotFoundError:
            continue  # another process removed it
        except OSError as error:
            raise StoreUnreadable(f"cannot read {folder}: {error.strerror}", path=folder) from error


def _packed_beside(top: Path) -> int:
    """How many more things than files there are in a place, as a pack is a file of several."""
    from lockage.packs import load  # as above

    packs = top if top.name == "packs" else top / "packs"
    more = 0
    with suppress(OSError):
        for path in packs.iterdir() if top.name in ("packs", "actions") else ():
            with suppress(OSError, ValueError):
                more += len(load(path).table) - 1
    return more


def _folder_times(top: Path) -> Iterator[float]:
    """When each thing of a place was put there: a layer's stamp, else the folder itself."""
    with suppress(OSError):
        for folder in top.iterdir():
            with suppress(OSError):
                stamp = folder / "stamp"
                if folder.is_dir():  # beside clones lie their locks
                    yield (stamp if stamp.exists() else folder).stat().st_mtime

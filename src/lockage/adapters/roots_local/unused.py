"""Deletes layers that nobody needs or uses, and packages that no layer is of: whoever uses one shares the lock of its use until it ends."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING

from lockage import durable
from lockage.adapters.roots_local.audit import kept_layers
from lockage.adapters.roots_local.kept_packages import listed
from lockage.adapters.roots_local.sweep import walked
from lockage.ports.storage import Swept

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from lockage.adapters.roots_local.kept_packages import KeptPackages
    from lockage.base.digest import Digest
    from lockage.base.instant import Instant

__all__ = ["sweep_layers"]


def sweep_layers(folder: Path, needed: Collection[tuple[str, Digest]], packages: KeptPackages, before: Instant, *, dry: bool) -> Swept:
    """Delete the other layers below ``folder`` that were made earlier than ``before``, and the unpacked packages that none is of then.

    What is counted are layers, and bytes that no name is left of. Raises StoreUnwritable.
    """
    count = 0
    freed = _Freed(together=dry)
    names = {f"{kind}-{key}" for kind, key in needed}
    shared: set[Digest] = set()
    with durable.unwritable(folder):
        for home in kept_layers(folder):
            name = f"{home.parent.name}-{home.name}"
            keys = listed(home)
            if name in names or _made(home / "stamp") >= before:
                shared.update(keys)
                continue
            with nullcontext(True) if dry else _alone(folder / "locks", name, f"{name}.use") as alone:
                if not alone:
                    shared.update(keys)
                    continue
                freed.add(home)
                if not dry:
                    _remove(home, folder / "tmp" / name, "stamp", packages.remove_layer)
            count += 1
        with nullcontext(True) if dry else _alone(folder / "locks", "packages.use") as alone:
            for key in packages.keys() if alone else ():
                home = packages.folder / key
                if key not in shared and _made(home / "package") < before:
                    freed.add(home)
                    if not dry:  # what lies in tmp is left alone while the lock of its name is held
                        _remove(home, folder / "tmp" / "packages.use", "package", shutil.rmtree)
    return Swept(count=count, size=freed.size)


def _made(mark: Path) -> float:
    with suppress(FileNotFoundError):
        return mark.stat().st_mtime
    return 0.0  # it counts for nothing


class _Freed:
    """The bytes of files of which every name goes: ``together`` if nothing is deleted meanwhile, else with each folder."""

    def __init__(self, *, together: bool) -> None:
        self.size = 0
        self._together = together
        self._seen: dict[int, int] = {}

    def add(self, home: Path) -> None:
        """A folder goes, and is still there. Raises OSError."""
        if not self._together:
            self._seen.clear()
        for _, state in walked(home):
            if not stat.S_ISDIR(state.st_mode):
                self._seen[state.st_ino] = self._seen.get(state.st_ino, 0) + 1
                if self._seen[state.st_ino] == state.st_nlink:
                    self.size += state.st_size


@contextmanager
def _alone(locks: Path, *names: str) -> Iterator[bool]:
    """Whether nobody holds any of some locks; nobody does until the end. Where no lock can be written, as nobody has one, nobody does."""
    handles: list[int] = []
    try:
        for file in (locks / name for name in names):
            try:
                handles.append(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
                fcntl.flock(handles[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            except OSError:
                if file.exists():
                    yield False
                    return
        yield True
    finally:
        for handle in handles:
            os.close(handle)


def _remove(home: Path, aside: Path, mark: str, remove: Callable[[Path], None]) -> None:
    """First from its place, so that no part of a layer ever counts as one; where the disk is too full for that, its mark goes first."""
    try:
        shutil.rmtree(aside, ignore_errors=True)
        home.rename(aside)
    except OSError:
        (home / mark).unlink(missing_ok=True)
        aside = home
    remove(aside)

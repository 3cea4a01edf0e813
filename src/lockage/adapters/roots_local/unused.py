"""Deletes layers that nobody needs or uses: whoever uses one shares the lock of its use until it ends."""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from lockage import durable
from lockage.adapters.roots_local.audit import kept_layers
from lockage.ports.storage import Swept

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from lockage.base.digest import Digest
    from lockage.base.instant import Instant

__all__ = ["sweep_layers"]


def sweep_layers(folder: Path, needed: Collection[tuple[str, Digest]], before: Instant, *, dry: bool) -> Swept:
    """Delete the other layers below ``folder`` that were made earlier than ``before``. Raises StoreUnwritable."""
    count = size = 0
    names = {f"{kind}-{key}" for kind, key in needed}
    with durable.unwritable(folder):
        for home in kept_layers(folder):
            name = f"{home.parent.name}-{home.name}"
            if name in names or _made(home) >= before:
                continue
            length = _size(home)
            if not dry:
                with _alone(folder / "locks", name) as alone:
                    if not alone:
                        continue
                    _remove(home, folder / "tmp" / name)
            count, size = count + 1, size + length
    return Swept(count=count, size=size)


def _made(home: Path) -> float:
    with suppress(FileNotFoundError):
        return (home / "stamp").stat().st_mtime
    return 0.0  # it counts for nothing


def _size(home: Path) -> int:
    seen: dict[int, int] = {}
    for folder, _, files in os.walk(home):
        for file in files:
            state = os.lstat(os.path.join(folder, file))  # noqa: PTH118 (tens of thousands)
            seen[state.st_ino] = state.st_size
    return sum(seen.values())


@contextmanager
def _alone(locks: Path, name: str) -> Iterator[bool]:
    """Whether nobody makes or uses a layer; nobody does until the end. Where no lock can be written, as nobody has one, nobody does."""
    handles: list[int] = []
    try:
        for file in (locks / name, locks / f"{name}.use"):
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


def _remove(home: Path, aside: Path) -> None:
    """First from its place, so that no part of a layer ever counts as one; where the disk is too full for that, its stamp goes first."""
    try:
        shutil.rmtree(aside, ignore_errors=True)
        home.rename(aside)
    except OSError:
        (home / "stamp").unlink(missing_ok=True)
        aside = home
    shutil.rmtree(aside)

"""Copies of roots elsewhere, filled in a chosen order: what a verification needs to vary how the root's folders list."""

# ruff: noqa: PTH101, PTH102, PTH115, PTH116, PTH211
# Plain text paths and os calls: with ten thousand files, making Path objects would cost as much as the system calls.
from __future__ import annotations

import os
import shutil
import stat
from typing import TYPE_CHECKING, Literal

import msgspec

from lockage.durable import unwritable

if TYPE_CHECKING:
    from pathlib import Path

    from lockage.ports import RealisedRoot

__all__ = ["copy_root", "remove_root"]


def copy_root(root: RealisedRoot, into: Path, order: Literal["sorted", "reversed"]) -> RealisedRoot:
    """Copy every layer of a root into new folders below ``into``, which is made for this user alone; hardlinks, modes and times are kept.

    Each folder is filled in the order of its names, or in the opposite one. On failure nothing is left. Raises :class:`StoreUnwritable`.
    """
    with unwritable(into):
        into.mkdir(0o700, parents=True)
        try:
            layers = []
            for number, (place, folder) in enumerate(root.layers):
                target = into / str(number)
                _copy_folder(str(folder), str(target), order == "reversed", {})
                layers.append((place, target))
        except BaseException:
            shutil.rmtree(into, ignore_errors=True)
            raise
    return msgspec.structs.replace(root, layers=tuple(layers))


def remove_root(into: Path) -> None:
    """Remove what :func:`copy_root` made; nothing if it is gone already. Raises :class:`StoreUnwritable`."""
    with unwritable(into):
        try:
            shutil.rmtree(into)
        except FileNotFoundError:
            return


def _copy_folder(source: str, target: str, backwards: bool, linked: dict[tuple[int, int], str]) -> None:
    os.mkdir(target, 0o700)
    with os.scandir(source) as found:
        items = sorted(found, key=lambda item: item.name, reverse=backwards)
    for item in items:
        path = f"{target}/{item.name}"
        if item.is_symlink():
            os.symlink(os.readlink(item.path), path)
            shutil.copystat(item.path, path, follow_symlinks=False)
        elif item.is_dir(follow_symlinks=False):
            _copy_folder(item.path, path, backwards, linked)
        else:
            _copy_file(item, path, linked)
    _copy_attributes(os.stat(source), target)


def _copy_file(item: os.DirEntry[str], path: str, linked: dict[tuple[int, int], str]) -> None:
    found = item.stat(follow_symlinks=False)
    twin = linked.get((found.st_dev, found.st_ino)) if found.st_nlink > 1 else None
    if twin is not None:
        os.link(twin, path)
        return
    if found.st_nlink > 1:
        linked[found.st_dev, found.st_ino] = path
    shutil.copyfile(item.path, path)
    _copy_attributes(found, path)


def _copy_attributes(found: os.stat_result, path: str) -> None:
    os.chmod(path, stat.S_IMODE(found.st_mode))
    os.utime(path, ns=(found.st_mtime_ns, found.st_mtime_ns))

"""One layer made: packages unpacked or lent, put together by hard links, durable, and only then under its key.

Invariants: a layer and the packages that were unpacked for it appear under their keys when all their bytes are durable, the packages
first. What is lent is compared with what was kept before a name of it is added; what is damaged is set aside and unpacked again.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from lockage import durable
from lockage.adapters.roots_local.kept_layer import manifest_bytes
from lockage.adapters.roots_local.kept_packages import write_listed
from lockage.adapters.roots_local.layer import LayerSpec, manifest_of
from lockage.adapters.roots_local.place import place
from lockage.adapters.roots_local.spool import FileSpool
from lockage.adapters.roots_local.sweep import stamp_of, walked

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lockage.adapters.roots_local.kept_packages import KeptPackages
    from lockage.base.digest import Digest

__all__ = ["make_layer"]


class _Damaged(Exception):
    """A package that was lent is not what was kept."""


def make_layer(home: Path, temporary: Path, packages: KeptPackages, make: Callable[[FileSpool], LayerSpec]) -> None:
    """Make the layer ``home`` by way of a temporary folder beside; nothing is left of that. Raises what ``make`` raises, and OSError."""
    with packages.used():
        while True:
            if temporary.exists():
                shutil.rmtree(temporary)
            temporary.mkdir(0o700)
            try:
                _make(home, temporary, packages, make)
            except _Damaged:
                continue  # now it is not kept any more
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
            return


def _make(home: Path, temporary: Path, packages: KeptPackages, make: Callable[[FileSpool], LayerSpec]) -> None:
    spool = FileSpool(temporary / "spool", packages.folder)
    spec = make(spool)
    durable.reached("layer-unpacked")
    with packages.linking():
        lent = _lent(spec, spool, packages)
        place(spec.entries, spec.added, spool, temporary / "root", spec.below)
        fresh = [key for key in spec.packages if key not in lent]
        for key in fresh:
            packages.describe(spool.folder / key, spec.packages[key])
        (temporary / "manifest").write_bytes(manifest_bytes(manifest_of(spec)))
        write_listed(temporary, spec.packages)
        found = walked(temporary / "root")
        now = {state.st_ino: state.st_ctime_ns for _, state in found}
        for key, before in lent.items():
            packages.remember(key, before, now)
        shared = packages.known(lent) | packages.known_in(spool.folder / key for key in fresh)
        (temporary / "stamp").write_text(stamp_of(found, shared))
        if not durable.sync_file_system(temporary):
            os.sync()
        durable.ensure_folder(packages.folder)
        durable.ensure_folder(home.parent)
        durable.reached("layer-placed")
        for key in fresh:
            (spool.folder / key).rename(packages.folder / key)
        shutil.rmtree(spool.folder)
        durable.sync_folder(packages.folder)
        durable.reached("packages-kept")
        temporary.rename(home)
        durable.sync_folder(home.parent)


def _lent(spec: LayerSpec, spool: FileSpool, packages: KeptPackages) -> dict[Digest, dict[int, int]]:
    """The packages that were kept before, with the inodes and change times of their files."""
    lent: dict[Digest, dict[int, int]] = {}
    for key in spec.packages:
        borrowed = spool.borrowed(key)
        found = packages.whole(key) if borrowed or packages.get(key) is not None else None
        if found is not None:
            spool.borrow(key)  # what another process kept meanwhile is the same
            lent[key] = found
        elif borrowed or (packages.folder / key).exists():
            packages.set_aside(key)
            if borrowed:
                raise _Damaged(key)
    return lent

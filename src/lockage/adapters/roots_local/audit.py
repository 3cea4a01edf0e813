"""Every kept layer and unpacked package against what was put there, byte by byte: before a build only writes are looked for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lockage import durable
from lockage.adapters.roots_local.kept_layer import read_manifest
from lockage.adapters.roots_local.kept_packages import listed
from lockage.adapters.roots_local.read_only import move_aside
from lockage.adapters.roots_local.sweep import Hashes, first_difference
from lockage.base.errors import LockageError
from lockage.ports.storage import Audit, Damage

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from lockage.adapters.roots_local.kept_packages import KeptPackages
    from lockage.base.digest import Digest
    from lockage.ports.storage import Heard

__all__ = ["audit_layers", "kept_layers"]

_KINDS = ("os", "python", "instruments")


def kept_layers(folder: Path) -> list[Path]:
    """The homes of all layers below ``folder``."""
    return [home for kind in _KINDS for home in sorted((folder / kind).glob("*"))]


def audit_layers(folder: Path, homes: Sequence[Path], packages: KeptPackages, keys: Iterable[Digest], heard: Heard) -> Audit:
    """Look at layers of the roots in ``folder``, and at packages that are kept unpacked, each file once however many names it has.

    What differs is set aside, where builds do not look, if this user may move it; of a package that only if no damaged layer has told of
    it. Raises StoreUnwritable.
    """
    count, heard_of, damaged = 0, 0, []
    hashes = Hashes()
    told: set[Digest] = set()
    for home in homes:
        count += 1
        inode = _inode(home)
        try:
            manifest = read_manifest((home / "manifest").read_bytes())
            difference = first_difference(home / "root", manifest, hashes)
        except FileNotFoundError as error:
            if not home.exists():
                continue  # a build found it changed, and was quicker
            difference = (str(error.filename), "is missing")
        except (OSError, LockageError) as error:
            difference = ("manifest", f"cannot be read: {error}")
        heard(hashes.size - heard_of)
        heard_of = hashes.size
        if difference is not None:
            if _inode(home) != inode:
                continue  # set aside, and perhaps put together again, or swept, while it was looked at
            kind = home.parent.name
            told.update(listed(home))
            aside = folder / "damaged" / f"{kind}-{home.name}-{os.getpid()}"
            with durable.unwritable(folder):
                moved = move_aside(home, aside)
            damaged.append(Damage(name=f"{kind}/{home.name}", what=" ".join(difference), aside=str(aside) if moved else None))
    for key in keys:
        damage = _look_at_package(folder, packages, key, hashes)
        heard(hashes.size - heard_of)
        heard_of = hashes.size
        if damage is not None and key not in told:
            damaged.append(damage)
    return Audit(count=count, size=hashes.size, damaged=tuple(damaged))


def _inode(home: Path) -> int | None:
    try:
        return home.stat().st_ino
    except FileNotFoundError:
        return None


def _look_at_package(folder: Path, packages: KeptPackages, key: Digest, hashes: Hashes) -> Damage | None:
    home = packages.folder / key
    inode = _inode(home)
    try:
        difference = packages.difference(key, hashes)
    except FileNotFoundError:
        return None  # a build found it changed, or a sweep deleted it
    except OSError as error:
        difference = ("files", f"cannot be read: {error}")
    if difference is None:
        return None
    with durable.unwritable(folder), packages.looking():
        if _inode(home) != inode:
            return None  # as above
        aside = packages.set_aside(key)
    return Damage(name=f"packages/{key}", what=" ".join(difference), aside=None if aside is None else str(aside))

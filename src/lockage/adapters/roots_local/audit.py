"""Every kept layer against its manifest, byte by byte: the sweep before a build asks only whether anything was written."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lockage import durable
from lockage.adapters.roots_local.read_only import move_aside
from lockage.adapters.roots_local.sweep import Kept, first_difference
from lockage.base.canonical import decode
from lockage.base.errors import LockageError
from lockage.ports.storage import Audit, Damage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lockage.ports.storage import Heard

__all__ = ["audit_layers", "kept_layers"]

_KINDS = ("os", "python", "instruments")


def kept_layers(folder: Path) -> list[Path]:
    """The homes of all layers below ``folder``."""
    return [home for kind in _KINDS for home in sorted((folder / kind).glob("*"))]


def audit_layers(folder: Path, homes: Sequence[Path], heard: Heard) -> Audit:
    """Look at layers of the roots in ``folder``; one that differs is set aside, where builds do not look, if it can be.

    Raises StoreUnwritable.
    """
    count, size, damaged = 0, 0, []
    for home in homes:
        count += 1
        try:
            manifest = decode((home / "manifest").read_bytes(), list[Kept])
            difference = first_difference(home / "root", manifest)
        except FileNotFoundError as error:
            if not home.exists():
                continue  # a build found it changed, and was quicker
            difference = (str(error.filename), "is missing")
        except (OSError, LockageError) as error:
            difference = ("manifest", f"cannot be read: {error}")
        else:
            read = sum(kept.size for kept in manifest)
            size += read
            heard(read)
        if difference is not None:
            kind = home.parent.name
            aside = folder / "damaged" / f"{kind}-{home.name}-{os.getpid()}"
            with durable.unwritable(folder):
                moved = move_aside(home, aside)
            damaged.append(Damage(name=f"{kind}/{home.name}", what=" ".join(difference), aside=str(aside) if moved else None))
    return Audit(count=count, size=size, damaged=tuple(damaged))

"""Folders at a glance, as a test describes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.ports import Surrounding

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["MemorySurroundings"]


class MemorySurroundings:
    """Implements :class:`lockage.ports.Surroundings`. ``known`` is what there is, for a test to put in."""

    def __init__(self) -> None:
        self.known: dict[Path, Surrounding] = {}

    def look(self, folder: Path, names: Sequence[str]) -> Surrounding:
        found = self.known.get(folder, Surrounding(folder=folder, files={}))
        return msgspec.structs.replace(found, files={name: data for name, data in found.files.items() if name in names})

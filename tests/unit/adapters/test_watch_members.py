"""Which processes a step has is read from its /proc, of which only the part with processes is listed."""

from __future__ import annotations

import os
from pathlib import Path

from lockage.recipe.model import Resources
from lockage.running.log import Log
from lockage.running.watch import Watch


def members(folder: Path) -> list[str]:
    watch = Watch(Resources(), Log(folder), lambda: None)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        watch.members(descriptor)
        return watch.members(descriptor)  # every look begins anew
    finally:
        os.close(descriptor)


def test_all_processes_are_found_and_nothing_else() -> None:
    found = members(Path("/proc"))
    assert {"1", str(os.getpid())} <= set(found)
    assert all(name.isdigit() for name in found)
    assert len(found) == len(set(found))


def test_where_they_begin_elsewhere_in_a_listing_all_of_it_is_read(tmp_path: Path) -> None:
    for name in ("1", "2", "30", "self", "cpuinfo"):
        (tmp_path / name).mkdir()
    assert sorted(members(tmp_path)) == ["1", "2", "30"]

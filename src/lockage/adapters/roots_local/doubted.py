"""A layer that may be other than it was: swept, and where that is not enough, compared byte by byte; set aside if it was changed.

Most builds find everything as it was seen (:mod:`seen`), and import nothing of this.
"""

from __future__ import annotations

import os
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING

from lockage import durable
from lockage.adapters.roots_local.kept_layer import manifest
from lockage.adapters.roots_local.kept_packages import listed
from lockage.adapters.roots_local.read_only import if_writable, move_aside
from lockage.adapters.roots_local.seen import keep_seen
from lockage.adapters.roots_local.sweep import first_difference, set_times, stamp_of, walked
from lockage.ports import RootDrift

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lockage.adapters.roots_local.kept_packages import KeptPackages
    from lockage.base.digest import Digest
    from lockage.ports import Clock

__all__ = ["DoubtedLayer"]


class DoubtedLayer:
    """The layer in ``home``, which had this ``stamp`` when it was put together or compared last. Without a clock nothing is remembered."""

    def __init__(self, home: Path, stamp: str, packages: KeptPackages, clock: Clock | None) -> None:
        self._home = home
        self._root = home / "root"
        self._stamp = stamp
        self._packages = packages
        self._clock = clock

    def check(self) -> None:
        """Raises :class:`RootDrift` and sets the layer aside if it is not what was put there."""
        home = self._home
        with durable.unwritable(home):
            keys = listed(home)
            if self._as_stamped(keys):
                return
            with self._packages.looking() if keys else nullcontext():
                if keys and self._as_stamped(keys):
                    return  # somebody was just giving more names to its files
                found = walked(self._root)
                difference = first_difference(self._root, manifest(home))
                if difference is None and set_times(self._root, [*found, ("", self._root.stat())]):
                    found = walked(self._root)
                    difference = first_difference(self._root, manifest(home))
                if difference is None:
                    good = {state.st_ino: state.st_ctime_ns for _, state in found}
                    with if_writable(), durable.unwritable(home):
                        durable.write_file(home / "stamp", stamp_of(found, self._packages.learn(keys, good)).encode())
                    return
            aside = self._set_aside()
        path, what = difference
        again = "Run the command again to put the root together anew; the damaged one is in"
        raise RootDrift(
            f"a kept root was changed since it was put together: {path} {what}",
            hint=f"{again} {aside} until the next is found." if aside != home else f"Remove {aside}, which this user cannot write to.",
            path=path,
            root=str(aside),
        )

    def _as_stamped(self, keys: Sequence[Digest]) -> bool:
        now, top = None if self._clock is None else self._clock.now(), self._root.stat()
        found = walked(self._root)
        if stamp_of(found, self._packages.known(keys)) != self._stamp:
            return False
        if now is not None:
            keep_seen(self._home, self._stamp, [(".", top), *found], now)
        return True

    def _set_aside(self) -> Path:
        """Keep the newest damaged layer for whoever wants to look at it, in a place where it does not count, if this user may move it."""
        home = self._home
        aside = self._packages.folder.parent / "damaged" / f"{home.parent.name}-{home.name}-{os.getpid()}"
        for older in aside.parent.iterdir() if aside.parent.is_dir() else ():
            with suppress(OSError):
                self._packages.remove_layer(older)
        with suppress(FileNotFoundError):  # another process has just done the same
            if not move_aside(home, aside):
                return home
        return aside

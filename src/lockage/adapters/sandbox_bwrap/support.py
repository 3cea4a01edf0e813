"""What a world asks for and this host, these instruments or this root do not have: the axes that cannot be varied here, and why."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from lockage.adapters.sandbox_bwrap.instruments import BUILT_IN, clock_library, locale_sources
from lockage.adapters.sandbox_bwrap.situation import time_moves
from lockage.adapters.sandbox_bwrap.spawn import ADDR_NO_RANDOMIZE, LINUX32, UNAME26, personality_works
from lockage.variation.world import CONTRACT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lockage.ports import RealisedRoot
    from lockage.variation.world import World

__all__ = ["in_root", "lacking", "other_shell"]

_LAST_PID = "/proc/sys/kernel/ns_last_pid"
#: What tmpfs says of the size of an empty folder, in bytes.
_EMPTY_IN_MEMORY = 40


def lacking(
    world: World, instruments: Path | None, root: RealisedRoot, scratch: Path, *, host_cpus: Iterable[int] | None = None
) -> dict[str, str]:
    """Why axes of a world (docs/verify.md) cannot be varied, by name; ``scratch`` is the folder of the sandboxes' own files."""
    cpus = len(tuple(host_cpus or os.sched_getaffinity(0)))
    return {**dict(_of_host(world, scratch, cpus)), **dict(_of_environment(world, instruments, root))}


def _of_environment(world: World, instruments: Path | None, root: RealisedRoot) -> Iterator[tuple[str, str]]:
    if world.clock_offset and clock_library(instruments) is None:
        yield "clock", "the environment's instruments have no libfaketime"
    if world.locale not in BUILT_IN:
        if locale_sources(world.locale, instruments) is None:
            yield "locale", f"the environment's instruments have no sources of {world.locale}"
        elif in_root(root, "usr/bin/localedef") is None:
            yield "locale", "the root has no localedef"
    if world.machine_id != CONTRACT.machine_id and in_root(root, "etc/machine-id") is None:
        yield "machine-id", "the root has no /etc/machine-id"
    if world.other_shell and other_shell(root) is None:
        yield "shell", "the root has one shell only"
    if world.twice and in_root(root, "usr/bin/sh") is None:
        yield "second-run", "the root has no shell to run it twice by"


def _of_host(world: World, scratch: Path, cpus: int) -> Iterator[tuple[str, str]]:
    for axis, wanted, flag in (
        ("kernel", world.old_kernel, UNAME26),
        ("address-layout", world.fixed_addresses, ADDR_NO_RANDOMIZE),
        ("architecture", world.narrow, LINUX32),
    ):
        if wanted and not personality_works(flag):
            yield axis, "this host does not let a process take that personality"
    if world.cpus is not None and world.cpus > cpus:
        yield "cpu-count", f"it takes {world.cpus} CPUs, and steps may use {cpus} here"
    if world.affinity != CONTRACT.affinity and cpus < 2:
        yield "cpu-affinity", "steps may use one CPU only here"
    if world.uptime and not time_moves():
        yield "uptime", "this kernel has no time namespaces, or forbids them"
    if world.last_pid and not os.access(_LAST_PID, os.W_OK):
        yield "process-ids", "this kernel does not let process ids be chosen"
    if world.on_disk and (why := _unfit(scratch)):
        yield "workspace-disk", why


def in_root(root: RealisedRoot, path: str) -> Path | None:
    """Where something of a root lies on this host; of several layers the one mounted deepest. No link on the way is followed."""
    for place, folder in sorted(root.layers, key=lambda layer: -len(layer[0])):
        if not place or path.startswith(f"{place}/"):
            found = folder / path[len(place) :].lstrip("/")
            return found if found.is_symlink() or found.exists() else None
    return None


def other_shell(root: RealisedRoot) -> tuple[Path, str] | None:
    """A shell of the root, as a file of this host, and the absolute path of the one that /bin/sh is, in whose place it can stand."""
    link = in_root(root, "usr/bin/sh")
    if link is None or not link.is_symlink():
        return None
    here = link.readlink().name
    other = {"dash": "bash", "bash": "dash"}.get(here)
    found = in_root(root, f"usr/bin/{other}") if other else None
    return None if found is None or in_root(root, f"usr/bin/{here}") is None else (found, f"/usr/bin/{here}")


def _unfit(scratch: Path) -> str | None:
    """Why a folder there would not do as a workspace on a disk."""
    scratch.mkdir(parents=True, exist_ok=True)
    if os.statvfs(scratch).f_flag & os.ST_NOEXEC:
        return "nothing may be executed where the store lies"
    import tempfile  # slow to import; no build asks this

    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        if Path(folder).stat().st_size == _EMPTY_IN_MEMORY:
            return "the store lies in memory, as workspaces do"
    return None

"""The resource limits of a step: the kernel's own defaults, whatever the driver's shell has set, and those of its world."""

from __future__ import annotations

import resource
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lockage.variation.world import World

__all__ = ["set_limits"]

#: How many processes the kernel allows beyond a step's limit: one that reaches it is to be ended for that, not to see a fork refused.
_ROOM = 64

#: Soft and hard.
_LIMITS = {
    resource.RLIMIT_CORE: (0, 0),
    resource.RLIMIT_MEMLOCK: (64 << 10, 64 << 10),
    resource.RLIMIT_CPU: (resource.RLIM_INFINITY, resource.RLIM_INFINITY),
    resource.RLIMIT_FSIZE: (resource.RLIM_INFINITY, resource.RLIM_INFINITY),
    resource.RLIMIT_DATA: (resource.RLIM_INFINITY, resource.RLIM_INFINITY),
    resource.RLIMIT_AS: (resource.RLIM_INFINITY, resource.RLIM_INFINITY),
}


def set_limits(process: int, *, processes: int, world: World) -> None:
    """Set those of a process that has inherited this one's; a host's lower hard limit stays. Raises OSError."""
    for kind, given in _differing(processes, world.open_files, world.stack):
        resource.prlimit(process, kind, given)


@lru_cache(maxsize=64)
def _differing(processes: int, open_files: int, stack: int) -> tuple[tuple[int, tuple[int, int]], ...]:
    """What is to be set, by kind: this process has the same limits for as long as it lives, and most steps are given the same."""
    limits = {
        **_LIMITS,
        resource.RLIMIT_NPROC: (processes + _ROOM, processes + _ROOM),
        resource.RLIMIT_NOFILE: (open_files, 4096),
        resource.RLIMIT_STACK: (stack, stack),
    }
    found = []
    for kind, wanted in limits.items():
        inherited = resource.getrlimit(kind)
        given = (_least(wanted[0], inherited[1]), _least(wanted[1], inherited[1]))
        if given != inherited:
            found.append((kind, given))
    return tuple(found)


def _least(wanted: int, hard: int) -> int:
    if hard == resource.RLIM_INFINITY:
        return wanted
    return hard if wanted == resource.RLIM_INFINITY else min(wanted, hard)

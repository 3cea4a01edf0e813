"""What a step took, put together: what the kernel says of its control group and its processes, and what was seen while it ran."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lockage.base.units import human_size
from lockage.record.result import Exceeded, Usage
from lockage.running.cgroup import Totals

if TYPE_CHECKING:
    from lockage.recipe.model import Resources
    from lockage.running.ended import Ended
    from lockage.running.watch import Watch
    from lockage.variation.world import World

__all__ = ["SHARED_MEMORY", "ceiling", "explain_kill", "host_kills", "measured"]

#: The size of /dev/shm in a sandbox.
SHARED_MEMORY = 256 << 20
#: How a shell says that its command was killed (128 + SIGKILL).
_KILLED = 137
_UNCOUNTED = Totals()


def measured(ended: Ended, wall: float, watch: Watch, totals: Totals | None, world: World) -> Usage:
    """The usage of a step that has ended; ``wall`` is in seconds."""
    found = _UNCOUNTED if totals is None else totals
    before = world.last_pid or 1  # the sandbox's first process has the number 1
    return Usage(
        wall_ms=round(wall * 1000),
        user_ms=max(ended.user_ms, watch.cpu[0]) if found.user_ms is None else found.user_ms,
        system_ms=max(ended.system_ms, watch.cpu[1]) if found.system_ms is None else found.system_ms,
        peak_memory=max(watch.peak, ended.largest),
        peak_charged=found.peak_charged or 0,
        read_bytes=max(ended.read_bytes, watch.moved[0]),
        written_bytes=max(ended.written_bytes, watch.moved[1]),
        disk_read_bytes=ended.disk_read_bytes if found.disk_read_bytes is None else found.disk_read_bytes,
        disk_written_bytes=ended.disk_written_bytes if found.disk_written_bytes is None else found.disk_written_bytes,
        processes=max(1, watch.last - before),
        peak_processes=max(1, watch.most - 1 if found.peak_processes is None else found.peak_processes - 1),
        source="rusage+proc" if totals is None else "cgroup2+proc",
    )


def ceiling(resources: Resources) -> int:
    """The most that the kernel may charge a step for, in bytes: its files lie in memory too, and must not count as its processes'."""
    return resources.memory + resources.disk + SHARED_MEMORY


def explain_kill(watch: Watch, resources: Resources, exit_code: int | None, totals: Totals | None, kills: int | None) -> None:
    """Say so if the kernel ended a process of the step for want of memory; ``kills`` is what :func:`host_kills` was before it."""
    if totals is not None:
        if totals.killed_for_memory:
            most = ceiling(resources)
            exceeded = Exceeded(limit="memory", allowed=resources.memory, reached=totals.peak_charged or most)
            message = (
                f"the step's processes, with its files, took all of the {human_size(most)} that its limits of memory "
                f"({human_size(resources.memory)}) and disk ({human_size(resources.disk)}) leave it; the kernel ended it"
            )
            watch.end("memory-limit", message, exceeded)
        elif totals.refused_forks:
            watch.too_many_processes(resources.processes)
        return
    if exit_code in (None, _KILLED) and kills is not None and (host_kills() or 0) > kills:
        watch.end("host-memory", "the step was killed, and the host's memory was used up while it ran: its kernel killed a process for it")


def host_kills() -> int | None:
    """How many processes the host's kernel has killed for want of memory since it started; None if it does not say (Linux before 4.13)."""
    try:
        file = os.open("/proc/vmstat", os.O_RDONLY | os.O_CLOEXEC)  # read for every step: an open of Python's own costs twice as much
        try:
            text = os.read(file, 1 << 16)
        finally:
            os.close(file)
    except OSError:
        return None
    _, found, rest = text.partition(b"\noom_kill ")
    return int(rest.split(b"\n", 1)[0]) if found else None

"""Watches a running step: keeps its log, and kills it when a limit is exceeded.

Without control groups there is no kernel limit on what many processes take together, so it is summed at short
intervals; a step can exceed a limit by what it takes within one interval.
"""

from __future__ import annotations

import errno
import os
import select
import time
from typing import TYPE_CHECKING, BinaryIO

from lockage.base.units import human_duration, human_size

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lockage.recipe.model import Resources

__all__ = ["LOG_LIMIT", "Watch"]

LOG_LIMIT = 64 << 20
#: Seconds between two looks at what a step takes.
_INTERVAL = 0.1
_PIECE = 1 << 18
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Watch:
    """One step's limits. ``reason`` and ``message`` are set once, by whatever ended the step first."""

    def __init__(self, resources: Resources, log: BinaryIO, stop: Callable[[], None], *, log_limit: int = LOG_LIMIT) -> None:
        self._resources = resources
        self._log = log
        self._stop = stop
        self._log_limit = log_limit
        self._written = 0
        self.peak = 0
        self.full = False
        self.reason: str | None = None
        self.message = ""

    def end(self, reason: str, message: str) -> None:
        """Kill the step, saying why; a reason given before stays."""
        if self.reason is None:
            self.message = message
            self.reason = reason
        self._stop()

    def run(self, log: int, monitor: int, processes: int, folders: Sequence[int]) -> None:
        """Until the descriptor ``monitor`` is readable: copy the log and hold the limits. ``processes`` is the sandbox's /proc."""
        poll = select.poll()
        poll.register(log, select.POLLIN)
        poll.register(monitor, select.POLLIN)
        now = time.monotonic()
        until = now + self._resources.timeout
        look = now + _INTERVAL
        while True:
            ready = {descriptor for descriptor, _ in poll.poll(max(0.0, min(look, until) - now) * 1000)}
            if log in ready and not self._copy(log):
                poll.unregister(log)
            if monitor in ready:
                return
            now = time.monotonic()
            if now >= until:
                self.end("timeout", f"the step ran longer than its limit of {human_duration(self._resources.timeout)}")
                until = now + _INTERVAL
            if now >= look:
                self.look(processes, folders)
                now = time.monotonic()
                look = now + _INTERVAL

    def drain(self, log: int) -> None:
        """The rest of the log, once nothing can write to it any more."""
        while self._copy(log):
            pass

    def _copy(self, log: int) -> bool:
        try:
            data = os.read(log, _PIECE)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return False  # the end of a terminal (pty(7))
        room = self._log_limit - self._written
        if len(data) > room:
            self.end("log-limit", f"the step wrote more than {human_size(self._log_limit)} to its standard output and error")
        if room > 0:
            self._log.write(data[:room])
            self._written += min(len(data), room)
        return bool(data)

    def look(self, processes: int, folders: Sequence[int]) -> None:
        """Sum up what the step takes now, and end it if that is too much."""
        self.disk(folders)
        members = _members(processes)
        if len(members) >= self._resources.processes:  # do not read thousands of files while it goes on forking
            self._too_many()
            return
        memory, threads = _taken(processes, members)
        if memory > self._resources.memory:
            memory = min(memory, _shared_out(processes, members))
        self.peak = max(self.peak, memory)
        if memory > self._resources.memory:
            self.end("memory-limit", f"the step's processes took more memory than its limit of {human_size(self._resources.memory)}")
        if threads >= self._resources.processes:
            self._too_many()

    def _too_many(self) -> None:
        self.end("processes-limit", f"the step reached its limit of {self._resources.processes} processes and threads")

    def disk(self, folders: Sequence[int]) -> None:
        """Sum up what the writable folders hold."""
        used = 0
        for folder in folders:
            status = os.fstatvfs(folder)
            used += (status.f_blocks - status.f_bfree) * status.f_frsize
            self.full = self.full or status.f_bfree == 0
        if used > self._resources.disk:
            self.full = True
            self.end("disk-limit", disk_message(self._resources))


def disk_message(resources: Resources) -> str:
    """The sentence for a step whose folders are full."""
    return f"the step's folders reached its disk limit of {human_size(resources.disk)}"


def _read(processes: int, path: str) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=processes)
    except OSError:
        return b""
    try:
        return os.read(descriptor, 4096)
    except OSError:  # the process has just ended
        return b""
    finally:
        os.close(descriptor)


def _members(processes: int) -> list[str]:
    try:
        return [name for name in os.listdir(processes) if name.isdigit()]
    except OSError:
        return []


def _taken(processes: int, members: Sequence[str]) -> tuple[int, int]:
    """Resident bytes, shared pages counted each time, and the number of threads (proc(5) stat, fields 24 and 20)."""
    memory = threads = 0
    for name in members:
        rest = _read(processes, f"{name}/stat").rpartition(b")")[2].split()
        if len(rest) > 21:
            threads += int(rest[17])
            memory += int(rest[21]) * _PAGE
    return memory, threads


def _shared_out(processes: int, members: Sequence[str]) -> int:
    """Proportional bytes, shared pages counted once in all (proc(5) smaps_rollup); resident ones where that may not be read."""
    memory = 0
    for name in members:
        rollup = _read(processes, f"{name}/smaps_rollup")
        found = [line.split()[1] for line in rollup.splitlines() if line.startswith(b"Pss:")]
        if found:
            memory += int(found[0]) << 10
        else:
            rest = _read(processes, f"{name}/statm").split()
            memory += int(rest[1]) * _PAGE if len(rest) > 1 else 0
    return memory

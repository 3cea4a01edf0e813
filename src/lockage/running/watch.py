"""Watches a running step: keeps its log, and kills it when a limit is exceeded.

What many processes take together is summed at short intervals; a step can exceed a limit by what it takes within one. Where there
are control groups the kernel does the summing.
"""

from __future__ import annotations

import errno
import os
import select
import time
from typing import TYPE_CHECKING, Protocol

from lockage.base.units import human_duration, human_size
from lockage.ports.workers import Waiting
from lockage.record.result import Exceeded

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from lockage.recipe.model import Resources
    from lockage.running.cgroup import Group
    from lockage.running.log import Log

__all__ = ["LOG_LIMIT", "Watch", "Watched", "disk_exceeded", "disk_message"]

LOG_LIMIT = 64 << 20
#: Where processes begin in a listing of /proc (FIRST_PROCESS_ENTRY in linux/proc_fs.h): some seventy other entries are before them.
_PROCESSES = 256
#: Seconds between two looks at what a step takes; the first ones follow each other faster, as most steps are short.
_INTERVAL = 0.1
_FIRST = 0.025
_PIECE = 1 << 18
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")


class Watched(Protocol):
    """A step that runs: descriptors of what it prints and of its first process, which can be read once that has ended, and of /proc."""

    @property
    def log(self) -> int: ...
    @property
    def monitor(self) -> int: ...
    @property
    def processes(self) -> int: ...
    @property
    def alone(self) -> bool:
        """Whether nothing else of it is left once its first process has ended."""
        ...


class Watch:
    """One step's limits. ``reason``, ``message`` and ``exceeded`` are set once, by whatever ended the step first.

    ``peak`` is the most memory that was seen, ``most`` the most processes and threads at a time, ``last`` the highest process id.
    ``moved`` and ``cpu`` are bytes read and written, and milliseconds in user and system mode, of all that ran at the last look and all
    that had been waited for by then: who is killed with the sandbox is waited for by nobody.
    """

    def __init__(self, resources: Resources, log: Log, stop: Callable[[], None], *, log_limit: int = LOG_LIMIT) -> None:
        self._resources = resources
        self._log = log
        self._stop = stop
        self._log_limit = log_limit
        self._written = 0
        self.group: Group | None = None
        self.peak = 0
        self.most = 0
        self.last = 0
        self.moved = (0, 0)
        self.cpu = (0, 0)
        self.full = False
        self.reason: str | None = None
        self.message = ""
        self.exceeded: Exceeded | None = None

    def end(self, reason: str, message: str, exceeded: Exceeded | None = None) -> None:
        """Kill the step, saying why; a reason given before stays."""
        if self.reason is None:
            self.message = message
            self.exceeded = exceeded
            self.reason = reason
        self._stop()

    def run(self, step: Watched, folders: Callable[[], Sequence[int]]) -> Generator[Waiting, Mapping[int, int], bool]:
        """Until the step's first process has ended: copy the log and hold the limits. Whether all of it is known to have ended.

        ``folders`` gives descriptors of those that the step may write, and is asked when what they hold is first summed up.
        All that could write to the log has ended then, and with it everything in the sandbox and bubblewrap itself.
        """
        log, monitor = step.log, step.monitor
        descriptors = ((log, select.POLLIN), (monitor, select.POLLIN))
        now = started = time.monotonic()
        until = now + self._resources.timeout
        interval = _FIRST
        look = now + interval
        while True:
            ready = yield Waiting(descriptors, max(0.0, min(look, until) - now))
            happened = ready.get(log)
            if happened is not None and not (happened & select.POLLIN and self._copy(log)):  # POLLHUP alone: there is nothing to read
                return True
            if monitor in ready:
                if not step.alone:
                    members = self.members(step.processes)
                    self._count(members)
                    self._taken(step.processes, members)
                return False
            now = time.monotonic()
            if now >= until:
                limit = self._resources.timeout
                exceeded = Exceeded(limit="timeout", allowed=limit, reached=int(now - started))
                self.end("timeout", f"the step ran longer than its limit of {human_duration(limit)}", exceeded)
                until = now + _INTERVAL
            if now >= look:
                self.look(step.processes, folders())
                now = time.monotonic()
                interval = min(2 * interval, _INTERVAL)
                look = now + interval

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
            exceeded = Exceeded(limit="log", allowed=self._log_limit, reached=self._written + len(data))
            self.end("log-limit", f"the step wrote more than {human_size(self._log_limit)} to its standard output and error", exceeded)
        if room > 0:
            self._log.write(data[:room])
            self._written += min(len(data), room)
        return bool(data)

    def look(self, processes: int, folders: Sequence[int]) -> None:
        """Sum up what the step takes now, and end it if that is too much."""
        self.disk(folders)
        members = self.members(processes)
        self._count(members)
        if len(members) >= self._resources.processes:  # do not read thousands of files while it goes on forking
            self.too_many_processes(len(members))
            return
        memory, threads = self._taken(processes, members)
        self.peak = max(self.peak, memory)
        self.most = max(self.most, threads)
        if memory > self._resources.memory:
            self.too_much_memory(memory)
        if threads >= self._resources.processes:
            self.too_many_processes(threads)

    def members(self, processes: int) -> list[str]:
        """The step's processes, by their names in the open /proc: all that there are, where a step has one to itself."""
        return _members(processes)

    def _taken(self, processes: int, members: Sequence[str]) -> tuple[int, int]:
        """Bytes of memory, and processes and threads: as the kernel counts them, or summed up."""
        self.moved = _larger(self.moved, _moved(processes, members))
        memory, threads = (None, None) if self.group is None else self.group.now()
        if memory is None or threads is None:
            memory, threads, user, system = _taken(processes, members)
            self.cpu = _larger(self.cpu, (user, system))
            if memory > self._resources.memory:
                memory = min(memory, _shared_out(processes, members))
        return memory, threads

    def _count(self, members: Sequence[str]) -> None:
        self.most = max(self.most, len(members))
        self.last = max(self.last, *(int(name) for name in members), 0)

    def too_much_memory(self, reached: int) -> None:
        """End the step for the memory of its processes; 0: how much it was is not known."""
        allowed = self._resources.memory
        what = f"{human_size(reached)} of memory, more than" if reached > allowed else "more memory than"
        exceeded = Exceeded(limit="memory", allowed=allowed, reached=reached)
        self.end("memory-limit", f"the step's processes took {what} its limit of {human_size(allowed)}", exceeded)

    def too_many_processes(self, reached: int) -> None:
        """End the step for the number of its processes and threads."""
        allowed = self._resources.processes
        exceeded = Exceeded(limit="processes", allowed=allowed, reached=reached)
        self.end("processes-limit", f"the step reached its limit of {allowed} processes and threads", exceeded)

    def disk(self, folders: Sequence[int]) -> None:
        """Sum up what the writable folders hold."""
        used = 0
        for folder in folders:
            status = os.fstatvfs(folder)
            used += (status.f_blocks - status.f_bfree) * status.f_frsize
            self.full = self.full or status.f_bfree == 0
        if used > self._resources.disk:
            self.full = True
            self.end("disk-limit", disk_message(self._resources), disk_exceeded(self._resources, used))


def disk_message(resources: Resources) -> str:
    """The sentence for a step whose folders are full."""
    return f"the step's folders reached its disk limit of {human_size(resources.disk)}"


def disk_exceeded(resources: Resources, reached: int | None = None) -> Exceeded:
    """The same for machines; without ``reached`` there was no room for more."""
    return Exceeded(limit="disk", allowed=resources.disk, reached=resources.disk if reached is None else reached)


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
        os.lseek(processes, _PROCESSES, os.SEEK_SET)
        names = os.listdir(processes)
        if "1" not in names:  # it has ended; or this kernel counts in another way: where the last listing has ended, all is listed
            names = os.listdir(processes)
    except OSError:
        return []
    return [name for name in names if name.isdigit()]


def _taken(processes: int, members: Sequence[str]) -> tuple[int, int, int, int]:
    """Resident bytes, shared pages counted each time; threads; milliseconds in user and in system mode (proc(5) stat, fields 14 to 24)."""
    memory = threads = user = system = 0
    for name in members:
        rest = _read(processes, f"{name}/stat").rpartition(b")")[2].split()
        if len(rest) > 21:
            user += int(rest[11]) + int(rest[13])
            system += int(rest[12]) + int(rest[14])
            threads += int(rest[17])
            memory += int(rest[21]) * _PAGE
    return memory, threads, user * 1000 // _TICKS, system * 1000 // _TICKS


def _moved(processes: int, members: Sequence[str]) -> tuple[int, int]:
    """Bytes read and written by system calls, with those of all that was waited for (proc(5) io)."""
    read = written = 0
    for name in members:
        found = _read(processes, f"{name}/io").split()
        if len(found) > 3:
            read += int(found[1])
            written += int(found[3])
    return read, written


def _larger(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return max(one[0], other[0]), max(one[1], other[1])


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

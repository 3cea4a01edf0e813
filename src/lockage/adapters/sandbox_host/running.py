"""One step on the host as a process: its supervisor, held until it is released, and what is known of its end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lockage.adapters.sandbox_host import supervise
from lockage.ports import SandboxUnavailable
from lockage.running.ended import Ended

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from lockage.adapters.sandbox_host.place import Place

__all__ = ["HostProcess"]

#: What getrusage(2) counts storage in.
_BLOCK = 512
_PROGRAM = Path(supervise.__file__)
_UMASK = 0o022


class HostProcess:
    """From :meth:`start` to :meth:`close`. ``log`` is the read end of what the step prints."""

    def __init__(self) -> None:
        self._descriptors: list[int] = []
        self._hold: int | None = None
        self._told = -1
        self._counters = -1
        self._place: Place | None = None
        self._reaped = False
        self.supervisor = 0
        self.monitor = -1
        self.log = -1
        self.processes = -1

    @property
    def alone(self) -> bool:
        """The supervisor ends last."""
        return True

    def start(
        self,
        place: Place,
        command: Sequence[str],
        variables: Mapping[str, str],
        *,
        cpus: Collection[int],
        stack: int,
        files: int,
        size: int,
    ) -> None:
        """Start the supervisor, and wait until it holds. Raises :class:`SandboxUnavailable`, OSError."""
        self._place = place
        hold, self._hold = os.pipe()
        told, tell = os.pipe()
        log, write = os.pipe()
        self._told, self.log = self._keep(told), self._keep(log)
        numbers = map(str, (hold, tell, stack, files, size))
        try:
            started = subprocess.Popen(
                [sys.executable, "-IS", _PROGRAM, *numbers, *command],
                stdin=subprocess.DEVNULL,
                stdout=write,
                stderr=write,
                cwd=place.build,
                env=dict(variables),
                pass_fds=(hold, tell),
                start_new_session=True,
                umask=_UMASK,
            )
        finally:
            for descriptor in (hold, tell, write):
                os.close(descriptor)
        started.returncode = 0  # waited for here, and by nobody else
        self.supervisor = started.pid
        self.monitor = self._keep(os.pidfd_open(self.supervisor))
        self.processes = self._keep(os.open("/proc", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        if os.read(self._told, 64) != b"holds\n":
            raise SandboxUnavailable("the program that looks after a step on the host did not start", hint="Run the command again.")
        if cpus:
            os.sched_setaffinity(self.supervisor, cpus)
        with contextlib.suppress(OSError):
            self._counters = self._keep(os.open(f"/proc/{self.supervisor}/io", os.O_RDONLY | os.O_CLOEXEC))

    def _keep(self, descriptor: int) -> int:
        self._descriptors.append(descriptor)
        return descriptor

    def release(self) -> None:
        """Let the step start."""
        assert self._hold is not None
        with contextlib.suppress(BrokenPipeError):  # it was killed since it was made
            os.write(self._hold, b"\0")

    def kill(self) -> None:
        """Have everything of the step killed; safe at any time and from any thread."""
        if self.monitor >= 0:
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(self.monitor, signal.SIGTERM)

    def wait(self) -> Ended:
        """Wait until nothing of the step runs any more."""
        os.waitid(os.P_PIDFD, self.monitor, os.WEXITED | os.WNOWAIT)
        moved = self._moved()  # as long as it is not reaped, its counters can be read
        _, status, usage = os.wait4(self.supervisor, 0)
        self._reaped = True
        told = os.read(self._told, 64)
        if os.waitstatus_to_exitcode(status) != 0 and self._place is not None:  # something ended the supervisor: it has cleaned up nothing
            _kill_strays(self._place)
        code = os.waitstatus_to_exitcode(int(told)) if told else None
        return Ended(
            exit_code=128 - code if code is not None and code < 0 else code,  # as a shell says it
            user_ms=round(usage.ru_utime * 1000),
            system_ms=round(usage.ru_stime * 1000),
            largest=usage.ru_maxrss << 10,
            read_bytes=moved[0],
            written_bytes=moved[1],
            disk_read_bytes=usage.ru_inblock * _BLOCK,
            disk_written_bytes=usage.ru_oublock * _BLOCK,
        )

    def _moved(self) -> tuple[int, int]:
        """Bytes that the supervisor read and wrote, with all whose end it waited for (proc(5), rchar and wchar); 0 if unknown."""
        try:
            found = dict(line.split(b": ", 1) for line in os.pread(self._counters, 4096, 0).splitlines())
        except OSError:
            return 0, 0
        return int(found.get(b"rchar", 0)), int(found.get(b"wchar", 0))

    def close(self) -> None:
        """Kill and reap what still runs, and give back the descriptors."""
        if self._hold is not None:
            os.close(self._hold)  # which ends a supervisor that holds, too
            self._hold = None
        if self.supervisor and not self._reaped:
            self.kill()
            with contextlib.suppress(ChildProcessError):
                self.wait()
        self.monitor = -1
        while self._descriptors:
            os.close(self._descriptors.pop())


def _kill_strays(place: Place) -> None:
    """Kill what works in a step's folders, or was started with them in its environment, until nothing is found that can be killed."""
    mark = os.fsencode(place.folder)
    while sum(_killed(name) for name in os.listdir("/proc") if name.isdigit() and _of(name, mark)):  # noqa: PTH208 (names only)
        pass


def _of(name: str, mark: bytes) -> bool:
    try:
        with Path(f"/proc/{name}/environ").open("rb") as stream:
            if mark + b"/" in stream.read():
                return True
        return os.readlink(f"/proc/{name}/cwd".encode()).startswith(mark)  # noqa: PTH115 (bytes)
    except OSError:  # another user's, or it has ended
        return False


def _killed(name: str) -> bool:
    try:
        os.kill(int(name), signal.SIGKILL)
    except OSError:
        return False
    return True

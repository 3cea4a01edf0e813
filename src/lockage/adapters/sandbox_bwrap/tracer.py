"""Notes which process wrote which file in a sandbox: a tracer (ptrace(2)) for the system calls that the sandbox's filter stops at.

Invariants: everything is asked for by the one thread that has attached itself, as the kernel demands. A call is noted only once it has
succeeded, under the path that the kernel itself knows the file by. When this process ends, what it traces ends with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import queue
import re
import signal
import struct
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from lockage.adapters.sandbox_bwrap.filter import CALLS, Call, program
from lockage.adapters.sandbox_bwrap.writers import Writers

if TYPE_CHECKING:
    from lockage.adapters.sandbox_bwrap.filter import Noted

__all__ = ["Tracer", "Untraceable"]

#: From linux/ptrace.h and linux/wait.h.
_CONT, _SYSCALL, _SEIZE, _LISTEN, _GET_SYSCALL_INFO = 7, 24, 0x4206, 0x4208, 0x420E
_FORK, _VFORK, _CLONE, _EXEC, _SECCOMP, _STOP = 1, 2, 3, 4, 7, 128
_OPTIONS = 1 | 1 << _FORK | 1 << _VFORK | 1 << _CLONE | 1 << _EXEC | 1 << _SECCOMP | 1 << 20  # good system calls, kill at exit
_ALL, _MINE = 0x40000000, 0x20000000
_AT_CALL = signal.SIGTRAP | 0x80
#: struct ptrace_syscall_info: what it is about, then the call's number and arguments, or its result.
_INFO_SIZE, _INFO_EXIT, _INFO_SECCOMP = 88, 2, 3
_CALL, _RESULT = struct.Struct("<Q6Q"), struct.Struct("<q")
_INFO = 24
_AT_FDCWD = -100
_PATH, _PAGE = 4096, 4096
#: The first with PTRACE_GET_SYSCALL_INFO, which is alike on every architecture.
_KERNEL = (5, 3)


class Untraceable(Exception):
    """The kernel does not let us trace our own sandbox; the argument says why."""


class _Pending:
    """A system call between its beginning and its end."""

    __slots__ = ("new", "noted", "old")

    def __init__(self, noted: Noted, old: str, new: str) -> None:
        self.noted, self.old, self.new = noted, old, new


class Tracer:
    """Traces one sandbox from :meth:`start` until nothing of it runs any more; ``program`` is the filter that it needs.

    Raises :class:`Untraceable` where the kernel or the architecture is not one that this can be done on.
    """

    def __init__(self, host: os.uname_result) -> None:
        if host.machine not in CALLS:
            raise Untraceable(f"which process writes a file is not told on {host.machine}")
        if tuple(int(number) for number in re.findall(r"\d+", host.release)[:2]) < _KERNEL:
            raise Untraceable(f"Linux {host.release} is too old to tell which process writes a file; 5.3 can")
        self.program = program(host.machine)
        self.writers = Writers()
        self._calls = CALLS[host.machine]
        self._thread: threading.Thread | None = None
        self._pending: dict[int, _Pending] = {}
        libc = ctypes.CDLL(None, use_errno=True)
        self._libc = libc.ptrace
        self._libc.restype = ctypes.c_long
        self._libc.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
        self._buffer = ctypes.create_string_buffer(_INFO_SIZE)

    def start(self, process: int) -> None:
        """Attach to the held first process of a sandbox, whose descendants follow by themselves. Raises :class:`Untraceable`."""
        answer: queue.SimpleQueue[OSError | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, args=(process, answer), name="sandbox-tracer", daemon=True)
        self._thread.start()
        error = answer.get()
        if error is not None:
            raise Untraceable(f"this host does not allow ptrace of one's own sandbox: {error.strerror}") from error

    def join(self) -> None:
        """Wait for the end; everything in the sandbox must have been killed or have ended."""
        if self._thread is not None:
            self._thread.join()

    def _serve(self, process: int, answer: queue.SimpleQueue[OSError | None]) -> None:
        try:
            self._ask(_SEIZE, process, 0, _OPTIONS)
        except OSError as error:
            answer.put(error)
            return
        answer.put(None)
        while True:
            try:
                task, status = os.waitpid(-1, _ALL | _MINE)
            except ChildProcessError:
                return
            if os.WIFSTOPPED(status):
                with contextlib.suppress(OSError):  # it was killed while it stood
                    self._stopped(task, os.WSTOPSIG(status), status >> 16)
            else:
                self._pending.pop(task, None)
                self.writers.ended(task)

    def _ask(self, request: int, task: int, address: int = 0, data: int = 0) -> int:
        found: int = self._libc(request, task, address, data)
        if found < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return found

    def _stopped(self, task: int, number: int, event: int) -> None:
        request, passed = _CONT, 0
        try:
            if event == _SECCOMP:
                request = _SYSCALL if self._begun(task) else _CONT
            elif event == _EXEC:
                self.writers.executed(task)
            elif event == _STOP and number != signal.SIGTRAP:
                request = _LISTEN  # it was told to stop, and not by us
            elif number == _AT_CALL:
                self._done(task)
            elif not event:
                passed = number
        finally:
            self._ask(request, task, 0, passed)

    def _info(self, task: int, kind: int) -> bytes | None:
        """What the kernel says of the call at which the task stands, if that is of this kind."""
        self._ask(_GET_SYSCALL_INFO, task, _INFO_SIZE, ctypes.addressof(self._buffer))
        data = self._buffer.raw
        return data if data[0] == kind else None

    def _begun(self, task: int) -> bool:
        """Whether the call is one whose end matters."""
        data = self._info(task, _INFO_SECCOMP)
        if data is None:
            return False
        number, *arguments = _CALL.unpack_from(data, _INFO)
        noted = self._calls.get(number)
        if noted is None:
            return False
        old = self._path(task, arguments, noted.old_folder, noted.old)
        new = self._path(task, arguments, noted.new_folder, noted.new)
        self._pending[task] = _Pending(noted, old, new)
        return True

    def _done(self, task: int) -> None:
        pending = self._pending.pop(task, None)
        data = self._info(task, _INFO_EXIT)
        if pending is None or data is None:
            return
        (result,) = _RESULT.unpack_from(data, _INFO)
        if result < 0:
            return
        if pending.noted.call is Call.OPEN:
            self.writers.opened(task, result)
        elif pending.noted.call is Call.SYMLINK:
            self.writers.made(task, pending.new)
        else:
            self.writers.renamed(task, pending.old, pending.new, moved=pending.noted.call is Call.RENAME)

    def _path(self, task: int, arguments: list[int], folder: int | None, place: int | None) -> str:
        """A path argument as an absolute path of the sandbox, its folder resolved; empty if there is none, or it cannot be read."""
        if place is None:
            return ""
        try:
            text = _text(task, arguments[place])
            descriptor = _AT_FDCWD if folder is None else struct.unpack("<i", struct.pack("<I", arguments[folder] & 0xFFFFFFFF))[0]
            if not text.startswith("/"):
                base = Path(f"/proc/{task}/cwd" if descriptor == _AT_FDCWD else f"/proc/{task}/fd/{descriptor}").readlink()
                text = f"{base}/{text}"
        except (OSError, UnicodeDecodeError):
            return ""
        return os.path.normpath(text)


def _text(task: int, address: int) -> str:
    """A NUL-terminated text in the memory of a task that stands."""
    found = b""
    with Path(f"/proc/{task}/mem").open("rb", buffering=0) as memory:
        while len(found) < _PATH:
            at = address + len(found)
            piece = os.pread(memory.fileno(), _PAGE - at % _PAGE, at)  # no further than its page: the next one may not be there
            if not piece:
                break
            text, end, _ = piece.partition(b"\0")
            found += text
            if end:
                break
    return os.fsdecode(found)

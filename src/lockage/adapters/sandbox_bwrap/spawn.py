"""Starts bubblewrap from one long-lived thread with a umask and personality of its own.

Why a thread: the parent-death signal follows the thread that spawned, so it must live as long as the process; and a
thread that has left the shared file-system state (``CLONE_FS``) can set a umask without disturbing the others. Why
``posix_spawn``: descriptors get fixed numbers and signals their defaults in the child, whatever the driver was started with, and it
costs the same however large this process is.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import queue
import signal
import threading
from typing import TYPE_CHECKING

from lockage.adapters.sandbox_bwrap.diagnose import forbidden

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["ADDR_NO_RANDOMIZE", "LINUX32", "UNAME26", "Request", "Spawner", "personality_works"]

#: From linux/sched.h, linux/prctl.h and linux/personality.h.
_CLONE_FS = 0x200
_PR_SET_CHILD_SUBREAPER = 36
UNAME26 = 0x0020000
LINUX32 = 0x0008
ADDR_NO_RANDOMIZE = 0x0040000
#: Sources of descriptors are moved out of the range of the child's fixed numbers.
_FIRST_FREE = 64

#: From spawn.h, the same for all C libraries of Linux; and more bytes than any of them has in one of its opaque types.
_SETPGROUP, _SETSIGDEF, _SETSIGMASK, _SETSID = 0x02, 0x04, 0x08, 0x80
_ROOM = 1024

#: All that can have another disposition than the default one.
_SIGNALS = tuple(int(number) for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})

_Task = tuple["Request", "queue.SimpleQueue[int | BaseException]"]


class Request:
    """One process to start: ``descriptors`` become 0, 1, 2, … in the child.

    With ``terminal`` (a path) it leads a session of its own that has this terminal, else a process group.
    """

    def __init__(
        self,
        executable: Path,
        argv: Sequence[str],
        descriptors: Sequence[int],
        *,
        umask: int,
        personality: int,
        terminal: str | None = None,
    ) -> None:
        self.executable = executable
        self.argv = argv
        self.descriptors = descriptors
        self.umask = umask
        self.personality = personality
        self.terminal = terminal


class Spawner:
    """Starts processes; the thread is made when first needed, and made anew after a fork."""

    def __init__(self) -> None:
        self._tasks: queue.SimpleQueue[_Task] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self, request: Request) -> int:
        """The new process's id. Raises OSError, or :class:`lockage.ports.SandboxUnavailable` if the host forbids a private umask."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._serve, name="sandbox-spawner", daemon=True)
                self._thread.start()
        answer: queue.SimpleQueue[int | BaseException] = queue.SimpleQueue()
        self._tasks.put((request, answer))
        result = answer.get()
        if isinstance(result, BaseException):
            raise result
        return result

    def _serve(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        private = libc.unshare(_CLONE_FS) == 0
        # The sandbox's init is adopted by us when bubblewrap's monitor ends: its usage can be read, and it leaves no zombie.
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        if private:
            os.chdir("/")
        while True:
            request, answer = self._tasks.get()
            try:
                if not private:
                    raise forbidden("unshare(CLONE_FS)")
                answer.put(_spawn(request, libc))
            except BaseException as error:  # noqa: BLE001 (handed to the asking thread, which raises it)
                answer.put(error)


def _spawn(request: Request, libc: ctypes.CDLL) -> int:
    sources = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE) for descriptor in request.descriptors]
    os.umask(request.umask)
    before = libc.personality(request.personality) if request.personality else 0
    try:
        return _posix_spawn(request, sources, libc)
    finally:
        if request.personality:
            libc.personality(before)
        for source in sources:
            os.close(source)


def _posix_spawn(request: Request, sources: Sequence[int], libc: ctypes.CDLL) -> int:
    """posix_spawn(3) called by way of ctypes: that of ``os`` keeps all threads waiting until the child has executed its program."""
    actions, attributes = ctypes.create_string_buffer(_ROOM), ctypes.create_string_buffer(_ROOM)
    _check(libc.posix_spawn_file_actions_init(actions))
    _check(libc.posix_spawnattr_init(attributes))
    try:
        if request.terminal is not None:
            # The leader of a session who opens a terminal gets it as the session's own.
            _check(libc.posix_spawn_file_actions_addopen(actions, 0, request.terminal.encode(), os.O_RDWR, 0))
        for target, source in enumerate(sources):
            _check(libc.posix_spawn_file_actions_adddup2(actions, source, target))
        close_from = getattr(libc, "posix_spawn_file_actions_addclosefrom_np", None)  # glibc has it from 2.34 on
        if close_from is not None:
            _check(close_from(actions, len(sources)))
        else:
            for stray in _inheritable():
                if stray >= len(sources):
                    _check(libc.posix_spawn_file_actions_addclose(actions, stray))
        mask, defaults = ctypes.create_string_buffer(_ROOM), ctypes.create_string_buffer(_ROOM)
        libc.sigemptyset(mask)
        libc.sigemptyset(defaults)
        for number in _SIGNALS:
            libc.sigaddset(defaults, number)
        _check(libc.posix_spawnattr_setsigmask(attributes, mask))
        _check(libc.posix_spawnattr_setsigdefault(attributes, defaults))
        leads = _SETPGROUP if request.terminal is None else _SETSID
        _check(libc.posix_spawnattr_setflags(attributes, ctypes.c_short(_SETSIGDEF | _SETSIGMASK | leads)))
        arguments = [*map(os.fsencode, request.argv), None]
        argv, environ = (ctypes.c_char_p * len(arguments))(*arguments), (ctypes.c_char_p * 1)(None)
        process = ctypes.c_int()
        _check(libc.posix_spawn(ctypes.byref(process), os.fsencode(request.executable), actions, attributes, argv, environ))
        return process.value
    finally:
        libc.posix_spawnattr_destroy(attributes)
        libc.posix_spawn_file_actions_destroy(actions)


def _check(number: int) -> None:
    if number != 0:
        raise OSError(number, os.strerror(number))


def _inheritable() -> list[int]:
    """Descriptors that a shell or supervisor left open for every child; they must not reach a step."""
    found = []
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 (names only, no paths)
        try:
            if os.get_inheritable(int(name)):
                found.append(int(name))
        except OSError:
            continue
    return found


def personality_works(flag: int) -> bool:
    """Whether this host lets a process take that personality (container seccomp filters often do not)."""
    outcome: list[bool] = []

    def attempt() -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        before = libc.personality(flag)
        outcome.append(before != -1)
        if before != -1:
            libc.personality(before)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    return outcome[0]

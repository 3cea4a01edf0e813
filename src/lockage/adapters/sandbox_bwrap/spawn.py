"""Starts bubblewrap with the umask and personality that are asked for.

Invariants: the parent-death signal follows the thread that spawned, so that must live as long as the sandbox: whoever asks waits for it.
Nothing of this process changes for its other threads. Where the umask is not this process's own, or a personality is asked for, one
long-lived thread spawns that has left the shared file-system state (``CLONE_FS``); handing it over costs two changes of threads.

Why ``posix_spawn``: descriptors get fixed numbers and signals their defaults in the child, whatever the driver was started with, and it
costs the same however large this process is.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import queue
import signal
import threading
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from lockage.adapters.sandbox_bwrap.diagnose import forbidden
from lockage.adapters.sandbox_bwrap.libc import at_once, check, close_at_once, libc

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ADDR_NO_RANDOMIZE", "FIRST_FREE", "LINUX32", "UNAME26", "Request", "Spawner", "personality_works"]

#: From linux/sched.h, linux/prctl.h and linux/personality.h.
_CLONE_FS = 0x200
_PR_SET_CHILD_SUBREAPER = 36
UNAME26 = 0x0020000
LINUX32 = 0x0008
ADDR_NO_RANDOMIZE = 0x0040000
#: Sources of descriptors are moved out of the range of the child's fixed numbers.
FIRST_FREE = 64

#: From spawn.h, the same for all C libraries of Linux; and more bytes than any of them has in one of its opaque types.
_SETPGROUP, _SETSIGDEF, _SETSIGMASK, _SETSID = 0x02, 0x04, 0x08, 0x80
_ROOM = 1024

#: All that can have another disposition than the default one.
_SIGNALS = tuple(int(number) for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})

_Actions = ctypes.c_char * _ROOM


class _KeptActions(_Actions):  # type: ignore[misc, valid-type]  # ctypes makes it
    """File actions that are used more than once, and go with it."""

    def __init__(self, descriptors: Sequence[int]) -> None:
        super().__init__()
        check(at_once().posix_spawn_file_actions_init(self))
        _add(self, descriptors)

    def __del__(self) -> None:
        at_once().posix_spawn_file_actions_destroy(self)


_NO_VARIABLES = (ctypes.c_char_p * 1)(None)
#: Most words of a command line are those of the one before.
_encoded = lru_cache(maxsize=64)(os.fsencode)

_Task = tuple["Request", "queue.SimpleQueue[int | BaseException]"]


class Request:
    """One process to start: ``descriptors`` become 0, 1, 2, … in the child.

    With ``terminal`` (a path) it leads a session of its own that has this terminal, else a process group.
    """

    def __init__(
        self,
        executable: str,
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
    """Starts processes; may be used from several threads at once. The thread is made when first needed, and made anew after a fork."""

    def __init__(self) -> None:
        self._tasks: queue.SimpleQueue[_Task] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._process = -1
        #: Of this process, as far as it can be known; None: what is spawned needs the thread.
        self._umask: int | None = None

    def start(self, request: Request) -> int:
        """The new process's id. Raises OSError, or :class:`lockage.ports.SandboxUnavailable` if the host forbids a private umask."""
        if self._process != os.getpid():
            self._begin()
        if request.umask == self._umask and not request.personality:
            before = os.umask(request.umask)  # which changes nothing, unless somebody has changed it since it was looked at
            if before == request.umask:
                return _posix_spawn(request)
            os.umask(before)
            self._umask = None
        return self._by_thread(request)

    def taken_away(self, umask: int) -> int:
        """The bits of modes that this process's own umask may take away, after a start with this one: all, if that was another."""
        return umask if umask == self._umask else 0o777

    def _begin(self) -> None:
        # The sandbox's init is adopted by us when bubblewrap's monitor ends: its usage can be read, and it leaves no zombie.
        libc().prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._umask = _own_umask() if hasattr(libc(), "posix_spawn_file_actions_addchdir_np") else None
        self._process = os.getpid()

    def _by_thread(self, request: Request) -> int:
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
        private = libc().unshare(_CLONE_FS) == 0
        if private:
            os.chdir("/")
        while True:
            request, answer = self._tasks.get()
            try:
                if not private:
                    raise forbidden("unshare(CLONE_FS)")
                os.umask(request.umask)
                before = libc().personality(request.personality) if request.personality else 0
                try:
                    answer.put(_posix_spawn(request))
                finally:
                    if request.personality:
                        libc().personality(before)
            except BaseException as error:  # noqa: BLE001 (handed to the asking thread, which raises it)
                answer.put(error)


def _own_umask() -> int | None:
    """This process's umask; None where the kernel does not tell (Linux before 4.7)."""
    try:
        lines = Path("/proc/self/status").read_bytes().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1], 8) for line in lines if line.startswith(b"Umask:")), None)


@cache
def _attributes(*, leads: int) -> ctypes.Array[ctypes.c_char]:
    """What every process is started with: no signal blocked, all of them with their default actions. Made once, and never changed."""
    library = at_once()
    attributes, mask, defaults = (ctypes.create_string_buffer(_ROOM) for _ in range(3))
    check(library.posix_spawnattr_init(attributes))
    library.sigemptyset(mask)
    library.sigemptyset(defaults)
    for number in _SIGNALS:
        library.sigaddset(defaults, number)
    check(library.posix_spawnattr_setsigmask(attributes, mask))
    check(library.posix_spawnattr_setsigdefault(attributes, defaults))
    check(library.posix_spawnattr_setflags(attributes, ctypes.c_short(_SETSIGDEF | _SETSIGMASK | leads)))
    return attributes


def _posix_spawn(request: Request) -> int:
    """posix_spawn(3) called by way of ctypes: that of ``os`` keeps all threads waiting until the child has executed its program."""
    if request.terminal is None and min(request.descriptors) >= len(request.descriptors) and _closes_from():
        return _spawned(request, _actions(tuple(request.descriptors)), _SETPGROUP)
    moved: list[int] = []
    actions = _Actions()
    check(at_once().posix_spawn_file_actions_init(actions))
    try:
        if request.terminal is not None:
            # The leader of a session who opens a terminal gets it as the session's own.
            check(at_once().posix_spawn_file_actions_addopen(actions, 0, request.terminal.encode(), os.O_RDWR, 0))
        sources = list(request.descriptors)
        for target, given in enumerate(sources):
            if given < len(sources):  # it might be overwritten before its turn
                sources[target] = fcntl.fcntl(given, fcntl.F_DUPFD_CLOEXEC, FIRST_FREE)
                moved.append(sources[target])
        _add(actions, sources)
        return _spawned(request, actions, _SETPGROUP if request.terminal is None else _SETSID)
    finally:
        at_once().posix_spawn_file_actions_destroy(actions)
        close_at_once(moved)


def _spawned(request: Request, actions: ctypes.Array[ctypes.c_char], leads: int) -> int:
    arguments = [*map(_encoded, request.argv), None]
    argv = (ctypes.c_char_p * len(arguments))(*arguments)
    process = ctypes.c_int()
    program, attributes = _encoded(request.executable), _attributes(leads=leads)
    check(libc().posix_spawn(ctypes.byref(process), program, actions, attributes, argv, _NO_VARIABLES))
    return process.value


@lru_cache(maxsize=256)
def _actions(descriptors: tuple[int, ...]) -> _KeptActions:
    """What most processes are started with, as their descriptors have the same few numbers again and again; never changed."""
    return _KeptActions(descriptors)


def _add(actions: ctypes.Array[ctypes.c_char], descriptors: Sequence[int]) -> None:
    """Let descriptors become 0, 1, 2, … and all others be closed, in the root folder. Raises OSError."""
    library, add = at_once(), at_once().posix_spawn_file_actions_adddup2
    for target, source in enumerate(descriptors):
        if (number := add(actions, source, target)) != 0:
            check(number)
    add_chdir = getattr(library, "posix_spawn_file_actions_addchdir_np", None)  # glibc has it from 2.29 on
    if add_chdir is not None:
        check(add_chdir(actions, b"/"))
    if _closes_from():
        check(library.posix_spawn_file_actions_addclosefrom_np(actions, len(descriptors)))
    else:
        for stray in _inheritable():
            if stray >= len(descriptors):
                check(library.posix_spawn_file_actions_addclose(actions, stray))


@cache
def _closes_from() -> bool:
    """Whether the C library closes all descriptors from one on; glibc does from 2.34 on."""
    return hasattr(at_once(), "posix_spawn_file_actions_addclosefrom_np")


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
        before = libc().personality(flag)
        outcome.append(before != -1)
        if before != -1:
            libc().personality(before)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    return outcome[0]

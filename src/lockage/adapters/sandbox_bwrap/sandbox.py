"""One sandbox as a process: built and held before the step starts, so that it can be filled and limited from outside.

The held process is the init of the sandbox's process namespace: killing it kills everything in the sandbox, and once it
has been waited for, nothing of the sandbox runs any more. Its tmpfs folders live as long as our descriptors do.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from typing import TYPE_CHECKING

from lockage.adapters.sandbox_bwrap.arguments import ARGS_FD, COMMAND_LINE, FILTER_FD, READY
from lockage.adapters.sandbox_bwrap.channel import Channel
from lockage.adapters.sandbox_bwrap.libc import close_at_once
from lockage.adapters.sandbox_bwrap.limits import set_limits
from lockage.adapters.sandbox_bwrap.situation import change, empty_pipe, launched, null_device, terminal
from lockage.adapters.sandbox_bwrap.spawn import Request
from lockage.adapters.sandbox_bwrap.standing import bound_root, standing_root
from lockage.ports.workers import Waiting
from lockage.running.ended import Ended

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterable, Mapping

    from lockage.adapters.sandbox_bwrap.attach import Streams
    from lockage.adapters.sandbox_bwrap.spawn import Spawner
    from lockage.variation.world import World

    Pieces = Generator[Waiting, Mapping[int, int], None]

__all__ = ["NotBuilt", "Sandbox"]

#: How long bubblewrap may take to put a sandbox together, in seconds; how soon we look again at first, later after a part of the wait.
_BUILD_TIME = 60.0
_LOOK = 0.0003
_PATIENCE = 6
#: What getrusage(2) counts storage in, whatever the file system's blocks are.
_BLOCK = 512
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class NotBuilt(Exception):
    """bubblewrap could not make the sandbox; its own words are the argument."""


class Sandbox:
    """A sandbox from :meth:`start` to :meth:`close`. ``log`` is the read end of its merged stdout and stderr."""

    __slots__ = (
        "_block",
        "_channel",
        "_counters",
        "_descriptors",
        "_folders",
        "_init",
        "_init_handle",
        "_last",
        "_monitor",
        "_monitor_handle",
        "_processes",
        "_reaped",
        "log",
        "root",
        "unopened",
    )

    def __init__(self) -> None:
        self._descriptors: list[int] = []
        #: Those that keep file systems alive.
        self._folders: list[int] = []
        self._last: list[Callable[[], None]] = []
        #: Folders that the step may write and that nobody has opened yet, by their paths below the root.
        self.unopened: list[str] = []
        self._block: int | None = None
        self._monitor = -1
        self._monitor_handle = -1
        self._init = -1
        self._init_handle = -1
        self._reaped = False
        self._counters = -1
        self._channel: Channel | None = None
        self._processes = -1
        self.log = -1
        self.root = -1

    def start(
        self,
        spawner: Spawner,
        bwrap: str,
        arguments: bytes,
        *,
        command: Iterable[str],
        world: World,
        personality: int,
        streams: Streams | None = None,
        seccomp: bytes | None = None,
    ) -> None:
        """Spawn bubblewrap; its output is the log unless there are ``streams``. ``seccomp`` is a filter for everything in the sandbox.

        Raises OSError.
        """
        given_in = self._keep(empty_pipe()) if world.piped_input else null_device()
        log_read, log_write = terminal() if world.terminal else os.pipe()
        self.log = self._keep(log_read)
        block_read, self._block = os.pipe()
        channel = self._channel = Channel()
        told = channel.theirs
        self._keep(channel.ours)
        try:
            # 0, 1, 2, then ARGS_FD, INFO_FD, BLOCK_FD, READY_FD, FILTER_FD
            standard = (given_in, log_write, log_write) if streams is None else streams.descriptors
            filters = () if seccomp is None else (self._in_memory("filter", seccomp),)
            descriptors = (*standard, told, told, block_read, told, *filters)
            assert descriptors[ARGS_FD:FILTER_FD] == (told, told, block_read, told)  # INFO_FD, BLOCK_FD, READY_FD follow
            tty = None if streams is None else streams.terminal
            program, before = launched(bwrap, world)
            whole = (*before, *COMMAND_LINE, *command)
            self._monitor = spawner.start(Request(program, whole, descriptors, umask=world.umask, personality=personality, terminal=tty))
        finally:
            close_at_once((told, log_write, block_read))
        channel.give(arguments)
        self._monitor_handle = self._keep(os.pidfd_open(self._monitor))

    def _in_memory(self, name: str, data: bytes) -> int:
        """A descriptor that these bytes can be read from."""
        descriptor = self._keep(os.memfd_create(name, os.MFD_CLOEXEC))
        os.write(descriptor, data)
        os.lseek(descriptor, 0, os.SEEK_SET)
        return descriptor

    @property
    def init(self) -> int:
        """The first process of the sandbox, by its number outside."""
        return self._init

    def _keep(self, descriptor: int) -> int:
        self._descriptors.append(descriptor)
        return descriptor

    def _learn_init(self) -> bool:
        """Learn which process is the sandbox's first, as bubblewrap tells before it makes mounts; whether it has, and that is there."""
        told = None if self._channel is None else self._channel.told()
        if told is None:
            return False
        self._init = told
        try:
            self._init_handle = self._keep(os.pidfd_open(self._init))
        except ProcessLookupError:
            return False
        return True

    def await_mounts(self) -> Pieces:
        """Wait until bubblewrap has made all mounts and is about to hold. Raises :class:`NotBuilt`."""
        assert self._channel is not None
        yield Waiting(((self._channel.ours, 0), (self._monitor_handle, select.POLLIN)), _BUILD_TIME)  # 0: POLLHUP
        if not self._learn_init():
            raise NotBuilt(self.words())

    def hold(self, place: str, whole: str | None = None) -> Pieces:
        """Take hold of the sandbox's root, in which ``place`` was mounted last; ``whole`` is the folder that is bound as ``/``, if one is.

        Raises :class:`NotBuilt`, PermissionError.
        """
        self.root = yield from self._found_root(place, whole)
        self._folders.append(self.root)
        os.unlink(f"{place.lstrip('/')}/{READY}", dir_fd=self.root)
        self._open_counters()

    def _found_root(self, place: str, whole: str | None) -> Generator[Waiting, Mapping[int, int], int]:
        began = now = time.monotonic()
        while True:
            try:
                found = standing_root(self._init, place) if whole is None else bound_root(self._init, whole)
            except PermissionError:
                raise
            except OSError as error:  # the process is gone: ENOENT, ESRCH, or EINVAL for a zombie
                if not self._alive():
                    raise NotBuilt(self.words()) from error
                found = None
            if found is not None:
                return found
            # The longer it takes, the less often we look: on a busy machine every look takes from what is being waited for.
            ended = yield Waiting(((self._monitor_handle, select.POLLIN),), max(_LOOK, (now - began) / _PATIENCE))
            if ended or now > began + _BUILD_TIME:
                raise NotBuilt(self.words())
            now = time.monotonic()

    @property
    def processes(self) -> int:
        """A descriptor of the sandbox's /proc."""
        if self._processes < 0:
            self._processes = self.open("proc")
        return self._processes

    @property
    def alone(self) -> bool:
        """Whether the first process is known to have no child any more, so that nothing else is left in the sandbox."""
        try:
            children = os.open(f"/proc/{self._init}/task/{self._init}/children", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # it has ended; or the kernel does not tell
            return self._ended()
        try:
            return not os.read(children, 1)
        except OSError:
            return self._ended()
        finally:
            os.close(children)

    def _ended(self) -> bool:
        """Whether the first process has ended."""
        try:
            return os.waitid(os.P_PID, self._init, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:  # not adopted, see wait()
            return False

    def _open_counters(self) -> None:
        """Once the process has ended its counters belong to root; who has them open may read them still."""
        try:
            self._counters = self._keep(os.open(f"/proc/{self._init}/io", os.O_RDONLY | os.O_CLOEXEC))
        except OSError:
            self._counters = -1

    def at_the_end(self, clean: Callable[[], None]) -> None:
        """Do this once nothing of the sandbox runs any more."""
        self._last.append(clean)

    def open(self, path: str) -> int:
        """A descriptor of a folder of the sandbox, by a path below its root; it keeps the folder's contents alive."""
        found = os.open(path or ".", _FOLDER, dir_fd=self.root)
        self._folders.append(found)
        return found

    def open_others(self, folders: list[int]) -> list[int]:
        """Add descriptors of the folders that nobody has opened yet; of those that are gone with the step there are none.

        Once nothing is mounted there any more, what is found is the root's own folder below.
        """
        root = os.fstat(self.root).st_dev
        while self.unopened:
            with contextlib.suppress(OSError):
                found = self.open(self.unopened.pop())
                if os.fstat(found).st_dev != root:
                    folders.append(found)
        return folders

    def enter(self, world: World) -> None:
        """Change in the held sandbox what only a process inside of it can. Raises :class:`NotBuilt`."""
        try:
            change(self._init, world)
        except OSError as error:
            raise NotBuilt(str(error)) from error

    def limit(self, *, processes: int, world: World) -> None:
        """Set the limits of the held process, which the step inherits; a host's lower hard limit stays."""
        set_limits(self._init, processes=processes, world=world)
        if world.niceness:  # below our own: whoever runs lockage under nice may not raise it
            os.setpriority(os.PRIO_PROCESS, self._init, min(19, os.getpriority(os.PRIO_PROCESS, self._init) + world.niceness))

    def pin(self, cpus: Collection[int]) -> None:
        """Let the step run on these CPUs only; nothing is left to be done for one that was killed meanwhile."""
        try:
            os.sched_setaffinity(self._init, cpus)
        except ProcessLookupError:  # which is told when it is let go
            return

    def release(self) -> bool:
        """Let the step start; whether anybody has heard: not if it was killed, or bubblewrap failed in what it still had to do."""
        assert self._block is not None
        try:
            os.write(self._block, b"\0")
        except BrokenPipeError:
            return False
        finally:
            close_at_once((self._block,))
            self._block = None
        return True

    @property
    def monitor(self) -> int:
        """A descriptor that becomes readable when bubblewrap's monitor, and with it the step's first process, has ended."""
        return self._monitor_handle

    def kill(self) -> None:
        """Kill everything in the sandbox; safe at any time and from any thread."""
        if self._init_handle < 0 and self._monitor > 0 and not self._reaped:
            # Until bubblewrap has told of its child, that does not die with it, and would hold the log open for ever. It is
            # of bubblewrap's process group, which the spawner made.
            with contextlib.suppress(OSError):
                os.killpg(self._monitor, signal.SIGKILL)
        for handle in (self._init_handle, self._monitor_handle):
            if handle >= 0:
                with contextlib.suppress(OSError):
                    signal.pidfd_send_signal(handle, signal.SIGKILL)

    def wait(self, *, over: bool = False) -> Ended:
        """Wait until nothing of the sandbox runs any more; kills what the step left behind, unless that is known to be ``over``."""
        _, status, usage = os.wait4(self._monitor, 0)
        moved = (0, 0)
        if self._init_handle >= 0 or (self._init < 0 and self._learn_init()):
            try:
                if not over:
                    with contextlib.suppress(OSError):
                        signal.pidfd_send_signal(self._init_handle, signal.SIGKILL)
                os.waitid(os.P_PID, self._init, os.WEXITED | os.WNOWAIT)
                moved = self._moved()  # as long as it is not reaped, its counters can be read
                _, _, usage = os.wait4(self._init, 0)
            except ChildProcessError:  # not adopted: something between us and the host's init took it over
                _readable(self._init_handle)
        self._reaped = True
        code = os.waitstatus_to_exitcode(status)
        return Ended(
            exit_code=code if code >= 0 else None,
            user_ms=round(usage.ru_utime * 1000),
            system_ms=round(usage.ru_stime * 1000),
            largest=usage.ru_maxrss << 10,
            read_bytes=moved[0],
            written_bytes=moved[1],
            disk_read_bytes=usage.ru_inblock * _BLOCK,
            disk_written_bytes=usage.ru_oublock * _BLOCK,
        )

    def _moved(self) -> tuple[int, int]:
        """Bytes that the first process read and wrote, with all whose end it waited for (proc(5) io, its first two lines); 0 if unknown."""
        try:
            found = os.pread(self._counters, 4096, 0).split()
        except OSError:
            return 0, 0
        return (int(found[1]), int(found[3])) if len(found) > 3 else (0, 0)

    def close(self) -> None:
        """Kill and reap what still runs, and give back the descriptors."""
        if self._monitor > 0 and not self._reaped:
            self.kill()
            with contextlib.suppress(ChildProcessError):
                self.wait()
        self._init_handle = self._monitor_handle = -1
        if self._block is not None:
            os.close(self._block)
            self._block = None
        descriptors, self._descriptors = self._descriptors, []
        close_at_once(descriptors)
        while self._folders:
            os.close(self._folders.pop())
        while self._last:
            self._last.pop()()

    def _alive(self) -> bool:
        """Whether bubblewrap has not ended."""
        return not select.select([self._monitor_handle], [], [], 0)[0]

    def words(self) -> str:
        """What bubblewrap said; ends the sandbox, so that the log has an end."""
        self.kill()
        self.wait()
        said = b""
        with contextlib.suppress(OSError):  # the end of a terminal
            while len(said) < 1 << 16 and (piece := os.read(self.log, 1 << 14)):
                said += piece
        return said.decode(errors="replace").strip() or "bubblewrap ended without a word"


def _readable(handle: int) -> None:
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    poll.poll()

"""A program of its own: runs one command, and leaves no process of it behind.

It adopts whatever the command starts and does not wait for (PR_SET_CHILD_SUBREAPER, prctl(2)), and kills all of it when the command has
ended, when it is told to (SIGTERM), and when whoever started it is no more (the end of the pipe ``hold``). It says on ``told`` that it
holds, starts the command at the first byte on ``hold``, and writes the command's wait status on ``told`` once nothing else runs.
Nothing of lockage is imported: the interpreter starts it isolated, without a site.
"""

import contextlib
import ctypes
import os
import resource
import select
import signal
import sys
import time
from types import FrameType

_PR_SET_CHILD_SUBREAPER = 36
_BYTE = 1
#: Seconds between two looks for adopted processes that have ended.
_REAP = 0.2
_NOT_FOUND = 127
#: Seconds between two rounds of killing, and after so many in which all was refused it is given up.
_AGAIN = 0.002
_MOST_REFUSED = 100


def descendants(of: int) -> list[int]:
    """The processes below one, as far as /proc tells now."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 (names only)
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as stream:  # noqa: PTH123 (pathlib costs more than all the rest)
                    above = int(stream.read().rpartition(b")")[2].split()[1])
            except (OSError, IndexError, ValueError):
                continue
            children.setdefault(above, []).append(int(name))
    found: list[int] = []
    waiting = [of]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def kill_all() -> None:
    """Kill all that is below this process, until nothing is: who is killed may have left children that are ours from then on.

    What has become another user's cannot be killed, and is given up on.
    """
    refused = 0
    while refused < _MOST_REFUSED:
        below = descendants(os.getpid())
        failures = 0
        for step in (signal.SIGSTOP, signal.SIGKILL):  # stopped first: nobody forks while the others are killed
            for process in below:
                try:
                    os.kill(process, step)
                except PermissionError:
                    failures += 1
                except OSError:
                    pass  # it has ended
        refused = refused + 1 if failures and failures == 2 * len(below) else 0
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(_AGAIN)


def start(command: list[str]) -> int:
    """The command as the leader of a session of its own, with all signals as they are by default."""
    process = os.fork()
    if process:
        return process
    try:
        os.setsid()
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            with contextlib.suppress(OSError, ValueError):  # those of the C library's own threads
                signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.execvp(command[0], command)  # noqa: S606 (the step is what it is given)
    except OSError as error:
        os.write(2, f"cannot run {command[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(_NOT_FOUND)


def run(hold: int, told: int, command: list[str]) -> None:
    """Hold, run the command, and clean up."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    os.write(told, b"holds\n")
    if not os.read(hold, _BYTE):
        return
    child = start(command)
    handle = os.pidfd_open(child)
    status = None
    while status is None:
        ready, _, _ = select.select([hold, handle], [], [], _REAP)
        if hold in ready:
            break
        while status is None:
            process, ended = os.waitpid(-1, os.WNOHANG)
            if process == 0:
                break
            status = ended if process == child else None
    kill_all()
    if status is not None:
        os.write(told, f"{status}\n".encode())


class Ended(Exception):
    """It was told to end."""


def ended(_number: int, _frame: FrameType | None) -> None:
    """For SIGTERM."""
    raise Ended


def main(arguments: list[str]) -> None:
    """``HOLD TOLD STACK OPEN-FILES FILE-SIZE COMMAND…``: two descriptors, and limits as numbers (-1: none)."""
    hold, told, stack, files, size = map(int, arguments[:5])
    limits = {resource.RLIMIT_STACK: stack, resource.RLIMIT_NOFILE: files, resource.RLIMIT_FSIZE: size, resource.RLIMIT_CORE: 0}
    for kind, wanted in limits.items():
        hard = resource.getrlimit(kind)[1]
        least = wanted if hard == resource.RLIM_INFINITY else hard if wanted < 0 else min(wanted, hard)
        resource.setrlimit(kind, (least, hard if kind != resource.RLIMIT_CORE else least))
    for descriptor in (hold, told):
        os.set_inheritable(descriptor, False)
    signal.signal(signal.SIGTERM, ended)
    try:
        run(hold, told, arguments[5:])
    except Ended:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        kill_all()


if __name__ == "__main__":
    main(sys.argv[1:])

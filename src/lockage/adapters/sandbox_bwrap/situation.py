"""What a step is started in besides its sandbox: its input and output, and what processes of ours must do before it and beside it.

Invariant: the contract needs none of it; only worlds of a verification do, so that no build pays for it.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from lockage.adapters.sandbox_bwrap.spawn import FIRST_FREE

if TYPE_CHECKING:
    from lockage.variation.world import World

__all__ = ["change", "empty_pipe", "launched", "null_device", "terminal", "time_moves"]

#: Programs of our own that are run by the interpreter alone, before bubblewrap and beside a held sandbox.
_LAUNCH, _ENTER = (str(Path(__file__).with_name(name)) for name in ("launch.py", "enter.py"))
_INTERPRETER = (sys.executable, "-IS")
#: Rows and columns of the terminal.
_SIZE = (43, 132)


@cache
def null_device() -> int:
    """A descriptor of the null device; the same for all sandboxes, as it has no state. Beyond those that a child is to have."""
    found = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return fcntl.fcntl(found, fcntl.F_DUPFD_CLOEXEC, FIRST_FREE)
    finally:
        os.close(found)


def empty_pipe() -> int:
    """A descriptor of a pipe that nobody writes to."""
    read, write = os.pipe()
    os.close(write)
    return read


def terminal() -> tuple[int, int]:
    """Both sides of a terminal that passes on every byte as it is; nobody's controlling one."""
    import termios  # only a verification needs them
    import tty

    master, slave = os.openpty()
    tty.setraw(slave)
    termios.tcsetwinsize(master, _SIZE)
    return master, slave


def launched(bwrap: str, world: World) -> tuple[str, tuple[str, ...]]:
    """The program to spawn, and the arguments to stand before bubblewrap's own name."""
    if not (world.uptime or world.ignored_signals):
        return bwrap, ()
    ignored = (signal.SIGHUP, signal.SIGPIPE) if world.ignored_signals else ()
    numbers = ",".join(str(int(number)) for number in ignored)
    return sys.executable, (*_INTERPRETER, _LAUNCH, str(world.uptime), numbers, bwrap)


def change(process: int, world: World) -> None:
    """Change in the sandbox of a held process what only a process inside of it can. Raises OSError."""
    if not (world.domain or world.last_pid or not world.loopback):
        return
    command = [*_INTERPRETER, _ENTER, str(process), world.domain, str(world.last_pid), "up" if world.loopback else "down"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, env={}, cwd="/", check=False)
    if done.returncode != 0:
        raise OSError(done.stderr.decode(errors="replace").strip())


def time_moves() -> bool:
    """Whether a process of this user can have a time namespace."""
    again = (sys.executable, sys.executable, "-IS", "-c", "")
    quiet = subprocess.DEVNULL
    command = [*_INTERPRETER, _LAUNCH, "1", "", *again]
    return subprocess.run(command, stdin=quiet, stdout=quiet, stderr=quiet, env={}, cwd="/", check=False).returncode == 0

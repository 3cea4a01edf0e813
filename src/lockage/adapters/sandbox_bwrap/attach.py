"""What a person's prompt in a sandbox is connected to: this process's own streams, or a terminal of its own that stands for the user's.

The user's terminal itself never reaches the sandbox: a process in it could type into the user's shell (TIOCSTI).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import struct
import termios
import tty
from typing import TYPE_CHECKING

from lockage.ports import Attached

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Streams", "attach"]

_IN, _OUT, _ERR = 0, 1, 2
_PIECE = 1 << 16


class Streams:
    """The three descriptors of the sandbox's first process; ``terminal`` is the path of the one that it gets as its own, if it gets one."""

    def __init__(self, descriptors: tuple[int, int, int], *, terminal: str | None = None, master: int = -1) -> None:
        self.descriptors = descriptors
        self.terminal = terminal
        self._master = master

    def relay(self, monitor: int) -> None:
        """Carry what is typed and shown until ``monitor`` becomes readable."""
        if self._master < 0:
            poll = select.poll()
            poll.register(monitor, select.POLLIN)
            poll.poll()
            return
        sources = [_IN, self._master, monitor]
        while True:
            ready, _, _ = select.select(sources, [], [])
            if _IN in ready and not self._carry(_IN, self._master):
                sources.remove(_IN)
                _write(self._master, b"\x04")  # the end of what is typed
            if self._master in ready and not self._carry(self._master, _OUT):
                sources.remove(self._master)
            if monitor in ready:
                while self._master in sources and select.select([self._master], [], [], 0)[0] and self._carry(self._master, _OUT):
                    pass
                return

    @staticmethod
    def _carry(source: int, target: int) -> bool:
        try:
            piece = os.read(source, _PIECE)
        except OSError:  # EIO: nobody holds the other side of the terminal any more
            return False
        _write(target, piece)
        return bool(piece)


def _write(target: int, data: bytes) -> None:
    while data:
        data = data[os.write(target, data) :]


@contextlib.contextmanager
def attach(attached: Attached) -> Iterator[Streams]:
    """The streams of a session; afterwards the user's terminal is as it was."""
    if attached is Attached.STREAMS:
        yield Streams((_IN, _OUT, _ERR))
    elif attached is Attached.OUTPUT:
        null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        try:
            yield Streams((null, _OUT, _ERR))
        finally:
            os.close(null)
    else:
        with _terminal() as streams:
            yield streams


@contextlib.contextmanager
def _terminal() -> Iterator[Streams]:
    before = termios.tcgetattr(_IN)
    master, slave = os.openpty()
    termios.tcsetattr(slave, termios.TCSANOW, before)
    _resize(master)
    resized = signal.signal(signal.SIGWINCH, lambda _number, _frame: _resize(master))
    try:
        tty.setraw(_IN)
        yield Streams((slave, slave, slave), terminal=os.ttyname(slave), master=master)
    finally:
        signal.signal(signal.SIGWINCH, resized)
        termios.tcsetattr(_IN, termios.TCSADRAIN, before)
        os.close(slave)
        os.close(master)


def _resize(master: int) -> None:
    """Give the sandbox's terminal the size of the user's."""
    with contextlib.suppress(OSError):
        size = fcntl.ioctl(_IN, termios.TIOCGWINSZ, struct.pack("HHHH", 0, 0, 0, 0))
        fcntl.ioctl(master, termios.TIOCSWINSZ, size)

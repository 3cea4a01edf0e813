"""The socket by which bubblewrap gets its arguments, tells which process is the sandbox's first, and shows that all mounts are made.

It stands for three of bubblewrap's descriptors, each of which it closes when it has done with that: once all of them are closed, it holds.
"""

from __future__ import annotations

import ctypes
import os

from lockage.adapters.sandbox_bwrap.libc import at_once, failure

__all__ = ["Channel"]

_CHILD = b'"child-pid":'
#: From bits/socket.h of Linux; the module that names them takes longer to import than a sandbox to make.
_AF_UNIX, _SOCK_STREAM, _SOCK_CLOEXEC, _SHUT_WR, _MSG_DONTWAIT = 1, 1, 0o2000000, 1, 0x40
#: More than bubblewrap tells.
_ROOM = 1024
_Pair = ctypes.c_int * 2
_Buffer = ctypes.c_char * _ROOM


class Channel:
    """Our end and bubblewrap's, which whoever made it closes: ours at last, theirs once bubblewrap has been started.

    Ours has hung up (POLLHUP) once bubblewrap has closed all that it had of it.
    """

    __slots__ = ("ours", "theirs")

    def __init__(self) -> None:
        pair = _Pair()
        if at_once().socketpair(_AF_UNIX, _SOCK_STREAM | _SOCK_CLOEXEC, 0, pair) != 0:
            raise failure()
        self.ours, self.theirs = pair

    def give(self, arguments: bytes) -> None:
        """Give bubblewrap its arguments, once it has been started; what it reads after them is at its end."""
        view = memoryview(arguments)
        try:
            while view:
                view = view[os.write(self.ours, view) :]
        except (BrokenPipeError, ConnectionResetError):  # it has ended already, and what it said is read
            return
        at_once().shutdown(self.ours, _SHUT_WR)

    def told(self) -> int | None:
        """Which process is the sandbox's first, as bubblewrap tells before it makes mounts; None if it has not."""
        said, buffer = b"", _Buffer()
        while b"}" not in said:
            # It has told, or nobody is left that should, though bubblewrap may have left a process that could still write.
            size = at_once().recv(self.ours, buffer, _ROOM, _MSG_DONTWAIT)
            if size <= 0:
                return None
            said += buffer.raw[:size]
        digits = said.partition(_CHILD)[2].lstrip().partition(b",")[0].partition(b"}")[0].strip()
        return int(digits) if digits.isdigit() else None

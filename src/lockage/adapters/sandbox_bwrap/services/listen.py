"""Listens inside a held sandbox and hands the sockets out; run as a script of its own, by the interpreter alone.

``listen.py PROCESS CHANNEL [ADDRESS PORT]…``: CHANNEL is the descriptor of a socket that the listening sockets are sent through, one
message each, in order. PROCESS is the sandbox's held one. Invariants: imports the standard library only, and has one thread, as
setns(2) of a user namespace asks for; the sockets belong to the sandbox's network for as long as they are open.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import sys

#: From linux/nsfs.h: the user namespace that a namespace belongs to.
_NS_GET_USERNS = 0xB701
_WAITING = 128


def _enter(libc: ctypes.CDLL, space: int, what: str) -> None:
    if libc.setns(space, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"setns of {what}: {os.strerror(number)}")


def main(process: str, channel: str, *places: str) -> None:
    """Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    network = os.open(f"/proc/{process}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    _enter(libc, fcntl.ioctl(network, _NS_GET_USERNS), "user")
    _enter(libc, network, "net")
    with socket.socket(fileno=int(channel)) as out:
        for address, port in zip(places[::2], places[1::2], strict=True):
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listening:
                listening.bind((address, int(port)))
                listening.listen(_WAITING)
                socket.send_fds(out, [b"."], [listening.fileno()])


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except OSError as error:
        sys.exit(str(error))

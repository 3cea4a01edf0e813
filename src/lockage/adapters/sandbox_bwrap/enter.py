"""Changes something in a sandbox that is held, from inside its namespaces; run as a script of its own, by the interpreter alone.

``enter.py PROCESS DOMAIN LAST_PID LOOPBACK``: DOMAIN becomes the NIS domain unless it is empty; LAST_PID, unless 0, is the process id
after which the next is given; with LOOPBACK ``down`` the loopback network is switched off. PROCESS is the sandbox's held one.
Invariants: imports the standard library only, and has one thread, as setns(2) of a user namespace asks for.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import sys

#: From linux/nsfs.h: the user namespace that a namespace belongs to. From linux/sockios.h: set the flags of an interface.
_NS_GET_USERNS, _SIOCSIFFLAGS = 0xB701, 0x8914
_LAST_PID = "/proc/sys/kernel/ns_last_pid"


def _done(outcome: int, what: str) -> None:
    if outcome != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def main(process: str, domain: str, last_pid: str, loopback: str) -> None:
    """Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    spaces = {name: os.open(f"/proc/{process}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC) for name in ("uts", "net", "pid")}
    _done(libc.setns(fcntl.ioctl(spaces["uts"], _NS_GET_USERNS), 0), "setns of user")
    if domain:
        _done(libc.setns(spaces["uts"], 0), "setns of uts")
        _done(libc.setdomainname(domain.encode(), len(domain.encode())), "setdomainname")
    if loopback == "down":
        _done(libc.setns(spaces["net"], 0), "setns of net")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", 0))
    if int(last_pid):
        _done(libc.setns(spaces["pid"], 0), "setns of pid")
        child = os.fork()  # who has entered a process namespace is not in it, but its children are
        if child == 0:
            try:
                with open(_LAST_PID, "w") as stream:  # noqa: PTH123 (few imports: this is run for every step)
                    stream.write(last_pid)
            except OSError:
                os._exit(1)
            os._exit(0)
        if os.waitpid(child, 0)[1] != 0:
            raise OSError(f"{_LAST_PID} cannot be written")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except OSError as error:
        sys.exit(str(error))

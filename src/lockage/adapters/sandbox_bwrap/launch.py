"""Starts a program in another situation than this process's; run as a script of its own, by the interpreter alone.

``launch.py UPTIME IGNORED PROGRAM ARGUMENT…``: UPTIME seconds are added to the clocks that count from the machine's start, in a time
namespace (time_namespaces(7)) that the program's children are in; IGNORED are the numbers of signals to ignore, separated by commas.
Invariants: imports the standard library only; of itself it leaves nothing to the program, neither variables nor dispositions of signals.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

# From linux/sched.h.
_NEWUSER, _NEWTIME = 0x10000000, 0x00000080


def _move_clocks(seconds: int) -> None:
    user, group = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEWUSER | _NEWTIME) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"unshare of time: {os.strerror(number)}")
    for file, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
        ("timens_offsets", f"monotonic {seconds} 0\nboottime {seconds} 0\n"),
    ):
        with open(f"/proc/self/{file}", "w") as stream:  # noqa: PTH123 (few imports: this is run for every step)
            stream.write(text)


def main(uptime: str, ignored: str, program: str, *arguments: str) -> None:
    """Never returns."""
    if int(uptime):
        _move_clocks(int(uptime))
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # the interpreter ignores them
        signal.signal(number, signal.SIG_DFL)
    for text in ignored.split(","):
        if text:
            signal.signal(int(text), signal.SIG_IGN)
    os.execve(program, arguments, {})  # noqa: S606 (there is no shell, and none is wanted)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except OSError as error:
        sys.exit(str(error))

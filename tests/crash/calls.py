"""The system calls that change a file system, and the seccomp program that hands each of them to a supervisor before it is made.

A supervisor may let a call go on, fail it with an error, or kill whoever makes it (seccomp_unotify(2)). Nothing here needs root.
"""

from __future__ import annotations

import ctypes
import os
import struct

__all__ = ["ARCHITECTURES", "NOTIFICATION", "RECEIVE", "RESPONSE", "SEND", "listen"]

#: By architecture (uname -m): its number in linux/audit.h, its system calls of asm/unistd.h by number. aarch64 has only the ``at`` forms.
ARCHITECTURES: dict[str, tuple[int, dict[int, str]]] = {
    "x86_64": (
        0xC000003E,
        {
            1: "write", 18: "pwrite64", 20: "writev", 296: "pwritev", 328: "pwritev2", 40: "sendfile", 275: "splice",
            326: "copy_file_range", 76: "truncate", 77: "ftruncate", 285: "fallocate", 74: "fsync", 75: "fdatasync", 162: "sync",
            306: "syncfs", 277: "sync_file_range", 82: "rename", 264: "renameat", 316: "renameat2", 83: "mkdir", 258: "mkdirat",
            84: "rmdir", 85: "creat", 86: "link", 265: "linkat", 87: "unlink", 263: "unlinkat", 88: "symlink", 266: "symlinkat",
            90: "chmod", 91: "fchmod", 268: "fchmodat", 2: "open", 257: "openat", 437: "openat2", 9: "mmap",
        },
    ),
    "aarch64": (
        0xC00000B7,
        {
            64: "write", 68: "pwrite64", 66: "writev", 70: "pwritev", 287: "pwritev2", 71: "sendfile", 76: "splice",
            285: "copy_file_range", 45: "truncate", 46: "ftruncate", 47: "fallocate", 82: "fsync", 83: "fdatasync", 81: "sync",
            267: "syncfs", 84: "sync_file_range", 38: "renameat", 276: "renameat2", 34: "mkdirat", 37: "linkat", 35: "unlinkat",
            36: "symlinkat", 52: "fchmod", 53: "fchmodat", 56: "openat", 437: "openat2", 222: "mmap",
        },
    ),
}  # fmt: skip

#: struct seccomp_notif {id, pid, flags, {nr, arch, ip, args[6]}} and struct seccomp_notif_resp {id, val, error, flags}.
NOTIFICATION = struct.Struct("=QIIiIQ6Q")
RESPONSE = struct.Struct("=QqiI")
#: SECCOMP_IOCTL_NOTIF_RECV and SECCOMP_IOCTL_NOTIF_SEND.
RECEIVE = 0xC0000000 | NOTIFICATION.size << 16 | 0x2100
SEND = 0xC0000000 | RESPONSE.size << 16 | 0x2101

_LOAD, _EQUAL, _ANY_OF, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _NOTIFY = 0x7FFF0000, 0x7FC00000
#: O_WRONLY, O_RDWR, O_CREAT, O_TRUNC.
_WRITING = 0o1 | 0o2 | 0o100 | 0o1000
#: Which argument holds flags, and which of them must be set for the call to be of interest; of a mapping it must be written and shared.
_ONLY: dict[str, tuple[tuple[int, int], ...]] = {"open": ((1, _WRITING),), "openat": ((2, _WRITING),), "mmap": ((2, 0x2), (3, 0x1))}
_SECCOMP = {"x86_64": 317, "aarch64": 277}


def _line(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("=HBBI", code, yes, no, value)


def _program(machine: str) -> bytes:
    audit, calls = ARCHITECTURES[machine]
    lines = [_line(_LOAD, 4), _line(_EQUAL, audit, 1, 0), _line(_RETURN, _ALLOW), _line(_LOAD, 0)]
    for number, name in calls.items():
        block: list[bytes] = []
        for argument, mask in _ONLY.get(name, ()):
            block += [_line(_LOAD, 16 + 8 * argument), _line(_ANY_OF, mask, 1, 0), _line(_RETURN, _ALLOW)]
        block.append(_line(_RETURN, _NOTIFY))
        lines += [_line(_EQUAL, number, 0, len(block)), *block]
    return b"".join([*lines, _line(_RETURN, _ALLOW)])


def listen() -> int:
    """From now on every such call of this process and its children waits for who has the descriptor returned. Raises OSError."""
    machine = os.uname().machine
    program = _program(machine)
    buffer = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("@HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(38, 1, 0, 0, 0):  # PR_SET_NO_NEW_PRIVS
        raise OSError(ctypes.get_errno(), "prctl")
    # SECCOMP_SET_MODE_FILTER with SECCOMP_FILTER_FLAG_NEW_LISTENER
    descriptor = library.syscall(_SECCOMP[machine], 1, 8, ctypes.c_char_p(head))
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(descriptor)

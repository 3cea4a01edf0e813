"""The seccomp program of a sandbox whose writers are noted: the few system calls that make, open for writing or rename a file stop for a
tracer, all others run as they would (linux/filter.h, linux/seccomp.h).
"""

from __future__ import annotations

import struct
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CALLS", "Call", "Noted", "program"]

#: Linux numbers of architectures (linux/audit.h) and flags of open(2), which are the same on both.
_AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_WRITING = 0o1 | 0o2 | 0o100 | 0o1000  # O_WRONLY, O_RDWR, O_CREAT, O_TRUNC

_LOAD, _EQUAL, _ANY_OF, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _TRACE = 0x7FFF0000, 0x7FF00000
#: Offsets in struct seccomp_data; of an argument its lower half, as both architectures are little endian.
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16


class Call(StrEnum):
    """What a noted system call does with a file."""

    OPEN = "open"
    RENAME = "rename"
    LINK = "link"
    SYMLINK = "symlink"


class Noted(msgspec.Struct, frozen=True):
    """A system call that is noted, and the places of its arguments; None where it has none (the working directory, the plain ``open``).

    ``flags`` is that of open's flags; without it the call always makes or writes. Old and new are paths, each with its folder's descriptor.
    """

    call: Call
    flags: int | None = None
    old_folder: int | None = None
    old: int | None = None
    new_folder: int | None = None
    new: int | None = None


_AT_RENAME = Noted(Call.RENAME, old_folder=0, old=1, new_folder=2, new=3)
_AT_LINK = Noted(Call.LINK, old_folder=0, old=1, new_folder=2, new=3)
_AT_SYMLINK = Noted(Call.SYMLINK, new_folder=1, new=2)

#: By architecture (as ``uname -m`` says it) and number of the system call (asm/unistd.h).
CALLS: Mapping[str, Mapping[int, Noted]] = {
    "x86_64": {
        2: Noted(Call.OPEN, flags=1),
        82: Noted(Call.RENAME, old=0, new=1),
        85: Noted(Call.OPEN),  # creat
        86: Noted(Call.LINK, old=0, new=1),
        88: Noted(Call.SYMLINK, new=1),
        257: Noted(Call.OPEN, flags=2),
        264: _AT_RENAME,
        265: _AT_LINK,
        266: _AT_SYMLINK,
        316: _AT_RENAME,
        437: Noted(Call.OPEN),  # openat2 has its flags in memory, where a filter cannot look
    },
    "aarch64": {
        36: _AT_SYMLINK,
        37: _AT_LINK,
        38: _AT_RENAME,
        56: Noted(Call.OPEN, flags=2),
        276: _AT_RENAME,
        437: Noted(Call.OPEN),
    },
}


def program(machine: str) -> bytes:
    """The program for this architecture; raises KeyError for one that is not known."""
    rows = [_row(_LOAD, _ARCHITECTURE), _row(_EQUAL, _AUDIT[machine], yes=1), _row(_RETURN, _ALLOW), _row(_LOAD, _NUMBER)]
    for number, noted in CALLS[machine].items():
        if noted.flags is None:
            rows += [_row(_EQUAL, number, no=1), _row(_RETURN, _TRACE)]
        else:
            rows += [_row(_EQUAL, number, no=4), _row(_LOAD, _ARGUMENTS + 8 * noted.flags), _row(_ANY_OF, _WRITING, no=1)]
            rows += [_row(_RETURN, _TRACE), _row(_RETURN, _ALLOW)]
    return b"".join((*rows, _row(_RETURN, _ALLOW)))


def _row(code: int, value: int, *, yes: int = 0, no: int = 0) -> bytes:
    """One instruction: struct sock_filter."""
    return struct.pack("<HBBI", code, yes, no, value)

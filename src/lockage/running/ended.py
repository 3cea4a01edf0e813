"""How what ran a step ended."""

from __future__ import annotations

import msgspec

__all__ = ["Ended"]


class Ended(msgspec.Struct, frozen=True):
    """How a step ended, and what its processes used (milliseconds, bytes); without an exit code it was killed.

    ``read_bytes`` and ``written_bytes`` are by system calls, the others from and to storage.
    """

    exit_code: int | None
    user_ms: int
    system_ms: int
    largest: int
    read_bytes: int
    written_bytes: int
    disk_read_bytes: int
    disk_written_bytes: int

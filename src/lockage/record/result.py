"""What an action gave: its outputs, exit status, log and the resources it took."""

from __future__ import annotations

import msgspec

from lockage.base.digest import BlobRef

__all__ = ["ActionResult", "Exceeded", "Usage"]


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Resources of one execution, in milliseconds and bytes; 0 where it is not known. Never part of an identity.

    ``user_ms`` and ``system_ms`` are CPU time. ``peak_memory`` is the most that its processes took together, files in memory left out;
    ``peak_charged`` counts those and cached pages too. ``read_bytes`` and ``written_bytes`` went through system calls, whatever from
    and to; ``disk_read_bytes`` and ``disk_written_bytes`` from and to storage. ``processes`` is how many processes and threads were
    started, as far as seen: a lower bound; ``peak_processes`` the most at a time. ``source`` says where they were read: ``rusage``
    (CPU time and memory alone), ``rusage+proc`` or ``cgroup2+proc`` (docs/sandbox.md has which is from where).
    """

    wall_ms: int = 0
    user_ms: int = 0
    system_ms: int = 0
    peak_memory: int = 0
    peak_charged: int = 0
    read_bytes: int = 0
    written_bytes: int = 0
    disk_read_bytes: int = 0
    disk_written_bytes: int = 0
    processes: int = 0
    peak_processes: int = 0
    source: str = "rusage"


class Exceeded(msgspec.Struct, frozen=True, kw_only=True):
    """A limit that a step reached: the recipe's key, what it allows, and what was seen when the step was ended, in the key's own unit."""

    limit: str
    allowed: int
    reached: int


class ActionResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one execution: ``outputs`` is the tree of the declared outputs, ``log`` is stdout and stderr as one blob."""

    exit_code: int
    outputs: BlobRef
    log: BlobRef
    usage: Usage = Usage()

"""What an action gave: its outputs, exit status, log and the resources it took."""

from __future__ import annotations

import msgspec

from lockage.base.digest import BlobRef

__all__ = ["ActionResult", "Usage"]


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Resources of one execution; ``source`` says where they were read (``rusage``). Milliseconds and bytes. Never part of an identity."""

    wall_ms: int = 0
    user_ms: int = 0
    system_ms: int = 0
    peak_memory: int = 0
    source: str = "rusage"


class ActionResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one execution: ``outputs`` is the tree of the declared outputs, ``log`` is stdout and stderr as one blob."""

    exit_code: int
    outputs: BlobRef
    log: BlobRef
    usage: Usage = Usage()

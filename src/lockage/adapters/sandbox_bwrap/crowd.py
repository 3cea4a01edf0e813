"""Other work on a step's CPUs, as a busy host has: processes that do nothing but run, until the step has ended.

Invariant: none outlives this process: each ends when its standard input does, which this process holds.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

__all__ = ["crowd"]

_BUSY = "import select\nwhile not select.select([0], [], [], 0)[0]:\n    for _ in range(20000): pass"


@contextlib.contextmanager
def crowd(count: int, cpus: Collection[int]) -> Iterator[None]:
    """Keep ``count`` processes busy on those CPUs. Each has its own session: the kernel shares time among sessions first (sched(7))."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            one = subprocess.Popen([sys.executable, "-IS", "-c", _BUSY], stdin=subprocess.PIPE, env={}, cwd="/", start_new_session=True)
            stack.callback(_end, one)
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(one.pid, cpus)
        yield


def _end(one: subprocess.Popen[bytes]) -> None:
    one.kill()
    one.communicate()

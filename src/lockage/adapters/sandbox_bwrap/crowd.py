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

_BUSY = "import select\nprint(flush=True)\nwhile not select.select([0], [], [], 0)[0]:\n    for _ in range(20000): pass"


@contextlib.contextmanager
def crowd(count: int, cpus: Collection[int]) -> Iterator[None]:
    """Keep ``count`` processes busy on those CPUs. Each has its own session: the kernel shares time among sessions first (sched(7))."""
    with contextlib.ExitStack() as stack:
        started = []
        for _ in range(count):
            one = subprocess.Popen(
                [sys.executable, "-IS", "-c", _BUSY],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={},
                cwd="/",
                start_new_session=True,
            )
            stack.callback(_end, one)
            started.append(one)
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(one.pid, cpus)
        for one in started:
            assert one.stdout is not None
            one.stdout.readline()  # the step is not to have the CPU to itself while they start
        yield


def _end(one: subprocess.Popen[bytes]) -> None:
    one.kill()
    one.communicate()

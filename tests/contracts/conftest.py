"""What the contract suites share: running a piece of code in a process that is killed at a durable step."""

import subprocess
import sys
from collections.abc import Callable

import pytest

_PRELUDE = """
import os, signal, sys
from pathlib import Path
from lockage import durable
stop_at = int(sys.argv[1])
count = 0
def reached(step):
    global count
    count += 1
    if count == stop_at:
        os.kill(os.getpid(), signal.SIGKILL)
durable.reached = reached
home = Path(sys.argv[2])
"""

RunKilled = Callable[[str, int, object], int]


@pytest.fixture
def run_killed() -> RunKilled:
    """Runs code in a child that is killed before its n-th durable step (0: never); returns the exit status, -9 if killed."""

    def run(code: str, stop_at: int, home: object) -> int:
        done = subprocess.run([sys.executable, "-c", _PRELUDE + code, str(stop_at), str(home)], capture_output=True, text=True, check=False)
        assert done.returncode in (0, -9), done.stderr
        return done.returncode

    return run

"""What the benchmarks share: a project and a store of their own, things measured in turns, medians as multiples of a floor.

Nothing here is timed alone: a machine that is busy is as busy for the floor. A ratio of medians from one run is what counts.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

T = TypeVar("T")

REPOSITORY = Path(__file__).parents[1]
#: The program as the installed one starts it; without the shell script that sets up a checkout.
PROGRAM = (sys.executable, "-P", "-c", "from lockage.cli import main; main()")
FLOOR = (sys.executable, "-c", "pass")


class Bench(NamedTuple):
    """A folder with the example project in a repository of its own, and the environment that names a store and keys beside it."""

    folder: Path
    project: Path
    environ: dict[str, str]

    def lockage(self, *arguments: str, cwd: Path | None = None) -> str:
        """Run the program, which must succeed; returns what it printed."""
        done = subprocess.run(
            [*PROGRAM, *arguments], cwd=cwd or self.project, env=self.environ, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        if done.returncode:
            sys.exit(f"lockage {' '.join(arguments)} exited with {done.returncode}:\n{done.stderr}")
        return done.stdout

    def git(self, *arguments: str) -> None:
        identity = ("-c", "user.name=benchmark", "-c", "user.email=benchmark@example.org", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *identity, *arguments], cwd=self.project, check=True, capture_output=True)

    def lock(self, *arguments: str) -> None:
        """Lock the project and commit its lock, so that a build of it is a build of a commit."""
        self.lockage("lock", *arguments)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "lock")

    def seconds(self, *command: str, cwd: Path | None = None, **environ: str) -> float:
        """How long a command takes, which must succeed."""
        started = time.perf_counter()
        subprocess.run(
            command,
            cwd=cwd or self.project,
            env=self.environ | environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        return time.perf_counter() - started


@contextmanager
def bench() -> Iterator[Bench]:
    """A bench in a temporary folder, removed at the end. Mirror and index are those of this machine's configuration."""
    folder = Path(tempfile.mkdtemp(prefix="lockage-benchmark-"))
    drop = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONHOME", "PYTHONUNBUFFERED")
    environ = {name: value for name, value in os.environ.items() if name not in drop}
    environ |= {"LOCKAGE_HOME": str(folder / "store"), "LOCKAGE_KEYS": str(folder / "keys")}
    try:
        project = folder / "shop"
        shutil.copytree(REPOSITORY / "examples" / "shop", project, ignore=shutil.ignore_patterns("lockage.lock", "dist"))
        made = Bench(folder, project, environ)
        made.git("init", "-q")
        made.git("add", "-A")
        made.git("commit", "-q", "-m", "one")
        yield made
    finally:
        subprocess.run(["chmod", "-R", "u+w", folder], check=False)  # stores and roots are read-only
        shutil.rmtree(folder, ignore_errors=True)


def in_turns(rounds: int, what: Mapping[str, Callable[[], T]]) -> dict[str, list[T]]:
    """Each once and not counted, then all of them in turns, so that a busy moment hits every one alike."""
    for one in what.values():
        one()
    found: dict[str, list[T]] = {name: [] for name in what}
    for _ in range(rounds):
        for name, one in what.items():
            found[name].append(one())
    return found


class Line(NamedTuple):
    """One result: its median in seconds, the floor's, and the target that the ratio (or, without a floor, the time) must stay under."""

    name: str
    seconds: float
    floor: float | None = None
    target: float | None = None

    @property
    def value(self) -> float:
        return self.seconds if self.floor is None else self.seconds / self.floor

    @property
    def missed(self) -> bool:
        return self.target is not None and self.value >= self.target

    def __str__(self) -> str:
        time_ = f"{self.seconds * 1000:9.1f} ms" if self.seconds < 1 else f"{self.seconds:9.2f} s "
        ratio = "" if self.floor is None else f"{self.seconds / self.floor:7.2f}x"
        unit = "x" if self.floor is not None else " s"
        target = "" if self.target is None else f"  under {self.target:g}{unit}: {'MISSED' if self.missed else 'kept'}"
        return f"{self.name:44}{time_} {ratio:>8}{target}".rstrip()


def lines(found: Mapping[str, Sequence[float]], floor: str, targets: Mapping[str, float]) -> list[Line]:
    """The medians as multiples of the floor's."""
    base = statistics.median(found[floor])
    return [
        Line(name, statistics.median(times), None if name == floor else base, None if name == floor else targets.get(name))
        for name, times in found.items()
    ]


def report(results: Sequence[Line], *, check: bool) -> int:
    """Print the results; with ``check``, 1 if a target was missed."""
    for line in results:
        print(line)
    return int(check and any(line.missed for line in results))

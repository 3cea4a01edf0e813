"""What reading a large source costs: the first time, with nothing changed, and with one file changed; as a commit and as a directory.

Beside a commit stands ``git status``, beside a directory a walk with ``lstat`` of every file: with less nobody knows that nothing changed.
Each reading is a process of its own, which says its peak memory. Ratios matter.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lockage.adapters.blobs_local import LocalBlobs
from lockage.adapters.clock_system import SystemClock
from lockage.adapters.memo_local import LocalMemo
from lockage.adapters.source_directory import DirectorySource
from lockage.adapters.source_git import GitSource

_IN_FOLDER = 100
#: Files must be older than the coarsest time stamps to be known again.
_SETTLING = 4


def read(kind: str, folder: Path, store: Path) -> None:
    """In a process of its own: read a source, and print seconds and peak memory in MiB."""
    blobs, memo = LocalBlobs(store / "blobs"), LocalMemo(store / "memo")
    directories = DirectorySource(blobs, memo, SystemClock())
    started = time.perf_counter()
    if kind == "walk":
        for path, _, files in os.walk(folder):
            for name in files:
                os.lstat(f"{path}/{name}")
    elif kind == "directory":
        directories.read(folder)
    else:
        clones = store / "clones"
        GitSource(blobs, memo, clones=clones, environment=os.environ, snapshot=directories.snapshot).read_work_tree(folder, None)
    print(time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


class Bench:
    """A folder with many files in a repository, and the same without one."""

    def __init__(self, folder: Path, files: int) -> None:
        self.folder, self.repository, self.plain = folder, folder / "repository", folder / "plain"
        for number in range(files):
            path = self.repository / f"part{number // _IN_FOLDER // 30}" / f"{number // _IN_FOLDER}" / f"file{number}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{number}\n" * 40)
        shutil.copytree(self.repository, self.plain)
        self.git("init", "-q")
        self.commit()
        time.sleep(_SETTLING)

    def git(self, *arguments: str) -> None:
        identity = ("-c", "user.name=benchmark", "-c", "user.email=benchmark@example.org", "-c", "commit.gpgsign=false", "-c", "gc.auto=0")
        subprocess.run(["git", "-C", self.repository, *identity, *arguments], check=True, stdout=subprocess.DEVNULL)

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "one")

    def change(self, folder: Path) -> None:
        path = folder / "part0/0/file0.txt"
        path.write_text(path.read_text() + "changed\n")

    def timed(self, kind: str, folder: Path) -> tuple[float, float]:
        """Seconds and peak memory of one reading."""
        if kind == "git status":
            started = time.perf_counter()
            self.git("status", "--porcelain")
            return time.perf_counter() - started, 0
        command = [sys.executable, __file__, "--read", kind, str(folder), str(self.folder / "store")]
        seconds, memory = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        return float(seconds), float(memory)


def measured(bench: Bench, rounds: int) -> None:
    first = {kind: bench.timed(kind, folder) for kind, folder in (("commit", bench.repository), ("directory", bench.plain))}
    for kind, (seconds, memory) in first.items():
        print(f"{f'{kind}, read for the first time':40}{seconds:8.2f} s {'':9}{memory:8.0f} MiB")
    for kind, folder, floor in (("commit", bench.repository, "git status"), ("directory", bench.plain, "walk")):
        found: dict[str, list[tuple[float, float]]] = {}
        for _ in range(rounds):
            found.setdefault(floor, []).append(bench.timed(floor, folder))
            found.setdefault("nothing changed", []).append(bench.timed(kind, folder))
            bench.change(folder)
            if kind == "commit":
                found.setdefault("one file changed, not committed", []).append(bench.timed(kind, folder))
                bench.commit()
            found.setdefault("one file changed", []).append(bench.timed(kind, folder))
            time.sleep(_SETTLING)
            bench.timed(kind, folder)
        base = statistics.median(seconds for seconds, _ in found[floor])
        for name, times in found.items():
            seconds, memory = statistics.median(one for one, _ in times), max(one for _, one in times)
            ratio = f"{seconds / base:6.2f}x" if name != floor else ""
            print(f"{name if name == floor else f'{kind}, {name}':40}{seconds:8.2f} s {ratio:>9}{f'{memory:8.0f} MiB' if memory else ''}")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--files", type=int, default=100_000)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--read", nargs=3, metavar=("KIND", "FOLDER", "STORE"), help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.read:
        kind, folder, store = given.read
        read(kind, Path(folder), Path(store))
        return
    folder = Path(tempfile.mkdtemp(prefix="lockage-benchmark-"))
    try:
        measured(Bench(folder, given.files), given.rounds)
    finally:
        subprocess.run(["chmod", "-R", "u+w", folder], check=False)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()

"""How fast a tree is hashed and how fast it is stored durably: against sha256 itself on the same cores, and ``cp -r`` with ``sync``.

The tree has files of mixed sizes. Everything is measured in turns; each round of storing begins with an empty store. Ratios matter.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from measuring import Line, in_turns, report

from lockage.adapters.blobs_local import LocalBlobs
from lockage.adapters.source_directory import DirectorySource

_MIX = ((64 << 20, 0.4), (2 << 20, 0.3), (128 << 10, 0.2), (8 << 10, 0.1))


def make_tree(folder: Path, size: int) -> int:
    """Files of four sizes, of bytes that do not repeat; returns how many."""
    source, count = random.Random(1), 0
    for length, share in _MIX:
        for number in range(max(1, int(size * share) // length)):
            path = folder / f"{length}" / f"{number // 200}" / f"{number}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(source.randbytes(length))
            count += 1
    return count


def sha256_alone(size: int) -> float:
    """Every core hashes its share of as many bytes, from memory."""
    cores = len(os.sched_getaffinity(0))
    data = random.Random(2).randbytes(32 << 20)
    times = size // cores // len(data)

    def one(_: int) -> None:
        state = hashlib.sha256()
        for _round in range(times):
            state.update(data)

    started = time.perf_counter()
    with ThreadPoolExecutor(cores) as pool:
        list(pool.map(one, range(cores)))
    return (time.perf_counter() - started) * size / (times * cores * len(data))


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--size", type=int, default=2048, help="of the tree, in MiB")
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--check", action="store_true", help="exit 1 if a target is missed")
    arguments.add_argument("--folder", type=Path, help="where to work; on the disk that is measured")
    given = arguments.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="lockage-benchmark-", dir=given.folder))
    try:
        tree, size = folder / "tree", given.size << 20
        count = make_tree(tree, size)
        os.sync()
        # Nothing is removed before the end: for minutes ext4 takes no inode again, and passes over all of those when a file is made.
        rounds = itertools.count()
        full = LocalBlobs(folder / "full")
        DirectorySource(full).read(tree)

        def hashed() -> float:
            started = time.perf_counter()
            DirectorySource(full).read(tree)
            return time.perf_counter() - started

        def stored() -> float:
            store = LocalBlobs(folder / f"store-{next(rounds)}")
            started = time.perf_counter()
            DirectorySource(store).read(tree)
            return time.perf_counter() - started

        def copied() -> float:
            copy = folder / f"copy-{next(rounds)}"
            started = time.perf_counter()
            subprocess.run(["cp", "-r", tree, copy], check=True)
            os.sync()
            return time.perf_counter() - started

        what = {"sha256 on all cores": lambda: sha256_alone(size), "hashing": hashed, "cp -r and sync": copied, "storing": stored}
        found = in_turns(given.rounds, what)
        median = {name: sorted(times)[len(times) // 2] for name, times in found.items()}
        print(f"{count} files, {given.size} MiB")
        results = [
            Line("sha256 on all cores", median["sha256 on all cores"]),
            Line("a tree that is stored already", median["hashing"], median["sha256 on all cores"], 1 / 0.7),
            Line("cp -r and sync", median["cp -r and sync"]),
            Line("a tree stored durably", median["storing"], median["cp -r and sync"], 1.3),
        ]
        return report(results, check=given.check)
    finally:
        _removed(folder)


def _removed(folder: Path) -> None:
    subprocess.run(["chmod", "-R", "u+w", folder], check=False)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())

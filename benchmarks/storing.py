"""How fast a tree is hashed and how fast it is stored durably: against sha256 itself on the same cores, and ``cp -r`` with ``sync``.

The tree has files of mixed sizes, or small ones only. Everything is measured in turns; each round of storing begins with an empty store.
Ratios matter. The floor of hashing is sha256 of as many bytes in memory, in pieces that no processor's cache holds, as none holds a tree:
no file is opened, nothing is copied from the kernel. Beside it, without a target: pieces that a cache holds, and sha256sum of the
same files.
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
from typing import TYPE_CHECKING

from measuring import Line, in_turns, report

from lockage.adapters.blobs_local import LocalBlobs
from lockage.adapters.source_directory import DirectorySource

if TYPE_CHECKING:
    from collections.abc import Sequence

_MIX = ((64 << 20, 0.4), (2 << 20, 0.3), (128 << 10, 0.2), (8 << 10, 0.1))
_SMALL = ((8 << 10, 1.0),)


def make_tree(folder: Path, size: int, mix: Sequence[tuple[int, float]] = _MIX) -> int:
    """Files of some sizes, each with a share of the bytes, which do not repeat; returns how many."""
    source, count = random.Random(1), 0
    for length, share in mix:
        for number in range(max(1, int(size * share) // length)):
            path = folder / f"{length}" / f"{number // 200}" / f"{number}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(source.randbytes(length))
            count += 1
    return count


def sha256_alone(size: int, piece: int) -> float:
    """Every core hashes its share of as many bytes, from memory, over and over the same piece."""
    cores = len(os.sched_getaffinity(0))
    data = random.Random(2).randbytes(piece)
    times = size // cores // len(data)

    def one(_: int) -> None:
        state = hashlib.sha256()
        for _round in range(times):
            state.update(data)

    started = time.perf_counter()
    with ThreadPoolExecutor(cores) as pool:
        list(pool.map(one, range(cores)))
    return (time.perf_counter() - started) * size / (times * cores * len(data))


def sha256sum(tree: Path) -> float:
    """The program of coreutils, one process for each core at a time."""
    cores = len(os.sched_getaffinity(0))
    command = f"find . -type f -print0 | xargs -0 -n 256 -P {cores} sha256sum >/dev/null"
    started = time.perf_counter()
    subprocess.run(["sh", "-c", command], cwd=tree, check=True)
    return time.perf_counter() - started


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--size", type=int, default=2048, help="of the tree, in MiB")
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--small", action="store_true", help="only files of 8 KiB")
    arguments.add_argument("--only-hashing", action="store_true", help="do not store")
    arguments.add_argument("--check", action="store_true", help="exit 1 if a target is missed")
    arguments.add_argument("--folder", type=Path, help="where to work; on the disk that is measured")
    given = arguments.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="lockage-benchmark-", dir=given.folder))
    try:
        tree, size = folder / "tree", given.size << 20
        count = make_tree(tree, size, _SMALL if given.small else _MIX)
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

        what = {
            "sha256 on all cores": lambda: sha256_alone(size, 32 << 20),
            "the same in the cache": lambda: sha256_alone(size, 1 << 20),
            "sha256sum": lambda: sha256sum(tree),
            "hashing": hashed,
        }
        if not given.only_hashing:
            what |= {"cp -r and sync": copied, "storing": stored}
        found = in_turns(given.rounds, what)
        median = {name: sorted(times)[len(times) // 2] for name, times in found.items()}
        print(f"{count} files, {given.size} MiB")
        floor = median["sha256 on all cores"]
        results = [
            Line("sha256 on all cores", floor),
            Line("the same from the processor's cache", median["the same in the cache"], floor),
            Line("sha256sum of the same files, on all cores", median["sha256sum"], floor),
            Line("a tree that is stored already", median["hashing"], floor, 1 / 0.7),
        ]
        if not given.only_hashing:
            results += [
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

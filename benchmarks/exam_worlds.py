"""Do two worlds that share nothing build the same bytes?

Each sdist of a list is built by two clones of this checkout: other paths, stores, time zones, umasks, languages and, as root, other
users. Prints a line for each; ends with 0 if all were built and are the same.

    python benchmarks/exam_worlds.py [LIST.toml] [--verify] [--only NAME,NAME]

LIST is as tests/e2e/sdists.toml: name, version, file, size, sha256. The machine's own index serves the files.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import Any

from worlds import CHECKOUT, World

from lockage.adapters.memory import MemoryBlobs, MemoryMemo
from lockage.adapters.python_index import UvIndex, discover_index
from lockage.base.digest import Digest
from lockage.base.path import RelPath
from lockage.environment.lock import LockedWheel

DEFAULT = CHECKOUT / "tests" / "e2e" / "sdists.toml"


def fetch(wanted: list[dict[str, Any]], folder: Path) -> None:
    """Put every sdist into a folder that all may read."""
    blobs = MemoryBlobs()
    settings = discover_index(os.environ, Path.home(), prefix=Path(sys.prefix))
    uv = Path(sys.executable).parent / "uv"
    index = UvIndex(blobs, MemoryMemo(), uv=uv, settings=settings, cache=folder / "uv", interpreter=Path(sys.executable))
    for one in wanted:
        sha256 = Digest(one["sha256"])
        sdist = LockedWheel(name=one["name"], version=one["version"], file=RelPath(one["file"]), size=one["size"], sha256=sha256)
        index.fetch([sdist])
        (folder / one["file"]).write_bytes(blobs.get(sdist.ref))


def examine(sdist: Path, worlds: tuple[World, World], verify: bool) -> tuple[bool, str]:
    """Whether both worlds gave the same, and a line that says so."""
    took, built = [], []
    for world in worlds:
        began = time.monotonic()
        built.append(world.lockage("build", str(sdist), "--out", str(world.folder / "out" / sdist.name)))
        took.append(f"{time.monotonic() - began:.1f} s")
    failed = [document["error"]["message"] for document in built if "error" in document]
    if failed:
        return False, f"failed: {failed[0]}"
    first, second = ([(a["filename"], a["sha256"]) for a in document["artifacts"]] for document in built)
    same = first == second
    line = f"{'same bytes' if same else 'DIFFERENT'}, {', '.join(took)}"
    if verify:
        found = worlds[0].lockage("verify", str(sdist))
        same = same and found.get("robust") == "identical"
        error = found.get("error")
        line += f", not verified: {error['message']}" if error else f", reproduced: {found['reproduced']}, robust: {found['robust']}"
    return same, line


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("list", nargs="?", type=Path, default=DEFAULT)
    parser.add_argument("--verify", action="store_true")
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    wanted = tomllib.loads(given.list.read_text())["sdist"]
    if given.only:
        wanted = [one for one in wanted if one["name"] in given.only.split(",")]
    top = Path(tempfile.mkdtemp(prefix="lockage-worlds-"))
    top.chmod(0o755)
    worlds = (
        World(top / "a", 54321, "022", {"TZ": "UTC", "LANG": "C.UTF-8"}),
        World(top / "second and" / "longer" / "b", 54322, "002", {"TZ": "Asia/Kathmandu", "LANG": "C", "LC_ALL": "C"}),
    )
    good = 0
    try:
        for world in worlds:
            world.settle()
        fetch(wanted, top)
        for one in wanted:
            same, line = examine(top / one["file"], worlds, given.verify)
            good += same
            print(f"{one['name']} {one['version']}: {line}", flush=True)
    finally:
        shutil.rmtree(top, ignore_errors=True)
    print(f"{good} of {len(wanted)} the same in two worlds")
    return 0 if good == len(wanted) else 1


if __name__ == "__main__":
    raise SystemExit(main())

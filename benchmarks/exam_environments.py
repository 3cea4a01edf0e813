"""Do two worlds that share nothing make the same environments, and does what is in them work?

Each of the five environments of benchmarks/environments is locked, used by a step and exported as an OCI image by two clones of this
checkout: other users (as root), umasks, time zones, languages, and stores on two file systems. Lock files, roots, images and artifacts
must be the same bytes. Needs some 8 GiB, a part of it in memory, and the machine's mirror and index.

    python benchmarks/exam_environments.py [--only NAME,NAME]
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import tempfile
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

from worlds import CHECKOUT, World

SOURCE = CHECKOUT / "benchmarks" / "environments"


def prepared(world: World, only: list[str]) -> Path:
    """The world's own copy of the source, with the environments that are examined."""
    work = world.folder / "work"
    shutil.copytree(SOURCE, work, ignore=shutil.ignore_patterns("lockage.lock", "out"))
    if only:
        recipe = work / "lockage.toml"
        head, *tables = recipe.read_text().split("\n[")
        kept = [table for table in tables if table.split("]")[0].partition(".")[2] in ("", *only)]
        recipe.write_text("\n[".join([head, *kept]))
    if os.getuid() == 0:
        world.own(work)
    return work


def examined(world: World, only: list[str]) -> dict[str, dict[str, str]]:
    """What the world makes: digests by kind and name. Ends the exam if something cannot be made."""
    work = prepared(world, only)
    found: dict[str, dict[str, str]] = {}
    began = time.monotonic()
    locked = said(world.lockage("lock", cwd=work))
    print(f"  locked in {time.monotonic() - began:.0f} s", flush=True)
    found["lock"] = {"lockage.lock": sha256((work / "lockage.lock").read_bytes()).hexdigest()}
    environments = locked["environments"]
    found["root"] = {name: str(one["root"]) for name, one in environments.items()}
    for name, one in environments.items():
        print(f"  {name}: {one['packages']} OS packages, {one['wheels']} wheels")
    began = time.monotonic()
    built = said(world.lockage("build", "--out", "out", cwd=work))
    print(f"  used in {time.monotonic() - began:.0f} s", flush=True)
    found["artifact"] = {one["filename"]: one["sha256"] for one in built["artifacts"]}
    began = time.monotonic()
    found["image"] = {
        name: str(said(world.lockage("env", "export", name, "--oci", "image", "--tag", name, cwd=work))["digest"]) for name in environments
    }
    print(f"  exported in {time.monotonic() - began:.0f} s", flush=True)
    return found


def said(document: dict[str, Any]) -> dict[str, Any]:
    if "error" in document:
        raise SystemExit(f"failed: {document['error']}")
    return document


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="")
    only = [name for name in parser.parse_args().only.split(",") if name]
    top = Path(tempfile.mkdtemp(prefix="lockage-environments-"))
    memory = Path(tempfile.mkdtemp(prefix="lockage-environments-", dir="/dev/shm"))
    for folder in (top, memory):
        folder.chmod(0o755)
    stores = (top / "store", memory / "store")
    worlds = (
        World(top / "a", 54321, "022", {"TZ": "UTC", "LANG": "C.UTF-8", "LOCKAGE_HOME": str(stores[0])}),
        World(
            top / "second and" / "longer" / "b",
            54322,
            "077",
            {"TZ": "Asia/Kathmandu", "LANG": "C", "LC_ALL": "C", "LOCKAGE_HOME": str(stores[1])},
        ),
    )
    try:
        results = []
        for world, store in zip(worlds, stores, strict=True):
            store.mkdir()
            world.settle()
            if os.getuid() == 0:
                world.own(store)
            where = subprocess.run(["stat", "-f", "-c", "%T", str(store)], capture_output=True, text=True, check=True).stdout.strip()
            print(f"umask {world.umask}, {world.settings['TZ']}, store on {where}:", flush=True)
            results.append(examined(world, only))
    finally:
        for folder in (top, memory):
            subprocess.run(["chmod", "-R", "u+w", str(folder)], check=False, stderr=subprocess.DEVNULL)
            shutil.rmtree(folder, ignore_errors=True)
    differing = 0
    for kind, first in results[0].items():
        for name, digest in first.items():
            same = results[1][kind].get(name) == digest
            differing += not same
            print(f"{kind} {name}: {'the same' if same else 'DIFFERENT'}, {digest[:150]}")
    return 1 if differing else 0


if __name__ == "__main__":
    raise SystemExit(main())

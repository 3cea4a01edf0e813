"""Who has packs holds nothing open once nobody has it: descriptors do not wait for the search for cycles."""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING

from lockage.adapters.action_cache_local import LocalActionCache
from lockage.adapters.blobs_local import LocalBlobs
from lockage.base.digest import EMPTY_BLOB, BlobRef
from lockage.record.result import ActionResult, Usage

if TYPE_CHECKING:
    from pathlib import Path

DATA = b"x"
RESULT = ActionResult(exit_code=0, outputs=EMPTY_BLOB, log=EMPTY_BLOB, usage=Usage())


def _use(folder: Path) -> None:
    blobs, cache = LocalBlobs(folder / "blobs"), LocalActionCache(folder / "actions")
    blobs.put_messages({BlobRef.of(DATA): DATA})
    assert blobs.get(BlobRef.of(DATA)) == DATA
    cache.put(BlobRef.of(DATA), RESULT)
    assert cache.get(BlobRef.of(DATA)) == RESULT


def test_a_store_that_nobody_has_any_more_holds_nothing_open(tmp_path: Path) -> None:
    _use(tmp_path)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 (a count)
    gc.disable()
    try:
        for _ in range(10):
            _use(tmp_path)
        assert len(os.listdir("/proc/self/fd")) <= before  # noqa: PTH208 (as above)
    finally:
        gc.enable()

"""The contract of ports.ActionCache, over every adapter."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lockage.adapters.action_cache_local import LocalActionCache
from lockage.adapters.blobs_local import LocalBlobs
from lockage.adapters.memory import MemoryActionCache
from lockage.adapters.store_deferred import DeferredActionCache, DeferredBlobs
from lockage.base.digest import BlobRef
from lockage.ports import ActionCache, StoreUnwritable
from lockage.record.result import ActionResult, Usage

ACTION = BlobRef.of(b"an action")
RESULT = ActionResult(exit_code=0, outputs=BlobRef.of(b"outputs"), log=BlobRef.of(b"log"), usage=Usage(wall_ms=12, peak_memory=1 << 40))


@pytest.fixture(params=["local", "memory", "deferred"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> ActionCache:
    local = LocalActionCache(tmp_path / "actions")
    deferred = DeferredActionCache(local, DeferredBlobs(LocalBlobs(tmp_path / "blobs")))
    made: dict[str, ActionCache] = {"local": local, "memory": MemoryActionCache(), "deferred": deferred}
    return made[request.param]


def test_gives_back_the_result(cache: ActionCache) -> None:
    assert cache.get(ACTION) is None
    cache.put(ACTION, RESULT)
    assert cache.get(ACTION) == RESULT
    assert cache.get(BlobRef(ACTION.digest, ACTION.size + 1)) is None


def test_what_is_put_soon_is_there_at_once_and_kept_once_settled(cache: ActionCache) -> None:
    other = BlobRef.of(b"another")
    cache.put_soon(ACTION, ActionResult(exit_code=1, outputs=RESULT.outputs, log=RESULT.log))
    cache.put_soon(ACTION, RESULT)
    cache.put_many([(other, RESULT)])
    for settled in (False, True):
        if settled:
            cache.settle()
        assert cache.get(ACTION) == cache.get(other) == RESULT
        assert cache.holds([ACTION, other])
    assert dict(cache.entries()) == {ACTION: RESULT, other: RESULT}


def test_tells_whether_it_holds_entries_for_all(cache: ActionCache) -> None:
    other = BlobRef.of(b"another")
    assert cache.holds([])
    assert not cache.holds([ACTION])
    cache.put(ACTION, RESULT)
    assert cache.holds([ACTION, ACTION])
    assert not cache.holds([ACTION, other])
    cache.put(other, RESULT)
    assert cache.holds([ACTION, other])


def test_a_later_result_replaces_the_earlier(cache: ActionCache) -> None:
    cache.put(ACTION, ActionResult(exit_code=1, outputs=RESULT.outputs, log=RESULT.log))
    cache.put(ACTION, RESULT)
    assert cache.get(ACTION) == RESULT


def test_a_damaged_entry_is_absent(tmp_path: Path) -> None:
    cache = LocalActionCache(tmp_path)
    cache.put(ACTION, RESULT)
    (path,) = (path for path in tmp_path.rglob("*-9") if path.is_file())
    good = path.read_bytes()
    path.chmod(0o644)
    for at in range(len(good)):
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        assert cache.get(ACTION) is None, at
    for size in range(0, len(good), 7):
        path.write_bytes(good[:size])
        assert cache.get(ACTION) is None
    cache.put(ACTION, RESULT)
    assert cache.get(ACTION) == RESULT


def test_the_entry_of_another_action_is_absent(tmp_path: Path) -> None:
    cache = LocalActionCache(tmp_path)
    cache.put(ACTION, RESULT)
    other = BlobRef.of(b"bn action")
    cache._path(other).parent.mkdir(exist_ok=True)
    cache._path(ACTION).rename(cache._path(other))
    assert cache.get(other) is None


@pytest.mark.slow
def test_a_kill_at_any_step_leaves_the_result_or_none(tmp_path: Path, run_killed: Callable[[str, int, object], int]) -> None:
    code = """
from lockage.adapters.action_cache_local import LocalActionCache
from lockage.adapters.blobs_local import LocalBlobs
from lockage.base.digest import BlobRef
from lockage.record.result import ActionResult
LocalActionCache(home).put(BlobRef.of(b"an action"), ActionResult(exit_code=0, outputs=BlobRef.of(b"outputs"), log=BlobRef.of(b"log")))
"""
    for step in range(1, 20):
        home = tmp_path / str(step)
        killed = run_killed(code, step, home)
        found = LocalActionCache(home).get(ACTION)
        assert found is None or found.outputs == RESULT.outputs
        if killed == 0:
            assert found is not None
            assert step > 4
            return
    pytest.fail("the child was still being killed at the last step")


def test_a_cache_below_a_file_is_unwritable(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    cache = LocalActionCache(tmp_path / "file")
    assert cache.get(ACTION) is None
    with pytest.raises(StoreUnwritable):
        cache.put(ACTION, RESULT)

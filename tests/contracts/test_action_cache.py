"""The contract of ports.ActionCache, over every adapter."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.stored import put_apart

from lockage.adapters.action_cache_local import LocalActionCache, _entry
from lockage.adapters.blobs_local import LocalBlobs
from lockage.adapters.memory import MemoryActionCache
from lockage.adapters.store_deferred import DeferredActionCache, DeferredBlobs
from lockage.base.canonical import canonical_of
from lockage.base.digest import BlobRef
from lockage.packs import mending
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
    (path,) = (tmp_path / "packs").iterdir()
    good = path.read_bytes()
    path.chmod(0o644)
    for at in range(len(good)):
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        assert LocalActionCache(tmp_path).get(ACTION) in (None, RESULT), at
        assert cache.get(ACTION) is None or at < len(good) - 100
        shutil.rmtree(tmp_path / "packs")
        shutil.rmtree(tmp_path / "damaged", ignore_errors=True)
        path.parent.mkdir()
        path.touch()
    for size in range(0, len(good), 7):
        path.write_bytes(good[:size])
        assert cache.get(ACTION) is None
        assert LocalActionCache(tmp_path).get(ACTION) is None
        path.parent.mkdir(exist_ok=True)
    cache.put(ACTION, RESULT)
    assert cache.get(ACTION) == LocalActionCache(tmp_path).get(ACTION) == RESULT


def test_a_damaged_entry_of_an_old_store_is_absent(tmp_path: Path) -> None:
    cache = LocalActionCache(tmp_path)
    put_apart(cache, ACTION, RESULT)
    (path,) = (path for path in tmp_path.rglob("*-9") if path.is_file())
    good = path.read_bytes()
    assert cache.get(ACTION) == RESULT
    assert cache.holds([ACTION])
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
    put_apart(cache, ACTION, RESULT)
    other = BlobRef.of(b"bn action")
    Path(cache._place(other)).parent.mkdir(exist_ok=True)
    Path(cache._place(ACTION)).rename(cache._place(other))
    assert cache.get(other) is None


def test_the_entry_of_another_action_in_a_pack_is_absent(tmp_path: Path) -> None:
    other = BlobRef.of(b"bn action")
    entry = _entry(ACTION, canonical_of(RESULT))
    LocalActionCache(tmp_path).packs.add({other.digest: entry})
    assert LocalActionCache(tmp_path).get(other) is None
    assert dict(LocalActionCache(tmp_path).entries()) == {}


def test_what_a_pack_says_is_newer_than_what_an_old_store_says(tmp_path: Path) -> None:
    cache = LocalActionCache(tmp_path)
    put_apart(cache, ACTION, ActionResult(exit_code=1, outputs=RESULT.outputs, log=RESULT.log))
    cache.put(ACTION, RESULT)
    for one in (cache, LocalActionCache(tmp_path)):
        assert one.get(ACTION) == RESULT
        assert dict(one.entries()) == {ACTION: RESULT}


@pytest.mark.parametrize("merged", [False, True])
def test_of_several_processes_the_last_that_put_counts_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, merged: bool) -> None:
    monkeypatch.setattr(mending, "_MANY", 1)
    ours, theirs = LocalActionCache(tmp_path), LocalActionCache(tmp_path)
    for number, cache in enumerate([ours, theirs, ours, theirs, ours]):
        cache.put(ACTION, ActionResult(exit_code=number, outputs=RESULT.outputs, log=RESULT.log))
        cache.put(BlobRef.of(b"%d" % number), RESULT)
        if merged and number == 3:
            cache.settle()
            assert len(list((tmp_path / "packs").iterdir())) == 1
        for one in (ours, theirs, LocalActionCache(tmp_path)):
            found = one.get(ACTION)
            assert found is not None
            assert found.exit_code == number
            assert len(dict(one.entries())) == number + 2
            assert one.holds([ACTION, BlobRef.of(b"%d" % number)])


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

"""What is kept a little later: the order in which it comes to the disk, what a failure does, and what a killed process leaves."""

import threading
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path

import pytest
from tests.stored import alter, lose

from lockage.adapters.action_cache_local import LocalActionCache
from lockage.adapters.blobs_local import LocalBlobs
from lockage.adapters.memory import MemoryActionCache, MemoryBlobs
from lockage.adapters.store_deferred import DeferredActionCache, DeferredBlobs
from lockage.base.digest import BlobRef
from lockage.ports import BlobMissing, StoreUnwritable
from lockage.record.result import ActionResult

ACTION = BlobRef.of(b"an action")
#: A blob that is not put into a pack.
GOOD = b"good" * 5000


class Slow(MemoryBlobs):
    """Blobs that are kept when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.may = threading.Event()
        self.turns: list[int] = []
        self.error: Exception | None = None

    def put_messages(self, messages: Mapping[BlobRef, bytes], *, doubting: bool = False) -> None:
        assert self.may.wait(30)
        if self.error is not None:
            raise self.error
        super().put_messages(messages, doubting=doubting)
        self.turns.append(len(messages))


def result(*outputs: BlobRef) -> ActionResult:
    return ActionResult(exit_code=0, outputs=outputs[0], log=outputs[-1])


def test_a_result_is_not_kept_before_its_blobs_and_nobody_waits_for_either() -> None:
    inner, kept = Slow(), MemoryActionCache()
    blobs = DeferredBlobs(inner)
    cache = DeferredActionCache(kept, blobs)
    cache.put_soon(ACTION, result(*blobs.put_soon([b"out", b"log"])))
    assert not inner.data
    assert not kept.results
    assert cache.get(ACTION) is not None
    inner.may.set()
    blobs.settle()
    assert set(inner.data.values()) == {b"out", b"log"}
    assert set(kept.results) == {ACTION}


def test_what_comes_while_something_is_kept_is_kept_together() -> None:
    inner, kept = Slow(), MemoryActionCache()
    blobs = DeferredBlobs(inner)
    cache = DeferredActionCache(kept, blobs)
    for number in range(50):
        cache.put_soon(BlobRef.of(b"%d" % number), result(*blobs.put_soon([b"out %d" % number])))
    inner.may.set()
    cache.settle()
    assert len(kept.results) == 50
    assert len(inner.turns) <= 3  # what there was when the first turn began, and all the rest


def test_what_could_not_be_kept_is_raised_and_goes_nowhere() -> None:
    inner, kept = Slow(), MemoryActionCache()
    inner.error = StoreUnwritable("the disk is full")
    inner.may.set()
    blobs = DeferredBlobs(inner)
    cache = DeferredActionCache(kept, blobs)
    (ref,) = blobs.put_soon([b"out"])
    cache.put_soon(ACTION, result(ref))
    with pytest.raises(StoreUnwritable, match="full"):
        blobs.settle()
    assert not kept.results
    assert not blobs.has(ref)
    inner.error = None  # there is room again
    cache.put_soon(ACTION, result(*blobs.put_soon([b"out"])))
    cache.settle()
    assert cache.get(ACTION) is not None
    assert inner.data


def test_a_failure_is_told_with_the_next_result_too() -> None:
    inner, kept = Slow(), MemoryActionCache()
    inner.error = StoreUnwritable("the disk is full")
    inner.may.set()
    blobs = DeferredBlobs(inner)
    cache = DeferredActionCache(kept, blobs)

    def build() -> None:
        for number in range(1000):
            cache.put_soon(BlobRef.of(b"%d" % number), result(*blobs.put_soon([b"%d" % number])))
            threading.Event().wait(0.005)

    with pytest.raises(StoreUnwritable):  # it does not run on to its end for nothing
        build()


def test_what_is_too_large_to_wait_is_kept_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from lockage.adapters import store_deferred

    monkeypatch.setattr(store_deferred, "_ROOM", 10)
    inner = MemoryBlobs()
    blobs = DeferredBlobs(inner)
    small, large = blobs.put_soon([b"small", b"larger than that"])
    assert not inner.has(small)
    assert inner.has(large)
    blobs.settle()
    assert inner.has(small)


@pytest.mark.parametrize("kept", ["apart", "together"])
def test_a_small_blob_over_which_another_is_put_is_whole_whatever_lay_there(tmp_path: Path, kept: str) -> None:
    local = LocalBlobs(tmp_path)
    if kept == "apart":
        local.put(b"good")
    else:
        local.put_messages({BlobRef.of(b"good"): b"good", BlobRef.of(b"other"): b"other"})
    ref = BlobRef.of(b"good")
    alter(tmp_path, ref.digest, b"evil")
    blobs = DeferredBlobs(LocalBlobs(tmp_path))
    assert blobs.put_soon([b"good"]) == [ref]
    assert not blobs.doubts  # as it is written, whatever is there
    blobs.settle()
    for one in (blobs, LocalBlobs(tmp_path)):
        assert one.vouch([ref], None) is not None
        assert one.get(ref) == b"good"
    assert LocalBlobs(tmp_path).get(ref) == b"good"


def test_damage_that_a_blob_is_written_over_is_found(tmp_path: Path) -> None:
    local = LocalBlobs(tmp_path)
    ref = local.put(GOOD)
    path = local._path(ref.digest)
    path.chmod(0o644)
    path.write_bytes(b"evil" * (len(GOOD) // 4))
    blobs = DeferredBlobs(LocalBlobs(tmp_path))
    assert blobs.put_soon([GOOD]) == [ref]
    assert blobs.get(ref) == GOOD
    assert blobs.vouch([ref], b"") is None  # it is set aside, and can be written
    assert blobs.put_soon([GOOD]) == [ref]
    blobs.settle()
    assert LocalBlobs(tmp_path).get(ref) == GOOD


def test_what_is_new_raises_no_doubts_and_what_was_there_does_until_it_is_vouched_for(tmp_path: Path) -> None:
    LocalBlobs(tmp_path).put(GOOD)
    blobs = DeferredBlobs(LocalBlobs(tmp_path))
    blobs.put_soon([b"new"])
    blobs.put_messages({BlobRef.of(GOOD): GOOD})
    assert not blobs.doubts
    (ref,) = blobs.put_soon([GOOD])
    assert blobs.doubts  # though it waits already
    blobs.settle()
    blobs.put_soon([b"new"])
    assert blobs.vouch([ref], b"") is not None
    assert not blobs.doubts
    blobs.put_soon([GOOD])
    assert not blobs.doubts  # as it was when it was hashed
    blobs.put_stream(BytesIO(b"other"))
    assert not blobs.doubts


def test_what_was_written_and_then_changed_is_doubted_when_it_is_put_again(tmp_path: Path) -> None:
    local = LocalBlobs(tmp_path)
    blobs = DeferredBlobs(local)
    (ref,) = blobs.put_soon([b"good"])
    blobs.settle()
    alter(tmp_path, ref.digest, b"evil")
    blobs.put_soon([b"good"])
    assert blobs.doubts
    assert blobs.vouch([ref], b"") is None
    assert not blobs.doubts
    blobs.put_soon([b"good"])
    blobs.settle()
    assert LocalBlobs(tmp_path).get(ref) == b"good"


def test_a_stream_of_what_was_there_is_doubted(tmp_path: Path) -> None:
    LocalBlobs(tmp_path).put(b"there")
    blobs = DeferredBlobs(LocalBlobs(tmp_path))
    ref = blobs.put_stream(BytesIO(b"there"))
    assert blobs.doubts
    assert blobs.vouch([ref], b"") is not None
    assert not blobs.doubts


def test_what_was_kept_and_then_lost_is_kept_again(tmp_path: Path) -> None:
    local = LocalBlobs(tmp_path)
    blobs = DeferredBlobs(local)
    (ref,) = blobs.put_soon([b"out"])
    blobs.settle()
    lose(tmp_path, ref.digest)
    assert blobs.vouch([ref], b"") is None  # reading may still be answered from memory, this may not
    assert blobs.put_soon([b"out"]) == [ref]
    blobs.settle()
    assert LocalBlobs(tmp_path).get(ref) == b"out"


def test_memory_of_what_was_kept_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lockage.adapters import store_deferred

    monkeypatch.setattr(store_deferred, "_RECENT", 6)
    local = LocalBlobs(tmp_path)
    blobs = DeferredBlobs(local)
    refs = blobs.put_soon([b"one", b"two", b"six"])
    blobs.settle()
    lose(tmp_path, refs[0].digest)  # and what lies there with it
    with pytest.raises(BlobMissing):
        blobs.get(refs[0])
    assert [blobs.get(ref) for ref in refs[1:]] == [b"two", b"six"]


def test_many_threads_put_and_all_of_it_is_kept(tmp_path: Path) -> None:
    blobs = DeferredBlobs(LocalBlobs(tmp_path / "blobs"))
    cache = DeferredActionCache(LocalActionCache(tmp_path / "actions"), blobs)

    def work(name: int) -> None:
        for number in range(25):
            refs = blobs.put_soon([b"%d" % number, b"%d of %d" % (number, name)])
            cache.put_soon(BlobRef.of(b"%d/%d" % (name, number)), result(*refs))

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cache.settle()
    found = dict(LocalActionCache(tmp_path / "actions").entries())
    assert len(found) == 100
    kept = LocalBlobs(tmp_path / "blobs")
    assert all(kept.get(one.outputs) + b" of" in kept.get(one.log) for one in found.values())


KILLED = """
from lockage.adapters.action_cache_local import LocalActionCache
from lockage.adapters.blobs_local import LocalBlobs
from lockage.adapters.store_deferred import DeferredActionCache, DeferredBlobs
from lockage.base.digest import BlobRef
from lockage.record.result import ActionResult
blobs = DeferredBlobs(LocalBlobs(home / "blobs"))
cache = DeferredActionCache(LocalActionCache(home / "actions"), blobs)
for number in range(4):
    out, log = blobs.put_soon([b"out %d" % number, b"log %d" % number])
    cache.put_soon(BlobRef.of(b"%d" % number), ActionResult(exit_code=0, outputs=out, log=log))
cache.settle()
"""


def test_after_a_kill_every_result_that_is_kept_is_whole(tmp_path: Path, run_killed: Callable[[str, int, object], int]) -> None:
    at, status, home = 1, -9, tmp_path
    while status == -9:
        home = tmp_path / str(at)
        home.mkdir()
        status = run_killed(KILLED, at, home)
        blobs = LocalBlobs(home / "blobs")
        for _, one in LocalActionCache(home / "actions").entries():
            assert blobs.get(one.outputs)[4:] == blobs.get(one.log)[4:]
        at += 1
    assert at > 8
    assert len(dict(LocalActionCache(home / "actions").entries())) == 4

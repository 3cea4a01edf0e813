"""Sweeping a store: what is needed stays whatever happens, and who reads meanwhile misses nothing."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.stored import Together, alter, names_in, places_of

from lockage import durable
from lockage.adapters.action_cache_local import LocalActionCache
from lockage.adapters.blobs_local import LocalBlobs
from lockage.adapters.memo_local import LocalMemo
from lockage.adapters.memory import MemoryActionCache, MemoryBlobs, MemoryMemo
from lockage.adapters.store_local import StoreFolder
from lockage.base.digest import BlobRef, Digest
from lockage.base.instant import Instant
from lockage.packs import mending
from lockage.ports import ActionCache, BlobMissing, Blobs, Memo
from lockage.ports.storage import BlobSweep, Swept
from lockage.record.result import ActionResult

LATER = Instant(1 << 33)
LONG_AGO = Instant(1)


@pytest.fixture(params=["local", "memory", "together"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    return MemoryBlobs() if request.param == "memory" else _made(request.param, tmp_path / "blobs")


@pytest.fixture(params=["local", "together"])
def local(request: pytest.FixtureRequest, tmp_path: Path) -> LocalBlobs:
    return _made(request.param, tmp_path / "blobs")


@pytest.fixture
def apart(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "blobs")


def _made(kind: str, folder: Path) -> LocalBlobs:
    return Together(folder) if kind == "together" else LocalBlobs(folder)


def needing(*refs: BlobRef) -> Callable[[], set[Digest]]:
    return lambda: {ref.digest for ref in refs}


def test_what_is_needed_stays_and_the_rest_goes(blobs: Blobs) -> None:
    one, two, three = blobs.put_many([b"one", b"two", b"three"])
    assert blobs.sweep(needing(two), LATER, dry=True).gone == Swept(count=2, size=8)
    assert all(blobs.has(ref) for ref in (one, two, three))
    found = blobs.sweep(needing(two), LATER)
    assert (found.gone, found.waiting) == (Swept(count=2, size=8), Swept())
    assert [blobs.has(ref) for ref in (one, two, three)] == [False, True, False]
    with pytest.raises(BlobMissing):
        blobs.get(one)
    assert blobs.put(b"one") == one
    assert blobs.get(one) == b"one"
    assert blobs.sweep(needing(one, two), LATER).gone == Swept()


def test_nobody_else_uses_a_store_that_only_this_process_reads(blobs: Blobs) -> None:
    assert blobs.used_since() is None
    assert blobs.get(blobs.put(b"one")) == b"one"
    assert blobs.used_since() is None


HOLDING = """
import sys
from pathlib import Path
from lockage.adapters.blobs_local import LocalBlobs
from lockage.base.digest import BlobRef
blobs = LocalBlobs(Path(sys.argv[1]))
blobs.get(BlobRef.of(b"one"))
print("ready", flush=True)
sys.stdin.read()
"""


def test_who_else_uses_a_store_began_after_its_lease_was_begun(local: LocalBlobs, tmp_path: Path) -> None:
    local.put(b"one")
    begun = [100, 200]
    processes = []
    try:
        for number, when in enumerate(begun, 1):
            lease = tmp_path / "blobs" / "leases" / str(number)
            lease.parent.mkdir(exist_ok=True)
            lease.write_bytes(b"")
            os.utime(lease, (when, when))
            command = [sys.executable, "-c", HOLDING, str(tmp_path / "blobs")]
            processes.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
            assert processes[-1].stdout is not None
            assert processes[-1].stdout.readline() == "ready\n"
        for left in (Instant(100), Instant(200), None):
            assert local.used_since() == left
            if processes:
                processes.pop(0).communicate("")
    finally:
        for process in processes:
            process.kill()


def test_an_empty_store_is_swept(blobs: Blobs) -> None:
    assert blobs.sweep(needing(), LATER).gone == Swept()


def test_what_is_young_stays(local: LocalBlobs, tmp_path: Path) -> None:
    old, young = local.put(b"old"), local.put(b"young")
    for place in places_of(tmp_path / "blobs", old.digest):
        os.utime(place if isinstance(place, Path) else place[0].path, (100, 100))
    assert local.sweep(needing(), Instant(101)).gone == Swept(count=1, size=3)
    assert [local.has(old), local.has(young)] == [False, True]


def test_nothing_but_blobs_is_left_of_a_sweep(local: LocalBlobs, tmp_path: Path) -> None:
    local.put(b"one")
    local.sweep(needing(), LATER)
    local.sweep(needing(), LATER)
    assert not (tmp_path / "blobs" / "trash").exists()
    assert len(list((tmp_path / "blobs" / "leases").iterdir())) == 1


def test_what_a_process_has_seen_waits_until_it_has_ended(local: LocalBlobs, tmp_path: Path) -> None:
    ref, other = local.put_many([b"one", b"other"])
    reader = LocalBlobs(tmp_path / "blobs")
    assert reader.has(ref)
    found = local.sweep(needing(), LATER)
    assert (found.gone, found.waiting) == (Swept(), Swept(count=2, size=8))
    assert reader.get(ref) == b"one"  # back from the trash
    assert reader.vouch([ref, other], None) is not None
    again = local.sweep(needing(), LATER)
    assert again.waiting == Swept(count=2, size=8)
    reader._lease.let_go()
    assert local.sweep(needing(other), LATER).gone == Swept(count=1, size=3)
    assert [local.has(ref), local.has(other)] == [False, True]


def test_who_comes_later_is_not_waited_for(local: LocalBlobs, tmp_path: Path) -> None:
    ref = local.put(b"one")
    early, late = LocalBlobs(tmp_path / "blobs"), LocalBlobs(tmp_path / "blobs")
    assert early.has(ref)
    assert local.sweep(needing(), LATER).waiting == Swept(count=1, size=3)
    late.put(b"two")  # it holds the next lease
    early._lease.let_go()
    assert local.sweep(needing(BlobRef.of(b"two")), LATER).gone == Swept(count=1, size=3)
    assert late.get(BlobRef.of(b"two")) == b"two"


def test_what_comes_to_be_needed_meanwhile_comes_back(local: LocalBlobs) -> None:
    one, two = local.put_many([b"one", b"two"])
    answers = [set(), {one.digest}]
    assert local.sweep(lambda: answers.pop(0), LATER).gone == Swept(count=1, size=3)
    assert local.get(one) == b"one"
    assert not local.has(two)


def test_what_is_put_again_comes_out_of_the_trash(apart: LocalBlobs, tmp_path: Path) -> None:
    ref = apart.put(b"one")
    reader = LocalBlobs(tmp_path / "blobs")
    assert reader.has(ref)
    apart.sweep(needing(), LATER)
    inode = next((tmp_path / "blobs" / "trash").glob("*/*")).stat().st_ino
    reader.put(b"one")
    assert reader._path(ref.digest).stat().st_ino == inode


def test_packs_are_put_together_and_only_what_is_needed_is_in_the_new_one(tmp_path: Path) -> None:
    home = tmp_path / "blobs"
    blobs = Together(home)
    refs = [blobs.put_many([b"%d" % number, b"%d more" % number, b"common"]) for number in range(5)]
    needed = needing(*(one for one, _, _ in refs))
    reader = LocalBlobs(home)
    assert reader.has(refs[4][1])
    assert blobs.sweep(needed, LATER, dry=True).gone == Swept(count=6, size=36)
    assert blobs.sweep(needed, LATER).waiting == Swept(count=6, size=36)
    assert len(list((home / "packs").iterdir())) == 1
    assert reader.get(refs[4][1]) == b"4 more"  # and what was in its pack
    reader._lease.let_go()
    again = needing(*(one for one, _, _ in refs), refs[4][1])
    assert blobs.sweep(again, LATER).gone == Swept(count=5, size=30)
    assert names_in(home) == again()
    assert blobs.sweep(again, LATER) == BlobSweep()
    assert [LocalBlobs(home).get(one) for one, _, _ in refs] == [b"%d" % number for number in range(5)]


def test_a_pack_in_which_something_needed_is_damaged_is_not_deleted(tmp_path: Path) -> None:
    home = tmp_path / "blobs"
    one, two, three = Together(home).put_many([b"one", b"two", b"three"])
    alter(home, one.digest, b"0ne")
    LocalBlobs(home).sweep(needing(one, two), LATER)
    (damaged,) = LocalBlobs(home).audit(lambda _: None).damaged
    assert damaged.name == one.digest
    assert LocalBlobs(home).get(two) == b"two"
    LocalBlobs(home).sweep(needing(one, two), LATER)
    assert names_in(home) == {two.digest}
    assert not LocalBlobs(home).has(three)


SWEEP = """
from lockage.adapters.blobs_local import LocalBlobs
from lockage.base.digest import Digest
from lockage.base.instant import Instant
needed = {Digest.of(b"%d" % n) for n in range(3)}
LocalBlobs(home).sweep(lambda: needed, Instant(1 << 33))
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["local", "together"])
def test_a_kill_at_any_step_loses_nothing_that_is_needed_and_the_next_sweep_goes_on(
    tmp_path: Path, run_killed: Callable[[str, int, object], int], kind: str
) -> None:
    data = [b"%d" % number for number in range(6)]
    for step in range(1, 40):
        home = tmp_path / str(step)
        blobs = _made(kind, home)
        for at in range(0, len(data), 2):
            blobs.put_many([data[at], data[at + 1]])
        del blobs
        killed = run_killed(SWEEP, step, home)
        after = LocalBlobs(home)
        assert [after.get(BlobRef.of(item)) for item in data[:3]] == data[:3]
        needed = needing(*map(BlobRef.of, data[:3]))
        after.sweep(needed, LATER)
        assert [after.has(BlobRef.of(item)) for item in data] == [True] * 3 + [False] * 3
        assert not (home / "trash").exists()
        if killed == 0:
            assert step > 6
            return
    pytest.fail("the child was still being killed at the last step")


HAMMER = """
import random, sys
from pathlib import Path
from lockage.adapters.blobs_local import LocalBlobs
from lockage.base.digest import BlobRef, Digest
from lockage.base.instant import Instant
import lockage.packs.mending
lockage.packs.mending._MANY = 3
home, seed = Path(sys.argv[1]), int(sys.argv[2])
chance = random.Random(seed)
for turn in range(25):
    blobs = LocalBlobs(home)
    items = [b"%d" % chance.randrange(80) * 20 for _ in range(8)]
    refs = [BlobRef.of(data) for data in items]
    if chance.random() < 0.5:
        blobs.put_many(items)
    else:
        blobs.put_messages(dict(zip(refs, items)))
    if chance.random() < 0.3:
        blobs.settle()
    assert blobs.vouch(refs, b"") is not None
    if turn % 5 == seed % 5:
        sweeper = LocalBlobs(home)
        sweeper.sweep(lambda: {Digest.of(b"%d" % n * 20) for n in range(40)}, Instant(1 << 33))
    for ref, data in zip(refs, items):
        assert blobs.has(ref)
        assert blobs.get(ref) == data
"""


def test_eight_processes_put_get_and_sweep_one_store(tmp_path: Path) -> None:
    home = tmp_path / "blobs"
    command = [sys.executable, "-c", HAMMER, str(home)]
    children = [subprocess.Popen([*command, str(seed)], stderr=subprocess.PIPE, text=True) for seed in range(8)]
    faults = "\n".join(child.communicate()[1] for child in children)
    assert [child.returncode for child in children] == [0] * 8, faults
    left = LocalBlobs(home)
    left.sweep(lambda: {Digest.of(b"%d" % n * 20) for n in range(40)}, LATER)
    assert left.audit(lambda _: None).damaged == ()
    assert names_in(home) <= {Digest.of(b"%d" % n * 20) for n in range(40)}
    assert not (home / "trash").exists()


EVENTS = ["put", "together", "tidy", "need", "forget", "hold", "let go", "sweep", "read"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(EVENTS), st.integers(0, 9)), max_size=30))
def test_whatever_happens_what_is_needed_or_was_seen_can_be_read(tmp_path: Path, events: list[tuple[str, int]]) -> None:
    home = Path(tempfile.mkdtemp(dir=tmp_path)) / "blobs"
    needed: set[Digest] = set()
    readers: dict[int, tuple[LocalBlobs, set[BlobRef]]] = {}
    for what, number in events:
        data = b"%d" % number
        ref = BlobRef.of(data)
        match what:
            case "put":
                LocalBlobs(home).put(data)
            case "together" | "tidy":
                _pack(home, data, b"%d" % (9 - number), tidied=what == "tidy")
            case "need" if LocalBlobs(home).has(ref):
                needed.add(ref.digest)
            case "forget":
                needed.discard(ref.digest)
            case "hold":
                reader = LocalBlobs(home)
                readers[number] = (reader, {BlobRef.of(b"%d" % n) for n in range(10) if reader.has(BlobRef.of(b"%d" % n))})
            case "let go" if number in readers:
                readers.pop(number)[0]._lease.let_go()
            case "sweep":
                LocalBlobs(home).sweep(lambda: needed, LATER)
            case _:
                pass
        if what == "read":
            assert all(BlobRef.of(reader.get(one)) == one for reader, seen in readers.values() for one in seen)
        if what == "sweep":
            assert all(LocalBlobs(home).locate(digest) is not None for digest in needed)
    for reader, _ in readers.values():
        reader._lease.let_go()
    found = LocalBlobs(home).sweep(lambda: needed, LATER)
    assert found.waiting == Swept()
    assert names_in(home) == needed


def _pack(home: Path, *items: bytes, tidied: bool) -> None:
    """Put some together, and then all packs."""
    blobs = LocalBlobs(home)
    blobs.put_messages({BlobRef.of(one): one for one in items})
    if tidied:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(mending, "_MANY", 1)
            blobs.settle()
        assert len(list((home / "packs").iterdir())) == 1


# Results, memos, runs, what is damaged


@pytest.mark.parametrize("kind", ["local", "memory"])
def test_results_of_other_actions_go(tmp_path: Path, kind: str) -> None:
    cache: ActionCache = LocalActionCache(tmp_path) if kind == "local" else MemoryActionCache()
    actions = [BlobRef.of(b"%d" % number) for number in range(3)]
    result = ActionResult(exit_code=0, outputs=actions[0], log=actions[0])
    for action in actions:
        cache.put(action, result)
    assert set(cache.sweep({actions[1]}, LATER, dry=True)) == {actions[0], actions[2]}
    assert len(list(cache.entries())) == 3
    assert set(cache.sweep({actions[1]}, LATER)) == {actions[0], actions[2]}
    assert list(cache.entries()) == [(actions[1], result)]


def test_young_results_stay(tmp_path: Path) -> None:
    cache = LocalActionCache(tmp_path)
    cache.put(BlobRef.of(b"x"), ActionResult(exit_code=0, outputs=BlobRef.of(b""), log=BlobRef.of(b"")))
    assert cache.sweep(set(), LONG_AGO) == {}
    assert LocalActionCache(tmp_path / "nowhere").sweep(set(), LATER) == {}


@pytest.mark.parametrize("kind", ["local", "memory"])
def test_old_memos_go(tmp_path: Path, kind: str) -> None:
    memo: Memo = LocalMemo(tmp_path) if kind == "local" else MemoryMemo()
    memo.put("kind", "key", b"value")
    assert memo.sweep(LATER, dry=True).count == 1
    assert memo.get("kind", "key") == b"value"
    assert memo.sweep(LATER).count == 1
    assert memo.get("kind", "key") is None


def test_what_was_set_aside_goes_when_it_is_old(tmp_path: Path) -> None:
    for name in ("blobs/quarantine/x", "actions/damaged/y", "roots/damaged/os-k-1/root/a"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(b"...")
    store = StoreFolder(tmp_path)
    assert store.sweep_damaged(LONG_AGO) == Swept()
    assert store.sweep_damaged(LATER, dry=True) == Swept(count=3, size=9)
    assert store.sweep_damaged(LATER) == Swept(count=3, size=9)
    assert store.sweep_damaged(LATER) == Swept()


def test_locks_are_known_until_they_are_old(tmp_path: Path) -> None:
    store = StoreFolder(tmp_path / "store")
    assert store.known_locks(LONG_AGO) == ()
    one, two = sorted((Digest.of(b"one"), Digest.of(b"two")))
    store.know_lock(one)
    store.know_lock(two)
    os.utime(tmp_path / "store" / "locks" / one, (100, 100))
    assert store.known_locks(LONG_AGO) == (one, two)
    assert store.known_locks(Instant(101)) == (two,)
    store.forget_locks(Instant(101))
    assert store.known_locks(LONG_AGO) == (two,)


# Copies of what others have


def copies(folder: Path, *, used: int) -> StoreFolder:
    """A store with a clone, uv's cache and a download that was broken off, each last used then, and what is to be remembered."""
    for name in (
        "clones/one.git/objects/pack",
        "cache/uv/simple",
        "cache/fetch/ab.partial",
        "cache/images/cd.partial",
        "cache/debian/releases/bookworm",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"12345")
    (folder / "clones/one.lock").touch()
    for name in ("clones/one.git", "cache/uv", "cache/fetch/ab.partial", "cache/images/cd.partial", "cache/debian/releases/bookworm"):
        os.utime(folder / name, (used, used))
    return StoreFolder(folder)


def test_copies_go_when_they_were_not_used_for_long(tmp_path: Path) -> None:
    store = copies(tmp_path, used=1000)
    expected = {"clones": Swept(count=1, size=5), "cache": Swept(count=3, size=15)}
    assert store.sweep_copies(Instant(1000)) == {"clones": Swept(), "cache": Swept()}
    assert store.sweep_copies(Instant(1001), dry=True) == expected
    assert (tmp_path / "clones/one.git/objects/pack").exists()
    assert store.sweep_copies(Instant(1001)) == expected
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert left == ["cache/debian/releases/bookworm", "clones/one.lock"], "what a mirror that goes back is found out by stays"
    assert store.sweep_copies(LATER) == {"clones": Swept(), "cache": Swept()}


def test_a_store_without_copies_has_none_to_sweep(tmp_path: Path) -> None:
    assert StoreFolder(tmp_path / "none").sweep_copies(LATER) == {"clones": Swept(), "cache": Swept()}


def test_copies_that_are_used_stay(tmp_path: Path) -> None:
    store = copies(tmp_path, used=1000)
    uv = tmp_path / "cache/uv"
    with durable.used_folder(uv), durable.used_folder(uv), durable.locked(tmp_path / "clones/one.lock"):
        assert store.sweep_copies(LATER) == {"clones": Swept(), "cache": Swept(count=2, size=10)}
    os.utime(tmp_path / "clones/one.git")
    assert store.sweep_copies(Instant(1001)) == {"clones": Swept(), "cache": Swept()}, "both were used just now"
    with durable.used_folder(tmp_path / "clones/one.git"):
        assert store.sweep_copies(LATER) == {"clones": Swept(), "cache": Swept(count=1, size=5)}
    assert store.sweep_copies(LATER) == {"clones": Swept(count=1, size=5), "cache": Swept()}


def test_what_a_sweep_that_was_killed_had_begun_to_delete_goes(tmp_path: Path) -> None:
    store = copies(tmp_path, used=1000)
    (tmp_path / "clones/one.git").rename(tmp_path / "clones/.gone-1-one.git")
    store.sweep_copies(LONG_AGO, dry=True)
    assert (tmp_path / "clones/.gone-1-one.git").exists()
    store.sweep_copies(LONG_AGO)
    assert not (tmp_path / "clones/.gone-1-one.git").exists()


def test_what_a_killed_process_was_writing_for_a_memo_goes(tmp_path: Path) -> None:
    memo = LocalMemo(tmp_path)
    (tmp_path / "tmp/1-killed").mkdir(parents=True)
    (tmp_path / "tmp/1-killed/0").write_bytes(b"half")
    memo.sweep(LONG_AGO, dry=True)
    assert (tmp_path / "tmp/1-killed/0").exists()
    memo.sweep(LONG_AGO)
    assert not (tmp_path / "tmp/1-killed").exists()

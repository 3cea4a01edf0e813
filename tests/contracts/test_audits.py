"""What every adapter that keeps things promises of an audit: what is broken is found, set aside, and deleted by nobody."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.stored import alter_in, put_apart

from lockage.adapters.action_cache_local import LocalActionCache
from lockage.adapters.blobs_local import LocalBlobs
from lockage.adapters.memory import MemoryActionCache, MemoryBlobs, MemoryRuns
from lockage.adapters.memory.packages import TarNode, make_deb
from lockage.adapters.memory.roots import MemoryRoots
from lockage.adapters.memory.storage import MemoryStorage
from lockage.adapters.roots_local import LocalRoots
from lockage.adapters.runs_local import LocalRuns
from lockage.adapters.store_local import StoreFolder, admit, begin
from lockage.base.digest import BlobRef, Digest
from lockage.base.errors import ExitCode
from lockage.base.instant import Instant
from lockage.base.name import ProjectName, Version
from lockage.base.path import RelPath
from lockage.environment.base import OsBase
from lockage.environment.lock import LockedEnvironment, LockedPackage, RootRef
from lockage.hashing import files as hashing_files
from lockage.ports import ActionCache, Blobs, Roots, Runs, Storage, StoreFormatUnknown, StoreUnreadable
from lockage.record.artifact import Run
from lockage.record.result import ActionResult
from lockage.record.source import CommitOrigin, Source

BLOB = BlobRef.of(b"x")
RESULT = ActionResult(exit_code=0, outputs=BLOB, log=BLOB)
RUN = Run(
    project=ProjectName("shop"),
    source=Source(tree=BLOB, date=Instant(315532800), version=Version("1.0"), origin=CommitOrigin(commit="0" * 40)),
    recipe=Digest.of(b"recipe"),
    lock=Digest.of(b"lock"),
    started=Instant(1),
    finished=Instant(2),
    steps=(),
    artifacts=(),
)


def nobody(size: int) -> None:
    """Hears nothing."""


def damage(path: Path, data: bytes = b"damaged") -> None:
    path.chmod(0o644)
    path.write_bytes(data)


# Blobs


@pytest.fixture(params=["local", "memory"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    return LocalBlobs(tmp_path / "blobs") if request.param == "local" else MemoryBlobs()


def test_whole_blobs_are_counted_and_heard_of(blobs: Blobs) -> None:
    heard: list[int] = []
    assert blobs.audit(heard.append).count == 0
    blobs.put_many([b"one", b"two", b"", b"large" * 400_000])
    found = blobs.audit(heard.append)
    assert (found.count, found.size, found.damaged) == (4, 2_000_006, ())
    assert sum(heard) == found.size


def test_a_damaged_blob_is_set_aside_and_can_be_put_again(tmp_path: Path) -> None:
    lost: list[bool] = []
    blobs = LocalBlobs(tmp_path / "blobs", lost=lambda: lost.append(True))
    refs = blobs.put_many([b"good", b"bad"])
    path = blobs._path(refs[1].digest)
    damage(path)
    (found,) = blobs.audit(nobody).damaged
    assert (found.name, found.what) == (refs[1].digest, f"has sha256 {Digest.of(b'damaged')}")
    assert found.aside is not None
    assert Path(found.aside).read_bytes() == b"damaged"
    assert lost == [True]
    assert not blobs.has(refs[1])
    blobs.put(b"bad")
    assert blobs.audit(nobody).damaged == ()
    assert blobs.get(refs[0]) == b"good"


def test_a_memory_blob_that_is_damaged_is_found() -> None:
    blobs = MemoryBlobs()
    ref = blobs.put(b"good")
    blobs.data[ref.digest] = b"bad"
    (found,) = blobs.audit(nobody).damaged
    assert found.name == ref.digest
    assert not blobs.has(ref)


def test_what_is_no_blob_is_set_aside_too(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path / "blobs")
    ref = blobs.put(b"good")
    blobs._path(ref.digest).with_name("notes.txt").write_bytes(b"hello")
    (found,) = blobs.audit(nobody).damaged
    assert found.name == ref.digest[:2] + "notes.txt"
    assert blobs.has(ref)


def test_an_audit_beside_writers_finds_nothing_wrong(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path / "blobs")
    blobs.put_many(b"%d" % number for number in range(50))
    done = threading.Event()

    def write() -> None:
        number = 50
        while not done.is_set():
            blobs.put(b"%d" % number)
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert [blobs.audit(nobody).damaged for _ in range(3)] == [(), (), ()]
    finally:
        done.set()
        writer.join()


# Results and runs


@pytest.fixture(params=["local", "memory"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> ActionCache:
    return LocalActionCache(tmp_path / "actions") if request.param == "local" else MemoryActionCache()


def test_every_result_can_be_had(cache: ActionCache) -> None:
    assert list(cache.entries()) == []
    actions = [BlobRef.of(b"%d" % number) for number in range(5)]
    for action in actions:
        cache.put(action, RESULT)
    assert sorted(cache.entries()) == sorted((action, RESULT) for action in actions)
    found = cache.audit(nobody)
    assert (found.count, found.damaged) == (5, ())


def test_a_damaged_result_is_set_aside(tmp_path: Path) -> None:
    cache = LocalActionCache(tmp_path / "actions")
    good, bad = BlobRef.of(b"good"), BlobRef.of(b"bad")
    cache.put(good, RESULT)
    cache.put(bad, RESULT)
    place = cache.packs.find(bad.digest)
    assert place is not None
    alter_in(place, b"damaged")
    assert list(cache.entries()) == [(good, RESULT)]
    (found,) = cache.audit(nobody).damaged
    assert found.name == bad.digest
    assert [b"damaged" in path.read_bytes() for path in (tmp_path / "actions" / "damaged").iterdir()] == [True]
    assert cache.audit(nobody).damaged == ()
    assert list(cache.entries()) == [(good, RESULT)]


def test_a_damaged_result_of_an_old_store_is_set_aside(tmp_path: Path) -> None:
    cache = LocalActionCache(tmp_path / "actions")
    good, bad = BlobRef.of(b"good"), BlobRef.of(b"bad")
    for action in (good, bad):
        put_apart(cache, action, RESULT)
    damage(Path(cache._place(bad)))
    assert list(cache.entries()) == [(good, RESULT)]
    (found,) = cache.audit(nobody).damaged
    assert found.name == str(bad)
    assert [path.read_bytes() for path in (tmp_path / "actions" / "damaged").iterdir()] == [b"damaged"]
    assert cache.audit(nobody).damaged == ()


@pytest.fixture(params=["local", "memory"])
def runs(request: pytest.FixtureRequest, tmp_path: Path) -> Runs:
    return LocalRuns(tmp_path / "runs") if request.param == "local" else MemoryRuns()


def test_every_run_is_listed(runs: Runs) -> None:
    assert runs.ids() == ()
    ids = tuple(runs.put(RUN, BLOB) for _ in range(3))
    assert runs.ids() == ids
    found = runs.audit(nobody)
    assert (found.count, found.damaged) == (3, ())


def test_a_record_that_cannot_be_read_is_set_aside_and_its_id_stays_taken(tmp_path: Path) -> None:
    runs = LocalRuns(tmp_path / "runs")
    first, last = runs.put(RUN, BLOB), runs.put(RUN, BLOB)
    damage(tmp_path / "runs" / f"{last}.json")
    (found,) = runs.audit(nobody).damaged
    assert (found.name, Path(found.aside or "").read_bytes()) == (last, b"damaged")
    assert (runs.ids(), runs.latest(), runs.get(last)) == ((first,), first, None)
    assert runs.put(RUN, BLOB) == "run-000003"
    assert runs.audit(nobody).damaged == ()


# Roots

DEB = make_deb(
    "base-files",
    [
        TarNode(name="./", kind="5", mode=0o755),
        TarNode(name="./bin/", kind="5", mode=0o755),
        TarNode(name="./bin/a", data=b"a\n", mode=0o755),
    ],
)


@pytest.fixture(params=["local", "memory"])
def roots(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Roots, Blobs]:
    if request.param == "memory":
        memory = MemoryBlobs()
        return MemoryRoots(memory), memory
    local = LocalBlobs(tmp_path / "blobs")
    return LocalRoots(local, tmp_path / "roots"), local


def environment(blobs: Blobs) -> LockedEnvironment:
    ref = blobs.put(DEB)
    package = LockedPackage(
        name="base-files", version="1", architecture="amd64", path=RelPath("pool/a.deb"), size=ref.size, sha256=ref.digest
    )
    return LockedEnvironment(
        declaration=Digest.of(b"declaration"),
        os=OsBase.parse("debian:bookworm"),
        architecture="amd64",
        release_date="2026-11-01",
        release_sha256=Digest.of(b"Release"),
        root=RootRef(tree=BLOB, metadata=BLOB.digest),
        packages=(package,),
    )


def test_whole_roots_are_counted(roots: tuple[Roots, Blobs]) -> None:
    made, blobs = roots
    assert made.audit(nobody).count == 0
    made.realise(environment(blobs), expect=False)
    found = made.audit(nobody)
    assert (found.count, found.damaged) == (1, ())


@pytest.mark.parametrize("defect", ["byte", "missing", "manifest"])
def test_a_byte_that_turned_in_a_root_is_found_though_nobody_wrote(tmp_path: Path, defect: str) -> None:
    blobs = LocalBlobs(tmp_path / "blobs")
    roots = LocalRoots(blobs, tmp_path / "roots")
    layer = roots.realise(environment(blobs), expect=False).layers[0][1]
    if defect == "byte":
        damage(layer / "bin" / "a", b"b\n")
        (layer / "bin" / "a").chmod(0o755)
    elif defect == "missing":
        (layer / "bin" / "a").unlink()
    else:
        (layer.parent / "manifest").unlink()
    (found,) = roots.audit(nobody).damaged
    assert ("manifest" if defect == "manifest" else "bin/a") in found.what
    assert found.aside is not None
    assert Path(found.aside).is_dir()
    assert not layer.exists()
    again = roots.realise(environment(blobs), expect=False).layers[0][1]
    assert (again / "bin" / "a").read_bytes() == b"a\n"
    assert roots.audit(nobody).damaged == ()


# The folder


@pytest.fixture(params=["local", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Storage, Callable[[bytes], object]]:
    if request.param == "memory":
        memory = MemoryBlobs()
        return MemoryStorage(memory), memory.put
    return StoreFolder(tmp_path / "store"), LocalBlobs(tmp_path / "store" / "blobs").put


def test_what_a_store_holds(storage: tuple[Storage, Callable[[bytes], object]]) -> None:
    found, put = storage
    assert {kind.kind: (kind.count, kind.size, kind.oldest) for kind in found.kinds()}["blobs"] == (0, 0, None)
    put(b"one")
    put(b"three")
    (blobs,) = (kind for kind in found.kinds() if kind.kind == "blobs")
    assert (blobs.count, blobs.size, blobs.again) == (2, 8, False)
    assert blobs.oldest is not None
    assert found.free() > 0


def test_every_kind_is_counted_where_it_lies(tmp_path: Path) -> None:
    files = {
        "blobs/sha256/aa/b": 10,
        "blobs/quarantine/x": 3,
        "blobs/tmp/1-a/0": 4,
        "blobs/trash/1/x": 13,
        "actions/ab/c-1": 5,
        "actions/damaged/x": 2,
        "actions/tmp/1-a/0": 1,
        "runs/run-000001.json": 6,
        "ledger.db": 7,
        "ledger.db-wal": 8,
        "roots/os/k/root/bin/a": 100,
        "roots/os/k/stamp": 1,
        "roots/python/k/root/b": 50,
        "roots/damaged/os-k-1/root/a": 9,
        "clones/one/objects/a": 20,
        "clones/one/objects/b": 20,
        "memo/tree/ab/c": 11,
        "cache/uv/x": 12,
    }
    for name, size in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"." * size)
    before = sorted(path.stat().st_mtime_ns for path in tmp_path.rglob("*"))
    found = {kind.kind: (kind.count, kind.size) for kind in StoreFolder(tmp_path).kinds()}
    assert found == {
        "blobs": (1, 10),
        "ledger": (2, 15),
        "runs": (1, 6),
        "actions": (1, 5),
        "roots": (2, 151),
        "clones": (1, 40),
        "memo": (1, 11),
        "cache": (3, 17),
        "trash": (1, 13),
        "damaged": (3, 14),
    }
    assert sorted(path.stat().st_mtime_ns for path in tmp_path.rglob("*")) == before


# The format


def test_a_store_says_its_format_before_its_first_blob(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "store"
    blobs = LocalBlobs(folder / "blobs", begin=lambda: begin(folder))
    admit(folder)
    assert not folder.exists()
    blobs.put(b"one")
    assert (folder / "format").read_bytes() == b"2\n"
    admit(folder)


def test_an_old_store_stays_as_it_is_until_it_gets_a_pack(tmp_path: Path) -> None:
    LocalBlobs(tmp_path / "blobs").put(b"one")
    blobs = LocalBlobs(tmp_path / "blobs", begin=lambda: begin(tmp_path))
    blobs.put(b"two")
    assert not (tmp_path / "format").exists()
    admit(tmp_path)
    blobs.put_messages({BlobRef.of(b"three"): b"three"})
    assert (tmp_path / "format").read_bytes() == b"2\n"
    admit(tmp_path)


def test_a_store_says_its_format_before_its_first_pack_of_results(tmp_path: Path) -> None:
    begun: list[bool] = []
    cache = LocalActionCache(tmp_path / "actions", begin=lambda: begun.append((tmp_path / "actions" / "packs").exists()))
    cache.put(BlobRef.of(b"an action"), RESULT)
    cache.put(BlobRef.of(b"another"), RESULT)
    assert begun == [False]


@pytest.mark.parametrize("text", [b"3\n", b"999999999999", b"", b"one", b"-1", b"1.0", b"\xff", b"0"])
def test_a_store_of_another_format_is_refused_by_name(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "format").write_bytes(text)
    with pytest.raises(StoreFormatUnknown, match="format") as caught:
        admit(tmp_path)
    assert caught.value.exit_code is ExitCode.NOT_PERMITTED
    assert caught.value.details["file"] == str(tmp_path / "format")


def test_a_format_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "format").mkdir()
    with pytest.raises(StoreUnreadable, match="format"):
        admit(tmp_path)


LATER, LONG_AGO = Instant(1 << 33), Instant(1)


def test_layers_that_nobody_needs_or_uses_go(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path / "blobs")
    user = LocalRoots(blobs, tmp_path / "roots")
    needed = environment(blobs)
    layer = user.realise(needed, expect=False).layers[0][1]
    sweeper = LocalRoots(blobs, tmp_path / "roots")
    assert sweeper.sweep([needed], LATER).count == 0
    assert sweeper.sweep([], LONG_AGO).count == 0
    assert sweeper.sweep([], LATER, dry=True).count == 1
    assert sweeper.sweep([], LATER).count == 0  # it is in use
    assert (layer / "bin" / "a").read_bytes() == b"a\n"
    del user
    found = sweeper.sweep([], LATER)
    assert found.count == 1
    assert found.size > 2
    assert not layer.parent.exists()
    again = LocalRoots(blobs, tmp_path / "roots").realise(needed, expect=False).layers[0][1]
    assert (again / "bin" / "a").read_bytes() == b"a\n"


def test_damage_is_found_by_helpers_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing_files, "_MANY", 1)
    monkeypatch.setattr(hashing_files, "_cores", lambda: 2)
    store = LocalBlobs(tmp_path)
    refs = store.put_many(b"audited %d" % number for number in range(300))
    damage(store._path(refs[3].digest))
    damage(store._path(refs[200].digest), b"x" * refs[200].size)
    read: list[int] = []
    found = store.audit(read.append)
    assert {damaged.name for damaged in found.damaged} == {str(refs[3].digest), str(refs[200].digest)}
    assert (found.count, found.size) == (300, sum(read))
    assert sum(read) == sum(ref.size for ref in refs) - refs[3].size + len(b"damaged")
    assert store.audit(nobody).damaged == ()

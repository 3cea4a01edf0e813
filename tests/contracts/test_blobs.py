"""The contract of ports.Blobs, over every adapter; and what only a store on a disk can suffer."""

import io
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.stored import Together, alter, places_of

from lockage.adapters.blobs_local import LocalBlobs
from lockage.adapters.memory import MemoryBlobs
from lockage.adapters.store_deferred import DeferredBlobs
from lockage.base.digest import EMPTY_BLOB, BlobRef, Digest
from lockage.hashing import files as hashing_files
from lockage.packs import Pack
from lockage.ports import BlobCorrupt, BlobMissing, Blobs, StoreUnwritable
from lockage.ports.storage import Stream

LARGE = bytes(range(256)) * 4 * 9000  # above what is served from memory


@pytest.fixture(params=["local", "memory", "deferred", "together"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    local = LocalBlobs(tmp_path / "store")
    made: dict[str, Blobs] = {"local": local, "memory": MemoryBlobs(), "deferred": DeferredBlobs(local)}
    return made[request.param] if request.param in made else Together(tmp_path / "store")


def damage(blobs: Blobs, ref: BlobRef, data: bytes) -> bytes:
    """Put other bytes where a blob is: those that are there now."""
    if isinstance(blobs, MemoryBlobs):
        blobs.data[ref.digest] = data
        return data
    local = blobs._inner if isinstance(blobs, DeferredBlobs) else blobs
    assert isinstance(local, LocalBlobs)
    return alter(local._folder, ref.digest, data)


@pytest.mark.parametrize("data", [b"", b"x", LARGE], ids=["empty", "small", "large"])
def test_gives_back_what_was_put(blobs: Blobs, data: bytes) -> None:
    ref = blobs.put(data)
    assert ref == BlobRef.of(data)
    assert blobs.get(ref) == data
    assert blobs.has(ref)
    assert blobs.locate(ref.digest) == ref
    with blobs.open(ref) as stream:
        assert stream.read(1) == data[:1]
        stream.seek(0)
        assert stream.read() == data


def test_a_stream_is_kept_as_its_bytes(blobs: Blobs) -> None:
    ref = blobs.put_stream(io.BytesIO(LARGE))
    assert ref == BlobRef.of(LARGE)
    assert blobs.get(ref) == LARGE
    assert blobs.put_stream(io.BytesIO(LARGE)) == ref


def test_many_come_back_in_order_with_repetitions(blobs: Blobs) -> None:
    items = [b"a", b"b", b"a", b"", *(str(n).encode() for n in range(100))]
    refs = blobs.put_many(iter(items))
    assert [blobs.get(ref) for ref in refs] == items
    assert blobs.put_many([]) == []
    assert blobs.put_many(items) == refs


def test_what_is_absent_is_missing(blobs: Blobs) -> None:
    ref = BlobRef.of(b"never put")
    assert not blobs.has(ref)
    assert blobs.locate(ref.digest) is None
    with pytest.raises(BlobMissing, match=ref.digest):
        blobs.get(ref)
    with pytest.raises(BlobMissing, match=ref.digest):
        blobs.open(ref)


def test_the_size_is_part_of_the_identity(blobs: Blobs) -> None:
    ref = blobs.put(b"four")
    wrong = BlobRef(ref.digest, 5)
    assert not blobs.has(wrong)
    with pytest.raises(BlobMissing):
        blobs.get(wrong)
    with pytest.raises(BlobMissing):
        blobs.open(wrong)
    assert blobs.get(ref) == b"four"


@pytest.mark.parametrize("how", ["flipped", "truncated", "grown"])
@pytest.mark.parametrize("data", [b"good bytes", LARGE], ids=["small", "large"])
def test_damaged_bytes_are_never_returned_and_can_be_healed(blobs: Blobs, data: bytes, how: str) -> None:
    ref = blobs.put(data)
    bad = {"flipped": bytes([data[0] ^ 1]) + data[1:], "truncated": data[:-1], "grown": data + b"!"}[how]
    bad = damage(blobs, ref, bad)
    with pytest.raises(BlobCorrupt) as caught:
        blobs.open(ref)
    assert caught.value.details["expected"] == ref.digest
    assert caught.value.details["found"] == Digest.of(bad)
    assert not blobs.has(ref)
    assert blobs.put(data) == ref
    assert blobs.get(ref) == data


def test_a_put_replaces_a_file_of_another_size(blobs: Blobs) -> None:
    ref = blobs.put(b"good bytes")
    damage(blobs, ref, b"good")
    blobs.put(b"good bytes")
    assert blobs.get(ref) == b"good bytes"


# Vouching


def test_a_witness_is_given_for_whole_blobs_and_holds_as_long_as_they_are(blobs: Blobs) -> None:
    refs = blobs.put_many([b"one", b"two", b"", LARGE, b"one"])
    witness = blobs.vouch(refs, None)
    assert witness is not None
    assert blobs.vouch(refs, witness) == witness
    assert blobs.vouch([], None) is not None


@pytest.mark.parametrize("how", ["flipped", "truncated", "grown", "emptied"])
@pytest.mark.parametrize("with_witness", [False, True])
def test_nothing_is_vouched_for_that_is_damaged_and_it_can_be_healed(blobs: Blobs, how: str, with_witness: bool) -> None:
    refs = blobs.put_many([b"one", b"two", b"three"])
    witness = blobs.vouch(refs, None) if with_witness else None
    damage(blobs, refs[1], {"flipped": b"tw0", "truncated": b"tw", "grown": b"two!", "emptied": b""}[how])
    assert blobs.vouch(refs, witness) is None
    assert blobs.put(b"two") == refs[1]
    healed = blobs.vouch(refs, witness)
    assert healed is not None
    assert blobs.vouch(refs, healed) == healed
    assert blobs.get(refs[1]) == b"two"


def test_all_that_is_damaged_is_set_aside_at_once(blobs: Blobs) -> None:
    refs = blobs.put_many([b"one", b"two", b"three"])
    damage(blobs, refs[0], b"0ne")
    damage(blobs, refs[2], b"thr3e")
    assert blobs.vouch(refs, None) is None
    assert [blobs.has(ref) for ref in refs] == [False, True, False]


def test_nothing_is_vouched_for_that_is_absent_or_of_another_size(blobs: Blobs) -> None:
    ref = blobs.put(b"four")
    assert blobs.vouch([ref, BlobRef.of(b"never put")], None) is None
    assert blobs.vouch([BlobRef(ref.digest, 5)], None) is None
    assert blobs.vouch([BlobRef(ref.digest, 5)], blobs.vouch([ref], None)) is None


@pytest.mark.parametrize("witness", [b"", b"nonsense", b"\0" * 64, b"\xff" * 1000])
def test_what_is_no_witness_vouches_for_nothing(blobs: Blobs, witness: bytes) -> None:
    refs = blobs.put_many([b"one", b"two"])
    assert blobs.vouch(refs, witness) == blobs.vouch(refs, None)
    damage(blobs, refs[0], b"0ne")
    assert blobs.vouch(refs, witness) is None


def test_a_witness_of_other_blobs_vouches_for_nothing(blobs: Blobs) -> None:
    one, two = blobs.put_many([b"one", b"two"])
    witness = blobs.vouch([one], None)
    damage(blobs, two, b"tw0")
    assert blobs.vouch([two], witness) is None
    assert blobs.vouch([one], blobs.vouch([one, one], None)) is not None


def test_what_is_put_soon_is_there_at_once_and_kept_once_settled(blobs: Blobs) -> None:
    there = blobs.put(b"there")
    refs = blobs.put_soon([b"one", b"two", b"one", b"there"])
    assert refs == [BlobRef.of(b"one"), BlobRef.of(b"two"), BlobRef.of(b"one"), there]
    for settled in (False, True):
        if settled:
            blobs.settle()
        assert [blobs.get(ref) for ref in refs] == [b"one", b"two", b"one", b"there"]
        assert all(blobs.has(ref) for ref in refs)
        assert blobs.locate(refs[1].digest) == refs[1]
        with blobs.open(refs[1]) as stream:
            assert stream.read() == b"two"
        assert blobs.vouch(refs, None) is not None
    assert blobs.put(b"one") == refs[0]
    blobs.settle()


def test_messages_are_kept_under_the_references_that_they_came_with(blobs: Blobs) -> None:
    there = blobs.put(b"there")
    messages = {BlobRef.of(data): data for data in (b"one", b"", b"there")}
    blobs.put_messages(messages)
    for settled in (False, True):
        if settled:
            blobs.settle()
        assert {ref: blobs.get(ref) for ref in messages} == messages
        assert all(blobs.has(ref) for ref in (*messages, there))
    assert blobs.vouch(list(messages), None) is not None


def test_what_was_put_is_recognised_and_what_was_not_put_or_was_damaged_is_not(blobs: Blobs) -> None:
    ref = blobs.put(b"good")
    assert blobs.recognises(ref)
    assert blobs.recognises(BlobRef.of(b"never put")) is False
    damage(blobs, ref, b"evil")
    assert blobs.recognises(ref) is None


# What only a folder has


@pytest.fixture
def local(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "store")


def files(folder: Path) -> set[str]:
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return {path for path in found if not path.startswith("leases/")}


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o777], ids=oct)
def test_modes_do_not_depend_on_the_umask(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        blobs = LocalBlobs(tmp_path / "store")
        ref = blobs.put(b"x")
    finally:
        os.umask(before)
    path = tmp_path / "store" / "sha256" / ref.digest[:2] / ref.digest[2:]
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert all(stat.S_IMODE(folder.stat().st_mode) == 0o700 for folder in (path.parent, tmp_path / "store"))


def test_damaged_files_are_kept_in_quarantine(local: LocalBlobs, tmp_path: Path) -> None:
    ref = local.put(b"good")
    damage(local, ref, b"evil")
    with pytest.raises(BlobCorrupt, match=ref.digest):
        local.get(ref)
    (kept,) = (tmp_path / "store" / "quarantine").iterdir()
    assert kept.name.startswith(ref.digest)
    assert kept.read_bytes() == b"evil"


def test_what_was_put_once_is_looked_at_no_more_than_it_must_be(local: LocalBlobs) -> None:
    (ref,) = local.put_many([b"good"])
    path = local._path(ref.digest)
    inode = path.stat().st_ino
    local.put_many([b"good"])
    assert path.stat().st_ino == inode
    path.unlink()
    local.put_many([b"good"])
    assert local.get(ref) == b"good"


def test_quarantine_spares_a_file_that_was_healed_meanwhile(local: LocalBlobs) -> None:
    ref = local.put(b"good")
    path = local._path(ref.digest)
    local._files.set_aside(path, path.stat().st_ino + 1)
    assert local.get(ref) == b"good"


def hidden(local: LocalBlobs, ref: BlobRef, data: bytes) -> None:
    """Other bytes of the same length under the same inode and time of change."""
    path = local._path(ref.digest)
    before = path.stat()
    damage(local, ref, data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_witness_spares_hashing_whatever_it_names_beside(tmp_path: Path) -> None:
    one, two, three, four = LocalBlobs(tmp_path / "store").put_many([b"one", b"two", b"three", b"four"])
    local = LocalBlobs(tmp_path / "store")  # which has written nothing itself
    witness = local.vouch([one, two, three], None)
    hidden(local, two, b"tw0")
    fewer = local.vouch([three, two], witness)  # nothing of the file tells
    assert fewer is not None
    more = local.vouch([four, two, two], fewer)
    assert more is not None
    assert local.vouch([four, two, two], more) == more
    hidden(local, four, b"f0ur")
    assert local.vouch([four, two, three], fewer) is not None  # the witness does not know of four, but who hashed it does
    assert LocalBlobs(tmp_path / "store").vouch([four, two, three], fewer) is None


def test_a_witness_spares_hashing_and_none_hashes_all(local: LocalBlobs, tmp_path: Path) -> None:
    refs = local.put_many([b"one", b"two"])
    witness = local.vouch(refs, None)
    hidden(local, refs[0], b"0ne")
    assert local.vouch(refs, witness) == witness  # nothing of the file tells
    assert local.vouch(refs, None) is None
    (kept,) = (tmp_path / "store" / "quarantine").iterdir()
    assert kept.read_bytes() == b"0ne"


@pytest.mark.parametrize("how", ["time", "inode"])
def test_what_is_not_as_its_witness_says_is_hashed_again(local: LocalBlobs, how: str) -> None:
    refs = local.put_many([b"one", b"two"])
    witness = local.vouch(refs, None)
    path = local._path(refs[0].digest)
    before = path.stat()
    if how == "inode":
        copy = path.with_name("copy")
        copy.write_bytes(b"one")
        copy.replace(path)
    os.utime(path, ns=(0, before.st_mtime_ns + (how == "time")))
    renewed = local.vouch(refs, witness)
    assert renewed is not None
    assert renewed != witness
    assert local.vouch(refs, renewed) == renewed
    damage(local, refs[0], b"0ne")
    os.utime(path, ns=(0, before.st_mtime_ns + 5))
    assert local.vouch(refs, renewed) is None


def test_a_store_that_finds_damage_says_so(tmp_path: Path) -> None:
    lost: list[bool] = []
    blobs = LocalBlobs(tmp_path / "store", lost=lambda: lost.append(True))
    ref = blobs.put(b"one")
    assert blobs.vouch([ref], None) is not None
    assert lost == []
    damage(blobs, ref, b"0ne")
    assert blobs.vouch([ref], None) is None
    assert lost == [True]


def test_threads_put_and_get_the_same_blobs(local: LocalBlobs) -> None:
    items = [str(n).encode() * 100 for n in range(40)]
    faults: list[Exception] = []

    def work() -> None:
        try:
            for ref, data in zip(local.put_many(items), items, strict=True):
                assert local.get(ref) == data
        except Exception as error:  # noqa: BLE001  # whatever a thread raises fails the test
            faults.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []


PUT_MANY = """
from lockage.adapters.blobs_local import LocalBlobs
LocalBlobs(home).put_many(b"%d" % n * 50 for n in range(150))
"""


def test_two_processes_share_a_store(tmp_path: Path) -> None:
    code = f"import sys; from pathlib import Path; home = Path(sys.argv[1])\n{PUT_MANY}"
    children = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "store")]) for _ in range(2)]
    assert [child.wait() for child in children] == [0, 0]
    blobs = LocalBlobs(tmp_path / "store")
    for n in range(150):
        assert blobs.get(BlobRef.of(b"%d" % n * 50)) == b"%d" % n * 50
    assert list((tmp_path / "store" / "tmp").iterdir()) == []


PUT_THREE = """
from lockage.adapters.blobs_local import LocalBlobs
LocalBlobs(home).put_many([b"one", b"two", b"three"])
"""


@pytest.mark.slow
def test_a_kill_at_any_step_leaves_whole_blobs_and_nothing_that_stays(
    tmp_path: Path, run_killed: Callable[[str, int, object], int]
) -> None:
    for step in range(1, 20):
        home = tmp_path / str(step)
        killed = run_killed(PUT_THREE, step, home)
        found = LocalBlobs(home)
        for data in (b"one", b"two", b"three"):
            ref = BlobRef.of(data)
            assert not found.has(ref) or found.get(ref) == data
        found.put_many([b"one", b"two", b"three"])
        assert all(found.get(BlobRef.of(data)) == data for data in (b"one", b"two", b"three"))
        found.put(b"four")  # writing is when left-overs are removed
        assert len(files(home)) == 4
        if killed == 0:
            assert step > 8
            return
    pytest.fail("the child was still being killed at the last step")


FULL = """
import resource
from lockage.adapters.blobs_local import LocalBlobs
from lockage.ports import StoreUnwritable
resource.setrlimit(resource.RLIMIT_FSIZE, (10000, 10000))
blobs = LocalBlobs(home)
blobs.put(b"fits")
import io
large = b"x" * 20000
for put in (lambda: blobs.put(large), lambda: blobs.put_many([b"y", large]), lambda: blobs.put_stream(io.BytesIO(large))):
    try:
        put()
    except StoreUnwritable as error:
        assert str(home) in error.message, error.message
    else:
        raise SystemExit("was put")
assert len([path for path in home.rglob("*") if path.is_file() and path.parent.name != "leases"]) == 1
"""


def test_a_file_that_cannot_be_written_names_the_folder_and_leaves_nothing(
    tmp_path: Path, run_killed: Callable[[str, int, object], int]
) -> None:
    assert run_killed(FULL, 0, tmp_path / "store") == 0


def test_a_store_below_a_file_is_unwritable(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreUnwritable, match="not a folder"):
        LocalBlobs(tmp_path / "file" / "store").put(b"x")
    assert not LocalBlobs(tmp_path / "file" / "store").has(EMPTY_BLOB)


def opened(*items: bytes) -> list[Callable[[], io.BytesIO]]:
    return [lambda data=data: io.BytesIO(data) for data in items]  # type: ignore[misc]  # the default is the loop's value


MIXED = [b"", b"a", LARGE, b"b" * (256 << 10), b"c" * ((256 << 10) + 1), b"a", LARGE, *(str(n).encode() for n in range(2000)), LARGE[1:]]


def test_streams_come_back_in_order_with_repetitions(blobs: Blobs) -> None:
    for _ in range(2):  # the second time all of them are present
        refs = blobs.put_streams(iter(opened(*MIXED)))
        assert refs == [BlobRef.of(data) for data in MIXED]
        assert all(blobs.get(ref) == data for ref, data in zip(refs, MIXED, strict=True))


def test_large_streams_among_present_ones_are_kept(blobs: Blobs) -> None:
    """A large one is hashed alone if what came before was present, and must be read again if it is not."""
    blobs.put_many([b"a", LARGE])
    refs = blobs.put_streams(opened(b"a", LARGE, LARGE[2:], b"a", LARGE[3:]))
    assert [blobs.get(ref) for ref in refs] == [b"a", LARGE, LARGE[2:], b"a", LARGE[3:]]


@pytest.mark.parametrize("data", [b"x", LARGE], ids=["small", "large"])
def test_a_stream_that_cannot_be_read_leaves_nothing_behind(blobs: Blobs, data: bytes) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise PermissionError("no")

        def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]  # nobody gives it another
            if self.tell() + 1 >= len(data):
                raise PermissionError("no")
            return super().readinto(buffer[: max(1, len(data) // 2)])

    with pytest.raises(PermissionError):  # it is the stream's error, not the store's
        blobs.put_streams([*opened(*(str(n).encode() for n in range(100))), lambda: Broken(data)])
    if isinstance(blobs, LocalBlobs):
        assert not [path for path in (blobs._folder / "tmp").rglob("*") if path.is_file()]


def test_each_stream_is_opened_and_hashed_once(tmp_path: Path) -> None:
    read: dict[int, int] = {}

    class Counted(io.BytesIO):
        def __init__(self, number: int, data: bytes) -> None:
            super().__init__(data)
            self.number = number

        def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]  # as above
            found = super().readinto(buffer)
            read[self.number] = read.get(self.number, 0) + found
            return found

    items = [bytes([n]) * (n << 14) for n in range(60)]
    blobs = LocalBlobs(tmp_path / "store")
    for _ in range(2):
        read.clear()
        blobs.put_streams([lambda n=n, data=data: Counted(n, data) for n, data in enumerate(items)])  # type: ignore[misc]  # as above
        assert read == {n: len(data) for n, data in enumerate(items)}


def test_a_store_that_cannot_be_written_says_so_for_streams(tmp_path: Path) -> None:
    (tmp_path / "store").write_bytes(b"")
    with pytest.raises(StoreUnwritable):
        LocalBlobs(tmp_path / "store").put_streams(opened(b"a"))


@pytest.fixture(params=[False, True], ids=["few", "many"])
def helped(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether helpers hash what is read."""
    many: bool = request.param
    monkeypatch.setattr(hashing_files, "_MANY", 1 if many else 1 << 30)
    monkeypatch.setattr(hashing_files, "_cores", lambda: 2)
    return many


def written(folder: Path, *items: bytes) -> list[tuple[bytes, int]]:
    """Files with these bytes, named by their places."""
    folder.mkdir(exist_ok=True)
    for number, data in enumerate(items):
        (folder / str(number)).write_bytes(data)
    return [(b"%d" % number, len(data)) for number, data in enumerate(items)]


class Opener:
    """Opens files below a folder, and counts them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.opened: list[bytes] = []

    def __call__(self, name: bytes) -> Stream:
        self.opened.append(name)
        return (self._folder / name.decode()).open("rb")


def test_files_come_back_in_order_with_repetitions(blobs: Blobs, tmp_path: Path, helped: bool) -> None:
    tree = tmp_path / "tree"
    names = written(tree, *MIXED)
    for present in (False, True):
        opener = Opener(tree)
        refs = blobs.put_files(os.fsencode(tree), iter(names), opener)
        assert refs == [BlobRef.of(data) for data in MIXED]
        assert all(blobs.get(ref) == data for ref, data in zip(refs, MIXED, strict=True))
        if helped and not isinstance(blobs, MemoryBlobs):
            assert (len(opener.opened) < 20) is present  # only those that are asked whether most are present


def test_new_files_among_present_ones_are_kept(blobs: Blobs, tmp_path: Path, helped: bool) -> None:
    tree = tmp_path / "tree"
    items = [str(number).encode() for number in range(1000)]
    written(tree, *items)
    blobs.put_many(items)
    items[300:320] = [*(LARGE[number:] for number in range(4)), *(b"new %d" % number for number in range(16))]
    names = written(tree, *items)
    opener = Opener(tree)
    refs = blobs.put_files(os.fsencode(tree), names, opener)
    assert refs == [BlobRef.of(data) for data in items]
    assert all(blobs.get(ref) == data for ref, data in zip(refs, items, strict=True))
    assert {b"%d" % number for number in range(300, 320)} <= set(opener.opened)


def test_helpers_are_left_when_most_files_turn_out_to_be_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing_files, "_MANY", 1)
    monkeypatch.setattr(hashing_files, "_cores", lambda: 2)
    blobs, tree = LocalBlobs(tmp_path / "store"), tmp_path / "tree"
    items = [*(b"" for _ in range(20)), *(b"%d" % number for number in range(3000))]
    blobs.put(b"")
    opener = Opener(tree)
    refs = blobs.put_files(os.fsencode(tree), written(tree, *items), opener)
    assert refs == [BlobRef.of(data) for data in items]
    assert all(blobs.get(ref) == data for ref, data in zip(refs, items, strict=True))


def test_a_file_that_is_gone_is_asked_for(blobs: Blobs, tmp_path: Path, helped: bool) -> None:
    tree = tmp_path / "tree"
    names = written(tree, b"", *(str(number).encode() for number in range(100)))
    blobs.put_files(os.fsencode(tree), names, Opener(tree))
    (tree / "50").unlink()
    with pytest.raises(FileNotFoundError):  # it is the opener's error
        blobs.put_files(os.fsencode(tree), names, Opener(tree))


def test_what_finding_the_files_raises_is_raised(blobs: Blobs, tmp_path: Path, helped: bool) -> None:
    tree = tmp_path / "tree"
    names = written(tree, *(str(number).encode() for number in range(500)))
    blobs.put_files(os.fsencode(tree), names, Opener(tree))

    def broken() -> Iterator[tuple[bytes, int]]:
        yield from names
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        blobs.put_files(os.fsencode(tree), broken(), Opener(tree))


def test_a_blob_that_was_cut_off_is_healed_by_its_file(tmp_path: Path, helped: bool) -> None:
    blobs, tree = LocalBlobs(tmp_path / "store"), tmp_path / "tree"
    items = [b"whole %d" % number for number in range(200)]
    names = written(tree, *items)
    refs = blobs.put_files(os.fsencode(tree), names, Opener(tree))
    damage(blobs, refs[100], b"cut")
    assert blobs.put_files(os.fsencode(tree), names, Opener(tree)) == refs
    assert blobs.get(refs[100]) == items[100]


def test_a_file_whose_blob_lies_in_the_trash_takes_it_back(tmp_path: Path, helped: bool) -> None:
    blobs, tree = LocalBlobs(tmp_path / "store"), tmp_path / "tree"
    items = [b"kept %d" % number for number in range(200)]
    names = written(tree, *items)
    refs = blobs.put_files(os.fsencode(tree), names, Opener(tree))
    trash = tmp_path / "store" / "trash" / "1"
    trash.mkdir(parents=True)
    blobs._path(refs[100].digest).rename(trash / refs[100].digest)
    assert blobs.put_files(os.fsencode(tree), names, Opener(tree)) == refs
    assert not list(trash.iterdir())


def test_vouching_finds_what_was_damaged_however_many_there_are(tmp_path: Path, helped: bool) -> None:
    blobs = LocalBlobs(tmp_path / "store")
    refs = blobs.put_many(b"vouched %d" % number for number in range(200))
    witness = blobs.vouch(refs, None)
    assert witness is not None
    assert blobs.vouch(refs, witness) == witness
    other = LocalBlobs(tmp_path / "store")  # which has written none of them
    assert other.vouch(refs, None) == witness
    damage(blobs, refs[70], b"x" * refs[70].size)
    assert other.vouch(refs, None) is None
    assert not other.has(refs[70])
    assert [path.name[:64] for path in (tmp_path / "store" / "quarantine").iterdir()] == [str(refs[70].digest)]


# Packs


MENDING = """
import sys
from pathlib import Path
from lockage.adapters.blobs_local import LocalBlobs
from lockage.base.digest import BlobRef
from lockage.ports import BlobCorrupt, BlobMissing
blobs = LocalBlobs(Path(sys.argv[1]))
data = [b"%d" % number for number in range(200)]
refs = [BlobRef.of(one) for one in data]
assert blobs.has(refs[0])
print("ready", flush=True)
sys.stdin.readline()
assert blobs.vouch(refs, None) is None
for ref, one in zip(refs, data):
    if one != b"7":
        assert blobs.get(ref) == one
try:
    blobs.get(refs[7])
except (BlobCorrupt, BlobMissing):
    print("missing")
"""


def test_processes_that_find_the_same_damage_lose_nothing_else(tmp_path: Path) -> None:
    home = tmp_path / "blobs"
    refs = Together(home).put_many([b"%d" % number for number in range(200)])
    alter(home, refs[7].digest, b"x")
    command = [sys.executable, "-c", MENDING, str(home)]
    children = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    ended = [child.communicate() for child in children]
    assert ended == [("missing\n", "")] * 4
    assert LocalBlobs(home).audit(lambda _: None).damaged == ()
    assert len(list((home / "quarantine").iterdir())) == 1
    Together(home).put(b"7")
    assert LocalBlobs(home).vouch(refs, None) is not None


def test_one_look_at_a_pack_tells_of_all_that_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refs = Together(tmp_path).put_many([b"%d" % number for number in range(100)])
    blobs = LocalBlobs(tmp_path)
    witness = blobs.vouch(refs, None)
    looks: list[str] = []
    look = Pack.looks

    def counted(pack: Pack) -> tuple[int, int] | None:
        looks.append(pack.name)
        return look(pack)

    monkeypatch.setattr(Pack, "looks", counted)
    assert blobs.vouch(refs, witness) == witness
    assert len(looks) == 1
    (path,) = (tmp_path / "packs").iterdir()
    os.utime(path)
    again = blobs.vouch(refs, witness)
    assert again not in (None, witness)


def test_of_a_pack_that_was_cut_off_what_is_left_is_kept(tmp_path: Path) -> None:
    refs = Together(tmp_path).put_many([b"%d" % number for number in range(10)])
    reader = LocalBlobs(tmp_path)
    assert reader.has(refs[0])
    (path,) = (tmp_path / "packs").iterdir()
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1])
    last = max(refs)
    for blobs in (reader, LocalBlobs(tmp_path)):
        assert [ref for ref in refs if not blobs.has(ref)] == [last]
        assert all(BlobRef.of(blobs.get(ref)) == ref for ref in refs if ref != last)


def test_a_blob_that_is_whole_somewhere_is_read_from_there(tmp_path: Path) -> None:
    together = Together(tmp_path)
    ref = together.put(b"twice")
    LocalBlobs(tmp_path).put(b"twice")
    own, packed = places_of(tmp_path, ref.digest)
    assert isinstance(own, Path)
    assert not isinstance(packed, Path)
    own.chmod(0o600)
    own.write_bytes(b"other")
    assert LocalBlobs(tmp_path).get(ref) == b"twice"
    assert not own.exists()
    LocalBlobs(tmp_path).put(b"twice")
    alter(tmp_path, ref.digest, b"twice")  # which turns what is in the pack into something else
    assert LocalBlobs(tmp_path).get(ref) == together.get(ref) == b"twice"


def test_a_kill_at_any_step_of_a_pack_leaves_all_of_it_or_nothing(tmp_path: Path, run_killed: Callable[[str, int, object], int]) -> None:
    code = """
from lockage.adapters.blobs_local import LocalBlobs
from lockage.base.digest import BlobRef
from lockage.packs import mending
mending._MANY = 1
blobs = LocalBlobs(home)
for turn in (0, 1):
    blobs.put_messages({BlobRef.of(data): data for data in (b"%d one" % turn, b"%d two" % turn)})
blobs.settle()
"""
    pairs = [[BlobRef.of(b"%d one" % turn), BlobRef.of(b"%d two" % turn)] for turn in (0, 1)]
    for step in range(1, 40):
        home = tmp_path / str(step)
        killed = run_killed(code, step, home)
        blobs = LocalBlobs(home)
        for one, two in pairs:
            assert blobs.has(one) == blobs.has(two)
            assert not blobs.has(one) or (blobs.get(one)[1:], blobs.get(two)[1:]) == (b" one", b" two")
        assert not blobs.has(pairs[1][0]) or blobs.has(pairs[0][0])
        blobs.put_messages({BlobRef.of(b"more"): b"more"})
        assert len(list((home / "tmp").iterdir())) == 1  # this process's
        if killed == 0:
            assert step > 8
            assert len(list((home / "packs").iterdir())) == 2
            return
    pytest.fail("the child was still being killed at the last step")

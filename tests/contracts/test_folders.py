"""The contract of ports.Folders, over every adapter; and what only folders on a disk can suffer."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from lockage.adapters import folders_local
from lockage.adapters.folders_local import LocalFolders
from lockage.adapters.memory import MemoryBlobs, MemoryFolders
from lockage.base.digest import BlobRef
from lockage.ports import KEPT_MARK, BlobCorrupt, BlobMissing, Folders, FolderUnwritable

MARK = ".mark.json"


@pytest.fixture
def blobs() -> MemoryBlobs:
    return MemoryBlobs()


@pytest.fixture(params=["local", "memory"])
def folders(request: pytest.FixtureRequest, blobs: MemoryBlobs) -> Folders:
    return LocalFolders(blobs) if request.param == "local" else MemoryFolders(blobs)


def test_placed_files_are_there_beside_what_was_there(folders: Folders, blobs: MemoryBlobs, tmp_path: Path) -> None:
    out = tmp_path / "a" / "out"
    folders.place(out, [("one.whl", blobs.put(b"1")), ("two", blobs.put(b""))])
    folders.place(out, [("three", blobs.put(b"3")), ("one.whl", blobs.put(b"1, again"))])
    assert [folders.read(out, name) for name in ("one.whl", "two", "three", "four")] == [b"1, again", b"", b"3", None]


def test_what_is_not_there_reads_as_nothing(folders: Folders, tmp_path: Path) -> None:
    assert folders.read(tmp_path / "nowhere", "file") is None


def test_a_written_file_takes_the_place_of_the_one_before(folders: Folders, tmp_path: Path) -> None:
    for data in (b"first", b"", b"third"):
        folders.write(tmp_path / "new", "lockage.lock", data)
        assert folders.read(tmp_path / "new", "lockage.lock") == data


def test_replacing_leaves_exactly_the_new_files(folders: Folders, blobs: MemoryBlobs, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    folders.replace(out, [("one", blobs.put(b"1")), ("two", blobs.put(b"2"))], {MARK: b"{}"})
    folders.replace(out, [("two", blobs.put(b"2, again"))], {MARK: b"{1}"})
    assert [folders.read(out, name) for name in ("one", "two", MARK)] == [None, b"2, again", b"{1}"]


def test_what_lockage_did_not_put_there_is_refused_and_stays(folders: Folders, blobs: MemoryBlobs, tmp_path: Path) -> None:
    folders.write(tmp_path / "out", "thesis.tex", b"years of work")
    with pytest.raises(FolderUnwritable, match=r"thesis\.tex"):
        folders.replace(tmp_path / "out", [("one", blobs.put(b"1"))], {MARK: b"{}"})
    assert folders.read(tmp_path / "out", "thesis.tex") == b"years of work"
    assert folders.read(tmp_path / "out", "one") is None


def test_what_failed_steps_leave_goes_where_nothing_else_is(folders: Folders, tmp_path: Path) -> None:
    folders.check_kept(tmp_path / "nowhere")
    assert folders.read(tmp_path / "nowhere", KEPT_MARK) is None, "nothing failed yet"
    folders.write(tmp_path / "ours", KEPT_MARK, b"")
    folders.write(tmp_path / "ours", "other", b"")
    folders.check_kept(tmp_path / "ours")
    folders.write(tmp_path / "theirs", ".gitignore", b"*")
    folders.write(tmp_path / "theirs", "thesis.tex", b"years of work")
    with pytest.raises(FolderUnwritable, match=r"thesis\.tex"):
        folders.check_kept(tmp_path / "theirs")


@pytest.mark.parametrize("damage", [BlobMissing, BlobCorrupt])
def test_one_bad_blob_and_the_folder_is_as_it_was(folders: Folders, blobs: MemoryBlobs, tmp_path: Path, damage: type[Exception]) -> None:
    good, bad = blobs.put(b"good"), blobs.put(b"bad")
    folders.replace(tmp_path / "out", [("before", good)], {MARK: b"{}"})
    if damage is BlobMissing:
        del blobs.data[bad.digest]
    else:
        blobs.data[bad.digest] = b"BAD"
    with pytest.raises(damage):
        folders.replace(tmp_path / "out", [("new", good), ("other", bad)], {MARK: b"{2}"})
    assert [folders.read(tmp_path / "out", name) for name in ("before", "new", "other", MARK)] == [b"good", None, None, b"{}"]


def test_a_bad_blob_never_appears_when_placed(folders: Folders, blobs: MemoryBlobs, tmp_path: Path) -> None:
    bad = blobs.put(b"bad")
    blobs.data[bad.digest] = b"BAD"
    with pytest.raises(BlobCorrupt):
        folders.place(tmp_path / "out", [("file", bad)])
    assert folders.read(tmp_path / "out", "file") is None


# What only folders on a disk have


@pytest.fixture
def local(blobs: MemoryBlobs) -> LocalFolders:
    return LocalFolders(blobs)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_equal_files_are_not_touched(local: LocalFolders, blobs: MemoryBlobs, tmp_path: Path) -> None:
    files = [("same", blobs.put(b"same")), ("damaged", blobs.put(b"good"))]
    local.place(tmp_path / "out", files)
    (tmp_path / "out" / "damaged").write_bytes(b"evil")
    before = (tmp_path / "out" / "same").stat()
    local.place(tmp_path / "out", files)
    after = (tmp_path / "out" / "same").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert (tmp_path / "out" / "damaged").read_bytes() == b"good"
    assert names(tmp_path / "out") == {".gitignore", "same", "damaged"}


def test_a_link_is_replaced_and_what_it_leads_to_is_not_written(local: LocalFolders, blobs: MemoryBlobs, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"1")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "one").symlink_to(tmp_path / "elsewhere")
    local.place(tmp_path / "out", [("one", blobs.put(b"1"))])
    assert not (tmp_path / "out" / "one").is_symlink()
    local.place(tmp_path / "out", [("one", blobs.put(b"2"))])
    assert (tmp_path / "elsewhere").read_bytes() == b"1"


def test_a_folder_that_is_a_link_stays_one(local: LocalFolders, blobs: MemoryBlobs, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "current").symlink_to("real")
    local.replace(tmp_path / "current", [("one", blobs.put(b"1"))], {MARK: b"{}"})
    assert (tmp_path / "current").is_symlink()
    assert (tmp_path / "real" / "one").read_bytes() == b"1"


def test_modes_do_not_depend_on_the_umask(local: LocalFolders, blobs: MemoryBlobs, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        local.place(tmp_path / "placed", [("one", blobs.put(b"1"))])
        local.replace(tmp_path / "pulled", [("one", blobs.put(b"1"))], {MARK: b"{}"})
        local.write(tmp_path / "placed", "two", b"2")
    finally:
        os.umask(before)
    for file in ("placed/one", "placed/two", "pulled/one"):
        assert stat.S_IMODE((tmp_path / file).stat().st_mode) == 0o644
    assert stat.S_IMODE((tmp_path / "pulled").stat().st_mode) == 0o755


@pytest.mark.parametrize("errno_of_exchange", [None, 22], ids=["exchange", "two renames"])
def test_nothing_is_left_beside_a_replaced_folder(
    local: LocalFolders, blobs: MemoryBlobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, errno_of_exchange: int | None
) -> None:
    if errno_of_exchange is not None:
        monkeypatch.setattr(folders_local, "_exchange", lambda _one, _other: errno_of_exchange)
    for data in (b"1", b"2", b"3"):
        local.replace(tmp_path / "out", [("one", blobs.put(data))], {MARK: b"{}"})
        assert (tmp_path / "out" / "one").read_bytes() == data
    assert names(tmp_path) == {"out"}


def test_somebody_who_makes_the_folder_first_is_replaced_whole(
    local: LocalFolders, blobs: MemoryBlobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange, calls = folders_local._exchange, []

    def slow(one: Path, other: Path) -> int:
        calls.append(exchange(one, other))
        if len(calls) == 1:  # between the look and the rename another process was quicker
            LocalFolders(blobs).replace(tmp_path / "out", [("theirs", blobs.put(b"theirs"))], {MARK: b"{1}"})
        return calls[0] if len(calls) == 1 else calls[-1]

    monkeypatch.setattr(folders_local, "_exchange", slow)
    local.replace(tmp_path / "out", [("ours", blobs.put(b"ours"))], {MARK: b"{2}"})
    assert names(tmp_path / "out") == {"ours", MARK}
    assert names(tmp_path) == {"out"}


LOOK = """
import sys
from pathlib import Path
from lockage.adapters.folders_local import LocalFolders
from lockage.adapters.memory import MemoryBlobs
blobs = MemoryBlobs()
for number in range(12):
    data = f"{sys.argv[2]} {number}".encode()
    LocalFolders(blobs).replace(Path(sys.argv[1]), [("a", blobs.put(data)), ("b", blobs.put(data))], {".mark.json": data})
"""


def test_two_writers_and_a_reader_only_ever_see_whole_folders(tmp_path: Path) -> None:
    out = tmp_path / "out"
    children = [subprocess.Popen([sys.executable, "-c", LOOK, str(out), name]) for name in ("x", "y")]
    seen = 0
    while any(child.poll() is None for child in children):
        try:
            handle = os.open(out, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            assert not seen, "the folder was away for a moment"
            continue
        try:
            assert set(os.listdir(handle)) <= {"a", "b", MARK}  # noqa: PTH208 (of a handle): an old one may be being removed while it is listed
            seen += 1
        finally:
            os.close(handle)
    assert [child.wait() for child in children] == [0, 0]
    assert names(tmp_path) == {"out"}
    assert len({(out / name).read_bytes() for name in ("a", "b", MARK)}) == 1


FULL = """
import resource
from lockage.adapters.folders_local import LocalFolders
from lockage.adapters.memory import MemoryBlobs
from lockage.ports import FolderUnwritable
blobs = MemoryBlobs()
small, large = blobs.put(b"fits"), blobs.put(b"x" * 20000)
folders = LocalFolders(blobs)
out, pulled = home / "out", home / "pulled"
folders.place(out, [("one", small)])
folders.replace(pulled, [("one", small)], {"mark": b"1"})
before = sorted(str(path) for path in home.rglob("*"))
resource.setrlimit(resource.RLIMIT_FSIZE, (10000, 10000))
for attempt in (
    lambda: folders.place(out, [("one", large)]),
    lambda: folders.replace(pulled, [("two", small), ("one", large)], {"mark": b"2"}),
    lambda: folders.write(out, "one", b"x" * 20000),
    lambda: folders.replace(pulled, [("two", small)], {"mark": b"x" * 20000}),
):
    try:
        attempt()
    except FolderUnwritable as error:
        assert str(home) in error.message, error.message
    else:
        raise SystemExit("was written")
assert (out / "one").read_bytes() == (pulled / "one").read_bytes() == b"fits"
assert sorted(str(path) for path in home.rglob("*")) == before
"""


def test_a_full_disk_leaves_every_file_as_it_was(tmp_path: Path) -> None:
    code = f"import sys; from pathlib import Path; home = Path(sys.argv[1])\n{FULL}"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)


def test_a_folder_below_a_file_is_unwritable(local: LocalFolders, blobs: MemoryBlobs, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    one = [("one", blobs.put(b"1"))]
    with pytest.raises(FolderUnwritable, match="Not a directory"):
        local.place(tmp_path / "file" / "out", one)
    with pytest.raises(FolderUnwritable, match="Not a directory"):
        local.write(tmp_path / "file" / "out", "one", b"1")
    for folder in (tmp_path / "file" / "out", tmp_path / "file"):
        with pytest.raises(FolderUnwritable, match=r"Not a directory|not a folder"):
            local.replace(folder, one, {MARK: b"{}"})
    assert local.read(tmp_path / "file", "one") is None
    assert (tmp_path / "file").read_bytes() == b""
    (tmp_path / "out" / "one").mkdir(parents=True)
    with pytest.raises(FolderUnwritable, match="directory"):
        local.place(tmp_path / "out", one)
    with pytest.raises(FolderUnwritable, match=r"cannot read .*one"):
        local.read(tmp_path / "out", "one")


def test_the_reference_is_what_is_compared(local: LocalFolders, tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"abc")
    with pytest.raises(BlobMissing):
        local.place(tmp_path, [("one", BlobRef(BlobRef.of(b"abc").digest, 4))])


def _killed(*arguments: str) -> None:
    """Place or pull one file, and be killed before it has its name."""
    code = """
import os, signal, sys
from pathlib import Path
from lockage import durable, portable
from lockage.adapters import folders_local
from lockage.adapters.memory import MemoryBlobs
def die(*_): os.kill(os.getpid(), signal.SIGKILL)
blobs = MemoryBlobs()
folders = folders_local.LocalFolders(blobs)
file = ("one", blobs.put(b"1"))
if sys.argv[1] == "place":
    durable.reached = lambda step: die() if step == "before-rename" else None
    folders.place(Path(sys.argv[2]), [file])
elif sys.argv[1] == "write":
    durable.reached = lambda step: die() if step == "before-rename" else None
    folders.write(Path(sys.argv[2]), "one", b"1")
else:
    folders_local._swap = die
    folders.replace(Path(sys.argv[2]), [file], {".mark.json": b"{}"})
"""
    done = subprocess.run([sys.executable, "-c", code, *arguments], check=False)
    assert done.returncode == -9


def test_what_a_killed_process_left_in_a_folder_is_removed_by_the_next(local: LocalFolders, blobs: MemoryBlobs, tmp_path: Path) -> None:
    out = tmp_path / "out"
    _killed("place", str(out))
    assert ".lockage" in names(out)
    local.place(out, [("one", blobs.put(b"1"))])
    assert names(out) == {".gitignore", "one"}
    assert (out / ".gitignore").read_text() == "*\n"


def test_what_a_killed_process_left_in_a_work_tree_is_not_seen_by_git(local: LocalFolders, tmp_path: Path) -> None:
    _killed("write", str(tmp_path))
    assert names(tmp_path) == {".lockage"}
    assert (tmp_path / ".lockage" / ".gitignore").read_text() == "*\n"
    local.write(tmp_path, "one", b"1")
    assert names(tmp_path) == {"one"}


def test_a_folder_that_a_killed_process_was_making_is_removed_by_the_next(local: LocalFolders, blobs: MemoryBlobs, tmp_path: Path) -> None:
    out = tmp_path / "out"
    _killed("replace", str(out))
    assert len(names(tmp_path)) == 1
    local.replace(out, [("one", blobs.put(b"1"))], {MARK: b"{}"})
    assert names(tmp_path) == {"out"}

"""The one atomic write: whole or not at all, with its mode, leaving nothing behind."""

import errno
import fcntl
import os
import shutil
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lockage import durable, portable
from lockage.ports import StoreUnwritable


def test_a_file_is_written_whole_with_its_mode(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        durable.write_file(tmp_path / "a", b"one", mode=0o644)
        durable.write_file(tmp_path / "a", b"two", mode=0o755)
    finally:
        os.umask(before)
    assert (tmp_path / "a").read_bytes() == b"two"
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o755
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_a_staged_file_is_published_with_its_mode_and_tells_how_it_looks(tmp_path: Path, umask: int) -> None:
    spool = durable.Spool(tmp_path / "tmp")
    before = os.umask(umask)
    try:
        staged = spool.stage(0o444)
        staged.write(b"data")
        staged.finish(0o444)
    finally:
        os.umask(before)
    spool.publish([staged], [tmp_path / "file"])
    found = (tmp_path / "file").stat()
    assert stat.S_IMODE(found.st_mode) == 0o444
    assert staged.facts == (found.st_mtime_ns, found.st_ino)


def test_a_file_gets_the_owner_that_the_user_may_give(tmp_path: Path) -> None:
    mine, given = (os.getuid(), os.getgid()), (12345, 54321)
    durable.write_file(tmp_path / "mine", b"one", owner=mine)
    durable.write_file(tmp_path / "given", b"one", owner=given)
    owners = [((tmp_path / name).stat().st_uid, (tmp_path / name).stat().st_gid) for name in ("mine", "given")]
    assert owners == [mine, given if os.getuid() == 0 else mine]


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "in the way").write_bytes(b"")
    with pytest.raises(StoreUnwritable) as caught:
        durable.write_file(tmp_path / "folder", b"x")
    assert caught.value.details["folder"] == str(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
    with pytest.raises(StoreUnwritable):
        durable.write_file(tmp_path / "absent" / "file", b"x")


@pytest.mark.parametrize(
    ("number", "cause"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "permission"),
        (errno.EIO, "Input/output"),
    ],
)
def test_the_cause_is_named(tmp_path: Path, number: int, cause: str) -> None:
    with pytest.raises(StoreUnwritable, match=cause) as caught, durable.unwritable(tmp_path):
        raise OSError(number, os.strerror(number))
    assert str(tmp_path) in caught.value.message


def test_folders_are_made_for_this_user_alone(tmp_path: Path) -> None:
    durable.ensure_folder(tmp_path / "a" / "b" / "c")
    durable.ensure_folder(tmp_path / "a" / "b" / "c")
    assert all(stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o700 for name in ("a", "a/b", "a/b/c"))
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotADirectoryError):
        durable.ensure_folder(tmp_path / "file")


def test_what_a_killed_process_left_is_removed_and_a_living_ones_is_not(tmp_path: Path) -> None:
    code = """
import os, signal, sys
from pathlib import Path
from lockage.durable import Spool
staged = Spool(Path(sys.argv[1])).stage()
staged.write(b"half")
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert len(list(tmp_path.iterdir())) == 1
    living = durable.Spool(tmp_path)
    staged = living.stage()
    staged.write(b"mine")
    assert [path.parent for path in tmp_path.glob("*/*")] == [staged.path.parent]
    other = durable.Spool(tmp_path).stage()
    assert staged.path.read_bytes() == b"mine"
    staged.discard()
    other.discard()


def test_a_spool_removes_its_folder_when_it_is_no_more(tmp_path: Path) -> None:
    spool = durable.Spool(tmp_path)
    spool.write(tmp_path / "file", b"x")
    assert len(list(tmp_path.iterdir())) == 2
    del spool
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_publishing_that_fails_half_way_leaves_no_temporary_file(tmp_path: Path) -> None:
    spool = durable.Spool(tmp_path / "tmp")
    staged = [spool.stage() for _ in range(3)]
    with pytest.raises(OSError, match="absent"):
        spool.publish(staged, [tmp_path / "one", tmp_path / "absent" / "two", tmp_path / "three"])
    assert list(tmp_path.glob("tmp/*/*")) == []
    assert (tmp_path / "one").exists()
    assert not (tmp_path / "three").exists()


def test_many_files_are_synchronised_together(tmp_path: Path) -> None:
    spool = durable.Spool(tmp_path / "tmp")
    targets = [tmp_path / str(n) for n in range(100)]
    staged = []
    for target in targets:
        staged.append(spool.stage())
        staged[-1].write(target.name.encode())
    spool.publish(staged, targets)
    assert all(target.read_bytes() == target.name.encode() for target in targets)
    assert durable.sync_file_system(tmp_path)


def test_a_lock_excludes_threads_and_processes(tmp_path: Path) -> None:
    file = tmp_path / "locks" / "one"
    order: list[str] = []

    def second() -> None:
        with durable.locked(file):
            order.append("second")

    with durable.locked(file):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.1)
        order.append("first")
        with file.open("rb") as same, pytest.raises(BlockingIOError):
            fcntl.flock(same, fcntl.LOCK_EX | fcntl.LOCK_NB)
    thread.join()
    assert order == ["first", "second"]
    with durable.locked_folder(tmp_path), durable.locked(file):
        pass


def test_what_a_killed_process_left_beside_a_file_is_removed_by_who_writes_it_next(tmp_path: Path) -> None:
    code = """
import os, signal, sys
from pathlib import Path
from lockage import durable, portable
durable.reached = lambda step: os.kill(os.getpid(), signal.SIGKILL) if step == "before-rename" else None
durable.write_file(Path(sys.argv[1]), b"killed")
"""
    file = tmp_path / "file"
    subprocess.run([sys.executable, "-c", code, str(file)], check=False)
    assert [path.suffix for path in tmp_path.iterdir()] == [".partial"]
    living, lock = durable._staged_beside(file)
    assert [path.name for path in tmp_path.iterdir()] == [living.path.name]
    durable.write_file(file, b"other")
    assert living.path.exists(), "its process lives"
    assert lock is not None
    living.discard()
    os.close(lock)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_closed_spool_leaves_nothing_and_can_be_used_again(tmp_path: Path) -> None:
    spool = durable.Spool(tmp_path / "tmp")
    for data in (b"one", b"two"):
        spool.write(tmp_path / "file", data)
        spool.close()
        assert list((tmp_path / "tmp").iterdir()) == []
    assert (tmp_path / "file").read_bytes() == b"two"


@pytest.mark.parametrize("number", [errno.EBADF, errno.ENOLCK, errno.ENOSYS])
def test_where_nothing_can_be_locked_files_are_written_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def hold(descriptor: int, *, wait: bool = True) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(portable, "hold", hold)
    durable.Spool(tmp_path / "tmp").write(tmp_path / "one", b"1")
    durable.write_file(tmp_path / "two", b"2")
    folder, lock = durable.claim_folder(tmp_path, "three-", shutil.rmtree)
    os.close(lock)
    assert [(tmp_path / name).read_bytes() for name in ("one", "two")] == [b"1", b"2"]
    assert folder.is_dir()


def test_a_file_system_that_cannot_synchronise_folders_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fsync(descriptor: int) -> None:
        raise OSError(errno.EINVAL if stat.S_ISDIR(os.fstat(descriptor).st_mode) else errno.EIO, "")

    monkeypatch.setattr(os, "fsync", fsync)
    portable.sync_folder(tmp_path)
    with pytest.raises(StoreUnwritable):
        durable.write_file(tmp_path / "one", b"1")

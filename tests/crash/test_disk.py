"""The disk that loses power, and the watcher that tells it what happens: both can be wrong, and every proof rests on them."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest
from tests.crash.bench import Bench
from tests.crash.disk import Disk, Image, read_image
from tests.crash.watch import KILL, Change, Ended, watch

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow


def lived(tmp_path: Path, work: Callable[[Path], None]) -> tuple[Disk, list[Change], Path]:
    """A disk after some work in one folder."""
    place, scratch = tmp_path / "place", tmp_path / "scratch"
    place.mkdir()
    scratch.mkdir()
    disk = Disk([place])
    changes: list[Change] = []

    def note(change: Change) -> int:
        changes.append(change)
        return 0

    def run() -> int:
        work(place)
        return 0

    ended = watch(run, [place], note, scratch)
    assert ended.code == 0, ended
    for change in changes:
        disk.apply(change)
    assert disk.now() == read_image([place])
    return disk, changes, place


def files(image: Image, place: Path) -> dict[str, bytes]:
    return {path.removeprefix(f"{place}/"): item.data for path, item in image.items() if item.kind == "file"}


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


def test_what_is_not_synchronised_is_lost(tmp_path: Path) -> None:
    def work(place: Path) -> None:
        (place / "a").write_bytes(b"one")

    disk, _, place = lived(tmp_path, work)
    assert files(disk.certain(), place) == {}
    assert files(disk.now(), place) == {"a": b"one"}


def test_a_name_needs_its_folder_synchronised_and_bytes_their_file(tmp_path: Path) -> None:
    def work(place: Path) -> None:
        for name in ("name only", "bytes only", "both"):
            (place / name).write_bytes(b"one")
        _sync(place / "bytes only")
        (place / "later").mkdir()
        _sync(place / "both")
        _sync(place)
        (place / "late").write_bytes(b"two")
        _sync(place / "late")

    disk, _, place = lived(tmp_path, work)
    assert files(disk.certain(), place) == {"name only": b"", "bytes only": b"one", "both": b"one"}
    assert f"{place}/later" in disk.certain()


def test_a_rename_is_lost_whole_or_made_whole(tmp_path: Path) -> None:
    def work(place: Path) -> None:
        (place / "new").write_bytes(b"new")
        (place / "old").write_bytes(b"old")
        _sync(place / "new")
        _sync(place / "old")
        _sync(place)
        (place / "new").rename(place / "old")

    disk, _, place = lived(tmp_path, work)
    for _, image in disk.states(Random(1), 20):
        assert files(image, place) in ({"new": b"new", "old": b"old"}, {"old": b"new"})


def test_later_changes_may_be_there_without_earlier_ones(tmp_path: Path) -> None:
    def work(place: Path) -> None:
        for name in ("1", "2"):
            (place / name).write_bytes(b"x" * 8)

    disk, _, place = lived(tmp_path, work)
    found = [files(image, place) for _, image in disk.states(Random(1), 60)]
    assert {"2": b"x" * 8} in found
    assert {"1": bytes(8), "2": bytes(8)} in found
    assert {"1": b"xxxx", "2": b"xxxx"} in found


def test_everything_that_is_done_to_files_is_seen(tmp_path: Path) -> None:
    def work(place: Path) -> None:
        with (place / "a").open("wb") as file:
            os.writev(file.fileno(), [b"one", b" ", b"two"])
            os.pwrite(file.fileno(), b"ONE", 0)
            os.pwritev(file.fileno(), [b"T", b"W"], 4)
            os.posix_fallocate(file.fileno(), 0, 20)
            os.ftruncate(file.fileno(), 12)
        with (place / "a").open("ab") as file:
            file.write(b"end")
        (place / "b").hardlink_to(place / "a")
        (place / "c").symlink_to("b")
        (place / "c").write_bytes(b"through")
        os.truncate(place / "a", 4)
        folder = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
        os.mkdir("d", dir_fd=folder)
        os.rename("a", "d/e", src_dir_fd=folder, dst_dir_fd=folder)
        with (place / "d/e").open("rb") as source, (place / "f").open("wb") as target:
            os.sendfile(target.fileno(), source.fileno(), 1, 2)
            os.copy_file_range(source.fileno(), target.fileno(), 1, offset_src=0)
        os.unlink("b", dir_fd=folder)
        os.chdir(place / "d")
        Path("g").write_bytes(b"relative")
        Path("../d/g").chmod(0o600)
        Path("none").mkdir()
        Path("none").rmdir()
        with pytest.raises(FileExistsError):
            Path("g").mkdir()
        with pytest.raises(FileNotFoundError):
            Path("nothing").unlink()
        with pytest.raises(OSError, match="not empty"):
            Path("..", "d").rmdir()

    disk, _, place = lived(tmp_path, work)
    assert files(disk.now(), place) == {"d/e": b"thro", "d/g": b"relative", "f": b"hrt"}


def test_a_database_is_seen(tmp_path: Path) -> None:
    def work(place: Path) -> None:
        connection = sqlite3.connect(place / "x.db", isolation_level=None)
        connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t (a);")
        for number in range(50):
            connection.execute("INSERT INTO t VALUES (?)", (bytes(number * 40),))
        connection.close()

    _, changes, _ = lived(tmp_path, work)
    assert {change.call for change in changes} >= {"map", "fsync", "truncate"}
    assert len(changes) > 150


def test_a_change_can_be_refused_or_be_the_last(tmp_path: Path) -> None:
    (tmp_path / "place").mkdir()

    def run() -> int:
        try:
            (tmp_path / "place" / "a").write_bytes(b"one")
        except OSError as error:
            print(error.errno)
        return 5

    def ended(verdict: int) -> Ended:
        return watch(run, [tmp_path / "place"], lambda change: verdict if change.call == "write" else 0, tmp_path)

    done = ended(errno.ENOSPC)
    assert (done.code, done.out.strip(), done.changes) == (5, str(errno.ENOSPC), 2)
    assert (tmp_path / "place" / "a").read_bytes() == b""
    assert ended(KILL).code == -9
    assert ended(0).code == 5
    assert (tmp_path / "place" / "a").read_bytes() == b"one"


def test_a_bench_shows_what_an_image_says_whatever_was_done_to_it(tmp_path: Path) -> None:
    def work(place: Path) -> None:
        (place / "d").mkdir()
        (place / "d" / "a").write_bytes(b"one")
        (place / "d" / "l").symlink_to("a")
        _sync(place / "d" / "a")
        _sync(place)

    disk, _, place = lived(tmp_path, work)
    bench = Bench([str(place)])
    for image in (disk.certain(), disk.now(), disk.certain(), disk.now()):
        bench.show(image)
        assert read_image([place]) == image
        (place / "stray").mkdir()
        (place / "stray" / "file").write_bytes(b"")
        for path in place.rglob("a"):
            path.write_bytes(b"two")

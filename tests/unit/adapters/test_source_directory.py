"""What has not changed in a directory is not read again, and what may have changed is."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockage.adapters.memory import MemoryBlobs, MemoryMemo
from lockage.adapters.source_directory import DirectorySource
from lockage.base.instant import Instant
from lockage.base.tree import Tree, read_tree
from lockage.ports import SourceUnusable

if TYPE_CHECKING:
    from lockage.ports.storage import Stream

OLD = 1_600_000_000


class Later:
    """A clock that an ordinary file is always old for, or never."""

    def __init__(self) -> None:
        self.time = 4_000_000_000

    def now(self) -> Instant:
        return Instant(self.time)

    def steady(self) -> int:
        return self.time * 1000


class World:
    """A directory with its source, which counts what it opens."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.blobs, self.memo, self.clock = MemoryBlobs(), MemoryMemo(), Later()
        self.opened: list[str] = []
        self.source = DirectorySource(self.blobs, self.memo, self.clock, opened=self._open)
        folder.mkdir(exist_ok=True)

    def _open(self, full: bytes) -> Stream:
        self.opened.append(os.fsdecode(os.path.relpath(full, os.fsencode(self.folder))))
        return Path(os.fsdecode(full)).open("rb")

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def read(self) -> tuple[Tree, list[str]]:
        """The tree, and which files were opened for it."""
        self.opened.clear()
        root = self.source.read(self.folder).tree
        assert root == DirectorySource(MemoryBlobs()).read(self.folder).tree  # what a source without a memory makes of it
        return read_tree(root, self.blobs.get), sorted(self.opened)


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path / "source")
    for number in range(20):
        made.write(f"src/{number % 3}/{number}.py", f"{number}")
    made.write("README", "read me")
    (made.folder / "link").symlink_to("README")
    (made.folder / "empty").mkdir()
    return made


def test_an_unchanged_directory_is_not_read_again(world: World) -> None:
    first, opened = world.read()
    assert len(opened) == 21
    assert world.read() == (first, [])
    assert {str(node.path) for node in first} >= {"link", "empty", "README", "src/0/0.py"}


def test_only_what_changed_is_read(world: World) -> None:
    before, _ = world.read()
    world.write("src/1/4.py", "other")
    world.write("src/new/deep/er.py", "new")
    (world.folder / "README").unlink()
    (world.folder / "link").unlink()
    (world.folder / "link").symlink_to("src")
    after, opened = world.read()
    assert opened == ["src/1/4.py", "src/new/deep/er.py"]
    assert before != after
    assert world.read() == (after, [])


def test_a_mode_and_a_moved_file_count(world: World) -> None:
    world.read()
    (world.folder / "README").chmod(0o755)
    (world.folder / "src/0").rename(world.folder / "src/moved")
    _, opened = world.read()
    assert "README" in opened
    assert {name for name in opened if name.startswith("src/")} == {f"src/moved/{n}.py" for n in range(0, 20, 3)}


def test_the_same_size_and_mtime_with_other_bytes_is_seen(world: World) -> None:
    """mtime can be set back; ctime cannot."""
    path = world.folder / "README"
    os.utime(path, (OLD, OLD))
    world.read()
    path.write_text("read Me")
    os.utime(path, (OLD, OLD))
    tree, opened = world.read()
    assert opened == ["README"]
    assert any(world.blobs.data[node.blob.digest] == b"read Me" for node in tree if str(node.path) == "README")  # type: ignore[union-attr]


def test_what_was_written_just_before_it_was_read_is_read_again(world: World) -> None:
    """Racily clean: it could have been written again within the tick of its time stamps, and would look the same."""
    stamps = [path.lstat().st_ctime for path in world.folder.rglob("*.py")]
    world.clock.time = int(max(stamps)) + 1
    world.read()
    assert len(world.read()[1]) == 21
    world.clock.time = int(max(stamps)) + 10
    world.read()
    assert world.read()[1] == []


def test_a_store_that_lost_the_tree_gets_it_again(world: World) -> None:
    tree, _ = world.read()
    world.blobs.data.clear()
    again, opened = world.read()
    assert (again, len(opened)) == (tree, 21)


@pytest.mark.parametrize("kept", [b"", b"\xff\xff", b"\x91\x80"], ids=["empty", "no message", "nothing in it"])
def test_a_memo_that_cannot_be_read_counts_for_nothing(world: World, kept: bytes) -> None:
    tree, _ = world.read()
    for key in list(world.memo.values):
        world.memo.values[key] = kept
    assert world.read()[0] == tree


def test_two_directories_do_not_know_each_other(world: World, tmp_path: Path) -> None:
    world.read()
    other = tmp_path / "other"
    other.mkdir()
    (other / "README").write_text("read me")
    world.opened.clear()
    world.source.read(other)
    assert [Path(name).name for name in world.opened] == ["README"]


def test_a_file_that_goes_while_it_is_read_is_left_out(world: World) -> None:
    def gone(full: bytes) -> Stream:
        if full.endswith(b"README"):
            raise FileNotFoundError(full)
        return Path(os.fsdecode(full)).open("rb")

    source = DirectorySource(world.blobs, world.memo, world.clock, opened=gone)
    tree = read_tree(source.read(world.folder).tree, world.blobs.get)
    assert "README" not in {str(node.path) for node in tree}
    assert "README" in {str(node.path) for node in world.read()[0]}  # and it is not remembered as gone


def test_a_file_that_cannot_be_read_is_named(world: World) -> None:
    def denied(full: bytes) -> Stream:
        raise PermissionError(13, "Permission denied", full)

    with pytest.raises(SourceUnusable, match=r"cannot read README: Permission denied"):
        DirectorySource(world.blobs, world.memo, world.clock, opened=denied).read(world.folder)


steps = st.lists(
    st.tuples(
        st.sampled_from(["write", "remove", "chmod", "link", "folder"]),
        st.sampled_from(["a", "b", "d/a", "d/e/f"]),
        st.text("xy", max_size=2),
    ),
    max_size=6,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(steps, min_size=2, max_size=4))
def test_whatever_happens_in_between_the_tree_is_that_of_the_files(tmp_path: Path, rounds: list[list[tuple[str, str, str]]]) -> None:
    world = World(Path(tempfile.mkdtemp(dir=tmp_path)) / "source")
    for changes in rounds:
        for what, name, text in changes:
            path = world.folder / name
            try:
                if what == "write":
                    world.write(name, text)
                elif what == "remove":
                    path.unlink()
                elif what == "chmod":
                    path.chmod(0o755)
                elif what == "link":
                    path.symlink_to(text or "a")
                else:
                    path.mkdir(parents=True)
            except OSError:
                continue
        world.read()  # compares with a source that remembers nothing


NAMES = (b"README", b"link", b"empty", b"src/0/0.py", b"gone")


def taken(world: World) -> tuple[Tree, list[str]]:
    """The tree of some files by name, and which were opened for it."""
    world.opened.clear()
    tree = world.source.snapshot(world.folder, NAMES)
    assert tree == DirectorySource(MemoryBlobs()).snapshot(world.folder, NAMES)
    return tree, sorted(world.opened)


def test_files_that_are_named_are_not_read_again_unless_they_changed(world: World) -> None:
    first, opened = taken(world)
    assert opened == ["README", "src/0/0.py"]
    assert taken(world) == (first, [])
    world.write("README", "read Me")
    (world.folder / "src/0/0.py").chmod(0o755)
    second, opened = taken(world)
    assert (second != first, opened) == (True, ["README", "src/0/0.py"])
    (world.folder / "README").unlink()
    third, opened = taken(world)
    assert (len(third.nodes), opened) == (len(second.nodes) - 1, [])


def test_files_that_are_named_and_were_written_just_before_are_read_again(world: World) -> None:
    world.clock.time = int((world.folder / "README").lstat().st_ctime) + 1
    taken(world)
    assert taken(world)[1] == ["README", "src/0/0.py"]


def test_a_store_that_lost_named_files_gets_them_again(world: World) -> None:
    taken(world)
    world.blobs.data.clear()
    assert taken(world)[1] == ["README", "src/0/0.py"]


def test_a_memo_of_named_files_that_cannot_be_read_counts_for_nothing(world: World) -> None:
    tree, _ = taken(world)
    for key in list(world.memo.values):
        world.memo.values[key] = b"\xff\xff"
    assert taken(world)[0] == tree

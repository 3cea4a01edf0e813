"""A commit costs what it changed: which of git's objects are asked for."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockage.adapters.memory import MemoryBlobs, MemoryMemo
from lockage.adapters.source_directory import DirectorySource
from lockage.adapters.source_git import GitSource
from lockage.adapters.source_git.process import Git, Running
from lockage.base.tree import Tree, read_tree
from lockage.ports import SourceUnusable

if TYPE_CHECKING:
    from collections.abc import Sequence

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:%064d\nsize 5\n" % 0


class Counting(Git):
    """Counts the objects that are asked for by their ids."""

    def __init__(self) -> None:
        super().__init__({"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null"})
        self.asked: list[str] = []

    def objects(self, repository: Path, arguments: Sequence[str], feed: bytes = b"") -> Running:
        if arguments[0] == "cat-file":
            self.asked += [line for line in feed.decode().splitlines() if len(line) == 40]
        return super().objects(repository, arguments, feed)


class World:
    """A repository and a source that counts."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.blobs, self.memo, self.counting = folder / "shop", MemoryBlobs(), MemoryMemo(), Counting()
        self.source = self.made(self.blobs, self.memo)
        self.source._git = self.counting
        self.folder.mkdir()
        self.git("init", "-q")

    def made(self, blobs: MemoryBlobs, memo: MemoryMemo) -> GitSource:
        environment = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null"}
        clones = self.folder.parent / "clones"
        return GitSource(blobs, memo, clones=clones, environment=environment, snapshot=DirectorySource(blobs).snapshot)

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "core.hooksPath=/dev/null")
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(["git", "-C", str(self.folder), *identity, *arguments], env=environment, capture_output=True, check=True)
        return done.stdout.decode().strip()

    def commit(self, **files: bytes | None) -> None:
        for name, data in files.items():
            path = self.folder / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            if data is None:
                path.unlink()
            else:
                path.write_bytes(data)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "x")

    def read(self, path: str = "") -> tuple[Tree, list[str]]:
        """The tree of HEAD, and which objects were asked for."""
        from lockage.base.path import RelPath

        below = RelPath(path) if path else None
        self.counting.asked.clear()
        root = self.source.read_commit(self.folder, "HEAD", below).tree
        fresh = MemoryBlobs()
        assert root == self.made(fresh, MemoryMemo()).read_commit(self.folder, "HEAD", below).tree
        return read_tree(root, self.blobs.get), sorted(self.counting.asked)

    def ids(self, *names: str) -> list[str]:
        return sorted(self.git("rev-parse", f"HEAD:{name}" if name else "HEAD^{tree}") for name in names)


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.commit(**{f"src__{n % 3}__{n}.py": b"%d" % n for n in range(30)}, docs__index=b"docs", README=b"read me")
    return made


def test_only_what_a_commit_changed_is_asked_for(world: World) -> None:
    _, asked = world.read()
    assert len(asked) == 6 + 32
    world.commit(src__1__4_py=b"new", src__1__7=b"4")  # the second is known by its content
    _, asked = world.read()
    assert asked == world.ids("", "src", "src/1", "src/1/4_py")


def test_a_commit_that_changed_nothing_asks_for_nothing(world: World) -> None:
    world.read()
    world.commit()
    assert world.read()[1] == []


def test_going_back_asks_for_trees_alone(world: World) -> None:
    world.read()
    world.commit(README=b"other")
    world.read()
    world.memo.values = {key: value for key, value in world.memo.values.items() if key[0] != "git-tree-1"}
    world.git("checkout", "-q", "HEAD^")
    assert world.read()[1] == []


def test_links_are_asked_for_where_their_directory_changed(world: World) -> None:
    (world.folder / "docs/link").symlink_to("index")
    (world.folder / "docs/same").write_bytes(b"index")  # the same object as the link
    world.commit()
    world.read()
    world.commit(docs__more=b"more")
    tree, asked = world.read()
    assert asked == world.ids("", "docs", "docs/link", "docs/more")
    assert {"docs/link", "docs/same"} <= {str(node.path) for node in tree}


def test_a_blob_that_was_lost_is_read_again(world: World) -> None:
    tree, _ = world.read()
    lost = next(node for node in tree if str(node.path) == "docs/index")
    del world.blobs.data[lost.blob.digest]  # type: ignore[union-attr]  # it is a file
    world.commit(docs__more=b"more")
    assert set(world.ids("docs/index", "docs/more")) <= set(world.read()[1])


def test_a_pointer_of_large_file_storage_is_never_taken_for_known(world: World) -> None:
    world.commit(docs__model=POINTER)
    for _ in range(2):
        with pytest.raises(SourceUnusable, match="LFS pointers"):
            world.read()
        assert world.ids("docs/model")[0] in world.counting.asked
    world.commit(docs__model=b"plain")
    world.read()


def test_files_beside_a_submodule_are_known(world: World, tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    inner = World(tmp_path / "inner")
    inner.commit(a=b"a")
    world.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner.folder), "inner")
    world.commit()
    tree, _ = world.read()
    assert "inner/a" in {str(node.path) for node in tree}
    world.commit(README=b"new")
    _, asked = world.read()
    assert world.ids("README")[0] in asked
    assert not {*world.ids("docs/index", "src/1/4.py")} & set(asked)


def test_a_directory_of_a_repository_has_a_memory_of_its_own(world: World) -> None:
    world.read("src")
    world.commit(src__1__4_py=b"new", docs__index=b"new")
    assert world.read("src")[1] == world.ids("src", "src/1", "src/1/4_py")


@pytest.mark.parametrize("kept", [b"", b"\xff\xff", b"\x93\x01\x80\x81\xc4\x01a\x92\xc4\x01b\x01"])
def test_a_memo_that_cannot_be_read_counts_for_nothing(world: World, kept: bytes) -> None:
    tree, _ = world.read()
    world.memo.values = {key: kept for key in world.memo.values if key[0] == "git-objects-1"}
    assert world.read()[0] == tree


files = st.dictionaries(st.sampled_from(["a", "b", "c__a", "c__d__e", "f__a"]), st.sampled_from([b"1", b"2", b"3"]), max_size=4)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(files, min_size=2, max_size=4))
def test_whatever_is_committed_the_tree_is_that_of_a_reading_without_a_memory(tmp_path: Path, commits: list[dict[str, bytes]]) -> None:
    world = World(Path(tempfile.mkdtemp(dir=tmp_path)))
    for one in commits:
        for path in world.folder.rglob("*"):
            if path.is_file() and ".git" not in path.parts:
                path.unlink()
        world.commit(**one)
        world.read()

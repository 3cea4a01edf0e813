"""What every adapter of ports.Sources keeps, and what each kind of source adds."""

from __future__ import annotations

import gzip
import os
import random
import subprocess
import tarfile
import zipfile
from base64 import b64encode
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Protocol

import pytest

from lockage.adapters.memory import MemoryBlobs, MemoryMemo
from lockage.adapters.memory.sources import MemorySources
from lockage.adapters.source_directory import DirectorySource
from lockage.adapters.source_git import GitSource, remote
from lockage.adapters.source_router import SourceRouter
from lockage.adapters.source_sdist import Limits, SdistSource
from lockage.adapters.store_local import StoreFolder
from lockage.base.digest import BlobRef
from lockage.base.instant import ZIP_FLOOR, Instant
from lockage.base.tree import FileNode, LinkNode, Tree, read_tree
from lockage.ports import BlobMissing, ServiceUnreachable, SourceRead, Sources, SourceUnusable
from lockage.recipe.model import VersionFrom
from lockage.record.source import CommitOrigin, DirectoryOrigin, SdistOrigin
from lockage.record.version import NoVersion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

WHEN = 1_700_000_000
FILES = {
    "lockage.toml": b"# recipe\n",
    "lockage.lock": b"{}\n",
    "pyproject.toml": b'[project]\nname = "shop"\nversion = "1.2"\n',
    "src/shop/a file.py": b"print(1)\n",
    "src/shop/\u00e4.txt": b"\x00\xff" * 10,
    "tool.sh": b"#!/bin/sh\n",
}
LINKS = {"here": "src/shop"}


class World:
    """All real adapters over one set of fakes, in one folder."""

    def __init__(self, folder: Path, limits: Limits | None = None) -> None:
        self.folder = folder
        self.blobs = MemoryBlobs()
        self.memo = MemoryMemo()
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_SYSTEM": "/dev/null",
            "GIT_DIR": "/nonexistent",  # as inside a hook: must not be seen
        }
        self.sources = self.router(limits)

    def router(self, limits: Limits | None = None) -> SourceRouter:
        directories = DirectorySource(self.blobs)
        repositories = GitSource(
            self.blobs, self.memo, clones=self.folder / "clones", environment=self.environment, snapshot=directories.snapshot
        )
        archives = SdistSource(self.blobs, self.memo, limits=limits or Limits())
        return SourceRouter(repositories=lambda: repositories, archives=lambda: archives, directories=lambda: directories, here=self.folder)

    def tree(self, read: SourceRead) -> Tree:
        return read_tree(read.tree, self.blobs.get)

    def paths(self, read: SourceRead) -> list[str]:
        return [str(node.path) for node in self.tree(read)]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def git(folder: Path, *arguments: str, when: int = WHEN) -> str:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_COMMITTER_DATE": f"@{when} +0200",
        "GIT_AUTHOR_DATE": "@1 +0000",
    }
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always")
    done = subprocess.run(["git", "-C", str(folder), *identity, *arguments], env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


def write(folder: Path, files: Mapping[str, bytes], links: Mapping[str, str] = {}) -> None:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o755 if name.endswith(".sh") else 0o644)
    for name, target in links.items():
        (folder / name).symlink_to(target)


def repository(folder: Path, files: Mapping[str, bytes] = FILES, links: Mapping[str, str] = {}, *, when: int = WHEN) -> Path:
    folder.mkdir(exist_ok=True)
    write(folder, files, links)
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "one", when=when)
    return folder


def tar_member(name: str, data: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    member.mode = 0o755 if name.endswith(".sh") else 0o644
    for field, value in fields.items():
        setattr(member, field, value)
    return member, data


def tarball(file: Path, members: Sequence[tuple[tarfile.TarInfo, bytes]], mode: str = "w:gz") -> Path:
    with tarfile.open(file, mode) as archive:  # type: ignore[call-overload]  # the mode is one of its literals
        for member, data in members:
            archive.addfile(member, BytesIO(data))
    return file


def sdist(file: Path, files: Mapping[str, bytes] = FILES, links: Mapping[str, str] = {}, *, when: int = WHEN) -> Path:
    members = [tar_member(f"shop-1.2/{name}", data, mtime=when) for name, data in files.items()]
    members += [tar_member(f"shop-1.2/{name}", type=tarfile.SYMTYPE, linkname=target) for name, target in links.items()]
    return tarball(file, members)


# What every source keeps


class Make(Protocol):
    """Makes a source of these files and links, and says how it is read."""

    def __call__(self, files: Mapping[str, bytes], links: Mapping[str, str]) -> tuple[Sources, str]: ...


def _memory(world: World) -> Make:
    sources = MemorySources(world.blobs)

    def make(files: Mapping[str, bytes], links: Mapping[str, str]) -> tuple[Sources, str]:
        name = f"source {sorted(files.items())}"
        sources.add(name, files, links=links, executables=frozenset({"tool.sh"}))
        return sources, name

    return make


def _git(world: World) -> Make:
    def make(files: Mapping[str, bytes], links: Mapping[str, str]) -> tuple[Sources, str]:
        folder = world.folder / f"repository-{len(list(world.folder.iterdir()))}"
        return world.sources, str(repository(folder, files, links))

    return make


def _remote(world: World) -> Make:
    def make(files: Mapping[str, bytes], links: Mapping[str, str]) -> tuple[Sources, str]:
        return world.sources, f"file://{_git(world)(files, links)[1]}"

    return make


def _sdist(world: World) -> Make:
    def make(files: Mapping[str, bytes], links: Mapping[str, str]) -> tuple[Sources, str]:
        folder = world.folder / f"sdist-{len(list(world.folder.iterdir()))}"
        folder.mkdir()
        return world.sources, str(sdist(folder / "shop-1.2.tar.gz", files, links))

    return make


def _zip(world: World) -> Make:
    def make(files: Mapping[str, bytes], links: Mapping[str, str]) -> tuple[Sources, str]:
        file = world.folder / f"shop-1.2-{len(list(world.folder.iterdir()))}.zip"
        with zipfile.ZipFile(file, "w") as archive:
            for name, data in {**files, **{name: target.encode() for name, target in links.items()}}.items():
                member = zipfile.ZipInfo(f"shop-1.2/{name}", (2023, 11, 14, 22, 13, 20))
                member.create_system = 3
                member.external_attr = (0o120777 if name in links else 0o100755 if name.endswith(".sh") else 0o100644) << 16
                archive.writestr(member, data)
        return world.sources, str(file)

    return make


def _directory(world: World) -> Make:
    def make(files: Mapping[str, bytes], links: Mapping[str, str]) -> tuple[Sources, str]:
        folder = world.folder / f"directory-{len(list(world.folder.iterdir()))}"
        write(folder, files, links)
        return world.sources, str(folder)

    return make


@pytest.fixture(params=[_memory, _git, _remote, _sdist, _zip, _directory], ids=lambda kind: kind.__name__[1:])
def make(request: pytest.FixtureRequest, world: World) -> Make:
    kind: Callable[[World], Make] = request.param
    return kind(world)


def test_the_tree_holds_every_file_link_and_execute_bit(world: World, make: Make) -> None:
    sources, name = make(FILES, LINKS)
    nodes = {str(node.path): node for node in world.tree(sources.read(name))}
    assert nodes.keys() == FILES.keys() | LINKS.keys()
    for path, data in FILES.items():
        node = nodes[path]
        assert isinstance(node, FileNode)
        assert world.blobs.get(node.blob) == data
        assert node.executable == (path == "tool.sh")
    link = nodes["here"]
    assert isinstance(link, LinkNode)
    assert link.target == "src/shop"


def test_the_recipe_and_lock_come_from_the_top_of_the_source(make: Make) -> None:
    sources, name = make(FILES, {})
    read = sources.read(name)
    assert (read.recipe, read.lock) == (b"# recipe\n", b"{}\n")
    sources, name = make({"sub/lockage.toml": b"", "setup.py": b""}, {})
    read = sources.read(name)
    assert (read.recipe, read.lock) == (None, None)


def test_reading_again_gives_the_same_source(make: Make) -> None:
    sources, name = make(FILES, LINKS)
    first = sources.read(name)
    assert sources.read(name) == first
    assert first.source().digest == sources.read(name).source().digest


def test_other_files_are_another_source(make: Make) -> None:
    one, name = make(FILES, {})
    other, other_name = make({**FILES, "tool.sh": b"#!/bin/sh -e\n"}, {})
    assert one.read(name).tree != other.read(other_name).tree


def test_files_larger_than_what_is_held_in_memory(world: World, make: Make) -> None:
    large = b"0123456789abcdef" * (9 << 16)
    sources, name = make({"large": large, "small": b"x", "zero": b""}, {})
    for node in world.tree(sources.read(name)):
        assert isinstance(node, FileNode)
        assert world.blobs.get(node.blob) == {"large": large, "small": b"x", "zero": b""}[node.path]


def test_no_date_is_before_1980(make: Make) -> None:
    sources, name = make(FILES, {})
    assert sources.read(name).date >= ZIP_FLOOR


@pytest.mark.parametrize("name", ["no/such/place", "", "no-such@HEAD", "shop-9.tar.gz", "a\0b", "-rf", "n" * 5000, "not-utf8-\udce9"])
def test_what_does_not_exist_is_said_so(make: Make, name: str) -> None:
    sources, _ = make(FILES, {})
    with pytest.raises(SourceUnusable):
        sources.read(name)


# Commits


def test_a_clean_working_copy_is_its_commit(world: World) -> None:
    folder = repository(world.folder / "shop")
    git(folder, "remote", "add", "origin", "https://me:secret@example.org/shop.git?token=x")
    read = world.sources.read("shop")
    assert read.origin == CommitOrigin(commit=git(folder, "rev-parse", "HEAD"), repository="https://example.org/shop.git")
    assert read.date == Instant(WHEN)
    assert read.source().clean


def test_a_commit_before_1980_has_the_floor_as_its_date(world: World) -> None:
    repository(world.folder / "shop", when=1000)
    assert world.sources.read("shop").date == ZIP_FLOOR


def test_a_commit_is_read_from_objects_and_not_from_the_working_copy(world: World) -> None:
    folder = repository(world.folder / "shop")
    clean = world.sources.read("shop")
    (folder / "tool.sh").write_bytes(b"changed")
    assert world.sources.read("shop@HEAD") == clean
    assert world.sources.read("shop#main") == clean


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda folder: (folder / "tool.sh").write_bytes(b"changed!\n"), "tool.sh"),
        (lambda folder: (folder / "new").write_bytes(b""), "new"),
        (lambda folder: (folder / "tool.sh").unlink(), "tool.sh"),
        (lambda folder: git(folder, "mv", "tool.sh", "moved.sh"), "moved.sh"),
        (lambda folder: (folder / "tool.sh").chmod(0o644), "tool.sh"),
    ],
    ids=["changed", "untracked", "deleted", "renamed", "mode"],
)
def test_any_change_makes_a_working_copy_a_directory(world: World, change: Callable[[Path], object], named: str) -> None:
    folder = repository(world.folder / "shop")
    change(folder)
    read = world.sources.read("shop")
    assert isinstance(read.origin, DirectoryOrigin)
    assert read.origin.reason == f"the working copy has uncommitted changes: {named}"
    assert not read.source().clean
    assert read.versions.fallback == f"0+g{git(folder, 'rev-parse', 'HEAD')[:9]}.dirty"
    assert set(world.paths(read)) == {
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and ".git/" not in str(path)
    }


def test_many_changes_are_counted(world: World) -> None:
    folder = repository(world.folder / "shop")
    write(folder, {f"new-{number}": b"" for number in range(8)})
    origin = world.sources.read("shop").origin
    assert isinstance(origin, DirectoryOrigin)
    assert origin.reason.endswith(": new-0, new-1, new-2, new-3, new-4 and 3 more")


def test_ignored_files_are_neither_a_change_nor_read(world: World) -> None:
    folder = repository(world.folder / "shop", {**FILES, ".gitignore": b"junk\n"})
    (folder / "junk").write_bytes(b"")
    assert world.sources.read("shop").source().clean
    (folder / "new").write_bytes(b"")
    read = world.sources.read("shop")
    assert "new" in world.paths(read)
    assert "junk" not in world.paths(read)


def test_the_lock_of_a_changed_working_copy_is_the_one_that_lies_there(world: World) -> None:
    folder = repository(world.folder / "shop")
    (folder / "lockage.lock").write_bytes(b"new lock\n")
    assert world.sources.read("shop").lock == b"new lock\n"
    assert world.sources.read("shop@HEAD").lock == b"{}\n"


def test_a_directory_of_a_repository_is_that_subtree(world: World) -> None:
    folder = repository(world.folder / "mono", {f"apps/shop/{name}": data for name, data in FILES.items()} | {"other": b""})
    read = world.sources.read("mono/apps/shop")
    assert isinstance(read.origin, CommitOrigin)
    assert read.origin.path == "apps/shop"
    assert set(world.paths(read)) == FILES.keys()
    assert read.recipe == FILES["lockage.toml"]
    (folder / "other").write_bytes(b"a change elsewhere")
    assert world.sources.read("mono/apps/shop") == read
    assert world.sources.read("mono/apps/shop@HEAD") == read
    (folder / "apps/shop/new").write_bytes(b"")
    assert set(world.paths(world.sources.read("mono/apps/shop"))) == FILES.keys() | {"new"}


def test_a_directory_that_the_repository_does_not_know_is_a_plain_one(world: World) -> None:
    folder = repository(world.folder / "shop", {".gitignore": b"unpacked\n"})
    write(folder / "unpacked", {"setup.py": b""})
    read = world.sources.read("shop/unpacked")
    assert isinstance(read.origin, DirectoryOrigin)
    assert "not part of its commit" in read.origin.reason
    assert world.paths(read) == ["setup.py"]


def test_a_repository_without_commits_is_a_directory(world: World) -> None:
    folder = world.folder / "shop"
    write(folder, FILES)
    git(folder, "init", "-q")
    read = world.sources.read("shop")
    assert read.origin == DirectoryOrigin(reason="the repository has no commit yet")
    assert set(world.paths(read)) == FILES.keys()


def test_versions_come_from_tags(world: World) -> None:
    folder = repository(world.folder / "shop", {"setup.py": b""})
    tag = VersionFrom(rule="tag")
    with pytest.raises(NoVersion):
        world.sources.read("shop").source(tag)
    commit = git(folder, "rev-parse", "HEAD")
    assert world.sources.read("shop").source().version == f"0+g{commit[:9]}"
    git(folder, "tag", "v1.2.3")
    git(folder, "tag", "unrelated")
    assert world.sources.read("shop").source(tag).version == "1.2.3"
    assert world.sources.read("shop@v1.2.3").origin == CommitOrigin(commit=commit, tag="v1.2.3")
    (folder / "setup.py").write_bytes(b"#")
    assert world.sources.read("shop").source(tag).version == f"1.2.4.dev0+g{commit[:9]}.dirty"
    git(folder, "commit", "-q", "-a", "-m", "two")
    commit = git(folder, "rev-parse", "HEAD")
    assert world.sources.read("shop").source(tag).version == f"1.2.4.dev1+g{commit[:9]}"
    assert world.sources.read("shop").source().version == f"1.2.4.dev1+g{commit[:9]}"
    git(folder, "tag", "-a", "2.0", "-m", "annotated")
    assert world.sources.read("shop").source(tag).version == "2.0"


def test_an_unknown_revision_is_named(world: World) -> None:
    repository(world.folder / "shop")
    for revision in ("v9", "HEAD:src", "--help", "HEAD\nHEAD", "0" * 40):
        with pytest.raises(SourceUnusable):
            world.sources.read(f"shop@{revision}")


def test_file_names_that_are_not_utf8_are_named(world: World) -> None:
    folder = world.folder / "shop"
    folder.mkdir()
    (folder / os.fsdecode(b"caf\xe9")).write_bytes(b"")
    with pytest.raises(SourceUnusable, match=r"caf\\xe9"):
        world.sources.read("shop")
    repository(folder)
    with pytest.raises(SourceUnusable, match=r"caf\\xe9"):
        world.sources.read("shop")


def test_links_out_of_a_commit_are_kept_and_never_followed(world: World) -> None:
    repository(world.folder / "shop", {"a": b""}, {"out": "/etc/passwd", "up": "../../x"})
    nodes = [node for node in world.tree(world.sources.read("shop")) if isinstance(node, LinkNode)]
    assert [node.target for node in nodes] == ["/etc/passwd", "../../x"]


def test_attributes_of_git_are_not_applied(world: World) -> None:
    files = {".gitattributes": b"a export-subst\nb export-ignore\nc text eol=crlf\n", "a": b"$Format:%H$\n", "b": b"", "c": b"1\n2\n"}
    repository(world.folder / "shop", files)
    read = world.sources.read("shop@HEAD")
    nodes = {str(node.path): node for node in world.tree(read)}
    assert nodes.keys() == files.keys()
    for name in ("a", "c"):
        node = nodes[name]
        assert isinstance(node, FileNode)
        assert world.blobs.get(node.blob) == files[name]


def test_replacement_objects_do_not_change_what_is_read(world: World) -> None:
    folder = repository(world.folder / "shop", {"a": b"true"})
    before = world.sources.read("shop")
    blob = git(folder, "rev-parse", "HEAD:a")
    (world.folder / "forged").write_bytes(b"forged")
    forged = git(folder, "hash-object", "-w", str(world.folder / "forged"))
    git(folder, "replace", blob, forged)
    world.memo.values.clear()
    assert world.sources.read("shop@HEAD").tree == before.tree


def test_the_configuration_of_a_repository_runs_nothing(world: World) -> None:
    folder = repository(world.folder / "shop")
    witness = world.folder / "witness"
    for name in ("core.fsmonitor", "core.sshCommand", "core.pager", "core.editor", "uploadpack.packObjectsHook"):
        git(folder, "config", name, f"touch {witness};")
    hook = folder / ".git/hooks/post-index-change"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {witness}\n")
    hook.chmod(0o755)
    os.utime(folder / "tool.sh", (1, 1))
    world.sources.read("shop")
    world.sources.read("shop@HEAD")
    assert not witness.exists()


def test_the_index_of_a_working_copy_is_not_written(world: World) -> None:
    folder = repository(world.folder / "shop")
    os.utime(folder / "tool.sh", (1, 1))
    before = (folder / ".git/index").read_bytes()
    world.sources.read("shop")
    assert (folder / ".git/index").read_bytes() == before


def test_a_damaged_repository_is_not_taken_for_the_one_around_it(world: World) -> None:
    repository(world.folder / "outer")
    inner = repository(world.folder / "outer/inner")
    (inner / ".git/HEAD").unlink()
    with pytest.raises(SourceUnusable):
        world.sources.read("outer/inner")


def test_a_missing_object_is_said_so(world: World) -> None:
    folder = repository(world.folder / "shop")
    blob = git(folder, "rev-parse", "HEAD:tool.sh")
    (folder / ".git/objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(SourceUnusable, match=blob):
        world.sources.read("shop@HEAD")


def test_a_missing_tree_is_said_so(world: World) -> None:
    folder = repository(world.folder / "shop")
    tree = git(folder, "rev-parse", "HEAD:src")
    (folder / ".git/objects" / tree[:2] / tree[2:]).unlink()
    with pytest.raises(SourceUnusable, match="could not list"):
        world.sources.read("shop@HEAD")


def test_linked_work_trees_bare_repositories_and_sha256_are_read(world: World) -> None:
    folder = repository(world.folder / "shop")
    first = world.sources.read("shop")
    git(folder, "worktree", "add", "-q", "--detach", str(world.folder / "linked"))
    assert world.sources.read("linked") == first
    git(world.folder, "clone", "-q", "--bare", "shop", "bare")
    bare = world.sources.read("bare")
    assert (bare.tree, bare.origin) == (first.tree, first.origin)
    assert world.sources.read("bare@main").tree == first.tree
    other = world.folder / "sha256"
    write(other, FILES)
    git(other, "init", "-q", "--object-format=sha256")
    git(other, "add", "-A")
    git(other, "commit", "-q", "-m", "one")
    read = world.sources.read("sha256")
    assert read.tree == first.tree
    assert isinstance(read.origin, CommitOrigin)
    assert len(read.origin.commit) == 64


def test_a_link_to_a_repository_is_that_repository(world: World) -> None:
    repository(world.folder / "shop")
    (world.folder / "link").symlink_to("shop")
    assert world.sources.read("link") == world.sources.read("shop")


def test_an_unchanged_commit_is_read_without_its_objects(world: World) -> None:
    folder = repository(world.folder / "shop")
    first = world.sources.read("shop@HEAD")
    blob = git(folder, "rev-parse", "HEAD:tool.sh")
    (folder / ".git/objects" / blob[:2] / blob[2:]).unlink()
    assert world.sources.read("shop@HEAD") == first


def test_a_store_that_lost_the_tree_gets_it_again(world: World) -> None:
    repository(world.folder / "shop")
    first = world.sources.read("shop")
    world.blobs.data.clear()
    assert world.sources.read("shop") == first
    assert set(world.paths(first)) == FILES.keys()


def test_a_memo_that_makes_no_sense_is_not_believed(world: World) -> None:
    repository(world.folder / "shop")
    sdist(world.folder / "shop-1.2.tar.gz")
    for name in ("shop", "shop-1.2.tar.gz"):
        first = world.sources.read(name)
        for key in world.memo.values:
            world.memo.values[key] = b"{}"
        assert world.sources.read(name) == first


def test_git_missing_is_said_so(world: World) -> None:
    repository(world.folder / "shop")
    world.environment["PATH"] = str(world.folder / "empty")
    with pytest.raises(SourceUnusable, match="git was not found"):
        world.router().read("shop")


# Repositories elsewhere


def test_a_repository_elsewhere_is_copied_and_kept_up_to_date(world: World) -> None:
    folder = repository(world.folder / "shop")
    address = f"file://{folder}"
    git(folder, "tag", "v1.0")
    first = world.sources.read(address)
    (folder / "tool.sh").write_bytes(b"new\n")
    git(folder, "commit", "-q", "-a", "-m", "two")
    second = world.sources.read(address)
    assert second.tree != first.tree
    assert second.origin == CommitOrigin(commit=git(folder, "rev-parse", "HEAD"))
    tagged = world.sources.read(f"{address}@v1.0")
    assert tagged.tree == first.tree
    assert tagged.origin == CommitOrigin(commit=git(folder, "rev-parse", "v1.0"), tag="v1.0")
    assert tagged.source(VersionFrom(rule="tag")).version == "1.0"


def test_a_full_commit_that_is_kept_needs_no_server(world: World) -> None:
    folder = repository(world.folder / "shop")
    commit = git(folder, "rev-parse", "HEAD")
    first = world.sources.read(f"file://{folder}@{commit}")
    folder.rename(world.folder / "gone")
    assert world.sources.read(f"file://{folder}@{commit}") == first
    with pytest.raises(SourceUnusable, match="no repository or revision"):
        world.sources.read(f"file://{folder}@main")


def test_a_copy_that_is_read_is_not_deleted_and_one_that_was_is_fetched_again(world: World) -> None:
    folder = repository(world.folder / "shop")
    first = world.sources.read(f"file://{folder}")
    store = StoreFolder(world.folder)
    assert store.sweep_copies(Instant(1 << 33))["clones"].count == 0
    for copy in [copy for copy in remote._READ if copy.is_relative_to(world.folder)]:
        os.close(remote._READ.pop(copy))  # as when a process ends
    assert store.sweep_copies(Instant(1 << 33))["clones"].count == 1
    assert world.sources.read(f"file://{folder}") == first


def test_credentials_reach_neither_messages_nor_the_copy(world: World) -> None:
    with pytest.raises(ServiceUnreachable) as caught:
        world.sources.read("https://me:s3cret@127.0.0.1:9/shop.git")
    assert "s3cret" not in str(caught.value) + repr(caught.value.details)
    for path in (world.folder / "clones").rglob("*"):
        assert not path.is_file() or b"s3cret" not in path.read_bytes()


def test_the_address_of_a_file_is_no_repository(world: World) -> None:
    with pytest.raises(SourceUnusable, match="is a file"):
        world.sources.read("https://example.org/shop-1.0.tar.gz")


# Sdists


def test_an_sdist_says_its_name_version_and_date(world: World) -> None:
    metadata = b"Metadata-Version: 2.4\nName: Shop_App\nVersion: 3.4\n\nVersion: 9\n"
    file = sdist(world.folder / "shop-1.2.tar.gz", {"PKG-INFO": metadata, "setup.py": b""})
    read = world.sources.read("shop-1.2.tar.gz")
    assert (read.project, read.source().version, read.date) == ("shop-app", "3.4", Instant(WHEN))
    assert isinstance(read.origin, SdistOrigin)
    assert world.blobs.data[read.origin.sha256] == file.read_bytes()
    assert read.source().clean


def test_without_metadata_the_file_name_speaks(world: World) -> None:
    sdist(world.folder / "my-shop-1.2.tar.gz", {"setup.py": b""})
    read = world.sources.read("my-shop-1.2.tar.gz")
    assert (read.project, read.source().version) == ("my-shop", "1.2")


def test_all_compressions_give_the_same_tree(world: World) -> None:
    members = [tar_member(f"shop-1.2/{name}", data) for name, data in FILES.items()]
    trees = set()
    for suffix, mode in (("tar.gz", "w:gz"), ("tgz", "w:gz"), ("tar.bz2", "w:bz2"), ("tar.xz", "w:xz")):
        tarball(world.folder / f"shop-1.2.{suffix}", members, mode)
        trees.add(world.sources.read(f"shop-1.2.{suffix}").tree)
    assert len(trees) == 1


def test_of_two_members_with_one_name_the_last_counts(world: World) -> None:
    tarball(world.folder / "s-1.tar.gz", [tar_member("s-1/a", b"first"), tar_member("./s-1/a", b"last")])
    (node,) = world.tree(world.sources.read("s-1.tar.gz"))
    assert isinstance(node, FileNode)
    assert world.blobs.get(node.blob) == b"last"


def test_hard_links_are_the_file_that_they_link_to(world: World) -> None:
    tarball(world.folder / "s-1.tar.gz", [tar_member("s-1/a", b"x"), tar_member("s-1/d/b", type=tarfile.LNKTYPE, linkname="s-1/a")])
    one, other = world.tree(world.sources.read("s-1.tar.gz"))
    assert isinstance(one, FileNode)
    assert isinstance(other, FileNode)
    assert one.blob == other.blob


def test_empty_directories_are_kept(world: World) -> None:
    tarball(world.folder / "s-1.tar.gz", [tar_member("s-1/a", b"x"), tar_member("s-1/empty", type=tarfile.DIRTYPE)])
    assert world.paths(world.sources.read("s-1.tar.gz")) == ["a", "empty"]


def test_a_read_archive_costs_no_second_unpacking(world: World) -> None:
    sdist(world.folder / "shop-1.2.tar.gz")
    first = world.sources.read("shop-1.2.tar.gz")
    kept = dict(world.blobs.data)
    for node in world.tree(first):
        if isinstance(node, FileNode) and node.path not in ("lockage.toml", "lockage.lock"):
            del world.blobs.data[node.blob.digest]
    assert world.sources.read("shop-1.2.tar.gz") == first
    assert len(world.blobs.data) < len(kept)


BAD_TARS: dict[str, tuple[list[tuple[tarfile.TarInfo, bytes]], str]] = {
    "climbing": ([tar_member("s-1/../../etc/x", b"x")], "leads out"),
    "absolute": ([tar_member("/etc/x", b"x")], "leads out"),
    "two-tops": ([tar_member("s-1/a", b"x"), tar_member("t-1/a", b"x")], "one directory at its top"),
    "file-at-top": ([tar_member("setup.py", b"x")], "inside that"),
    "link-out": ([tar_member("s-1/l", type=tarfile.SYMTYPE, linkname="../../etc/passwd")], "leads out of the archive"),
    "link-absolute": ([tar_member("s-1/l", type=tarfile.SYMTYPE, linkname="/etc/passwd")], "leads out of the archive"),
    "file-through-link": (
        [tar_member("s-1/l", type=tarfile.SYMTYPE, linkname="d"), tar_member("s-1/l/x", b"x"), tar_member("s-1/d/y", b"")],
        "do not make a tree",
    ),
    "hard-link-out": ([tar_member("s-1/l", type=tarfile.LNKTYPE, linkname="/etc/passwd")], "no earlier member"),
    "device": ([tar_member("s-1/d", type=tarfile.CHRTYPE)], "device"),
    "fifo": ([tar_member("s-1/d", type=tarfile.FIFOTYPE)], "device"),
    "empty": ([], "no files"),
    "only-the-top": ([tar_member("s-1", type=tarfile.DIRTYPE)], "no files"),
    "too-large": ([tar_member("s-1/a", b"x" * 60_000), tar_member("s-1/b", b"x" * 60_000)], "more than 100000 bytes"),
    "too-many": ([tar_member(f"s-1/{number}") for number in range(20)], "more than 10 members"),
}


@pytest.mark.parametrize("defect", BAD_TARS)
def test_an_archive_with_a_defect_is_refused_and_the_member_named(tmp_path: Path, defect: str) -> None:
    members, said = BAD_TARS[defect]
    tarball(tmp_path / "s-1.tar.gz", members)
    with pytest.raises(SourceUnusable, match=said):
        World(tmp_path, Limits(size=100_000, members=10)).sources.read("s-1.tar.gz")


def test_a_member_whose_name_is_not_utf8_is_named(world: World) -> None:
    with tarfile.open(world.folder / "s-1.tar.gz", "w:gz", format=tarfile.GNU_FORMAT, encoding="latin-1") as archive:
        archive.addfile(*(lambda pair: (pair[0], BytesIO(pair[1])))(tar_member("s-1/caf\xe9", b"x")))
    with pytest.raises(SourceUnusable, match=r"caf\\xe9"):
        world.sources.read("s-1.tar.gz")


def test_bytes_that_are_no_archive_are_refused(world: World) -> None:
    for number, data in enumerate((b"", b"plain text", b"\x1f\x8b\x08\x00", b"PK\x03\x04 rest", os.urandom(2000))):
        (world.folder / f"s-{number}.tar.gz").write_bytes(data)
        with pytest.raises(SourceUnusable, match=rf"s-{number}\.tar\.gz"):
            world.sources.read(f"s-{number}.tar.gz")


def test_an_archive_that_was_cut_off_is_refused_at_every_length(world: World) -> None:
    whole = sdist(world.folder / "whole-1.tar.gz", {"data": os.urandom(20_000), "more": b"x" * 2000}).read_bytes()
    for length in range(1, len(whole) - 20, len(whole) // 25):
        (world.folder / "cut-1.tar.gz").write_bytes(whole[:length])
        with pytest.raises(SourceUnusable):
            world.sources.read("cut-1.tar.gz")


def test_what_follows_the_last_member_counts_as_well(tmp_path: Path) -> None:
    file = tmp_path / "s-1.tar.gz"
    tarball(tmp_path / "s-1.tar", [tar_member("s-1/a", b"x")], "w")
    file.write_bytes(gzip.compress((tmp_path / "s-1.tar").read_bytes() + bytes(200_000)))
    with pytest.raises(SourceUnusable, match="more than 100000 bytes"):
        World(tmp_path, Limits(size=100_000)).sources.read("s-1.tar.gz")


@pytest.mark.parametrize("mode", ["w:gz", "w:xz"])
def test_a_checksum_behind_the_last_member_is_compared(world: World, mode: str) -> None:
    file = tarball(world.folder / "s-1.tar.gz", [tar_member("s-1/a", b"x")], mode)
    data = bytearray(file.read_bytes())
    data[-6] ^= 1
    file.write_bytes(data)
    with pytest.raises(SourceUnusable, match="damaged"):
        world.sources.read("s-1.tar.gz")


@pytest.mark.parametrize("kind", ["tar.gz", "zip"])
def test_damage_anywhere_in_an_archive_is_refused_or_harmless(world: World, kind: str) -> None:
    whole = sdist(world.folder / "whole-1.tar.gz", FILES, LINKS) if kind == "tar.gz" else Path(_zip(world)(FILES, LINKS)[1])
    data = gzip.decompress(whole.read_bytes()) if kind == "tar.gz" else whole.read_bytes()
    damage = random.Random(7)
    refused = 0
    for _ in range(150):
        damaged = bytearray(data)
        for _ in range(damage.randint(1, 5)):
            damaged[damage.randrange(len(damaged))] = damage.randrange(256)
        (world.folder / "damaged-1.tar.gz").write_bytes(damaged)
        try:
            world.sources.read("damaged-1.tar.gz")
        except SourceUnusable:
            refused += 1
    assert refused


def test_a_zip_that_lies_or_climbs_is_refused(world: World) -> None:
    for number, name in enumerate(("s-1/../../x", "/x/y", "s-1\\x", "x")):
        with zipfile.ZipFile(world.folder / f"s-{number}.zip", "w") as archive:
            archive.writestr(name, b"x")
        with pytest.raises(SourceUnusable):
            world.sources.read(f"s-{number}.zip")
    data = bytearray((world.folder / "s-0.zip").read_bytes().replace(b"s-1/../../x", b"s-1/aaaaaax"))
    (world.folder / "good.zip").write_bytes(data)
    world.sources.read("good.zip")
    data[data.index(b"aaaaaax") + 7] ^= 1
    (world.folder / "bad.zip").write_bytes(data)
    with pytest.raises(SourceUnusable, match="damaged"):
        world.sources.read("bad.zip")


# Directories


def test_a_directory_is_read_but_for_what_tools_leave_behind(world: World) -> None:
    junk = {".venv/x": b"", "src/__pycache__/a.pyc": b"", "dist/shop.whl": b"", "src/dist/kept": b"", ".lockage/x": b""}
    write(world.folder / "shop", {**FILES, **junk})
    read = world.sources.read("shop")
    assert set(world.paths(read)) == FILES.keys() | {"src/dist/kept"}
    assert read.date == ZIP_FLOOR
    assert isinstance(read.origin, DirectoryOrigin)
    assert not read.source().clean


def test_a_pipe_in_a_directory_is_refused(world: World) -> None:
    write(world.folder / "shop", FILES)
    os.mkfifo(world.folder / "shop/pipe")
    with pytest.raises(SourceUnusable, match="pipe"):
        world.sources.read("shop")


def test_links_of_a_directory_are_not_followed(world: World) -> None:
    write(world.folder / "outside", {"secret": b"secret"})
    write(world.folder / "shop", {"a": b""}, {"out": "../outside", "loop": "."})
    assert world.paths(world.sources.read("shop")) == ["a", "loop", "out"]


def test_a_directory_without_any_version_gets_one(world: World) -> None:
    write(world.folder / "shop", {"setup.py": b""})
    assert world.sources.read("shop").source().version == "0+directory"


# A server that asks for credentials


@pytest.fixture
def server(world: World) -> Iterator[str]:
    """The address, without a scheme, of a server of the folder ``served`` that only lets one user in."""
    expected = "Basic " + b64encode(b"me:s@cret").decode()
    (world.folder / "served").mkdir()

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.headers.get("Authorization") == expected:
                super().do_GET()
                return
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="shop"')
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(world.folder / "served"))) as listening:
        thread = Thread(target=listening.serve_forever)
        thread.start()
        yield f"127.0.0.1:{listening.server_port}"
        listening.shutdown()
        thread.join()


def test_credentials_of_an_address_reach_the_server_and_nothing_else(world: World, server: str) -> None:
    repository(world.folder / "shop")
    git(world.folder, "clone", "-q", "--bare", "shop", "served/shop.git")
    git(world.folder / "served/shop.git", "update-server-info")
    read = world.sources.read(f"http://me:s%40cret@{server}/shop.git@main")
    assert isinstance(read.origin, CommitOrigin)
    assert read.origin.repository == f"http://{server}/shop.git"
    kept = [path.read_bytes() for path in (world.folder / "clones").rglob("*") if path.is_file()]
    assert kept
    assert not any(word in data for data in kept for word in (b"s%40cret", b"s@cret", b64encode(b"me:s@cret")))


def test_wrong_credentials_and_missing_repositories_are_told_apart(world: World, server: str) -> None:
    with pytest.raises(ServiceUnreachable, match=r"Authentication failed|could not read Username"):
        world.sources.read(f"http://me:wrong@{server}/shop.git")
    with pytest.raises(SourceUnusable, match="no repository or revision"):
        world.sources.read(f"http://me:s%40cret@{server}/none.git")


@pytest.mark.parametrize("relative", [True, False], ids=["relative", "absolute"])
def test_only_a_relative_submodule_is_asked_for_with_the_same_credentials(world: World, server: str, relative: bool) -> None:
    repository(world.folder / "inner", {"lib.c": b""})
    url = "../inner.git" if relative else f"http://{server}/inner.git"
    shop = repository(world.folder / "shop", {".gitmodules": f'[submodule "v"]\n\tpath = v\n\turl = {url}\n'.encode()})
    git(shop, "update-index", "--add", "--cacheinfo", f"160000,{git(world.folder / 'inner', 'rev-parse', 'HEAD')},v")
    git(shop, "commit", "-q", "-m", "two")
    for name in ("shop", "inner"):
        git(world.folder, "clone", "-q", "--bare", name, f"served/{name}.git")
        git(world.folder / f"served/{name}.git", "update-server-info")
    if relative:
        assert "v/lib.c" in world.paths(world.sources.read(f"http://me:s%40cret@{server}/shop.git"))
    else:
        with pytest.raises(ServiceUnreachable, match=r"the submodule v: cannot fetch") as caught:
            world.sources.read(f"http://me:s%40cret@{server}/shop.git")
        assert "cret" not in str(caught.value) + repr(caught.value.details)
    kept = [path.read_bytes() for path in (world.folder / "clones").rglob("*") if path.is_file()]
    assert not any(word in data for data in kept for word in (b"s%40cret", b"s@cret", b64encode(b"me:s@cret")))


def test_a_kept_sdist_is_the_source_that_its_file_is(world: World) -> None:
    file = sdist(world.folder / "shop-1.2.tar.gz", {"PKG-INFO": b"Metadata-Version: 2.1\nName: shop\nVersion: 1.2\n", "setup.py": b""})
    archive = world.blobs.put(file.read_bytes())
    found = world.sources.read_sdist(file.name, archive)
    assert found == world.sources.read(str(file))
    world.memo.values.clear()
    assert world.sources.read_sdist(file.name, archive) == found, "whoever was asked first"


def test_an_sdist_that_is_not_kept_or_no_archive_is_said_so(world: World) -> None:
    with pytest.raises(BlobMissing):
        world.sources.read_sdist("shop-1.2.tar.gz", BlobRef.of(b"nobody put this"))
    with pytest.raises(SourceUnusable, match=r"shop-1\.2\.tar\.gz"):
        world.sources.read_sdist("shop-1.2.tar.gz", world.blobs.put(b"no archive"))

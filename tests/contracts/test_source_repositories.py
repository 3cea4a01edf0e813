"""Repositories as they are: submodules, Git LFS, several projects in one, and whatever else a git repository can be."""

from __future__ import annotations

import os
import shutil
import stat
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from tests.contracts.test_sources import World, git, repository, write

from lockage.base.tree import FileNode, LinkNode, read_tree
from lockage.ports import ServiceUnreachable, SourceUnusable
from lockage.recipe.model import VersionFrom
from lockage.record.source import CommitOrigin, DirectoryOrigin
from lockage.record.version import NoVersion

if TYPE_CHECKING:
    from pathlib import Path

    from lockage.ports import SourceRead


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def contents(world: World, read: SourceRead) -> dict[str, bytes | str]:
    """Every file's bytes and every link's target by path."""
    found: dict[str, bytes | str] = {}
    for node in read_tree(read.tree, world.blobs.get):
        if isinstance(node, FileNode):
            found[str(node.path)] = world.blobs.get(node.blob)
        elif isinstance(node, LinkNode):
            found[str(node.path)] = node.target
    return found


# Submodules


def with_submodule(world: World, *, url: str = "../inner", path: str = "vendored") -> Path:
    """A repository ``shop`` with ``inner`` as a submodule, checked out."""
    if not (world.folder / "inner").exists():
        repository(world.folder / "inner", {"lib.c": b"int x;\n", "run.sh": b"#!/bin/sh\n"}, {"link": "lib.c"})
    folder = repository(world.folder / "shop", {"setup.py": b"", "pkg/a.py": b"1\n"})
    git(folder, "remote", "add", "origin", str(world.folder / "shop"))
    git(folder, "submodule", "--quiet", "add", url, path)
    git(folder, "commit", "-q", "-m", "two")
    return folder


def test_a_submodule_is_part_of_the_tree_at_its_recorded_commit(world: World) -> None:
    folder = with_submodule(world)
    read = world.sources.read("shop")
    assert isinstance(read.origin, CommitOrigin)
    assert read.origin.commit == git(folder, "rev-parse", "HEAD")
    found = contents(world, read)
    assert found.keys() == {".gitmodules", "setup.py", "pkg/a.py", "vendored/lib.c", "vendored/run.sh", "vendored/link"}
    assert (found["vendored/lib.c"], found["vendored/link"]) == (b"int x;\n", "lib.c")
    nodes = {str(node.path): node for node in world.tree(read)}
    assert getattr(nodes["vendored/run.sh"], "executable", None) is True
    write(world.folder / "copy", {}, {})
    git(world.folder, "clone", "-q", "--recurse-submodules", "shop", "copy")
    assert world.sources.read("copy").tree == read.tree


def test_submodules_of_submodules_of_a_directory_are_read(world: World) -> None:
    repository(world.folder / "innermost", {"deep.c": b"deep\n"})
    inner = repository(world.folder / "inner", {"lib.c": b"lib\n"})
    git(inner, "remote", "add", "origin", str(inner))
    git(inner, "submodule", "--quiet", "add", "../innermost", "third")
    git(inner, "commit", "-q", "-m", "two")
    folder = with_submodule(world, path="pkg/vendored")
    git(folder, "submodule", "--quiet", "update", "--init", "--recursive")
    assert contents(world, world.sources.read("shop/pkg"))["vendored/third/deep.c"] == b"deep\n"
    (folder / "pkg/vendored/third/deep.c").write_bytes(b"changed\n")
    changed = world.sources.read("shop/pkg")
    assert isinstance(changed.origin, DirectoryOrigin)
    assert changed.origin.reason.endswith(": pkg/vendored/third/deep.c")
    assert contents(world, changed)["vendored/third/deep.c"] == b"changed\n"
    assert contents(world, world.sources.read("shop@HEAD"))["pkg/vendored/third/deep.c"] == b"deep\n"
    assert world.sources.read("shop/pkg@HEAD").source().clean


def test_a_submodule_is_found_in_the_folder_of_its_superproject(world: World) -> None:
    folder = with_submodule(world)
    expected = world.sources.read("shop").tree
    world.memo.values.clear()
    git(folder, "submodule", "--quiet", "deinit", "-f", "vendored")
    read = world.sources.read("shop")
    assert (read.tree, read.source().clean) == (expected, True)
    world.memo.values.clear()
    git(folder, "worktree", "add", "-q", "--detach", str(world.folder / "linked"))
    assert world.sources.read("linked").tree == expected


def test_a_submodule_that_is_not_there_is_named_with_the_command_to_type(world: World) -> None:
    folder = with_submodule(world)
    commit = git(folder, "rev-parse", "HEAD:vendored")
    git(world.folder, "clone", "-q", "shop", "copy")
    with pytest.raises(SourceUnusable) as caught:
        world.sources.read("copy")
    assert f"vendored at {commit}" in caught.value.message
    command = f"git -C {world.folder / 'copy'} submodule update --init --recursive vendored"
    assert f"`{command}`" in caught.value.hint
    git(world.folder, *command.split()[1:])
    assert "vendored/lib.c" in world.paths(world.sources.read("copy"))
    git(world.folder, "clone", "-q", "--bare", "shop", "bare")
    world.memo.values.clear()
    with pytest.raises(SourceUnusable) as caught:
        world.sources.read("bare")
    assert "--recurse-submodules" in caught.value.hint


def test_a_submodule_that_gitmodules_does_not_name_is_refused(world: World) -> None:
    folder = with_submodule(world)
    git(folder, "rm", "-q", "--cached", ".gitmodules")
    git(folder, "commit", "-q", "-m", "three")
    with pytest.raises(SourceUnusable, match=r"does not name: vendored"):
        world.sources.read("shop@HEAD")


@pytest.mark.parametrize("kind", ["file", "untracked", "commit"])
def test_what_is_changed_in_a_submodule_is_a_change(world: World, kind: str) -> None:
    folder = with_submodule(world)
    clean = world.sources.read("shop")
    if kind == "file":
        (folder / "vendored/lib.c").write_bytes(b"changed\n")
    else:
        (folder / "vendored/new.c").write_bytes(b"new\n")
    if kind == "commit":
        git(folder / "vendored", "add", "-A")
        git(folder / "vendored", "commit", "-q", "-m", "there")
    read = world.sources.read("shop")
    assert isinstance(read.origin, DirectoryOrigin)
    assert read.origin.reason.endswith({"file": ": vendored/lib.c", "untracked": ": vendored/new.c", "commit": ": vendored"}[kind])
    found = contents(world, read)
    if kind == "file":
        assert found["vendored/lib.c"] == b"changed\n"
    else:
        assert found["vendored/new.c"] == b"new\n"
    assert found["vendored/link"] == "lib.c"
    assert world.sources.read("shop@HEAD") == clean


def test_a_recorded_commit_that_moved_is_read_without_a_working_copy(world: World) -> None:
    folder = with_submodule(world)
    (folder / "vendored/new.c").write_bytes(b"new\n")
    git(folder / "vendored", "add", "-A")
    git(folder / "vendored", "commit", "-q", "-m", "there")
    git(folder, "add", "vendored")
    git(folder, "submodule", "--quiet", "deinit", "-f", "vendored")
    read = world.sources.read("shop")
    assert isinstance(read.origin, DirectoryOrigin)
    assert contents(world, read)["vendored/new.c"] == b"new\n"


def test_a_change_beside_a_submodule_keeps_it(world: World) -> None:
    folder = with_submodule(world)
    (folder / "setup.py").write_bytes(b"changed\n")
    assert contents(world, world.sources.read("shop"))["vendored/lib.c"] == b"int x;\n"
    repository(folder / "stray")
    with pytest.raises(SourceUnusable, match=r"no submodules of it: stray/"):
        world.sources.read("shop")


def test_submodules_of_a_repository_elsewhere_are_fetched(world: World) -> None:
    folder = with_submodule(world)
    expected = world.sources.read("shop")
    world.memo.values.clear()
    read = world.sources.read(f"file://{folder}")
    assert read.tree == expected.tree
    assert read.origin == CommitOrigin(commit=git(folder, "rev-parse", "HEAD"))
    world.memo.values.clear()
    (world.folder / "inner").rename(world.folder / "gone")
    assert world.sources.read(f"file://{folder}").tree == expected.tree, "a commit that is kept needs no server"


def test_what_a_submodule_elsewhere_lacks_is_said_with_its_path(world: World) -> None:
    folder = with_submodule(world)
    (world.folder / "inner").rename(world.folder / "gone")
    with pytest.raises(SourceUnusable, match=r"the submodule vendored: no repository or revision"):
        world.sources.read(f"file://{folder}")


def test_the_name_of_a_submodule_leads_nowhere_else(world: World) -> None:
    """CVE-2018-11235: a name such as ``../../elsewhere`` would be a folder of the stranger's choice."""
    folder = with_submodule(world)
    git(folder, "submodule", "--quiet", "deinit", "-f", "vendored")
    (folder / ".git/modules/vendored").rename(folder / ".git/elsewhere")
    text = (folder / ".gitmodules").read_text()
    (folder / ".gitmodules").write_text(text.replace('"vendored"', '"../elsewhere"'))
    git(folder, "commit", "-q", "-a", "-m", "three")
    with pytest.raises(SourceUnusable, match="not in this clone"):
        world.sources.read("shop@HEAD")


def test_a_working_copy_that_a_link_leads_to_is_no_submodule(world: World) -> None:
    repository(world.folder / "private", {"secret": b"secret"})
    folder = repository(
        world.folder / "shop", {".gitmodules": b'[submodule "x"]\n\tpath = link\n\turl = ../x\n', "a": b""}, {"link": "../private"}
    )
    (folder / "a").write_bytes(b"changed")
    assert contents(world, world.sources.read("shop"))["link"] == "../private"


def test_the_configuration_of_a_submodule_runs_nothing(world: World) -> None:
    folder = with_submodule(world)
    witness = world.folder / "witness"
    for name in ("core.fsmonitor", "core.sshCommand", "core.pager", "core.hooksPath", "uploadpack.packObjectsHook"):
        git(folder / "vendored", "config", name, f"touch {witness};")
    os.utime(folder / "vendored/lib.c", (1, 1))
    world.sources.read("shop")
    (folder / "vendored/lib.c").write_bytes(b"changed\n")
    world.sources.read("shop")
    assert not witness.exists()


# Git LFS

LARGE = b"\x00\x01large" * 5000
MARK = b"*.bin filter=lfs diff=lfs merge=lfs -text\n"


def pointer(data: bytes) -> bytes:
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256(data).hexdigest()}\nsize {len(data)}\n".encode()


def keep(folder: Path, data: bytes, content: bytes | None = None) -> Path:
    """Put contents where git-lfs has them; ``content`` are other bytes under the name of ``data``."""
    name = sha256(data).hexdigest()
    file = folder / "lfs/objects" / name[:2] / name[2:4] / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data if content is None else content)
    return file


def test_the_contents_of_large_file_storage_stand_in_the_place_of_pointers(world: World) -> None:
    folder = repository(world.folder / "shop", {".gitattributes": MARK, "data/model.bin": pointer(LARGE), "tool.bin": b"plain"})
    keep(folder / ".git", LARGE)
    (folder / "data/model.bin").write_bytes(LARGE)  # as git-lfs leaves it, and git would ask git-lfs whether it changed
    git(folder, "update-index", "--assume-unchanged", "data/model.bin")
    read = world.sources.read("shop")
    assert read.source().clean
    assert contents(world, read) == {".gitattributes": MARK, "data/model.bin": LARGE, "tool.bin": b"plain"}
    assert contents(world, world.sources.read("shop@HEAD")) == contents(world, read)


def test_pointers_without_contents_are_refused_by_name(world: World) -> None:
    folder = repository(world.folder / "shop", {".gitattributes": MARK, "data/model.bin": pointer(LARGE), "ok": b""})
    with pytest.raises(SourceUnusable, match=r"LFS pointers.*data/model\.bin") as caught:
        world.sources.read("shop")
    assert f"`git -C {folder} lfs pull`" in caught.value.hint
    (folder / "ok").write_bytes(b"changed")
    with pytest.raises(SourceUnusable, match=r"LFS pointers.*data/model\.bin"):
        world.sources.read("shop")


@pytest.mark.parametrize("content", [b"other", LARGE[:-1] + b"x"], ids=["size", "bytes"])
def test_contents_that_are_not_what_the_pointer_says_are_refused(world: World, content: bytes) -> None:
    folder = repository(world.folder / "shop", {".gitattributes": MARK, "model.bin": pointer(LARGE)})
    keep(folder / ".git", LARGE, content)
    with pytest.raises(SourceUnusable, match=r"model\.bin are not what its pointer says"):
        world.sources.read("shop")


def test_a_pointer_that_nothing_marks_is_refused_unless_the_text_is_meant(world: World) -> None:
    folder = repository(world.folder / "shop", {"fixture.txt": pointer(LARGE)})
    keep(folder / ".git", LARGE)
    with pytest.raises(SourceUnusable, match=r"does not mark them: fixture\.txt"):
        world.sources.read("shop")
    write(folder, {".gitattributes": b"fixture.txt -filter\n"})
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "two")
    assert contents(world, world.sources.read("shop"))["fixture.txt"] == pointer(LARGE)


def test_marks_come_from_the_commit_and_from_no_other_file(world: World) -> None:
    files = {"sub/.gitattributes": b"deep/* filter=lfs\n", "sub/deep/a": pointer(LARGE), "sub/b": pointer(LARGE)}
    folder = repository(world.folder / "shop", files)
    keep(folder / ".git", LARGE)
    (folder / ".git/info").mkdir(exist_ok=True)
    (folder / ".git/info/attributes").write_bytes(b"* filter=lfs\n")
    with pytest.raises(SourceUnusable, match=r"does not mark them: sub/b$"):
        world.sources.read("shop@HEAD")
    assert contents(world, world.sources.read("shop@HEAD#subdirectory=sub/deep")) == {"a": LARGE}


def test_one_directory_in_two_repositories_is_what_each_says(world: World) -> None:
    """Which files are pointers may stand above a directory, so its own tree does not say what it becomes."""
    for name, mark in (("one", MARK), ("two", b"*.bin -filter\n")):
        folder = repository(world.folder / name, {".gitattributes": mark, "sub/x.bin": pointer(LARGE)})
        keep(folder / ".git", LARGE)
    assert contents(world, world.sources.read("one/sub")) == {"x.bin": LARGE}
    assert contents(world, world.sources.read("two/sub")) == {"x.bin": pointer(LARGE)}
    assert contents(world, world.sources.read("one/sub")) == {"x.bin": LARGE}


def test_a_pointer_that_cannot_be_read_is_refused(world: World) -> None:
    for number, bad in enumerate((b"oid sha256:00\nsize 1\n", b"oid md5:" + b"0" * 64 + b"\nsize 1\n")):
        text = b"version https://git-lfs.github.com/spec/v1\n" + bad
        repository(world.folder / f"shop{number}", {".gitattributes": MARK, "x.bin": text.ljust(200)})
        with pytest.raises(SourceUnusable, match=r"cannot be read: x\.bin"):
            world.sources.read(f"shop{number}")


def test_a_new_pointer_in_a_changed_working_copy_gets_its_contents(world: World) -> None:
    folder = repository(world.folder / "shop", {".gitattributes": MARK, "a/b": b""})
    keep(folder / ".git", LARGE)
    write(folder, {"a/new.bin": pointer(LARGE)})
    for name, path in (("shop", "a/new.bin"), ("shop/a", "new.bin")):
        assert contents(world, world.sources.read(name))[path] == LARGE


def test_contents_are_found_where_objects_are_borrowed_and_where_the_configuration_says(world: World) -> None:
    folder = repository(world.folder / "shop", {".gitattributes": MARK, "model.bin": pointer(LARGE)})
    kept = keep(folder / ".git", LARGE)
    git(world.folder, "clone", "-q", "--shared", "shop", "borrowed")
    assert contents(world, world.sources.read("borrowed"))["model.bin"] == LARGE
    world.memo.values.clear()
    world.blobs.data.clear()
    (world.folder / "elsewhere").mkdir()
    kept.unlink()
    keep(world.folder / "elsewhere", LARGE).parents[2].rename(world.folder / "elsewhere/objects")
    git(folder, "config", "lfs.storage", str(world.folder / "elsewhere"))
    assert contents(world, world.sources.read("shop@HEAD"))["model.bin"] == LARGE


def test_a_submodule_has_its_own_large_files(world: World) -> None:
    repository(world.folder / "inner", {".gitattributes": MARK, "x.bin": pointer(LARGE)})
    folder = with_submodule(world)
    with pytest.raises(SourceUnusable, match=r"contents.*vendored/x\.bin"):
        world.sources.read("shop")
    keep(folder / ".git/modules/vendored", LARGE)
    assert contents(world, world.sources.read("shop"))["vendored/x.bin"] == LARGE


def with_git_lfs(world: World, script: str) -> None:
    """A git-lfs of the test's own, which git runs as it would run the real one."""
    program = world.folder / "bin/git-lfs"
    write(program.parent, {"git-lfs": f"#!/bin/sh\n{script}\n".encode()})
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    world.environment["PATH"] = f"{program.parent}:{world.environment['PATH']}"
    world.sources = world.router()


def test_contents_elsewhere_are_fetched_by_git_lfs_or_it_is_said_that_it_is_missing(world: World) -> None:
    folder = repository(world.folder / "shop", {".gitattributes": MARK, "model.bin": pointer(LARGE)})
    with_git_lfs(world, "exit 1")
    with pytest.raises(SourceUnusable, match=r"git-lfs is not installed.*model\.bin"):
        world.sources.read(f"file://{folder}")
    name = sha256(LARGE).hexdigest()
    (world.folder / "large").write_bytes(LARGE)
    with_git_lfs(world, f'test "$1" = version || echo "$@" > {world.folder}/asked')
    with pytest.raises(SourceUnusable, match=r"contents are not in the repository: model\.bin") as caught:
        world.sources.read(f"file://{folder}")
    assert "git lfs push" in caught.value.hint
    assert (world.folder / "asked").read_text().split() == ["fetch", "lockage", git(folder, "rev-parse", "HEAD")]
    with_git_lfs(
        world,
        f'test "$1" = version && exit\ntest "$(git config remote.lockage.url)" = "file://{folder}" || exit 3\n'
        f"mkdir -p lfs/objects/{name[:2]}/{name[2:4]} && cp {world.folder}/large lfs/objects/{name[:2]}/{name[2:4]}/{name}",
    )
    assert contents(world, world.sources.read(f"file://{folder}"))["model.bin"] == LARGE


def test_a_git_lfs_that_fails_is_an_outside_service_that_does_not_answer(world: World) -> None:
    folder = repository(world.folder / "shop", {".gitattributes": MARK, "model.bin": pointer(LARGE)})
    with_git_lfs(world, 'test "$1" = version && exit\necho "https://me:s3cret@example.org is down" >&2; exit 2')
    with pytest.raises(ServiceUnreachable) as caught:
        world.sources.read(f"file://{folder}")
    assert "is down" in caught.value.message
    assert "s3cret" not in caught.value.message


# Several projects in one repository

API = b'[project]\nname = "api"\nshares = "../environments.toml"\n'
ROOTED = b'[project]\nname = "web"\nroot = "../.."\nshares = "../environments.toml"\ntag-prefix = "web-"\n'
MONOREPO = {
    "common/shared.py": b"common\n",
    "services/environments.toml": b"[environment.build]\n",
    "services/api/lockage.toml": API,
    "services/api/lockage.lock": b"{}\n",
    "services/api/api.py": b"api\n",
    "services/web/lockage.toml": ROOTED,
    "services/web/lockage.lock": b"{}\n",
    "services/web/pyproject.toml": b'[project]\nname = "web"\ndynamic = ["version"]\n',
}
TAGGED = VersionFrom(rule="tag")


def test_a_directory_of_a_repository_is_named_in_every_way(world: World) -> None:
    folder = repository(world.folder / "mono", MONOREPO)
    git(world.folder, "clone", "-q", "--bare", "mono", "bare.git")
    git(folder, "tag", "v1")
    expected = world.sources.read("mono/services/api")
    assert world.paths(expected) == ["api.py", "lockage.lock", "lockage.toml"]
    assert isinstance(expected.origin, CommitOrigin)
    assert expected.origin.path == "services/api"
    names = ["mono#subdirectory=services/api", "mono/services#subdirectory=api/", "mono@v1#subdirectory=services/api"]
    names += ["mono/services/api@HEAD", "bare.git#subdirectory=services/api", "bare.git@main#subdirectory=services/api"]
    names += [f"file://{folder}#subdirectory=services/api", f"file://{folder}@v1#subdirectory=services/api"]
    for name in names:
        read = world.sources.read(name)
        assert (read.tree, read.recipe, read.shared) == (expected.tree, API, b"[environment.build]\n"), name
        assert isinstance(read.origin, CommitOrigin)
        assert read.origin.path == "services/api"


@pytest.mark.parametrize("directory", ["../x", "", "/services", "services/none", "services/api/api.py", "a\nb"])
def test_a_directory_that_is_none_is_said_so(world: World, directory: str) -> None:
    folder = repository(world.folder / "mono", MONOREPO)
    git(world.folder, "clone", "-q", "--bare", "mono", "bare.git")
    for name in ("mono", "mono@HEAD", "bare.git", f"file://{folder}"):
        with pytest.raises(SourceUnusable):
            world.sources.read(f"{name}#subdirectory={directory}")


def test_a_change_elsewhere_leaves_a_directory_as_it_is(world: World) -> None:
    folder = repository(world.folder / "mono", MONOREPO)
    first = world.sources.read("mono/services/api")
    write(folder, {"services/web/new.py": b"", "common/shared.py": b"changed"})
    assert world.sources.read("mono/services/api") == first
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "two")
    again = world.sources.read("mono/services/api")
    assert (again.tree, again.recipe, again.lock, again.shared) == (first.tree, first.recipe, first.lock, first.shared)


def test_a_file_of_shared_environments_is_part_of_what_may_change(world: World) -> None:
    folder = repository(world.folder / "mono", MONOREPO)
    assert world.sources.read("mono/services/api").source().clean
    write(folder, {"services/environments.toml": b"# changed\n"})
    read = world.sources.read("mono/services/api")
    assert isinstance(read.origin, DirectoryOrigin)
    assert read.origin.reason == "the working copy has uncommitted changes: services/environments.toml"
    assert read.shared == b"# changed\n"
    assert world.paths(read) == ["api.py", "lockage.lock", "lockage.toml"]
    assert world.sources.read("mono/services/api@HEAD").shared == b"[environment.build]\n"


def test_what_a_recipe_refers_to_and_is_not_there_is_named(world: World) -> None:
    folder = repository(world.folder / "mono", MONOREPO)
    (folder / "services/environments.toml").unlink()
    for name in ("mono/services/api", "mono/services/api@HEAD"):
        if name.endswith("@HEAD"):
            git(folder, "commit", "-q", "-a", "-m", "two")
        with pytest.raises(SourceUnusable, match=r"services/api/lockage\.toml: project\.shares.*services/environments\.toml"):
            world.sources.read(name)
    write(
        folder,
        {"services/api/lockage.toml": API.replace(b"../e", b"../../../e"), "services/web/lockage.toml": b'[project]\nroot = "../../.."\n'},
    )
    for name in ("api", "web"):
        with pytest.raises(SourceUnusable, match=rf"services/{name}/lockage\.toml: project\.\w+: .* leads out of the repository"):
            world.sources.read(f"mono/services/{name}")


def test_a_link_is_no_file_of_shared_environments(world: World) -> None:
    (world.folder / "secret").write_bytes(b"secret")
    files = {name: data for name, data in MONOREPO.items() if not name.endswith("environments.toml")}
    folder = repository(world.folder / "mono", files, {"services/environments.toml": "../../secret"})
    write(folder, {"services/api/api.py": b"changed"})
    with pytest.raises(SourceUnusable, match=r"no file services/environments\.toml"):
        world.sources.read("mono/services/api")


def test_a_source_begins_where_its_recipe_says(world: World) -> None:
    folder = repository(world.folder / "mono", MONOREPO)
    read = world.sources.read("mono/services/web")
    assert set(world.paths(read)) == MONOREPO.keys()
    assert (read.recipe, read.lock, read.home, read.shared) == (ROOTED, b"{}\n", "services/web", None)
    assert isinstance(read.origin, CommitOrigin)
    assert read.origin.path is None
    assert world.sources.read("mono/services/web@HEAD") == read
    assert world.sources.read(f"file://{folder}#subdirectory=services/web").tree == read.tree
    write(folder, {"common/shared.py": b"changed"})
    changed = world.sources.read("mono/services/web")
    assert isinstance(changed.origin, DirectoryOrigin)
    assert contents(world, changed)["common/shared.py"] == b"changed"
    assert (changed.recipe, changed.lock, changed.home) == (ROOTED, b"{}\n", "services/web")
    write(folder, {"common/shared.py": b"common\n", "services/web/lockage.toml": ROOTED.replace(b'"../.."', b'".."')})
    assert "common/shared.py" not in world.paths(world.sources.read("mono/services/web"))


def test_a_project_has_tags_of_its_own(world: World) -> None:
    folder = repository(world.folder / "mono", MONOREPO)
    git(folder, "tag", "web-v1.2")
    git(folder, "tag", "v9.0")
    assert world.sources.read("mono/services/web").source(TAGGED).version == "1.2"
    assert world.sources.read("mono/services/web@web-v1.2").source(TAGGED).version == "1.2"
    assert world.sources.read("mono/services/api").source(TAGGED).version == "9.0"
    git(folder, "commit", "-q", "--allow-empty", "-m", "two")
    git(folder, "tag", "web-2-beta-of-something")
    commit = git(folder, "rev-parse", "HEAD")
    assert world.sources.read("mono/services/web").source(TAGGED).version == f"1.3.dev1+g{commit[:9]}"


# Tags and history


def test_tags_that_only_look_like_versions_are_passed_over(world: World) -> None:
    folder = repository(world.folder / "shop")
    git(folder, "tag", "v1.2.3")
    git(folder, "commit", "-q", "--allow-empty", "-m", "two")
    for name in ("2024-release", "v2-final-final", "nightly", "release/1.5", "1.x"):
        git(folder, "tag", name)
    commit = git(folder, "rev-parse", "HEAD")
    assert world.sources.read("shop").source(TAGGED).version == f"1.2.4.dev1+g{commit[:9]}"
    git(folder, "tag", "-d", "v1.2.3")
    with pytest.raises(NoVersion):
        world.sources.read("shop").source(TAGGED)


def test_annotated_lightweight_and_nested_tags_name_versions(world: World) -> None:
    folder = repository(world.folder / "shop")
    for number, options in enumerate(((), ("-a", "-m", "annotated"))):
        git(folder, "commit", "-q", "--allow-empty", "-m", "more")
        git(folder, "tag", *options, f"v{number}.5")
        assert world.sources.read("shop").source(TAGGED).version == f"{number}.5"
    git(folder, "commit", "-q", "--allow-empty", "-m", "more")
    git(folder, "tag", "-a", "-m", "inner", "inner")
    git(folder, "tag", "-a", "-m", "a tag of a tag", "v3.0", "inner")
    assert world.sources.read("shop").source(TAGGED).version == "3.0"
    commit = git(folder, "rev-parse", "HEAD")
    assert world.sources.read("shop@v3.0").origin == CommitOrigin(commit=commit, tag="v3.0")


def test_a_shallow_clone_without_tags_says_so(world: World) -> None:
    folder = repository(world.folder / "shop", {"a": b""})
    git(folder, "tag", "v1.0")
    git(folder, "commit", "-q", "--allow-empty", "-m", "two")
    git(world.folder, "clone", "-q", "--depth=1", f"file://{folder}", "copy")
    git(world.folder / "copy", "worktree", "add", "-q", "--detach", str(world.folder / "linked"))
    for name in ("copy", "copy@HEAD", "linked"):
        read = world.sources.read(name)
        assert read.shallow
        with pytest.raises(NoVersion) as caught:
            read.source(TAGGED)
        assert "git fetch --unshallow --tags" in caught.value.hint
    git(world.folder / "copy", "fetch", "-q", "--unshallow", "--tags")
    read = world.sources.read("copy")
    assert not read.shallow
    assert read.source(TAGGED).version.startswith("1.1.dev1")


# What else a repository can be


def test_line_endings_that_git_converts_are_no_change(world: World) -> None:
    repository(world.folder / "shop", {"unix.txt": b"1\n2\n", "dos.bat": b"1\r\n", ".gitattributes": b"*.bat -text\n", "b.txt": b"b\n"})
    expected = world.sources.read("shop")
    git(world.folder, "clone", "-q", "-c", "core.autocrlf=true", "shop", "copy")
    assert (world.folder / "copy/unix.txt").read_bytes() == b"1\r\n2\r\n"
    assert world.sources.read("copy").tree == expected.tree
    (world.folder / "copy/b.txt").write_bytes(b"changed\r\n")
    changed = contents(world, world.sources.read("copy"))
    assert changed == {**contents(world, expected), "b.txt": b"changed\r\n"}


def test_a_file_that_is_not_checked_out_is_the_commits(world: World) -> None:
    folder = repository(world.folder / "shop", {"here/a": b"a", "there/b": b"b"})
    git(folder, "sparse-checkout", "set", "here")
    assert not (folder / "there").exists()
    (folder / "here/new").write_bytes(b"")
    assert contents(world, world.sources.read("shop")) == {"here/a": b"a", "here/new": b"", "there/b": b"b"}


def test_a_file_in_the_place_of_a_directory_and_the_other_way_round(world: World) -> None:
    folder = repository(world.folder / "shop", {"a": b"a", "d/x": b"x", "l/y": b"y", "keep": b""})
    write(world.folder / "outside", {"y": b"secret"})
    for name in ("d/x", "l/y"):
        (folder / name).unlink()
    (folder / "a").unlink()
    (folder / "d").rmdir()
    (folder / "l").rmdir()
    write(folder, {"a/b": b"b", "d": b"d"}, {"l": "../outside"})
    assert contents(world, world.sources.read("shop")) == {"a/b": b"b", "d": b"d", "l": "../outside", "keep": b""}


def test_objects_may_be_borrowed(world: World) -> None:
    repository(world.folder / "shop", {"a": b"a"})
    git(world.folder, "clone", "-q", "--shared", "shop", "borrowed")
    assert world.sources.read("borrowed").tree == world.sources.read("shop").tree


def test_a_partial_clone_is_complete_enough_or_says_what_it_lacks(world: World) -> None:
    folder = repository(world.folder / "shop", {"a": b"one"})
    write(folder, {"a": b"two"})
    git(folder, "commit", "-q", "-a", "-m", "two")
    git(folder, "config", "uploadpack.allowFilter", "true")
    git(world.folder, "clone", "-q", "--filter=blob:none", f"file://{folder}", "copy")
    assert contents(world, world.sources.read("copy")) == {"a": b"two"}
    with pytest.raises(SourceUnusable, match="lacks the object") as caught:
        world.sources.read("copy@HEAD~1")
    assert "git fetch --refetch" in caught.value.hint
    git(world.folder / "copy", "fetch", "-q", "--refetch", "--filter=blob:limit=1g")
    assert contents(world, world.sources.read("copy@HEAD~1")) == {"a": b"one"}


def test_a_name_that_is_not_utf8_is_given_as_it_can_be_typed(world: World) -> None:
    folder = world.folder / "shop"
    folder.mkdir()
    (folder / os.fsdecode(b"caf\xe9's")).write_bytes(b"")
    repository(folder)
    with pytest.raises(SourceUnusable) as caught:
        world.sources.read("shop")
    assert r"`git mv $'caf\xe9\x27s' NEW-NAME`" in caught.value.hint
    typed = caught.value.hint.partition("`git mv ")[2].partition(" NEW-NAME`")[0]
    assert git(folder, "-c", f'alias.x=!bash -c "git mv {typed} cafe"', "x") == ""
    git(folder, "commit", "-q", "-m", "two")
    assert "cafe" in world.paths(world.sources.read("shop"))


def test_a_new_name_that_is_not_utf8_is_not_passed_over(world: World) -> None:
    folder = repository(world.folder / "shop")
    (folder / os.fsdecode(b"caf\xe9")).write_bytes(b"")
    git(folder, "add", "-A")
    with pytest.raises(SourceUnusable, match=r"caf\\xe9"):
        world.sources.read("shop")


def test_a_configuration_that_forbids_bare_repositories_is_no_hindrance(world: World) -> None:
    folder = repository(world.folder / "shop")
    (world.folder / "gitconfig").write_text("[safe]\n\tbareRepository = explicit\n")
    world.environment["GIT_CONFIG_GLOBAL"] = str(world.folder / "gitconfig")
    assert world.router().read(f"file://{folder}").tree == world.sources.read("shop").tree


# Whose it is


def test_a_working_copy_of_another_user_must_be_trusted_and_its_commits_can_be_read(world: World) -> None:
    """git itself is told that somebody else owns everything (its tests' variable), as nobody but root can make such a folder."""
    real = shutil.which("git")
    program = world.folder / "bin" / "git"
    write(world.folder, {"bin/git": f'#!/bin/sh\nGIT_TEST_ASSUME_DIFFERENT_OWNER=1 exec {real} "$@"\n'.encode()})
    program.chmod(0o755)
    world.environment["PATH"] = f"{program.parent}:{world.environment['PATH']}"
    world.sources = world.router()
    folder = repository(world.folder / "shop")
    with pytest.raises(SourceUnusable, match="dubious ownership") as caught:
        world.sources.read("shop")
    assert f"git config --global --add safe.directory {folder}" in (caught.value.hint or "")
    assert "shop@HEAD" in (caught.value.hint or "")
    assert isinstance(world.sources.read("shop@HEAD").origin, CommitOrigin)

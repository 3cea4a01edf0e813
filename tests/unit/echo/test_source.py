"""A look at a source sees every change that a reading would, and looks at nothing that is not simple."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lockage.echo.source import Look, looking

ENVIRON = {"PATH": os.environ["PATH"], "HOME": "/nowhere"}


def git(folder: Path, *arguments: str) -> None:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *arguments]
    subprocess.run(command, cwd=folder, env=ENVIRON, check=True, capture_output=True)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    folder = tmp_path / "copy"
    (folder / "below").mkdir(parents=True)
    (folder / "below" / "file").write_text("one\n")
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "one")
    return folder


def begun(locator: str, here: Path) -> Look:
    look = looking(locator, str(here), ENVIRON)
    assert look is not None
    return look


def seen(folder: Path, locator: str = ".") -> bytes:
    found = begun(locator, folder).ended()
    assert found is not None
    return found


def add_untracked(folder: Path) -> None:
    (folder / "below" / "new").touch()


def change(folder: Path) -> None:
    (folder / "below" / "file").write_text("two\n")


@pytest.mark.parametrize(
    "act",
    [
        add_untracked,
        change,
        lambda folder: (folder / "below" / "file").unlink(),
        lambda folder: (folder / "below" / "file").chmod(0o755),
        lambda folder: git(folder, "commit", "-q", "--allow-empty", "-m", "two"),
        lambda folder: git(folder, "tag", "v1"),
        lambda folder: git(folder, "tag", "deep/er/v1"),
        lambda folder: git(folder, "config", "remote.origin.url", "https://example.org/a.git"),
        lambda folder: git(folder, "rm", "--cached", "-q", "below/file"),
        lambda folder: (folder / ".git" / "shallow").touch(),
        lambda folder: (folder / "lockage.toml").touch(),
    ],
)
def test_a_change_is_seen(copy: Path, act: Callable[[Path], object]) -> None:
    before = seen(copy)
    assert seen(copy) == before
    act(copy)
    assert seen(copy) != before


def test_a_changed_file_that_changes_again_is_seen(copy: Path) -> None:
    change(copy)
    before = seen(copy)
    state = (copy / "below" / "file").stat()
    (copy / "below" / "file").write_text("six\n")
    os.utime(copy / "below" / "file", ns=(state.st_atime_ns, state.st_mtime_ns))
    assert seen(copy) != before


def test_a_tag_that_moves_is_seen(copy: Path) -> None:
    git(copy, "tag", "v1")
    git(copy, "commit", "-q", "--allow-empty", "-m", "two")
    before = seen(copy)
    git(copy, "tag", "-f", "v1")
    assert seen(copy) != before
    before = seen(copy)
    git(copy, "pack-refs", "--all")
    assert seen(copy) != before


def test_ignored_files_are_no_part_of_it(copy: Path) -> None:
    (copy / ".git" / "info" / "exclude").write_text("*.tmp\n")
    before = seen(copy)
    (copy / "x.tmp").touch()
    assert seen(copy) == before


def test_the_youngest_of_it_is_told(copy: Path) -> None:
    change(copy)
    look = begun("below", copy)
    assert look.ended() is not None
    assert look.newest >= (copy / "below" / "file").stat().st_ctime_ns


def test_another_repository_inside_is_not_simple(copy: Path) -> None:
    (copy / "inner").mkdir()
    git(copy / "inner", "init", "-q")
    assert begun(".", copy).ended() is None


def make_modules(folder: Path) -> None:
    (folder / ".gitmodules").touch()


def link_git(folder: Path) -> None:
    (folder / ".git").rename(folder.parent / "elsewhere")
    (folder / ".git").write_text(f"gitdir: {folder.parent / 'elsewhere'}\n")


def make_bare(folder: Path) -> None:
    for name in ("objects", "refs"):
        (folder / name).mkdir()
    (folder / "HEAD").touch()


@pytest.mark.parametrize(
    "act",
    [
        make_modules,
        link_git,
        make_bare,
        lambda folder: (folder / ".git" / "reftable").mkdir(),
        lambda folder: (folder / ".git" / "commondir").touch(),
    ],
)
def test_what_is_not_simple_is_not_looked_at(copy: Path, act: Callable[[Path], object]) -> None:
    act(copy)
    assert looking(".", str(copy), ENVIRON) is None


@pytest.mark.parametrize("locator", ["", "/"])
def test_places_that_are_no_source(copy: Path, locator: str) -> None:
    assert looking(locator, str(copy), ENVIRON) is None


def test_what_is_not_there_cannot_be_looked_at(copy: Path) -> None:
    with pytest.raises(FileNotFoundError):
        looking(".@v1", str(copy), ENVIRON)
    with pytest.raises(ValueError, match="null"):
        looking("a\0b", str(copy), ENVIRON)


def test_a_directory_outside_of_a_repository_is_not_looked_at(tmp_path: Path) -> None:
    assert looking(".", str(tmp_path), ENVIRON) is None


def test_an_sdist_is_its_bytes(tmp_path: Path) -> None:
    file = tmp_path / "shop-1.tar.gz"
    file.write_bytes(b"one")
    before = seen(tmp_path, file.name)
    file.touch()
    assert seen(tmp_path, str(file)) == before
    file.write_bytes(b"two")
    assert seen(tmp_path, file.name) != before


def test_a_tag_is_seen_through_a_link_in_the_place_of_packed_refs(copy: Path, tmp_path: Path) -> None:
    git(copy, "tag", "v1")
    git(copy, "pack-refs", "--all")
    elsewhere = tmp_path / "packed-refs"
    (copy / ".git" / "packed-refs").rename(elsewhere)
    (copy / ".git" / "packed-refs").symlink_to(elsewhere)
    before = seen(copy)
    elsewhere.write_text(elsewhere.read_text().replace("v1", "v2"))
    assert seen(copy) != before


def test_of_a_tag_that_is_another_ref_no_look_tells(copy: Path) -> None:
    git(copy, "symbolic-ref", "refs/tags/v1", "refs/heads/other")
    with pytest.raises(ValueError, match="another ref"):
        begun(".", copy).ended()


def test_where_all_tags_are_packed_there_need_be_no_folder_of_them(copy: Path) -> None:
    git(copy, "pack-refs", "--all")
    (copy / ".git" / "refs" / "tags").rmdir()
    before = seen(copy)
    git(copy, "tag", "v1")
    assert seen(copy) != before

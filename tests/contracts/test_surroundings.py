"""The contract of ports.Surroundings, over every adapter; and what only real repositories can be."""

import os
import subprocess
from pathlib import Path

import pytest

from lockage.adapters.memory.surroundings import MemorySurroundings
from lockage.adapters.source_git.surroundings import GitSurroundings
from lockage.ports import Surrounding, Surroundings

ENVIRONMENT = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null", "HOME": "/nonexistent"}
GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main")


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run([*GIT, *arguments], cwd=folder, env=ENVIRONMENT, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture(params=["git", "memory"])
def surroundings(request: pytest.FixtureRequest, tmp_path: Path) -> Surroundings:
    """An adapter that knows of a folder with two files, outside of any repository."""
    folder = tmp_path / "plain"
    folder.mkdir()
    (folder / "a.toml").write_bytes(b"a")
    (folder / "b.toml").write_bytes(b"b")
    if request.param == "git":
        return GitSurroundings(ENVIRONMENT)
    memory = MemorySurroundings()
    memory.known[folder] = Surrounding(folder=folder, files={"a.toml": b"a", "b.toml": b"b"})
    return memory


def test_the_files_asked_for_that_are_there(surroundings: Surroundings, tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    assert surroundings.look(folder, ["a.toml", "c.toml"]) == Surrounding(folder=folder, files={"a.toml": b"a"})
    assert surroundings.look(folder, []).files == {}


def test_a_folder_that_is_not_there_holds_nothing(surroundings: Surroundings, tmp_path: Path) -> None:
    folder = tmp_path / "nowhere"
    assert surroundings.look(folder, ["a.toml"]) == Surrounding(folder=folder, files={})


# What only repositories have


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    (folder / "below").mkdir(parents=True)
    git(folder, "init", "-q")
    return folder


def look(folder: Path, environment: dict[str, str] | None = None) -> Surrounding:
    return GitSurroundings(environment or ENVIRONMENT).look(folder, ["lockage.toml"])


def test_before_the_first_commit(repository: Path) -> None:
    found = look(repository)
    assert (found.repository, found.commit, found.branch, found.changes) == (True, None, "main", ())


def test_a_commit_its_branch_and_what_differs(repository: Path) -> None:
    (repository / "lockage.toml").write_text("x")
    (repository / "below" / "a").write_text("a")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "one")
    commit = git(repository, "rev-parse", "HEAD")
    assert look(repository) == Surrounding(folder=repository, files={"lockage.toml": b"x"}, repository=True, commit=commit, branch="main")
    (repository / "lockage.toml").write_text("y")
    (repository / "new ü").write_text("")
    assert look(repository).changes == ("lockage.toml", "new ü")
    assert look(repository / "below").changes == (), "only what lies below the folder is the folder's"
    git(repository, "checkout", "-q", "--detach")
    assert look(repository).branch is None


def test_looking_changes_nothing(repository: Path) -> None:
    (repository / "a").write_text("a")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "one")
    os.utime(repository / "a")  # the index is stale now, and git would like to refresh it
    before = {path: path.stat().st_mtime_ns for path in repository.rglob("*")}
    look(repository)
    assert {path: path.stat().st_mtime_ns for path in repository.rglob("*")} == before


def test_what_git_cannot_tell_is_said(repository: Path) -> None:
    (repository / ".git" / "HEAD").write_text("nonsense")
    found = look(repository)
    assert found.repository
    assert found.trouble
    assert found.commit is None


def test_without_git_there_are_still_files(repository: Path, tmp_path: Path) -> None:
    (repository / "lockage.toml").write_text("x")
    found = look(repository, {"PATH": str(tmp_path / "empty")})
    assert found.files == {"lockage.toml": b"x"}
    assert found.trouble == "the program git was not found"


def test_files_that_are_no_recipes(repository: Path) -> None:
    (repository / "lockage.toml").mkdir()
    assert look(repository).files == {}
    (repository / "lockage.toml").rmdir()
    with (repository / "lockage.toml").open("wb") as stream:
        stream.truncate(5 << 20)
    assert look(repository).files == {}

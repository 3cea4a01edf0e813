"""Where a user stands, from an empty folder to a release on every channel; and that nothing is made by looking."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from lockage.adapters.memory.services import MemoryServices
from lockage.base.instant import Instant
from lockage.base.name import ChannelName
from lockage.cli.here import here_lines
from lockage.ports import Surrounding
from lockage.record.source import CommitOrigin
from lockage.work.build import StepNotDone
from lockage.work.hand_over import build_project
from lockage.work.here import Here, LockState, here
from lockage.work.prepare import Project
from lockage.work.promote import promote
from lockage.work.release import release_project
from lockage.work.test import test_project as run_tests
from lockage.work.verify import verify_project

from .conftest import ENVIRONMENT, SHOP, Commit

FOLDER = Path("/home/alice/shop")
HEAD = "1234567890" * 4
RECIPE = (ENVIRONMENT.format(name="shop", version="1.0") + SHOP).encode()
Stand = Callable[..., Here]


@pytest.fixture
def stand(services: MemoryServices) -> Stand:
    """Look at the folder, which holds these files and is as git says."""

    def look(files: dict[str, bytes], **git: object) -> Here:
        known = {"repository": True, "commit": HEAD, "branch": "main", **git}
        services.surroundings.known[FOLDER] = msgspec.convert({"folder": "", "files": files, **known}, Surrounding, dec_hook=_path)
        return here(services, FOLDER)

    return look


def _path(kind: type, value: object) -> object:
    return FOLDER if kind is Path else value


@pytest.fixture
def project(services: MemoryServices, commit: Commit) -> Project:
    return commit(services, origin=CommitOrigin(commit=HEAD))


def commands(found: Here) -> list[str]:
    return [step.command for step in found.next]


def locked(project: Project) -> dict[str, bytes]:
    return {"lockage.toml": RECIPE, "lockage.lock": project.lock.encode()}


def test_nowhere(services: MemoryServices) -> None:
    found = here(services, Path("/"))
    assert (found.project, found.python, found.repository) == (None, False, False)
    assert commands(found) == ["lockage build SOURCE", "lockage status"]


@pytest.mark.parametrize(
    ("files", "project"),
    [
        ({"pyproject.toml": b'[project]\nname = "My_Shop"\n'}, "my-shop"),
        ({"setup.py": b'from setuptools import setup\nsetup(name="old")\n'}, "old"),
        ({"pyproject.toml": b"not toml"}, None),
        ({"pyproject.toml": b'[project]\nname = "-"\n'}, None),
    ],
)
def test_a_python_project_without_a_recipe(stand: Stand, files: dict[str, bytes], project: str | None) -> None:
    found = stand(files)
    assert (found.project, found.recipe, found.lock) == (project, None, LockState.NOT_NEEDED)
    assert commands(found) == ["lockage build", "lockage init"]


def test_a_recipe_with_faults_is_not_an_error_here(stand: Stand) -> None:
    found = stand({"lockage.toml": RECIPE + b"nonsense = 1\n"})
    assert any("nonsense: unknown key" in trouble for trouble in found.trouble)
    assert commands(found) == ["lockage lock --check"]


@pytest.mark.parametrize(
    ("lock", "state"),
    [(None, LockState.MISSING), (b"{}", LockState.UNREADABLE), (b"\xff", LockState.UNREADABLE)],
    ids=["none", "empty", "bytes"],
)
def test_a_lock_that_does_not_do(stand: Stand, lock: bytes | None, state: LockState) -> None:
    found = stand({"lockage.toml": RECIPE, **({} if lock is None else {"lockage.lock": lock})})
    assert found.lock is state
    assert commands(found) == ["lockage lock"]


def test_a_lock_of_another_recipe(stand: Stand, project: Project) -> None:
    found = stand({**locked(project), "lockage.toml": RECIPE.replace(b'["dash"]', b'["dash", "libc6"]')})
    assert found.lock is LockState.DRIFTED
    assert found.trouble == ("environment 'build' was changed in the recipe since it was locked",)
    assert commands(found) == ["lockage lock"]


@pytest.mark.parametrize("git", [{"changes": ("README.md",)}, {"commit": None}])
def test_what_is_not_committed_comes_first(stand: Stand, project: Project, git: dict[str, object]) -> None:
    assert commands(stand(locked(project), **git)) == ["git commit", "lockage build"]


def test_the_whole_way_up(services: MemoryServices, stand: Stand, project: Project) -> None:
    files = locked(project)
    found = stand(files)
    assert (found.built, found.last, found.steps) == (False, None, ("package", "unit"))
    assert commands(found) == ["lockage build"]
    assert services.ledger.head() is None
    assert services.keys.names() == ()

    build_project(services, project)
    found = stand(files)
    assert found.last is not None
    assert (found.built, found.last.current, found.last.executed, found.last.failed) == (True, True, 1, None)
    assert commands(found) == ["lockage test", "lockage verify"]

    run_tests(services, project)
    found = stand(files)
    assert found.proof.tests == "passed"
    assert commands(found) == ["lockage verify"]

    verify_project(services, project)
    found = stand(files)
    assert (found.proof.reproduced, found.proof.robust) == ("identical", "identical")
    assert commands(found) == ["lockage release"]

    release_project(services, project)
    for channel in ("dev", "staging", "prod"):
        found = stand(files)
        assert found.release == "shop@1.0-1"
        assert commands(found)[0] == f"lockage promote shop@1.0-1 --to {channel}"
        promote(services, "shop", ChannelName(channel))
    assert commands(stand(files)) == ["lockage status"]

    other = stand(files, commit="f" * 40)
    assert (other.built, other.release) == (False, None)
    assert commands(other) == ["lockage build"]
    assert [channel.release for channel in other.channels] == ["shop@1.0-1"] * 3


def test_a_test_run_that_built_only_what_it_needs_is_not_the_build(services: MemoryServices, stand: Stand, commit: Commit) -> None:
    more = SHOP + '[step.docs]\nrun = ["constant", "docs.txt"]\noutputs = ["docs.txt"]\nartifacts = ["docs.txt"]\n'
    project = commit(services, recipe=more, origin=CommitOrigin(commit=HEAD))
    build_project(services, project)
    run_tests(services, project)
    release_project(services, project)
    files = {"lockage.toml": RECIPE + more.removeprefix(SHOP).encode(), "lockage.lock": project.lock.encode()}
    assert stand(files).release == "shop@1.0-1"


def test_a_run_that_failed(services: MemoryServices, stand: Stand, commit: Commit) -> None:
    project = commit(services, recipe='[step.a]\nrun = ["fail"]\noutputs = ["x"]\nartifacts = ["x"]\n', origin=CommitOrigin(commit=HEAD))
    with pytest.raises(StepNotDone):
        build_project(services, project)
    found = stand(locked(project))
    assert found.last is not None
    assert (found.last.failed, found.built) == ("a", False)
    assert commands(found) == ["lockage build"]


def test_what_failed_is_to_be_done_again(services: MemoryServices, stand: Stand, commit: Commit) -> None:
    project = commit(services, {"tests/failing": b"", "src/unstable": b""}, origin=CommitOrigin(commit=HEAD))
    build_project(services, project)
    run_tests(services, project)
    verify_project(services, project)
    found = stand(locked(project))
    assert found.proof.tests == "failed"
    assert found.proof.robust != "identical"
    assert commands(found) == ["lockage test", "lockage verify"]


def test_a_ledger_that_nobody_vouches_for_is_told(services: MemoryServices, stand: Stand, project: Project) -> None:
    build_project(services, project)
    services.pins.pinned.clear()
    found = stand(locked(project))
    assert any("no trust root is pinned" in trouble for trouble in found.trouble)
    assert found.channels == ()


def test_what_people_see(services: MemoryServices, stand: Stand, project: Project) -> None:
    build_project(services, project)
    run_tests(services, project)
    verify_project(services, project)
    release_project(services, project)
    promote(services, "shop", ChannelName("dev"))
    found = stand(locked(project))
    assert found.last is not None
    assert (
        "\n".join(here_lines(found, now=Instant(found.last.finished + 300)))
        == """\
shop in /home/alice/shop
  source    commit 123456789012 on main, nothing uncommitted
  recipe    lockage.toml: package, unit
  lock      lockage.lock fits the recipe
  last run  run-000002, 5 min ago: 1 of 2 steps executed, none failed
  tests     passed
  rebuilds  reproduced: identical, robust: identical
  release   shop@1.0-1
  dev       shop@1.0-1
  staging   -
  prod      -

next:
  lockage promote shop@1.0-1 --to staging  puts it on staging, if its policy says yes
  lockage why-not shop@1.0-1 staging       asks without doing"""
    )
    narrow = list(here_lines(found, now=Instant(found.last.finished + 300), width=60))
    assert narrow[-4:] == [
        "  lockage promote shop@1.0-1 --to staging",
        "    puts it on staging, if its policy says yes",
        "  lockage why-not shop@1.0-1 staging",
        "    asks without doing",
    ]

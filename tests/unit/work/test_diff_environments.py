"""Environments compared by the names that people give them; over fakes."""

from collections.abc import Callable

import msgspec
import pytest

from lockage.adapters.memory.services import MemoryServices
from lockage.environment.lock import Lock
from lockage.work.diff_environments import Compared, NoCommonEnvironment, compare_environments
from lockage.work.environments import NoSuchEnvironment
from lockage.work.prepare import Project
from lockage.work.release import release_project, release_title

Commit = Callable[..., Project]

STEPS = """
[environment.bare]
os = "debian:bookworm"
[environment.twin]
os = "debian:bookworm"
packages = ["dash"]
[step.pack]
environment = "build"
run = ["cat", "out"]
outputs = ["out"]
artifacts = ["out"]
"""


@pytest.fixture
def project(services: MemoryServices, commit: Commit) -> Project:
    return commit(services, recipe=STEPS, locator="./shop")


Compare = Callable[..., tuple[Compared, ...]]


@pytest.fixture
def compare(services: MemoryServices, project: Project) -> Compare:
    files = {"other.lock": _without_packages(project.lock).encode()}

    def compared(a: str, b: str, *, name: str | None = None, files_too: bool = False) -> tuple[Compared, ...]:
        return compare_environments(services, a, b, source="./shop", name=name, files=files_too, read_file=files.get)

    return compared


def _without_packages(lock: Lock) -> Lock:
    build = lock.environments["build"]
    return Lock.of({"build": msgspec.structs.replace(build, packages=build.packages[1:], root=lock.environments["bare"].root)})


def test_two_environments_of_one_lock(compare: Compare) -> None:
    (found,) = compare("build", "bare")
    assert (found.a, found.b) == ("build", "bare")
    assert "dash" in [item.name for item in found.difference.items]
    assert found.difference.files is None
    (found,) = compare("build", "twin", files_too=True)
    assert (found.difference.items, found.difference.files) == ((), ())


def test_the_files_of_both_roots(compare: Compare) -> None:
    (found,) = compare("build", "bare", files_too=True)
    assert found.difference.files
    assert {str(change.kind) for change in found.difference.files} <= {"only-in-a", "only-in-b"}


def test_two_locks_are_compared_where_both_have_an_environment_of_a_name(compare: Compare) -> None:
    (found,) = compare("./shop", "other.lock")
    assert (found.a, found.b) == ("build of ./shop", "build of other.lock")
    assert [item.b for item in found.difference.items] == [None]
    (found,) = compare("build", "other.lock")
    assert (found.a, found.b) == ("build", "build of other.lock")


def test_a_release_has_the_lock_that_it_was_built_with(services: MemoryServices, project: Project, compare: Compare) -> None:
    title = release_title(release_project(services, project).release)
    found = compare(title, "./shop")
    assert [(one.a, one.difference.same_root) for one in found] == [(f"{name} of {title}", True) for name in ("bare", "build", "twin")]


def test_what_is_nothing_is_said(compare: Compare) -> None:
    with pytest.raises(NoCommonEnvironment, match="'nothing' is no environment, lock file, source or release"):
        compare("nothing", "build")
    with pytest.raises(NoSuchEnvironment, match=r"other\.lock has no environment 'bare'; it has build"):
        compare("bare", "other.lock")
    with pytest.raises(NoSuchEnvironment, match=r"other\.lock has no environment 'bare'"):
        compare("./shop", "other.lock", name="bare")

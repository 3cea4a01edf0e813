"""What an environment is made of, and everything laid in ahead of a build without a network; over fakes."""

from collections.abc import Callable

import pytest

from lockage.adapters.memory.services import MemoryServices
from lockage.base.digest import Digest
from lockage.plan.plan import make_plan
from lockage.work.build import build
from lockage.work.environments import NoSuchEnvironment, environments_of, items_of, lay_in, read_lock
from lockage.work.prepare import LockMissing, Project

Commit = Callable[..., Project]

URL = "https://data.example.org/data"
STEPS = f"""
[environment.other]
os = "debian:bookworm"
[fetch.data]
url = "{URL}"
sha256 = "{Digest.of(b"data")}"
[fetch.unused]
url = "https://data.example.org/unused"
sha256 = "{Digest.of(b"unused")}"
[step.pack]
environment = "build"
fetch = ["data"]
run = ["cat", "out"]
outputs = ["out"]
artifacts = ["out"]
"""


@pytest.fixture
def project(services: MemoryServices, commit: Commit) -> Project:
    """Locked, and the packages gone again, as on another machine."""
    services.downloads.files[URL] = b"data"
    found = commit(services, recipe=STEPS)
    for environment in found.lock.environments.values():
        for package in (*environment.packages, *environment.instruments):
            services.blobs.data.pop(package.sha256, None)
    return found


def test_everything_is_laid_in_once_and_then_no_network_is_needed(services: MemoryServices, project: Project) -> None:
    build_, other, inputs = lay_in(services, project)
    assert (build_.name, other.name, inputs.name) == ("environment build", "environment other", "fetch inputs")
    assert build_.count == build_.fetched > 2
    assert build_.size == sum(item.ref.size for item in items_of(services, project.lock.environments["build"]))
    assert other.fetched == 0  # the same packages, which came a moment ago
    assert (inputs.count, inputs.size, inputs.fetched, inputs.fetched_size) == (1, 4, 1, 4)
    services.os_packages.pool.clear()
    services.downloads.down.add(URL)
    assert sum(item.fetched for item in lay_in(services, project)) == 0
    assert build(services, make_plan(project.recipe, project.lock, project.source)).executed == 1


def test_only_the_environments_that_are_named(services: MemoryServices, project: Project) -> None:
    assert [item.name for item in lay_in(services, project, ["other"])] == ["environment other"]
    assert services.blobs.locate(Digest.of(b"data")) is None


def test_an_environment_that_there_is_not(project: Project) -> None:
    with pytest.raises(NoSuchEnvironment, match="'tests'; it has build, other"):
        environments_of(project.lock, ["tests"])


def test_what_an_environment_is_made_of(services: MemoryServices, project: Project) -> None:
    items = items_of(services, project.lock.environments["build"])
    dash = next(item for item in items if item.name == "dash")
    assert (dash.kind, dash.version, dash.file, dash.kept) == ("package", "0.5.12-2", "dash_0.5.12-2_amd64.deb", False)
    assert {item.name for item in items if item.kind == "instrument"} == {"libfaketime", "locales"}
    lay_in(services, project)
    assert all(item.kept for item in items_of(services, project.lock.environments["build"]))


def test_a_lock_that_is_given_counts_before_the_sources_own(services: MemoryServices, project: Project) -> None:
    assert read_lock(services, "shop", None).digest == project.lock.digest
    assert read_lock(services, "shop", b" " + project.lock.encode()).digest != project.lock.digest
    services.sources.add("bare", {"a": b""})
    with pytest.raises(LockMissing, match="bare"):
        read_lock(services, "bare", None)

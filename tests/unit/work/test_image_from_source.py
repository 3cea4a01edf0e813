"""Python packages that are built from their sdists for an environment that begins with an image: built on the same image."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.unit.work.sdists import Backend, offer

from lockage.adapters.memory.images import elf, make_image
from lockage.adapters.memory.packages import TarNode, make_wheel
from lockage.base.errors import ExitCode
from lockage.environment.difference import environment_difference
from lockage.environment.lock import Lock, LockedEnvironment
from lockage.plan.plan import make_plan
from lockage.ports import RootDrift, Unresolvable
from lockage.work.build import build
from lockage.work.environments import items_of, lay_in
from lockage.work.from_source import DependencyNotBuilt
from lockage.work.platforms import ForeignBuild
from lockage.work.prepare import Project, lock_project, prepare
from lockage.work.python_packages import SdistCycle
from lockage.work.roots import realise, whole

if TYPE_CHECKING:
    from lockage.adapters.memory.executor import Workspace
    from lockage.adapters.memory.services import MemoryServices

HERE = Path("/here")
PLACE = "registry.example.org/pypa/manylinux"
IMAGE = make_image(
    [
        [
            TarNode(name="usr/lib64/libc.so.6", data=b"GNU C Library (GNU libc) stable release version 2.28.\n"),
            *(
                node
                for version in ("3.9", "3.12")
                for node in (
                    TarNode(name=f"opt/_internal/cpython-{version}/bin/python{version}", data=elf(), mode=0o755),
                    TarNode(name=f"opt/_internal/cpython-{version}/bin/python3", kind="2", target=f"python{version}"),
                    TarNode(name=f"opt/python/{version}", kind="2", target=f"../_internal/cpython-{version}"),
                )
            ),
        ]
    ],
    variables=["PATH=/opt/rh/bin:/usr/bin", "AUDITWHEEL_PLAT=manylinux_2_28_x86_64"],
)
RECIPE = """
[project]
name = "shop"
version = "1.0"
[environment.build]
image = "{place}@sha256:{digest}"
interpreter = "/opt/python/{version}/bin/python3"
{environment}
[step.a]
environment = "build"
run = ["constant", "x"]
outputs = ["x"]
artifacts = ["x"]
"""
#: A project whose backend is its own: nothing has to be installed to build it.
OWN = {"pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "own"\nbackend-path = ["."]\n'}


@pytest.fixture
def backend() -> Backend:
    return Backend()


@pytest.fixture
def actions() -> list[Workspace]:
    """What was built, as a step saw it."""
    return []


@pytest.fixture
def services(services: MemoryServices, backend: Backend, actions: list[Workspace]) -> MemoryServices:
    """A store whose index has wheels of `backend` and `wheeled`, and sdists of `wheeled` and `plain`."""

    def shell(workspace: Workspace) -> int:
        actions.append(workspace)
        return backend(workspace)

    services.base_images.places[PLACE] = IMAGE.blobs
    services.commands["/bin/sh"] = shell
    for name in ("backend", "wheeled"):
        services.python_index.files[f"{name}-1-py3-none-any.whl"] = make_wheel(name, {f"{name}.py": b""})
    offer(services, "wheeled", "1", {})
    offer(services, "plain", "1", {})
    return services


def text(environment: str, version: str = "3.12") -> bytes:
    return RECIPE.format(place=PLACE, digest=IMAGE.index.digest, version=version, environment=environment).encode()


def locked(services: MemoryServices, environment: str, version: str = "3.12", *, upgrade: bool = False) -> LockedEnvironment:
    services.sources.add("shop", {"lockage.toml": text(environment, version)})
    return lock_project(services, "shop", folder=HERE, upgrade=upgrade, check=False)[0].environments["build"]


def project(services: MemoryServices, environment: str) -> Project:
    locked(services, environment)
    services.sources.add("shop", {"lockage.toml": text(environment), "lockage.lock": services.folders.read(HERE, "lockage.lock") or b""})
    return prepare(services, "shop")


def test_of_a_project_without_wheels_the_sdist_is_locked_with_the_image_that_it_is_built_on(services: MemoryServices) -> None:
    found = locked(services, 'python = ["plain", "wheeled"]')
    assert [(sdist.name, sdist.builder) for sdist in found.sdists] == [("plain", "plain")]
    assert [wheel.name for wheel in found.python] == ["wheeled"]
    builder = found.builders["plain"]
    assert builder.image == found.image
    assert ([wheel.name for wheel in builder.python], builder.packages) == (["backend"], ())
    assert builder.root != found.root


def test_the_lock_is_read_again_and_names_neither_the_wheel_nor_a_host(services: MemoryServices) -> None:
    found = locked(services, 'python = ["plain"]')
    data = services.folders.read(HERE, "lockage.lock") or b""
    assert b"plain-1-py3" not in data
    assert b"example.org" not in data
    assert Lock.decode(data).environments["build"] == found
    assert Lock.of(dict(Lock.decode(data).environments)).encode() == data


def test_from_source_builds_what_has_wheels(services: MemoryServices, backend: Backend) -> None:
    found = locked(services, 'python = ["wheeled"]\nfrom-source = ["wheeled"]')
    assert ([sdist.name for sdist in found.sdists], found.python) == (["wheeled"], ())
    assert backend.built == ["wheeled 1"]


@pytest.mark.parametrize(
    ("version", "begins"),
    [("3.12", "/opt/python/3.12/bin/python3 -P -c "), ("3.9", "/opt/python/3.9/bin/python3 -c ")],
)
def test_the_images_own_python_builds_with_what_the_image_says(
    services: MemoryServices, actions: list[Workspace], version: str, begins: str
) -> None:
    locked(services, 'python = ["plain"]', version)
    asked, built = actions
    for workspace in (asked, built):
        variables = dict(workspace.request.action.variables)
        assert variables["PATH"] == f"/opt/python/{version}/bin:/opt/rh/bin:/usr/bin"
        assert variables["AUDITWHEEL_PLAT"] == "manylinux_2_28_x86_64"
        assert begins in workspace.request.action.arguments[2]
    assert ("del sys.path[0]" in built.request.action.arguments[2]) == (version == "3.9")
    assert asked.request.action.arguments[4].startswith("import sys; del sys.path[0]; ") == (version == "3.9")


def test_two_pythons_of_one_root_do_not_share_a_wheel(services: MemoryServices, backend: Backend) -> None:
    offer(services, "plain", "2", OWN)
    first = locked(services, 'python = ["plain"]', "3.9")
    second = locked(services, 'python = ["plain"]', "3.12")
    assert first.builders["plain"].root == second.builders["plain"].root, "nothing is installed for its build"
    assert backend.built == ["plain 2", "plain 2"]


def test_what_a_built_wheel_requires_comes_along(services: MemoryServices) -> None:
    offer(services, "plain", "2", {"requires": "wheeled\nother; python_version < '3'\n"})
    assert [wheel.name for wheel in locked(services, 'python = ["plain"]').python] == ["wheeled"]


def test_what_the_backend_asks_for_is_part_of_the_builder(services: MemoryServices, backend: Backend) -> None:
    backend.asks = ("wheeled",)
    found = locked(services, 'python = ["plain"]')
    assert [wheel.name for wheel in found.builders["plain"].python] == ["backend", "wheeled"]


def test_a_builder_may_need_what_has_to_be_built_itself(services: MemoryServices, backend: Backend) -> None:
    offer(services, "outer", "1", {"pyproject.toml": '[build-system]\nrequires = ["plain"]\nbuild-backend = "backend"\n'})
    found = locked(services, 'python = ["outer"]')
    builder = found.builders["outer"]
    assert [sdist.name for sdist in builder.sdists] == ["plain"]
    assert builder.builders["plain"].image == found.image
    assert backend.built == ["plain 1", "outer 1"]
    items = items_of(services, found)
    assert {("sdist", "outer"), ("builder", "plain"), ("builder", "backend")} <= {(item.kind, item.name) for item in items}
    assert len([item for item in items if item.kind == "image"]) == 4, "its parts are there once"


def test_who_needs_itself_is_told_the_whole_circle(services: MemoryServices) -> None:
    for name, other in (("one", "two"), ("two", "one")):
        offer(services, name, "1", {"pyproject.toml": f'[build-system]\nrequires = ["{other}"]\nbuild-backend = "backend"\n'})
    with pytest.raises(SdistCycle, match="one → two → one"):
        locked(services, 'python = ["one"]')


def test_what_has_neither_wheel_nor_sdist_is_told_as_on_a_suite(services: MemoryServices) -> None:
    with pytest.raises(Unresolvable, match="absent"):
        locked(services, 'python = ["absent"]')


def test_an_image_that_lacks_what_a_build_needs_is_what_has_to_change(services: MemoryServices) -> None:
    offer(services, "plain", "2", {"fails": "error: command 'gcc' failed: No such file or directory\n"})
    with pytest.raises(DependencyNotBuilt) as caught:
        locked(services, 'python = ["plain"]')
    error = caught.value
    assert error.message.startswith("environment 'build': plain 2 could not be built from its sdist")
    assert (error.details["environment"], error.details["package"], error.exit_code) == ("build", "plain", ExitCode.STEP_FAILED)
    assert error.details["missing"] == ("program gcc",)
    assert "use one that has program gcc, require a version of plain that has wheels, or begin the environment with a suite" in error.hint
    assert f"`lockage logs {error.details['run']} wheel`" in error.hint
    assert "build-packages" not in error.hint
    assert services.folders.read(HERE, "lockage.lock") is None


def test_an_image_without_a_shell_is_told_when_the_backend_is_asked(services: MemoryServices) -> None:
    def none(workspace: Workspace) -> int:
        workspace.log += b"bwrap: execvp /bin/sh: No such file or directory\n"
        return 1

    services.commands["/bin/sh"] = none
    with pytest.raises(DependencyNotBuilt, match="plain 1: backend could not be asked what the build needs") as caught:
        locked(services, 'python = ["plain"]')
    assert "use one that has program sh" in caught.value.hint
    assert f"`lockage logs {caught.value.details['run']} build-requirements`" in caught.value.hint


def test_a_step_sees_what_was_built_and_nothing_is_built_twice(services: MemoryServices, backend: Backend) -> None:
    found = project(services, 'python = ["plain", "wheeled"]')
    for _ in range(2):
        build(services, make_plan(found.recipe, found.lock, found.source))
    assert backend.built == ["plain 1"]
    environment = whole(services, found.lock.environments["build"])
    assert [wheel.file for wheel in environment.python] == ["plain-1-py3-none-any.whl", "wheeled-1-py3-none-any.whl"]


def test_another_store_builds_the_same_root(services: MemoryServices, backend: Backend) -> None:
    environment = project(services, 'python = ["plain"]').lock.environments["build"]
    services.cache.results.clear()
    services.memo.values.clear()
    assert realise(services, environment).ref == environment.root
    assert backend.built == ["plain 1", "plain 1"]


def test_a_wheel_that_comes_out_otherwise_is_drift_that_names_it(services: MemoryServices, backend: Backend) -> None:
    backend.fickle = {"plain"}
    environment = locked(services, 'python = ["plain"]')
    services.cache.results.clear()
    services.memo.values.clear()
    with pytest.raises(RootDrift, match="plain 1 came out otherwise than when it was locked") as caught:
        realise(services, environment)
    assert "tells in what builds of it on a suite differ" in caught.value.hint


def test_what_the_store_lacks_of_a_builder_is_fetched(services: MemoryServices) -> None:
    found = project(services, 'python = ["plain"]')
    (wheel,) = found.lock.environments["build"].builders["plain"].python
    del services.blobs.data[wheel.sha256]
    (laid,) = lay_in(services, found)
    assert (laid.fetched, laid.fetched_size) == (1, wheel.size)


def test_a_changed_declaration_keeps_the_sdist_and_its_builder(services: MemoryServices) -> None:
    before = locked(services, 'python = ["plain"]')
    offer(services, "plain", "2", {})
    services.python_index.files["backend-2-py3-none-any.whl"] = make_wheel("backend", {}, version="2")
    after = locked(services, 'python = ["plain", "wheeled"]')
    assert (after.sdists, after.builders) == (before.sdists, before.builders)
    newest = locked(services, 'python = ["plain", "wheeled"]', upgrade=True)
    assert [wheel.version for wheel in newest.builders["plain"].python] == ["2"]
    assert "builder of plain" in [change.field for change in environment_difference(before, newest).fields]


def test_for_another_architecture_nothing_is_built_here(services: MemoryServices, backend: Backend) -> None:
    services.architecture = "arm64"
    with pytest.raises(ForeignBuild, match="has to be built from its sdist for amd64, and this machine is arm64"):
        locked(services, 'python = ["plain"]\nplatforms = ["amd64"]')
    assert backend.built == []

"""Python packages that are built from their sdists, over fakes: what is locked, what is built, and when."""

from pathlib import Path

import msgspec
import pytest
from tests.unit.work.sdists import Backend, offer

from lockage.adapters.memory.packages import make_wheel
from lockage.adapters.memory.services import MemoryServices
from lockage.base.digest import BlobRef
from lockage.base.errors import ExitCode
from lockage.base.tree import read_tree
from lockage.environment.difference import ItemKind, environment_difference
from lockage.environment.lock import InvalidLock, Lock, LockedEnvironment
from lockage.plan.plan import make_plan
from lockage.ports import PackageChanged, RootDrift, Unresolvable
from lockage.recipe.inference import PACKAGES
from lockage.record.event import Phase
from lockage.work.build import build
from lockage.work.environments import items_of, lay_in
from lockage.work.export_image import bill_of
from lockage.work.from_source import DependencyNotBuilt
from lockage.work.prepare import Project, lock_project, prepare
from lockage.work.python_packages import SdistCycle
from lockage.work.roots import realise, whole
from lockage.work.verify_environments import RootState, verify_environments

HERE = Path("/here")
RECIPE = """
[project]
name = "shop"
version = "1.0"
[environment.build]
os = "debian:bookworm"
packages = ["dash"]
{environment}
[step.a]
environment = "build"
run = ["constant", "x"]
outputs = ["x"]
artifacts = ["x"]
"""


@pytest.fixture
def backend() -> Backend:
    return Backend()


@pytest.fixture
def services(services: MemoryServices, backend: Backend) -> MemoryServices:
    """A store whose index has wheels of `backend` and `wheeled`, and sdists of `wheeled` and `plain`."""
    for name in PACKAGES:
        if name not in ("dash", "python3"):
            services.publish(name, "1")
    services.publish("python3", "3.11.2-1+b1")
    services.commands["/bin/sh"] = backend
    for name in ("backend", "wheeled"):
        services.python_index.files[f"{name}-1-py3-none-any.whl"] = make_wheel(name, {f"{name}.py": b""})
    offer(services, "wheeled", "1", {})
    offer(services, "plain", "1", {})
    return services


def locked(services: MemoryServices, environment: str, **options: bool) -> LockedEnvironment:
    services.sources.add("shop", {"lockage.toml": RECIPE.format(environment=environment).encode()})
    lock, _ = lock_project(services, "shop", folder=HERE, upgrade=options.get("upgrade", False), check=False)
    return lock.environments["build"]


def project(services: MemoryServices, environment: str) -> Project:
    locked(services, environment)
    recipe = RECIPE.format(environment=environment).encode()
    services.sources.add("shop", {"lockage.toml": recipe, "lockage.lock": services.folders.read(HERE, "lockage.lock") or b""})
    return prepare(services, "shop")


def run(services: MemoryServices, found: Project) -> None:
    build(services, make_plan(found.recipe, found.lock, found.source))


def test_where_there_is_a_wheel_nothing_is_built(services: MemoryServices, backend: Backend) -> None:
    found = locked(services, 'python = ["wheeled"]')
    assert ([wheel.name for wheel in found.python], found.sdists, found.builders) == (["wheeled"], (), {})
    assert backend.built == []


def test_of_a_project_without_wheels_the_sdist_is_locked_with_what_it_is_built_in(services: MemoryServices) -> None:
    found = locked(services, 'python = ["plain", "wheeled"]')
    (plain,) = found.sdists
    assert (plain.name, plain.version, plain.file, plain.builder) == ("plain", "1", "plain-1.tar.gz", "plain")
    assert plain.ref == BlobRef.of(services.python_index.files["plain-1.tar.gz"])
    assert [wheel.name for wheel in found.python] == ["wheeled"]
    builder = found.builders["plain"]
    assert [wheel.name for wheel in builder.python] == ["backend"]
    assert {"gcc", "python3"} <= {package.name for package in builder.packages}


def test_the_lock_does_not_name_the_wheel_and_is_read_again(services: MemoryServices) -> None:
    found = locked(services, 'python = ["plain"]')
    text = services.folders.read(HERE, "lockage.lock") or b""
    assert b"plain-1-py3" not in text
    assert sum(b'"sdists"' in line for line in text.splitlines()) == 1
    assert Lock.decode(text).environments["build"] == found
    assert Lock.of(Lock.decode(text).environments).encode() == text


def test_from_source_builds_what_has_wheels(services: MemoryServices, backend: Backend) -> None:
    found = locked(services, 'python = ["wheeled"]\nfrom-source = ["wheeled"]')
    assert ([sdist.name for sdist in found.sdists], found.python) == (["wheeled"], ())
    assert backend.built == ["wheeled 1"]


def test_all_from_source_leaves_wheels_to_builders(services: MemoryServices) -> None:
    found = locked(services, 'python = ["wheeled", "plain"]\nfrom-source = true')
    assert ([sdist.name for sdist in found.sdists], found.python) == (["plain", "wheeled"], ())
    assert {sdist.builder for sdist in found.sdists} == {"plain"}, "what is the same is there once"
    assert [wheel.name for wheel in found.builders["plain"].python] == ["backend"]


def test_builders_that_are_declared_otherwise_and_made_of_the_same_are_one(services: MemoryServices) -> None:
    offer(services, "zebra", "1", {"pyproject.toml": '[build-system]\nrequires = ["backend >= 1"]\nbuild-backend = "backend"\n'})
    offer(services, "yak", "1", {"pyproject.toml": '[build-system]\nrequires = ["backend", "wheeled"]\nbuild-backend = "backend"\n'})
    found = locked(services, 'python = ["zebra", "plain", "yak"]')
    assert {sdist.name: sdist.builder for sdist in found.sdists} == {"plain": "plain", "yak": "yak", "zebra": "plain"}
    assert list(found.builders) == ["plain", "yak"]


def test_a_builder_has_the_suites_of_the_environment(services: MemoryServices) -> None:
    services.os_packages.suites["bookworm-updates", "amd64"] = (services.os_packages.suites["bookworm", "amd64"][0], [])
    found = locked(services, 'python = ["plain"]\nsuites = ["bookworm-updates"]')
    assert [suite.suite for suite in found.builders["plain"].suites] == ["bookworm", "bookworm-updates"]


def test_what_cannot_be_built_from_source_is_named(services: MemoryServices) -> None:
    with pytest.raises(Unresolvable, match="backend is to be built from source") as caught:
        locked(services, 'python = ["backend"]\nfrom-source = true')
    assert "from-source" in caught.value.hint


def test_constraints_limit_versions_and_ask_for_nothing(services: MemoryServices) -> None:
    offer(services, "plain", "2", {})
    found = locked(services, 'python = ["plain"]\nconstraints = ["plain < 2", "wheeled < 9"]')
    assert [(sdist.name, sdist.version) for sdist in found.sdists] == [("plain", "1")]
    assert found.python == ()


def test_what_a_built_wheel_requires_comes_along(services: MemoryServices, backend: Backend) -> None:
    offer(services, "plain", "2", {"requires": "wheeled\nother; python_version < '3'\n"})
    found = locked(services, 'python = ["plain"]')
    assert [wheel.name for wheel in found.python] == ["wheeled"]
    assert backend.built == ["plain 2"]


def test_metadata_that_is_final_is_read_without_a_build(services: MemoryServices, backend: Backend) -> None:
    told = "Metadata-Version: 2.2\nName: plain\nVersion: 2\nRequires-Dist: absent\n"
    offer(services, "plain", "2", {"PKG-INFO": told})
    with pytest.raises(Unresolvable, match="absent"):
        locked(services, 'python = ["plain"]')
    assert backend.built == []


def test_what_the_backend_asks_for_is_part_of_the_builder(services: MemoryServices, backend: Backend) -> None:
    backend.asks = ("wheeled",)
    found = locked(services, 'python = ["plain"]')
    assert [wheel.name for wheel in found.builders["plain"].python] == ["backend", "wheeled"]


def test_a_builder_may_need_what_has_to_be_built_itself(services: MemoryServices, backend: Backend) -> None:
    uses = {"pyproject.toml": '[build-system]\nrequires = ["plain"]\nbuild-backend = "backend"\n'}
    offer(services, "outer", "1", uses)
    found = locked(services, 'python = ["outer"]')
    builder = found.builders["outer"]
    assert [sdist.name for sdist in builder.sdists] == ["plain"]
    assert [wheel.name for wheel in builder.builders["plain"].python] == ["backend"]
    assert backend.built == ["plain 1", "outer 1"]
    kinds = {(item.kind, item.name) for item in items_of(services, found)}
    assert {("sdist", "outer"), ("builder", "plain"), ("builder", "backend"), ("package", "dash")} <= kinds


def test_what_fails_deep_below_is_told_of_the_environment_of_the_recipe(services: MemoryServices, backend: Backend) -> None:
    offer(services, "outer", "1", {"pyproject.toml": '[build-system]\nrequires = ["plain"]\nbuild-backend = "backend"\n'})
    environment = locked(services, 'python = ["outer"]')
    services.cache.results.clear()
    services.memo.values.clear()
    backend.broken = {"plain"}
    with pytest.raises(DependencyNotBuilt, match="environment 'test': plain 1 could not be built"):
        whole(services, environment, "test")


def test_who_needs_itself_is_told_the_whole_circle(services: MemoryServices) -> None:
    for name, other in (("one", "two"), ("two", "one")):
        offer(services, name, "1", {"pyproject.toml": f'[build-system]\nrequires = ["{other}"]\nbuild-backend = "backend"\n'})
    with pytest.raises(SdistCycle, match="one → two → one"):
        locked(services, 'python = ["one"]')


def test_a_build_requirement_that_cannot_be_had_names_whose_it_is(services: MemoryServices) -> None:
    offer(services, "plain", "2", {"pyproject.toml": '[build-system]\nrequires = ["absent"]\nbuild-backend = "absent"\n'})
    with pytest.raises(Unresolvable, match="plain 2 has to be built from its sdist, and cannot: absent"):
        locked(services, 'python = ["plain"]')


def test_packages_for_a_build_are_in_the_builder_alone(services: MemoryServices) -> None:
    services.publish("libfoo-dev", "1")
    found = locked(services, 'python = ["plain"]\nbuild-packages = { plain = ["libfoo-dev"] }')
    assert "libfoo-dev" in {package.name for package in found.builders["plain"].packages}
    assert "libfoo-dev" not in {package.name for package in found.packages}


def test_a_build_that_fails_names_the_environment_the_package_and_what_to_write(services: MemoryServices) -> None:
    offer(services, "plain", "2", {"fails": "src/x.c:1:10: fatal error: foo.h: No such file or directory\n"})
    with pytest.raises(DependencyNotBuilt) as caught:
        locked(services, 'python = ["plain"]')
    error = caught.value
    assert error.message.startswith("environment 'build': plain 2 could not be built from its sdist")
    assert "foo.h" in error.message
    assert (error.details["environment"], error.details["package"], error.exit_code) == ("build", "plain", ExitCode.STEP_FAILED)
    assert "build-packages = { plain = [" in error.hint
    assert services.folders.read(HERE, "lockage.lock") is None


def test_a_build_must_make_a_wheel_of_the_package(services: MemoryServices) -> None:
    offer(services, "plain", "2", {"named": "plain-3"})
    with pytest.raises(DependencyNotBuilt, match="should make one wheel of plain 2; it made plain-3-py3-none-any"):
        locked(services, 'python = ["plain"]')


def test_a_project_that_does_not_say_how_it_is_built_is_named(services: MemoryServices) -> None:
    offer(services, "plain", "2", {"pyproject.toml": "[build-system\n"})
    with pytest.raises(DependencyNotBuilt, match="environment 'build': plain 2 has to be built"):
        locked(services, 'python = ["plain"]')


def test_a_step_sees_what_was_built_and_nothing_is_built_twice(services: MemoryServices, backend: Backend) -> None:
    found = project(services, 'python = ["plain", "wheeled"]')
    run(services, found)
    run(services, found)
    assert backend.built == ["plain 1"]
    environment = whole(services, found.lock.environments["build"])
    assert [wheel.file for wheel in environment.python] == ["plain-1-py3-none-any.whl", "wheeled-1-py3-none-any.whl"]
    assert (environment.sdists, environment.builders) == ((), {})


def test_a_build_with_nothing_to_do_builds_no_dependency(services: MemoryServices, backend: Backend) -> None:
    found = project(services, 'python = ["plain"]')
    run(services, found)
    services.memo.values = {key: value for key, value in services.memo.values.items() if key[0] != "built-wheel"}
    services.cache.results = {
        action: result
        for action, result in services.cache.results.items()
        if not any(node.path.endswith(".whl") for node in read_tree(result.outputs, services.blobs.get))
    }
    told = len(services.told)
    run(services, found)
    assert backend.built == ["plain 1"]
    assert not any(isinstance(event, Phase) for event in services.told[told:])
    assert whole(services, found.lock.environments["build"]).python
    assert backend.built == ["plain 1", "plain 1"]


def test_another_store_builds_the_same_root(services: MemoryServices, backend: Backend) -> None:
    environment = project(services, 'python = ["plain"]').lock.environments["build"]
    services.cache.results.clear()
    services.memo.values.clear()
    assert realise(services, environment).ref == environment.root
    assert backend.built == ["plain 1", "plain 1"]


def test_a_wheel_that_comes_out_otherwise_is_drift_that_names_it(services: MemoryServices, backend: Backend) -> None:
    backend.fickle = {"plain"}
    environment = locked(services, 'python = ["plain", "wheeled"]\nfrom-source = ["wheeled"]')
    services.cache.results.clear()
    services.memo.values.clear()
    with pytest.raises(RootDrift) as caught:
        realise(services, environment)
    assert caught.value.details["built"] == ("plain 1",)
    assert caught.value.message.startswith("plain 1 came out otherwise")
    assert "lockage verify plain-1.tar.gz" in caught.value.hint


def test_everything_can_be_laid_in_and_verified(services: MemoryServices) -> None:
    found = project(services, 'python = ["plain"]')
    environment = found.lock.environments["build"]
    services.blobs.data = {digest: data for digest, data in services.blobs.data.items() if digest != environment.sdists[0].sha256}
    (check,) = verify_environments(services, {"build": environment})
    assert [(item.kind, item.name, item.flaw) for item in check.unsound] == [("sdist", "plain 1", "missing")]
    (laid,) = lay_in(services, found)
    assert (laid.fetched, laid.fetched_size) == (1, environment.sdists[0].size)
    (check,) = verify_environments(services, {"build": environment})
    assert (check.unsound, check.root) == ((), RootState.WHOLE)


def test_an_sdist_with_other_bytes_on_the_index_is_refused(services: MemoryServices) -> None:
    found = project(services, 'python = ["plain"]')
    del services.blobs.data[found.lock.environments["build"].sdists[0].sha256]
    offer(services, "plain", "1", {"content": "other"})
    with pytest.raises(PackageChanged):
        lay_in(services, found)


def test_a_bill_of_materials_names_the_sdist(services: MemoryServices) -> None:
    environment = locked(services, 'python = ["plain", "wheeled"]')
    bill = bill_of("build", environment)
    assert b'"purl":"pkg:pypi/plain@1"' in bill
    assert environment.sdists[0].sha256.encode() in bill


def test_a_lock_without_the_builder_that_it_names_is_refused(services: MemoryServices) -> None:
    environment = msgspec.structs.replace(locked(services, 'python = ["plain"]'), builders={})
    with pytest.raises(InvalidLock, match="plain is built in 'plain'"):
        whole(services, environment)


def test_a_changed_declaration_keeps_the_sdist_and_its_builder(services: MemoryServices) -> None:
    before = locked(services, 'python = ["plain"]')
    offer(services, "plain", "2", {})
    services.python_index.files["backend-2-py3-none-any.whl"] = make_wheel("backend", {}, version="2")
    after = locked(services, 'python = ["plain", "wheeled"]')
    assert (after.sdists, after.builders) == (before.sdists, before.builders)
    newest = locked(services, 'python = ["plain", "wheeled"]', upgrade=True)
    assert [sdist.version for sdist in newest.sdists] == ["2"]
    assert [wheel.version for wheel in newest.builders["plain"].python] == ["2"]
    found = environment_difference(before, newest)
    assert (ItemKind.SDIST, "plain", "1", "2") in [(item.kind, item.name, item.a, item.b) for item in found.items]
    assert "builder of plain" in [change.field for change in found.fields]

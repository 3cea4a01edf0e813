"""One lock for several platforms, over fakes: locked on any machine, built on each, and what only one of them can do."""

import gzip
import io
import json
import tarfile
from pathlib import Path

import msgspec
import pytest

from lockage.adapters.memory.executor import Workspace
from lockage.adapters.memory.packages import make_wheel
from lockage.adapters.memory.services import MemoryServices
from lockage.adapters.memory.store import MemoryMemo
from lockage.base.digest import Digest
from lockage.base.errors import LockageError
from lockage.environment.declaration import ARCHITECTURES, Architecture
from lockage.environment.lock import Lock
from lockage.plan.fit import LockMismatch, PlatformNotLocked
from lockage.plan.plan import make_plan
from lockage.recipe.hooks import HOOK_OUTPUT
from lockage.recipe.inference import PACKAGES
from lockage.recipe.wanted import Wanted
from lockage.work.add import lock_with_added
from lockage.work.build import build
from lockage.work.diff_environments import changed_environments, compare_environments
from lockage.work.environments import NoSuchEnvironment, environment_of, environments_of, lay_in, read_lock
from lockage.work.gc import KeepRule, collect_garbage
from lockage.work.lock import NoSuchPlatform
from lockage.work.platforms import ForeignBuild, check_native
from lockage.work.prepare import Project, lock_project, machine_of, on_this_machine, prepare
from lockage.work.recorded import environments_of_lock, environments_of_run
from lockage.work.release import release_project
from lockage.work.released import built_of_release, release_meant
from lockage.work.roots import whole
from lockage.work.verify_environments import RootState, verify_environments

HERE = Path("/here")
RECIPE = """
[project]
name = "shop"
version = "1.0"
{project}
[environment.build]
os = "debian:bookworm"
packages = ["dash"]
{environment}
[step.a]
environment = "build"
run = ["cat", "x"]
outputs = ["x"]
artifacts = ["x"]
"""
BOTH = 'platforms = ["amd64", "arm64"]'


@pytest.fixture
def services(services: MemoryServices) -> MemoryServices:
    """A store whose mirror has all packages for both platforms."""
    return with_arm64(services)


def with_arm64(services: MemoryServices) -> MemoryServices:
    for stanza in list(services.os_packages.suites["bookworm", "amd64"][1]):
        services.publish(stanza.name, stanza.version, architecture="arm64")
    return services


def declare(services: MemoryServices, project: str = "", environment: str = "") -> None:
    """The recipe, beside the lock that there is."""
    files = {"lockage.toml": RECIPE.format(project=project, environment=environment).encode()}
    present = services.folders.read(HERE, "lockage.lock")
    services.sources.add("shop", files if present is None else {**files, "lockage.lock": present})


def lock(services: MemoryServices, *platforms: Architecture, upgrade: bool = False, renewed: tuple[str, ...] = ()) -> Lock:
    found, _ = lock_project(services, "shop", folder=HERE, upgrade=upgrade, check=False, platforms=platforms, renewed=renewed)
    return found


def check(services: MemoryServices, *platforms: Architecture) -> None:
    lock_project(services, "shop", folder=HERE, upgrade=False, check=True, platforms=platforms)


def ready(services: MemoryServices, project: str = "", environment: str = "") -> Project:
    declare(services, project, environment)
    lock(services)
    declare(services, project, environment)
    return prepare(services, "shop")


def test_each_platform_has_its_own_packages_and_root(services: MemoryServices) -> None:
    declare(services, BOTH)
    found = lock(services)
    assert list(found.environments) == ["build@amd64", "build@arm64"]
    one, two = found.environments.values()
    assert [(item.name, item.version) for item in one.packages] == [(item.name, item.version) for item in two.packages]
    assert {item.architecture for item in (*two.packages, *two.instruments)} == {"arm64"}
    assert {item.name for item in two.instruments} == {"libfaketime", "locales"}
    assert one.root != two.root
    assert one.declaration == two.declaration
    assert lock(services).encode() == found.encode(), "locking twice gives the same bytes"


def test_every_machine_writes_the_same_lock() -> None:
    found = []
    for machine in ARCHITECTURES:
        services = with_arm64(MemoryServices())
        services.architecture = machine
        declare(services, BOTH)
        found.append(lock(services).encode())
    assert found[0] == found[1]


def test_without_platforms_it_is_the_machines_and_the_lock_as_it_always_was(services: MemoryServices) -> None:
    declare(services)
    before = lock(services)
    assert (before.lock, list(before.environments)) == (1, ["build"])
    declare(services, environment='platforms = ["amd64"]')
    assert lock(services).encode() == before.encode()
    declare(services, environment='platforms = ["arm64"]')
    other = lock(services)
    assert (other.lock, other.environments["build"].architecture) == (1, "arm64")
    services.architecture = "arm64"
    declare(services)
    assert lock(services).encode() == other.encode()


def test_one_more_platform_leaves_the_other_as_it_is(services: MemoryServices) -> None:
    declare(services)
    before = lock(services)
    services.publish("dash", "0.5.13-1")
    services.publish("dash", "0.5.13-1", architecture="arm64")
    declare(services, BOTH)
    after = lock(services)
    assert after.environments["build@amd64"] == before.environments["build"]
    assert changed_environments(before, after) == ()
    declare(services)
    assert lock(services).encode() == before.encode()


@pytest.mark.parametrize("renewed", [("dash",), ()], ids=["one package", "everything"])
def test_an_upgrade_is_of_every_platform_or_of_the_one_that_is_named(services: MemoryServices, renewed: tuple[str, ...]) -> None:
    declare(services, BOTH)
    before = lock(services)
    for architecture in ARCHITECTURES:
        services.publish("dash", "0.5.13-1", architecture=architecture)
    one = lock(services, "arm64", upgrade=not renewed, renewed=renewed)
    assert [change.a for change in changed_environments(before, one)] == ["build@arm64 as it was"]
    assert one.environments["build@amd64"] == before.environments["build@amd64"]
    both = lock(services, upgrade=not renewed, renewed=renewed)
    assert [change.a for change in changed_environments(before, both)] == ["build@amd64 as it was", "build@arm64 as it was"]


def test_platforms_that_are_locked_one_after_the_other_make_the_lock_that_is_made_at_once(services: MemoryServices) -> None:
    declare(services, BOTH)
    first = lock(services, "arm64")
    assert list(first.environments) == ["build@arm64"]
    assert lock(services, "amd64").encode() == lock(with_arm64(_declared(MemoryServices()))).encode()


def _declared(services: MemoryServices) -> MemoryServices:
    declare(services, BOTH)
    return services


def test_a_platform_that_nothing_is_declared_for(services: MemoryServices) -> None:
    declare(services)
    with pytest.raises(NoSuchPlatform, match="no environment is declared for arm64"):
        lock(services, "arm64")
    assert services.folders.data == {}


def test_check_says_which_platform_does_not_fit(services: MemoryServices) -> None:
    declare(services)
    lock(services)
    declare(services, BOTH)
    with pytest.raises(PlatformNotLocked, match="'build' is not locked for arm64; it is for amd64"):
        check(services)
    check(services, "amd64")
    lock(services)
    check(services)
    declare(services, BOTH, 'python = ["typing_extensions"]')
    with pytest.raises(LockMismatch, match="since it was locked for amd64"):
        check(services)
    declare(services, 'platforms = ["amd64"]')
    with pytest.raises(LockMismatch, match="environments that the recipe has not: build@arm64"):
        check(services)


# Builds


def test_a_build_is_of_the_machines_platform_and_of_the_whole_locks_digest(services: MemoryServices) -> None:
    project = ready(services, BOTH)
    assert [found.architecture for found in project.lock.environments.values()] == ["amd64"]
    assert project.lock.digest == Digest.of(services.folders.read(HERE, "lockage.lock") or b"")
    built = build(services, make_plan(project.recipe, project.lock, project.source))
    services.architecture = "arm64"
    other = prepare(services, "shop")
    again = build(services, make_plan(other.recipe, other.lock, other.source))
    assert (built.executed, again.executed) == (1, 1), "another platform is another action"
    assert built.run.lock == again.run.lock
    recorded = [services.runs.get(one.run_id) for one in (built, again)]
    assert [environments_of_run(services, run)["build"].architecture for run, _ in filter(None, recorded)] == ["amd64", "arm64"]


def test_a_lock_of_another_platform_builds_nothing(services: MemoryServices) -> None:
    ready(services)
    services.architecture = "arm64"
    with pytest.raises(PlatformNotLocked, match="'build' is not locked for arm64; it is for amd64") as caught:
        prepare(services, "shop")
    assert "lockage lock" in caught.value.hint


def test_a_release_is_rebuilt_only_where_its_lock_holds_the_platform(services: MemoryServices) -> None:
    release_project(services, ready(services))
    record = release_meant(services, "shop@1.0")
    assert record is not None
    assert built_of_release(services, record)[0].platform == "amd64"
    services.architecture = "arm64"
    with pytest.raises(PlatformNotLocked, match=r"shop@1\.0-1: environment 'build' is not locked for arm64") as caught:
        built_of_release(services, record)
    assert "a platform that its lock holds" in caught.value.hint


def test_a_package_is_added_for_every_platform(services: MemoryServices) -> None:
    for platform in ARCHITECTURES:
        services.publish("libfoo-dev", "1", architecture=platform)
    declare(services, BOTH)
    lock(services)
    services.folders.write(HERE, "lockage.toml", RECIPE.format(project=BOTH, environment="").encode())
    found, written, edited = lock_with_added(
        services, "shop", recipe_folder=HERE, folder=HERE, wanted=Wanted(added=("libfoo-dev",)), environment=None, upgrade=False
    )
    assert (written, edited) == (True, True)
    held = [{package.name for package in environment.packages} for environment in found.environments.values()]
    assert ["libfoo-dev" in names for names in held] == [True, True]


def test_a_matrix_makes_an_environment_for_each_platform(services: MemoryServices) -> None:
    text = RECIPE.format(project='[matrix]\nplatform = ["amd64", "arm64"]', environment='matrix = ["platform"]\nplatforms = ["{platform}"]')
    services.sources.add("shop", {"lockage.toml": text.replace('environment = "build"', 'environment = "build-amd64"').encode()})
    found = {name: environment.architecture for name, environment in lock(services).environments.items()}
    assert found == {"build-amd64": "amd64", "build-arm64": "arm64"}


def test_a_machine_that_runs_no_steps_reads_what_there_is() -> None:
    class Elsewhere(MemoryServices):
        @property
        def architecture(self) -> Architecture:
            raise LockageError("no Linux")

        @architecture.setter
        def architecture(self, value: Architecture) -> None:
            pass

    services = with_arm64(MemoryServices())
    declare(services, 'platforms = ["arm64"]')
    found = lock(services)
    assert machine_of(Elsewhere(), found) == "arm64"
    assert on_this_machine(Elsewhere(), found).environments.keys() == {"build"}


# What is looked at


def test_environments_are_named_with_or_without_a_platform(services: MemoryServices) -> None:
    found = ready(services, BOTH).lock
    assert list(environments_of(found, [])) == list(environments_of(found, ["build"])) == ["build@amd64", "build@arm64"]
    assert list(environments_of(found, ["build"], "arm64")) == list(environments_of(found, ["build@arm64"])) == ["build@arm64"]
    assert environment_of(found, "build").architecture == "amd64"
    assert environment_of(found, "build", "arm64").architecture == environment_of(found, "build@arm64").architecture == "arm64"
    for name, platform in (("build@arm64", "amd64"), ("test", None)):
        with pytest.raises(NoSuchEnvironment):
            environment_of(found, name, platform)  # type: ignore[arg-type] # one of the two names
    with pytest.raises(NoSuchEnvironment, match="locked for amd64 and arm64") as caught:
        environment_of(found.complete, "build")
    assert "--platform" in caught.value.hint


def test_everything_is_laid_in_for_all_platforms_or_for_one(services: MemoryServices) -> None:
    project = ready(services, BOTH)
    for environment in project.lock.complete.environments.values():
        for item in (*environment.packages, *environment.instruments):
            services.blobs.data.pop(item.sha256, None)
    (one,) = lay_in(services, project, platform="arm64")
    assert (one.name, one.count) == ("environment build@arm64", one.fetched)
    first, second = lay_in(services, project)
    assert (first.fetched, second.fetched) == (first.count, 0)


def test_garbage_is_what_no_platform_of_a_known_lock_needs(services: MemoryServices) -> None:
    project = ready(services, BOTH)
    services.clock.advance(10)
    collect_garbage(services, KeepRule(runs=0, age=100))
    assert all(check.root is RootState.WHOLE for check in verify_environments(services, project.lock.complete.environments))


def test_what_a_lock_held_is_told_of_this_machine_first(services: MemoryServices) -> None:
    project = ready(services, BOTH)
    assert environments_of_lock(services, project.lock.digest)["build"].architecture == "amd64"
    services.architecture = "arm64"
    assert environments_of_lock(services, project.lock.digest)["build"].architecture == "arm64"


def test_environments_are_compared_by_platform(services: MemoryServices) -> None:
    before = ready(services, BOTH).lock.complete
    one = before.environments["build@arm64"]
    other = {**before.environments, "build@arm64": msgspec.structs.replace(one, packages=one.packages[1:])}
    alone = {"build": before.environments["build@arm64"]}
    files = {"other.lock": Lock.of(other).encode(), "alone.lock": Lock.of(alone).encode(), "own.lock": before.encode()}

    def compared(a: str, b: str, platform: Architecture | None = None) -> list[tuple[str, str, int]]:
        found = compare_environments(services, a, b, source="shop", name=None, files=False, read_file=files.get, platform=platform)
        return [(each.a, each.b, len(each.difference.items)) for each in found]

    def of(file: str, *platforms: str) -> list[str]:
        return [f"build@{platform} of {file}" for platform in platforms]

    both = [*zip(of("own.lock", *ARCHITECTURES), of("other.lock", *ARCHITECTURES), (0, 1), strict=True)]
    assert compared("own.lock", "other.lock") == both
    assert compared("own.lock", "other.lock", "arm64") == both[1:]
    assert compared("own.lock", "alone.lock") == [("build@arm64 of own.lock", "build of alone.lock", 0)]
    assert compared("build@arm64", "other.lock") == [("build@arm64", "build@arm64 of other.lock", 1)]
    assert compared("build", "other.lock") == [("build", "build@amd64 of other.lock", 0)]
    assert compared("build", "alone.lock")[0][:2] == ("build", "build of alone.lock"), "they have no platform in common"
    assert compared("build@amd64", "build@arm64")[0][2] > 0


# What has to be built from source


def backend(workspace: Workspace) -> int:
    """A build backend that asks for nothing more."""
    (output,) = workspace.request.action.outputs
    if output == HOOK_OUTPUT:
        workspace.write(HOOK_OUTPUT, json.dumps({"build_wheel": []}).encode())
    else:
        workspace.write(f"{output}/plain-1-py3-none-any.whl", make_wheel("plain", {"plain.py": b""}, version="1"))
    return 0


@pytest.fixture
def sourced(services: MemoryServices) -> MemoryServices:
    """A store whose index has only an sdist of `plain`."""
    for name in PACKAGES:
        if name not in ("dash", "python3"):
            for architecture in ARCHITECTURES:
                services.publish(name, "1", architecture=architecture)
    services.commands["/bin/sh"] = backend
    services.python_index.files["backend-1-py3-none-any.whl"] = make_wheel("backend", {"backend.py": b""}, version="1")
    plain = io.BytesIO()
    files = {
        "PKG-INFO": "Metadata-Version: 1.0\nName: plain\nVersion: 1\n",
        "pyproject.toml": '[build-system]\nrequires = ["backend"]\nbuild-backend = "backend"\n',
    }
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for path, text in files.items():
            member = tarfile.TarInfo(f"plain-1/{path}")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    services.python_index.files["plain-1.tar.gz"] = gzip.compress(plain.getvalue(), mtime=0)
    return services


PYTHON = 'python = ["plain"]'


def test_what_has_to_be_built_on_another_machine_is_refused_and_nothing_is_written(sourced: MemoryServices) -> None:
    declare(sourced, BOTH, PYTHON)
    with pytest.raises(
        ForeignBuild, match=r"'build@arm64': plain 1 has to be built from its sdist for arm64, and this machine is amd64"
    ) as caught:
        lock(sourced)
    assert "`lockage lock --platform arm64` on an arm64 machine" in caught.value.hint
    assert sourced.folders.data == {}


def test_each_machine_locks_its_own_and_what_is_locked_stays(sourced: MemoryServices) -> None:
    declare(sourced, BOTH, PYTHON)
    one = lock(sourced, "amd64")
    assert list(one.environments) == ["build@amd64"]
    sourced.architecture = "arm64"
    both = lock(sourced)
    assert both.environments["build@amd64"] == one.environments["build@amd64"]
    assert both.environments["build@arm64"].builders["plain"].architecture == "arm64"
    sourced.architecture = "amd64"
    assert lock(sourced).encode() == both.encode(), "what is locked and unchanged stays"
    check(sourced)


def test_a_root_of_another_architecture_with_something_to_be_built_is_not_put_together(sourced: MemoryServices) -> None:
    declare(sourced, BOTH, PYTHON)
    sourced.architecture = "arm64"
    there = lock(sourced, "arm64").environments["build@arm64"]
    sourced.architecture = "amd64"
    sourced.memo = MemoryMemo()
    with pytest.raises(ForeignBuild, match="plain 1 has to be built from its sdist for arm64"):
        whole(sourced, there, "build@arm64")
    (found,) = verify_environments(sourced, {"build@arm64": there})
    assert (found.root, found.unsound) == (RootState.UNKNOWN, ())


def test_what_is_native_is_not_refused(services: MemoryServices) -> None:
    check_native(services, "x", "amd64")
    with pytest.raises(ForeignBuild, match="x has to be built"):
        check_native(services, "x", "arm64")


def test_the_lock_of_a_source_is_read_whole(services: MemoryServices) -> None:
    ready(services, BOTH)
    assert read_lock(services, "shop", None).platform is None

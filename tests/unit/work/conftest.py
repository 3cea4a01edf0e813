"""Use cases over a store that is all fakes: commands that steps can run, and projects to build with them."""

from collections.abc import Callable, Mapping

import pytest

from lockage.adapters.memory.executor import Workspace
from lockage.adapters.memory.packages import make_wheel
from lockage.adapters.memory.services import MemoryServices
from lockage.recipe.parse import parse_recipe
from lockage.record.source import Origin
from lockage.work.lock import lock_recipe
from lockage.work.prepare import Project, prepare

ENVIRONMENT = """
[project]
name = "{name}"
version = "{version}"
[environment.build]
os = "debian:bookworm"
packages = ["dash"]
"""

SHOP = """
[step.package]
inputs = ["src/**"]
stamp = ["version"]
run = ["wheel"]
outputs = ["dist"]
artifacts = ["dist/*.whl"]
[step.unit]
kind = "test"
needs = ["package"]
inputs = ["tests/**"]
run = ["unit"]
"""


def seen(workspace: Workspace) -> bytes:
    """Everything that a step sees, as text."""
    return b"".join(f"{path}=".encode() + data + b"\n" for path, data in sorted(workspace.files.items()))


def cat(workspace: Workspace) -> int:
    """What it sees into its output; says so in its log."""
    out = workspace.request.action.arguments[1]
    workspace.log += f"writing {out}\n".encode()
    workspace.write(out, seen(workspace))
    return 0


def constant(workspace: Workspace) -> int:
    """The same output whatever it sees."""
    workspace.write(workspace.request.action.arguments[1], b"always the same")
    return 0


def wheel(workspace: Workspace) -> int:
    """A wheel of the sources; with a file `src/unstable` also of the host's name, with `src/unlucky` none where something is varied."""
    varied = workspace.request.world.hostname
    if "src/unlucky" in workspace.files and varied != "lockage":
        workspace.log += b"cannot work like this\n"
        return 1
    files = {path.removeprefix("src/"): data for path, data in workspace.files.items()}
    if "src/unstable" in workspace.files:
        files["shop/host.py"] = varied.encode()
    version = workspace.variables["LOCKAGE_VERSION"]
    workspace.write(f"dist/shop-{version}-py3-none-any.whl", make_wheel("shop", files, version=version))
    return 0


def unit(workspace: Workspace) -> int:
    """A test that fails if it sees `tests/failing`."""
    workspace.log += b"running\n"
    return 1 if "tests/failing" in workspace.files else 0


def fail(workspace: Workspace) -> int:
    workspace.log += b"it broke\n"
    return 3


COMMANDS: dict[str, Callable[[Workspace], int]] = {
    "cat": cat,
    "constant": constant,
    "wheel": wheel,
    "unit": unit,
    "fail": fail,
}

#: commit(services, files, recipe=..., locator=...) → the project of a commit with these files, locked.
Commit = Callable[..., Project]


@pytest.fixture(scope="session")
def commands() -> Mapping[str, Callable[[Workspace], int]]:
    return COMMANDS


@pytest.fixture
def services() -> MemoryServices:
    return MemoryServices(dict(COMMANDS))


@pytest.fixture(scope="session")
def commit() -> Commit:
    def make(
        services: MemoryServices,
        files: Mapping[str, bytes] | None = None,
        *,
        recipe: str = SHOP,
        locator: str = "shop",
        name: str = "shop",
        version: str = "1.0",
        origin: Origin | None = None,
    ) -> Project:
        text = (ENVIRONMENT.format(name=name, version=version) + recipe).encode()
        locked = lock_recipe(services, parse_recipe(text), None)
        content = {"src/shop/__init__.py": b"", "tests/test_shop.py": b"", **(files or {})}
        services.sources.add(locator, {**content, "lockage.toml": text, "lockage.lock": locked.encode()}, origin=origin)
        return prepare(services, locator)

    return make

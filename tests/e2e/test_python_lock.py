"""A project with its own uv.lock: the test step runs pytest from the wheels that uv chose, in the sandbox."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Store

pytestmark = [pytest.mark.network, pytest.mark.sandbox]

ENVIRONMENT = """
[environment.tests]
os = "debian:bookworm"
packages = ["python3-dev", "python3-venv", "gcc", "libc6-dev"]
python-lock = "uv.lock"
groups = ["test"]

[step.locked]
kind = "test"
environment = "tests"
inputs = ["checks/**"]
run = "python3 -P -m pytest -p no:cacheprovider checks"
"""
CHECK = """
import sys
from importlib.metadata import version

def test_what_is_there():
    assert sys.prefix == "/usr"
    print("pytest", version("pytest"), "iniconfig", version("iniconfig"))
    assert version("iniconfig") == "2.0.0"
"""


def uv_lock(shop: Store) -> dict[str, str]:
    """Have uv lock the project, with an older iniconfig than pytest would get; name → version."""
    project = shop.work / "pyproject.toml"
    project.write_text(project.read_text() + '\n[dependency-groups]\ntest = ["pytest", "iniconfig == 2.0.0"]\n')
    done = shop.run([str(Path(sys.executable).parent / "uv"), "lock", "--quiet"])
    assert done.code == 0, done.stderr
    document = tomllib.loads((shop.work / "uv.lock").read_text())
    return {package["name"]: package["version"] for package in document["package"] if "registry" in package["source"]}


def test_tests_run_with_the_wheels_that_uv_locked(shop: Store, tmp_path: Path) -> None:
    chosen = uv_lock(shop)
    recipe = shop.work / "lockage.toml"
    recipe.write_text(recipe.read_text().partition("[step.")[0] + ENVIRONMENT)
    (shop.work / "checks").mkdir()
    (shop.work / "checks" / "test_versions.py").write_text(CHECK)
    before = json.loads((shop.work / "lockage.lock").read_text())
    assert shop("lock", "--json", expect=0).json["written"]
    lock = json.loads((shop.work / "lockage.lock").read_text())
    assert lock["environments"]["build"] == before["environments"]["build"]
    wheels = {wheel["name"]: wheel["version"] for wheel in lock["environments"]["tests"]["python"]}
    assert {"pytest", "iniconfig", "pluggy"} <= set(wheels)
    assert wheels == {name: version for name, version in chosen.items() if name in wheels}
    assert "colorama" in chosen, "which is for Windows alone"
    assert "colorama" not in wheels
    shop.commit("locked")
    tested = shop("test", "--json", expect=0).json
    assert "1 passed" in shop("logs", tested["run"], expect=0).stdout

    with (shop.work / "uv.lock").open("a") as stream:
        stream.write("# another\n")
    shop.commit("a changed uv.lock")
    error = shop("build", "--out", tmp_path, "--json", expect=3).error
    assert error["code"] == "lock-mismatch"
    assert "uv.lock" in error["message"]

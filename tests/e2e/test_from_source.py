"""Python packages that are built from their sdists: locked, built in the sandbox, put into roots and used, of the real index."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Store

pytestmark = [pytest.mark.sandbox, pytest.mark.network]

#: docopt has never had a wheel; markupsafe has wheels, and C in its sdist.
RECIPE = """
[project]
name = "sourced"
version = "1"
[environment.build]
os = "debian:bookworm"
packages = ["python3"]
python = ["docopt", "markupsafe", "requests[socks] < 3", "colorama; sys_platform == 'win32'"]
constraints = ["urllib3 < 2", "markupsafe < 3.1"]
from-source = ["markupsafe"]
[step.look]
environment = "build"
inputs = []
run = '''
python3 -c "import docopt, markupsafe._speedups as fast, socks, urllib3
print(docopt.__version__, urllib3.__version__[0], fast.__file__)" > said
'''
outputs = ["said"]
artifacts = ["said"]
"""
LACKING = """
[project]
name = "lacking"
version = "1"
[environment.build]
os = "debian:bookworm"
packages = ["python3", "libpq5"]
python = ["psycopg2"]
[step.look]
environment = "build"
inputs = []
run = ["python3", "-c", "import psycopg2; open('said', 'w').write(psycopg2.__version__)"]
outputs = ["said"]
artifacts = ["said"]
"""
NOBODY = {"LOCKAGE_DEBIAN_MIRROR": "http://127.0.0.1:9/debian", "LOCKAGE_PYTHON_INDEX": "http://127.0.0.1:9/simple"}


def written(store: Store, recipe: str) -> Path:
    work = store.work.parent / "other"
    work.mkdir()
    (work / "lockage.toml").write_text(recipe)
    return work


def test_an_environment_with_packages_built_from_source(warm: Store, tmp_path: Path) -> None:
    store = warm.copy(tmp_path / "store")
    work = written(store, RECIPE)
    store("lock", cwd=work, expect=0)
    lock = (work / "lockage.lock").read_bytes()
    locked = json.loads(lock)["environments"]["build"]
    assert [(sdist["name"], sdist["file"].endswith(".tar.gz")) for sdist in locked["sdists"]] == [("docopt", True), ("markupsafe", True)]
    wheels = {wheel["name"]: wheel["version"] for wheel in locked["python"]}
    assert {"requests", "pysocks", "urllib3"} <= wheels.keys()
    assert wheels.keys().isdisjoint({"docopt", "markupsafe", "colorama", "setuptools"})

    store("build", "--out", "out", cwd=work, expect=0)
    assert (work / "out/said").read_text() == (
        "0.6.2 1 /usr/local/lib/python3.11/dist-packages/markupsafe/_speedups.cpython-311-x86_64-linux-gnu.so\n"
    )
    again = store("build", "--out", "out", cwd=work, expect=0)
    assert "nothing to do" in again.stdout
    assert "from its sdist" not in again.stderr
    store("lock", "--check", cwd=work, expect=0)
    assert store("env", "verify", "--json", cwd=work, expect=0).json["whole"]

    other = warm.copy(tmp_path / "other-store")
    elsewhere = written(other, RECIPE)
    other("lock", cwd=elsewhere, expect=0)
    assert (elsewhere / "lockage.lock").read_bytes() == lock, "another store builds the same root, and locks the same bytes"


def test_what_was_laid_in_is_built_without_a_network(warm: Store, tmp_path: Path) -> None:
    first = warm.copy(tmp_path / "first")
    work = written(first, RECIPE)
    first("lock", cwd=work, expect=0)
    store = warm.copy(tmp_path / "store")
    (laid,) = store("env", "fetch", "--json", cwd=work, expect=0).json["fetched"]
    assert laid["fetched"] > 0
    done = store("build", "--out", "out", cwd=work, expect=0, **NOBODY)
    assert "building markupsafe" in done.stderr
    assert "1 of 1 steps executed" in done.stdout


def test_a_dependency_that_misses_a_library_says_what_to_write(warm: Store, tmp_path: Path) -> None:
    store = warm.copy(tmp_path / "store")
    work = written(store, LACKING)
    error = store("lock", "--json", cwd=work).error
    assert error["code"] == "dependency-not-built"
    details = error["details"]
    assert (details["environment"], details["package"], details["packages"]) == ("build", "psycopg2", ["libpq-dev"])
    assert not (work / "lockage.lock").exists()
    wanted = 'build-packages = { psycopg2 = ["libpq-dev"] }'
    assert wanted in error["hint"]
    (work / "lockage.toml").write_text(LACKING.replace('python = ["psycopg2"]', f'python = ["psycopg2"]\n{wanted}'))
    store("lock", cwd=work, expect=0)
    store("build", "--out", "out", cwd=work, expect=0)
    assert (work / "out/said").read_text().startswith("2.")
    locked = json.loads((work / "lockage.lock").read_text())["environments"]["build"]
    assert "libpq-dev" not in {package["name"] for package in locked["packages"]}

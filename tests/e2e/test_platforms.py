"""One lock for amd64 and arm64, with the archive's packages and the index's wheels: the same on both, and the other's root put together."""

from __future__ import annotations

import json
import os
import sys
import tarfile
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Done, Store

pytestmark = [pytest.mark.sandbox, pytest.mark.network]

RECIPE = """
[project]
name = "both"
version = "1"
platforms = ["amd64", "arm64"]
[environment.build]
os = "debian:bookworm"
packages = ["dash"]
python = ["markupsafe", "six; platform_machine == 'aarch64'"]
[step.look]
environment = "build"
inputs = []
run = "{ uname -m; python3 -c 'import markupsafe._speedups as s; print(s.__file__)'; } > said"
outputs = ["said"]
artifacts = ["said"]
"""
#: The machine's platform, the other one, and a machine of that, as far as lockage asks.
HERE, THERE = ("arm64", "amd64") if os.uname().machine == "aarch64" else ("amd64", "arm64")
PRETEND = f"from lockage.wiring import host\nhost.architecture = lambda: '{THERE}'\nfrom lockage.cli import main\nmain()"
#: ``e_machine`` of an ELF header (System V ABI, and those of the two processors).
MACHINES = {"amd64": 62, "arm64": 183}


def on_the_other(store: Store, *arguments: str, cwd: Path) -> Done:
    return store.run([sys.executable, "-P", "-c", PRETEND, *arguments], cwd=cwd)


def machine_of(layers: list[Path], path: str) -> int:
    """The processor that a program of an image is for."""
    for layer in layers:
        with tarfile.open(layer) as tar:
            if path in tar.getnames():
                program = tar.extractfile(path)
                assert program is not None
                return int.from_bytes(program.read(20)[18:20], "little")
    raise AssertionError(f"no layer has {path}")


def test_an_environment_for_two_platforms(warm: Store, tmp_path: Path) -> None:
    store = warm.copy(tmp_path / "store")
    work = tmp_path / "both"
    work.mkdir()
    (work / "lockage.toml").write_text(RECIPE)
    store("lock", cwd=work, expect=0)
    lock = (work / "lockage.lock").read_bytes()
    environments = json.loads(lock)["environments"]
    wheels = {name: [wheel["file"] for wheel in found["python"]] for name, found in environments.items()}
    assert ["x86_64" in name for name in wheels["build@amd64"]] == [True]
    assert ["aarch64" in name for name in wheels["build@arm64"]] == [True, False], "six by its marker"
    assert {package["architecture"] for package in environments["build@arm64"]["packages"]} == {"arm64", "all"}
    store("lock", cwd=work, expect=0)
    assert (work / "lockage.lock").read_bytes() == lock
    store("lock", "--check", cwd=work, expect=0)

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "lockage.toml").write_text(RECIPE)
    done = on_the_other(store, "lock", cwd=elsewhere)
    assert done.code == 0, done
    assert (elsewhere / "lockage.lock").read_bytes() == lock, "a machine of the other platform writes the same"

    store("env", "verify", cwd=work, expect=0)
    images = {}
    for platform, machine in MACHINES.items():
        folder = tmp_path / platform
        found = store("env", "export", "build", "--platform", platform, "--oci", folder, "--json", cwd=work, expect=0).json
        images[platform] = found["digest"]
        layers = [folder / "blobs/sha256" / layer["blob"]["sha256"] for layer in found["layers"]]
        assert machine_of(layers, "usr/bin/dash") == machine
        (listed,) = json.loads((folder / "index.json").read_text())["manifests"]
        assert listed["platform"]["architecture"] == platform
    assert len(set(images.values())) == 2
    assert store("env", "diff", "build@amd64", "build@arm64", cwd=work).code == 3

    store("build", "--out", "out", cwd=work, expect=0)
    uname, speedups = (work / "out/said").read_text().splitlines()
    assert uname == os.uname().machine
    assert f"{uname}-linux-gnu" in speedups


def test_a_build_on_a_platform_that_the_lock_lacks_is_refused(warm: Store, tmp_path: Path) -> None:
    store = warm.copy(tmp_path / "store")
    done = on_the_other(store, "build", "--out", str(tmp_path / "out"), cwd=store.work)
    assert done.code == 3
    assert "platform-not-locked" in done.stderr
    assert f"is not locked for {THERE}; it is for {HERE}" in done.stderr
    assert "lockage lock" in done.stderr

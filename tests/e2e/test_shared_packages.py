"""Two environments that have packages in common, of a real suite: unpacked once, damaged for both, deleted with the last."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Store

pytestmark = [pytest.mark.network, pytest.mark.sandbox]

_RECIPE = """
[project]
name = "shared"
version = "1"
"""
_ENVIRONMENT = """
[environment.{name}]
os = "debian:bookworm"
packages = [{packages}]
[step.{name}]
environment = "{name}"
run = "sh -c 'echo {name} > {name}.txt'"
outputs = ["{name}.txt"]
artifacts = ["{name}.txt"]
"""
SMALL = _ENVIRONMENT.format(name="small", packages="")
LARGE = _ENVIRONMENT.format(name="large", packages='"make"')


def layers(store: Store) -> list[Path]:
    return sorted((store.home / "roots" / "os").iterdir())


def packages(store: Store) -> int:
    return len(list((store.home / "roots" / "packages").iterdir()))


def test_environments_share_what_they_have_in_common(cli: Store) -> None:
    cli.git("init", "-q")
    (cli.work / "lockage.toml").write_text(_RECIPE + SMALL + LARGE)
    cli("lock", expect=0)
    cli.commit()
    cli("build", expect=0)
    small, large = sorted(layers(cli), key=lambda home: (home / "root/usr/bin/make").exists())
    shell = "root/usr/bin/dash"
    assert (small / shell).stat().st_ino == (large / shell).stat().st_ino
    lock = json.loads((cli.work / "lockage.lock").read_bytes())
    assert packages(cli) == len({package["sha256"] for one in lock["environments"].values() for package in one["packages"]})

    (small / shell).chmod(0o755)
    with (large / shell).open("r+b") as file:
        file.write(b"\0\0\0\0")
    checked = cli("store", "check", "--json", expect=6).json
    assert sorted(broken["name"] for broken in checked["broken"]) == sorted(f"os/{home.name}" for home in (small, large))
    cli("store", "check", expect=0)
    for path in (cli.home / "actions").glob("*/*"):
        path.unlink()
    cli("build", expect=0)
    assert len(layers(cli)) == 2
    cli("store", "check", expect=0)

    before = packages(cli)
    (cli.work / "lockage.toml").write_text(_RECIPE + SMALL)
    cli("lock", expect=0)
    cli.commit()
    cli("build", expect=0)
    said = cli("gc", "--keep", "0d", "--keep-runs", "1", "--json", expect=0).json
    assert said["gone"]["roots"]["count"] >= 1
    assert 0 < packages(cli) < before
    assert [home.name for home in layers(cli)] == [small.name]
    cli("env", "verify", expect=0)
    cli("store", "check", expect=0)

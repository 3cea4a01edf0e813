"""Environments of several suites, and of another distribution: locked, put together and used."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from lockage.adapters.memory.signed_archive import SignedArchive, SigningKey
from lockage.adapters.roots_local.deb_archive import DebArchive
from lockage.base.instant import Instant
from lockage.environment.debian import fields

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Store

pytestmark = pytest.mark.sandbox

SEVERAL = """
[project]
name = "several"
version = "1"
[environment.build]
os = "debian:bookworm"
suites = ["bookworm-updates", "bookworm-backports", "trixie"]
packages = ["dash", "sed (<< 4.9-2)", "jq/trixie"]
[step.look]
environment = "build"
inputs = []
run = "{ jq --version; sed --version | head -n 1; } > said"
outputs = ["said"]
artifacts = ["said"]
"""
DERIVATIVE = """
[project]
name = "derived"
version = "1"
[environment.build]
os = "ubuntu:noble"
keyring = "keys/archive.asc"
packages = ["dash"]
[step.look]
environment = "build"
inputs = []
run = "echo made of another distribution > said"
outputs = ["said"]
artifacts = ["said"]
"""


def written(store: Store, recipe: str) -> Path:
    work = store.work.parent / "other"
    work.mkdir()
    (work / "lockage.toml").write_text(recipe)
    return work


@pytest.mark.network
def test_packages_of_several_suites_in_one_root(warm: Store, tmp_path: Path) -> None:
    store = warm.copy(tmp_path / "store")
    work = written(store, SEVERAL)
    store("lock", cwd=work, expect=0)
    locked = json.loads((work / "lockage.lock").read_text())["environments"]["build"]
    assert [suite["suite"] for suite in locked["suites"]] == ["bookworm", "bookworm-updates", "bookworm-backports", "trixie"]
    versions = {package["name"]: package["version"] for package in locked["packages"]}
    assert versions["jq"].startswith("1.7"), "of trixie, with the libraries that it needs from there"
    assert versions["bash"].startswith("5.2.15-"), "of the base, as nothing asks for a newer one"
    store("build", "--out", "out", cwd=work, expect=0)
    assert (work / "out/said").read_text().splitlines() == ["jq-1.7", "sed (GNU sed) 4.9"]
    before = (work / "lockage.lock").read_bytes()
    store("lock", "--check", cwd=work, expect=0)
    store("lock", cwd=work, expect=0)
    assert (work / "lockage.lock").read_bytes() == before


@pytest.fixture
def archive(warm: Store, tmp_path: Path) -> SignedArchive:
    """The packages of the example's environment that a shell needs, as another distribution's archive with a key of its own."""
    archive = SignedArchive(tmp_path / "archive", SigningKey(7, created=Instant.parse("2026-01-01T00:00:00Z")))
    for package in json.loads((warm.work / "lockage.lock").read_text())["environments"]["build"]["packages"]:
        with warm.blob(package["sha256"]).open("rb") as stream:
            control = fields(DebArchive(stream, package["name"]).control)
        kept = ("depends", "pre-depends", "provides", "essential", "multi-arch")
        told = {name.title().replace("-", "_"): control[name] for name in kept if name in control}
        archive.add(package["name"], package["version"], data=warm.blob(package["sha256"]).read_bytes(), **told)
    archive.publish("noble", Instant.parse("2026-01-02T00:00:00Z"), origin="Ubuntu")
    return archive


def test_another_distribution_by_a_keyring_of_the_source(warm: Store, archive: SignedArchive, tmp_path: Path) -> None:
    store = warm.copy(tmp_path / "store")
    work = written(store, DERIVATIVE)
    (work / "keys").mkdir()
    (work / "keys/archive.asc").write_bytes(archive.key.public)
    mirrors = {"LOCKAGE_MIRRORS": f"ubuntu={archive.uri}"}
    store("lock", cwd=work, expect=0, **mirrors)
    locked = json.loads((work / "lockage.lock").read_text())["environments"]["build"]
    assert locked["os"] == {"distribution": "ubuntu", "suite": "noble"}
    assert str(archive.folder) not in (work / "lockage.lock").read_text()
    store("build", "--out", "out", cwd=work, expect=0)
    assert (work / "out/said").read_text() == "made of another distribution\n"

    (work / "keys/archive.asc").write_bytes(SigningKey(8, created=Instant.parse("2026-01-01T00:00:00Z")).public)
    assert store("build", "--json", cwd=work, expect=3).error["code"] == "lock-mismatch"
    error = store("lock", "--json", cwd=work, expect=6, **mirrors).error
    assert (error["code"], error["details"]["reason"]) == ("untrusted-release", "unknown-key")
    shutil.rmtree(work / "keys")
    assert store("lock", "--json", cwd=work, expect=2, **mirrors).error["code"] == "keyring-missing"

"""Repositories as build backends make them, from published sdists: zero configuration builds a commit, with the version of its tag."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lockage.adapters.memory import MemoryBlobs, MemoryMemo
from lockage.adapters.python_index import UvIndex, discover_index
from lockage.base.digest import Digest
from lockage.base.path import RelPath
from lockage.environment.lock import LockedWheel

if TYPE_CHECKING:
    from tests.e2e.conftest import Store

pytestmark = [pytest.mark.network, pytest.mark.sandbox]

#: Name → file, size, sha256: small ones whose build needs little.
SDISTS = {
    "flit-core": ("flit_core-4.2.0.tar.gz", 59707, "84e4e4d8fdd45ba2613800a3ebc6834de26d47ec9746efc3719f94181137b460"),
    "dep-logic": ("dep_logic-0.7.2.tar.gz", 37962, "2a3c49526075b0bc6825f0ea8c2d9f464de48b7b85f3f3d2900b4e5950fefedf"),
    "inflection": ("inflection-0.5.1.tar.gz", 15091, "1a29730d366e996aaacffb2f1f1cb9593dc38e2ddd30c91250c6dde09ea9b417"),
}
SETUP_CFG = """
[metadata]
name = inflection
version = attr: inflection.__version__
[options]
packages = inflection
python_requires = >=3.5
"""


@pytest.fixture(scope="module")
def sdists(module_path: Path) -> Path:
    """A folder with every sdist, fetched from the configured index and checked."""
    folder = module_path / "sdists"
    folder.mkdir()
    blobs = MemoryBlobs()
    settings = discover_index(os.environ, Path.home(), prefix=Path(sys.prefix))
    uv = Path(sys.executable).parent / "uv"
    index = UvIndex(blobs, MemoryMemo(), uv=uv, settings=settings, cache=folder / "uv", interpreter=Path(sys.executable))
    for name, (file, size, sha256) in SDISTS.items():
        one = LockedWheel(name=name, version="0", file=RelPath(file), size=size, sha256=Digest(sha256))
        index.fetch([one])
        (folder / file).write_bytes(blobs.get(one.ref))
    return folder


@pytest.fixture(scope="module")
def store(warm: Store, module_path: Path) -> Store:
    """One store for all of them: their OS packages are the same."""
    return warm.copy(module_path / "commits")


def commit(store: Store, sdist: Path, tag: str) -> None:
    """Make the store's work tree a repository of what an sdist holds, without what only sdists have, tagged."""
    shutil.rmtree(store.work)
    with tarfile.open(sdist) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # which Python has since 3.11.4
        archive.extractall(store.work.parent / "unpacked")
    (top,) = (store.work.parent / "unpacked").iterdir()
    top.rename(store.work)
    (store.work / "PKG-INFO").unlink()
    for folder in store.work.rglob("*.egg-info"):
        shutil.rmtree(folder)
    if sdist.name.startswith("inflection"):
        (store.work / "setup.py").unlink()
        (store.work / "setup.cfg").write_text(SETUP_CFG)
    project = store.work / "pyproject.toml"
    if 'source = "scm"' in (text := project.read_text() if project.exists() else ""):  # the sdist says the version in its place
        project.write_text(re.sub(r'(?m)^version = "[^"]*"\n', 'dynamic = ["version"]\n', text.replace("dynamic = []\n", "")))
    store.git("init", "-q", "-b", "main")
    store.commit()
    store.git("tag", tag)


@pytest.mark.parametrize(
    ("name", "tag", "version", "module"),
    [
        pytest.param("flit-core", "v1.2.3", "4.2.0", "flit_core/wheel.py", id="in-tree backend, version in code"),
        pytest.param("dep-logic", "v9.8.7", "9.8.7", "dep_logic/__init__.py", id="pdm, version of the tag"),
        pytest.param("inflection", "v1.2.3", "0.5.1", "inflection/py.typed", id="setup.cfg alone"),
    ],
)
def test_a_commit_is_built(name: str, tag: str, version: str, module: str, sdists: Path, store: Store, tmp_path: Path) -> None:
    commit(store, sdists / SDISTS[name][0], tag)
    built = store("build", "--out", tmp_path, "--json", expect=0).json
    stem = f"{name.replace('-', '_')}-{version}"
    assert sorted(artifact["filename"] for artifact in built["artifacts"]) == [f"{stem}-py3-none-any.whl", f"{stem}.tar.gz"]
    assert built["version"] == version
    assert module in zipfile.ZipFile(tmp_path / f"{stem}-py3-none-any.whl").namelist()

"""Projects of other people, as zero configuration has them: an sdist in, a wheel out, the same bytes again and in every world."""

from __future__ import annotations

import os
import sys
import tomllib
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lockage.adapters.memory import MemoryBlobs, MemoryMemo
from lockage.adapters.python_index import UvIndex, discover_index
from lockage.base.digest import Digest
from lockage.base.path import RelPath
from lockage.environment.lock import LockedWheel

if TYPE_CHECKING:
    from tests.e2e.conftest import Store

SDISTS: list[dict[str, Any]] = tomllib.loads((Path(__file__).parent / "sdists.toml").read_text())["sdist"]  # Any: read from TOML
GRADES = {"identical", "same-content", "stabilized", "different", "failed"}

pytestmark = [pytest.mark.network, pytest.mark.sandbox]


@pytest.fixture(scope="module")
def sdists(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every sdist, fetched from the configured index and checked."""
    folder = tmp_path_factory.mktemp("sdists")
    blobs = MemoryBlobs()
    settings = discover_index(os.environ, Path.home(), prefix=Path(sys.prefix))
    uv = Path(sys.executable).parent / "uv"
    index = UvIndex(blobs, MemoryMemo(), uv=uv, settings=settings, cache=folder / "uv", interpreter=Path(sys.executable))
    wanted = [
        LockedWheel(name=one["name"], version=one["version"], file=RelPath(one["file"]), size=one["size"], sha256=Digest(one["sha256"]))
        for one in SDISTS
    ]
    index.fetch(wanted)
    for one in wanted:
        (folder / one.file).write_bytes(blobs.get(one.ref))
    return folder


@pytest.fixture(scope="module")
def store(warm: Store, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """One store for all of them: their OS packages are the same."""
    return warm.copy(tmp_path_factory.mktemp("others"))


@pytest.mark.parametrize("sdist", SDISTS, ids=[s["name"] for s in SDISTS])
def test_build_and_verify(sdist: dict[str, Any], sdists: Path, store: Store, tmp_path: Path) -> None:
    file, out = sdists / sdist["file"], tmp_path / "out"
    built = store("build", file, "--out", out, "--json", expect=0).json
    artifacts = built["artifacts"]
    assert all(list(artifact) == ["filename", "sha256", "size", "content_digest"] for artifact in artifacts)
    assert artifacts[0]["filename"].endswith(".whl")
    assert [artifact["filename"] for artifact in artifacts[1:]] == [sdist["file"]]
    assert artifacts[1]["sha256"] == sdist["sha256"], "an sdist is its own sdist"
    for artifact in artifacts:
        data = (out / artifact["filename"]).read_bytes()
        assert (sha256(data).hexdigest(), len(data)) == (artifact["sha256"], artifact["size"])
    assert (out / "lockage.lock").is_file()

    again = store("build", file, "--out", out, "--json", expect=0).json
    assert again["artifacts"] == artifacts
    assert all(step["cached"] for step in again["steps"])

    verified = store("verify", file, "--lock", out / "lockage.lock", "--json", expect=0).json
    assert (verified["reproduced"], verified["robust"], verified["rounds"]) == ("identical", "identical", 2)
    assert len(verified["axes"]) >= 15, verified["unavailable"]
    for artifact, verdict in zip(artifacts, verified["artifacts"], strict=True):
        assert verdict["filename"] == artifact["filename"]
        assert (verdict["reproduced"], verdict["robust"]) == ("identical", "identical")
        assert set(verdict["sha256"]) == {artifact["sha256"]}

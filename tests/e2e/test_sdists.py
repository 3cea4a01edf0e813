"""Projects of other people, as zero configuration has them: an sdist in, a wheel out, the same bytes again and in every world."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from packaging import tags
from packaging.utils import parse_wheel_filename

from lockage.adapters.memory import MemoryBlobs, MemoryMemo
from lockage.adapters.python_index import UvIndex, discover_index
from lockage.base.digest import Digest
from lockage.base.path import RelPath
from lockage.environment.lock import LockedWheel
from lockage.environment.python import SUITES

if TYPE_CHECKING:
    from tests.e2e.conftest import Store

SDISTS: list[dict[str, Any]] = tomllib.loads((Path(__file__).parent / "sdists.toml").read_text())["sdist"]  # Any: read from TOML
GRADES = {"identical", "same-content", "stabilized", "different", "failed"}

pytestmark = [pytest.mark.network, pytest.mark.sandbox]


@pytest.fixture(scope="module")
def sdists(module_path: Path) -> Path:
    """A folder with every sdist, fetched from the configured index and checked."""
    folder = module_path / "sdists"
    folder.mkdir()
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
def store(warm: Store, module_path: Path) -> Store:
    """One store for all of them: their OS packages are the same."""
    return warm.copy(module_path / "others")


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


def test_what_is_built_to_be_published_passes_twine_and_installs(sdists: Path, store: Store, tmp_path: Path) -> None:
    """An extension in C and a pure project, through a repair step, judged by the tools that publish and install."""
    files = {name: sdists / next(sdist["file"] for sdist in SDISTS if sdist["name"] == name) for name in ("markupsafe", "click")}
    plain = store("build", files["markupsafe"], "--out", tmp_path / "plain", "--json", expect=0).json
    assert (plain["publishable"], [note["code"] for note in plain["notes"]]) == (False, ["linux-tag"])
    assert "--publishable" in plain["notes"][0]["remedy"]
    wheels = {}
    for name, file in files.items():
        options = ("--publishable", "--python", "3.11", "--out", tmp_path / "out")
        built = store("build", file, *options, "--json", expect=0).json
        assert (built["publishable"], built["notes"], built["grafted"]) == (True, [], [])
        assert [step["step"] for step in built["steps"]] == ["wheel", "repair"]
        wheels[name] = tmp_path / "out" / built["artifacts"][0]["filename"]
        if name == "markupsafe":
            assert built["steps"][0]["cached"], "the repair has an environment of its own, so the build is the one that was done before"
            assert built["steps"][0]["action"] == plain["steps"][0]["action"]
    repaired = parse_wheel_filename(wheels["markupsafe"].name)[3]
    assert {tag.platform.partition("_")[0] for tag in repaired} <= {"manylinux", "manylinux2014"}, wheels["markupsafe"].name
    assert wheels["click"].name == "click-8.5.1-py3-none-any.whl"

    pip = (sys.executable, "-m", "pip")
    run_tool(*pip, "install", "-q", "--target", str(tmp_path / "tools"), "twine")
    packages = sorted(str(path) for path in (tmp_path / "out").iterdir() if path.suffix in (".whl", ".gz"))
    assert len(packages) == 4
    said = run_tool(sys.executable, "-m", "twine", "check", "--strict", *packages, PYTHONPATH=str(tmp_path / "tools"))
    assert said.count("PASSED") == 4, said

    code = "import markupsafe, markupsafe._speedups; print(markupsafe.escape('<'))"
    if repaired.isdisjoint(tags.sys_tags()):  # the host's Python is another one: the environment's imports it
        assert not repaired.isdisjoint(SUITES[0].target("amd64" if "x86_64" in wheels["markupsafe"].name else "arm64").tags())
        assert import_in_sandbox(store, wheels["markupsafe"], code, tmp_path) == "&lt;"
    else:
        run_tool(sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "fresh"))
        run_tool(*pip, "--python", str(tmp_path / "fresh"), "install", "-q", "--no-index", "--no-deps", str(wheels["markupsafe"]))
        assert run_tool(str(tmp_path / "fresh" / "bin" / "python"), "-I", "-c", code).strip() == "&lt;"


def run_tool(*command: str, **variables: str) -> str:
    """What a tool of others says; it must succeed."""
    done = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def import_in_sandbox(store: Store, wheel: Path, code: str, folder: Path) -> str:
    """What ``code`` prints where the wheel's files are the module path, in the example's environment."""
    work = folder / "import"
    shutil.copytree(store.work, work, ignore=shutil.ignore_patterns(".git"))
    shutil.copy(wheel, work / "it.whl")
    (work / "code.py").write_text(code)
    step = '[step.import]\ninputs = ["it.whl", "code.py"]\noutputs = ["said"]\nartifacts = ["said"]\n'
    run = "run = 'python3 -m zipfile -e it.whl it && PYTHONPATH=it python3 code.py > said'\n"
    text = (work / "lockage.toml").read_text()
    (work / "lockage.toml").write_text(text[: text.index("[step.")] + step + run)
    store("build", work, "--out", folder / "said", "--json", expect=0)
    return (folder / "said" / "said").read_text().strip()

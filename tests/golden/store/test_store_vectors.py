"""Stores that older lockages made: opened, proven, and read from."""

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ARCHIVES = sorted(HERE.glob("format-*.tar.gz"))


@pytest.fixture(params=ARCHIVES, ids=lambda path: path.name.partition(".")[0])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    with tarfile.open(request.param) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # which Python has since 3.11.4
        archive.extractall(tmp_path)
    return tmp_path


def run(folder: Path, *arguments: str) -> str:
    """What the program prints, run on the store as it was found."""
    own = {"LOCKAGE_HOME": str(folder / "home"), "LOCKAGE_KEYS": str(folder / "keys")}
    environ = {**{k: v for k, v in os.environ.items() if not k.startswith(("LOCKAGE_", "PYTEST_"))}, **own}
    command = [sys.executable, "-P", "-c", "from lockage.cli import main; main()", *arguments]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done
    return done.stdout


def test_there_is_one_of_the_first_format() -> None:
    assert ARCHIVES[0].name == "format-1.tar.gz"


@pytest.mark.slow
def test_its_ledger_is_proven_and_its_release_can_be_had(folder: Path) -> None:
    assert json.loads(run(folder, "ledger", "verify", "--json"))["size"] == 8
    (project,) = json.loads(run(folder, "status", "--json"))["projects"]
    assert {c["channel"]: c["release"] for c in project["channels"] if c["release"]} == {"dev": "shop@1.0-1"}
    run(folder, "pull", "dev", "--into", str(folder / "pulled"))
    (artifact,) = (folder / "pulled").glob("*out.txt")
    assert artifact.read_bytes() == b"a\n"
    assert "pack" in run(folder, "logs", "run-000001")
    checked = json.loads(run(folder, "store", "check", "--json"))
    # Of format 2 some blobs are there twice: as what a step gave, and as what was put at once.
    count = 26 if (folder / "home" / "blobs" / "packs").is_dir() else 21
    assert (checked["whole"], checked["checked"]["blob"]["count"], checked["stale_results"]) == (True, count, 0)

"""lockage locks, builds, tests, verifies, releases, promotes and pulls itself, from a clone of this checkout's commit."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lockage import __version__

if TYPE_CHECKING:
    from tests.e2e.conftest import Store

CHECKOUT = Path(__file__).parents[2]


@pytest.mark.network
@pytest.mark.sandbox
def test_lockage_releases_itself(cli: Store, tmp_path: Path) -> None:
    subprocess.run(["git", "clone", "-q", str(CHECKOUT), str(cli.work)], check=True)
    cli("lock", "--json", expect=0)
    cli.commit("lock the environment")
    built = cli("build", "--out", tmp_path / "out", "--json", expect=0).json
    wheel = built["artifacts"][0]["filename"]
    assert wheel == f"lockage-{__version__}-py3-none-any.whl"
    with zipfile.ZipFile(tmp_path / "out" / wheel) as archive:
        names = archive.namelist()
    assert "lockage/cli/app.py" in names
    assert any(name.endswith(".asc") for name in names), "the archive keys are data of the package"

    tested = cli("test", "--json", expect=0).json
    assert tested["passed"] is True
    verified = cli("verify", "--json", expect=0).json
    assert (verified["reproduced"], verified["robust"]) == ("identical", "identical")
    release = cli("release", "--json", expect=0).json["release"]
    assert release == f"lockage@{__version__}-1"
    cli("promote", release, "--to", "dev", "--json", expect=0)
    pulled = cli("pull", "dev", "--into", tmp_path / "pulled", "--json", expect=0).json
    assert {a["sha256"] for a in pulled["artifacts"]} == {a["sha256"] for a in built["artifacts"]}
    assert (tmp_path / "pulled" / wheel).read_bytes() == (tmp_path / "out" / wheel).read_bytes()

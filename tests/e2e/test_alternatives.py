"""What packages' scripts would have linked is there in a real root, although none was run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Store

pytestmark = [pytest.mark.sandbox, pytest.mark.network]

RECIPE = """
[project]
name = "linked"
version = "1"
[environment.build]
os = "debian:bookworm"
packages = ["pkg-config", "libopenblas-dev", "libhdf5-dev", "openssl", "ca-certificates", "mawk", "gawk", "less"]
[step.look]
environment = "build"
inputs = []
run = \"\"\"
pkg-config --exists openblas blas lapack hdf5
test -e /usr/include/x86_64-linux-gnu/cblas.h
readlink -f /usr/bin/awk /usr/bin/pager > said
openssl verify $(ls /usr/share/ca-certificates/mozilla/ISRG_Root_X1.crt) | sed 's/.*: //' >> said
\"\"\"
outputs = ["said"]
artifacts = ["said"]
"""


def test_alternatives_of_real_packages(warm: Store, tmp_path: Path) -> None:
    store = warm.copy(tmp_path / "store")
    work = store.work.parent / "linked"
    work.mkdir()
    (work / "lockage.toml").write_text(RECIPE)
    store("lock", cwd=work, expect=0)
    store("build", "--out", "out", cwd=work, expect=0)
    assert (work / "out/said").read_text().splitlines() == ["/usr/bin/gawk", "/usr/bin/less", "OK"]

"""Who runs the tests is told before they begin if the disk is too full for them."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

BIN = Path(__file__).parents[3] / "bin"
#: All that is found; no Python, so that nothing is run if the scripts go on.
PROGRAMS = ("awk", "id", "readlink", "sh")


@pytest.mark.parametrize("script", ["check", "test"])
def test_a_full_disk_is_told_in_one_line(script: str, tmp_path: Path) -> None:
    path = tmp_path / "bin"
    path.mkdir()
    for name in PROGRAMS:
        found = shutil.which(name)
        assert found is not None
        (path / name).symlink_to(found)
    for name in ("git", "npm", "node", "setpriv"):
        (path / name).write_text("#!/bin/sh\nexit 1\n")
        (path / name).chmod(0o755)
    (path / "df").write_text("#!/bin/sh\necho Filesystem 1024-blocks Used Available Capacity Mounted on\necho disk 9999999 9 204800 9% /\n")
    (path / "df").chmod(0o755)
    shell = "bash" if (BIN / script).read_text().startswith("#!/usr/bin/env bash") else "sh"
    interpreter = shutil.which(shell)
    assert interpreter is not None
    environment = {"PATH": str(path), "TMPDIR": str(tmp_path), "HOME": os.environ.get("HOME", "/")}
    done = subprocess.run([interpreter, BIN / script], capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert done.returncode == 2, done
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"bin/{script}: ")
    assert f"in {tmp_path}, which has 200 MiB" in line
    assert done.stdout == ""

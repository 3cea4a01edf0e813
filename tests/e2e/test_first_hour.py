"""A stranger's extension module that lacks a header: what the error says is all that is needed; and a look into the sandbox."""

from __future__ import annotations

import io
import os
import pty
import select
import shlex
import subprocess
import tarfile
import time
import tomllib
from typing import TYPE_CHECKING

import pytest
from tests.e2e.test_bad_input_steps import processes_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Store

pytestmark = [pytest.mark.sandbox, pytest.mark.network]

STEPS = """
[step.source]
environment = "build"
inputs = ["ext.c"]
run = "mkdir c && cp ext.c c/"
outputs = ["c"]

[step.ext]
environment = "build"
needs = ["source"]
inputs = ["README.md"]
run = "gcc -shared -fPIC -I/usr/include/python3.11 c/ext.c -o ext.so"
outputs = ["ext.so"]
artifacts = ["ext.so"]
"""
INFO = "Metadata-Version: 2.1\nName: tiny\nVersion: 1\n"
C = "#include <Python.h>\n#include <libmnl/libmnl.h>\n"


def test_a_missing_header_is_named_added_and_built(shop: Store, tmp_path: Path) -> None:
    shop.recipe(STEPS, **{"ext.c": C})
    before = (shop.work / "lockage.toml").read_text()
    error = shop("build", "--keep-failed-in", tmp_path / "failed", "--json", expect=9).error
    details = error["details"]
    assert details["missing"] == ["header libmnl/libmnl.h"]
    assert details["packages"] == ["libmnl-dev"]
    assert (tmp_path / "failed" / "ext" / "c" / "ext.c").read_text() == C
    assert details["kept"] == str(tmp_path / "failed" / "ext")

    # The sandbox of the step that failed: its inputs, what its needs made, and the same failure.
    runs = sorted(path.name for path in (shop.home / "runs").iterdir())
    looked = shop(*shlex.split(details["shell"])[1:], "-c", 'pwd; ls; cat /etc/hostname; eval "$LOCKAGE_RUN"')
    assert looked.stdout.splitlines() == ["/build", "README.md", "c", "lockage"]
    assert "libmnl.h: No such file" in looked.stderr
    assert looked.code == 1
    assert sorted(path.name for path in (shop.home / "runs").iterdir()) == runs
    piped = subprocess.run(
        shop.command("shell", "ext"), cwd=shop.work, env=shop.environment(), input=b"exit 7\n", capture_output=True, check=False
    )
    assert piped.returncode == 7
    assert b"gcc -shared" in piped.stderr, "it says what the step would run"

    # What the error says to type is all there is to do.
    typed = shlex.split(details["command"])
    assert typed[:2] == ["lockage", "lock"]
    shop(*typed[1:], "--json", expect=0)
    after = (shop.work / "lockage.toml").read_text()
    assert tomllib.loads(after)["environment"]["build"]["packages"][-1] == "libmnl-dev"
    assert len(after.splitlines()) == len(before.splitlines())
    shop.commit("with libmnl")
    built = shop("build", "--json", expect=0).json
    assert [artifact["filename"] for artifact in built["artifacts"]] == ["ext.so"]


def test_a_prompt_has_a_terminal_and_leaves_nothing_behind(shop: Store) -> None:
    shop.recipe(STEPS, **{"ext.c": C})
    master, slave = pty.openpty()
    process = subprocess.Popen(
        shop.command("shell", "ext"), cwd=shop.work, env=shop.environment(TERM="dumb"), stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    try:
        await_text(master, "[ext] ")
        os.write(master, b"test -t 0 && echo ter''minal; sleep 1000\n")
        await_text(master, "terminal")
        time.sleep(0.2)
        os.write(master, b"\x03")  # Ctrl-C ends the sleep, not the prompt
        await_text(master, "[ext] ")
        os.write(master, b"sleep 1000 & exit 5\n")
        assert process.wait(timeout=60) == 5
    finally:
        process.kill()
        process.wait()
        os.close(master)
    assert processes_of(shop) == []


def test_a_strangers_sdist_needs_one_command(shop: Store, tmp_path: Path) -> None:
    """A setup.py that uses what newer setuptools have dropped, and an extension module that lacks two libraries, one after the other."""
    setup = (
        "import pkg_resources\nfrom setuptools import Extension, setup\n"
        "setup(name='tiny', version='1', ext_modules=[Extension('tiny', ['tiny.c'], libraries=['mnl', 'jansson'])])\n"
    )
    files = {"setup.py": setup, "tiny.c": C + "#include <jansson.h>\nPyObject *PyInit_tiny(void) { return 0; }\n", "PKG-INFO": INFO}
    sdist = tmp_path / "tiny-1.tar.gz"
    with tarfile.open(sdist, "w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(f"tiny-1/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    built = shop("build", sdist, "--out", tmp_path / "out", "--add-missing", "--json", expect=0).json
    assert built["added"] == ["libjansson-dev", "libmnl-dev"]
    assert [artifact["filename"] for artifact in built["artifacts"]] == ["tiny-1-cp311-cp311-linux_x86_64.whl", "tiny-1.tar.gz"]
    lock = tmp_path / "out" / "lockage.lock"
    again = shop("build", sdist, "--out", tmp_path / "again", "--lock", lock, "--json", expect=0).json
    assert (again["artifacts"], again["added"], {step["cached"] for step in again["steps"]}) == (built["artifacts"], built["added"], {True})
    refused = shop("build", sdist, "--add-missing", "--lock", lock, "--json", expect=2).error
    assert refused["code"] == "usage"


def await_text(master: int, text: str) -> None:
    """Read until a text is shown. Fails after a minute."""
    shown = b""
    until = time.monotonic() + 60
    while text.encode() not in shown:
        assert time.monotonic() < until, shown
        if select.select([master], [], [], 1)[0]:
            shown += os.read(master, 4096)

"""`lockage diff` of what a real build made: releases, their files, artifacts by digest, and compiled code with its symbols."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Store


@pytest.mark.sandbox
@pytest.mark.network
def test_releases_their_files_and_a_file_on_disk(shop: Store) -> None:
    first = shop("release", "--json", expect=0).json["release"]
    assert shop("diff", "shop", first, "--json", expect=0).json["grade"] == "identical"
    shop("build", "--out", "out", expect=0)
    wheel = next(shop.work.glob("out/*.whl"))
    assert shop("diff", f"{first}/{wheel.name}", wheel, expect=0).stdout == f"{wheel.name}: identical\n"

    init = next(shop.work.glob("src/**/__init__.py"))
    init.write_text(init.read_text() + "LATER = 1\n")
    shop.run(["git", "commit", "-qam", "later"])
    second = shop("release", "--json", expect=0).json["release"]
    found = shop("diff", first, second, "--json", expect=4).json
    assert {"source", "origin"} <= {field["field"] for field in found["members"][0]["fields"]}
    inside = next(member for member in found["members"] if member["path"] == wheel.name)["nested"]["members"]
    changed = next(member for member in inside if member["path"].endswith("__init__.py"))
    assert changed["diff"][-1] == "+LATER = 1"
    assert next(member for member in inside if member["path"].endswith("RECORD"))["follows"]


@pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no compiler on this machine")
def test_what_a_compiler_made(cli: Store, tmp_path: Path) -> None:
    for side, value in (("a", 41), ("b", 42)):
        (tmp_path / side).mkdir()
        source = f"int other(int x) {{ return x * 3; }}\nint answer(void) {{ return {value}; }}\n"
        (tmp_path / "x.c").write_text(source)
        options = ("-O1", "-shared", "-fPIC", "-Wl,--build-id=none")
        subprocess.run(["gcc", *options, "-o", str(tmp_path / side / "libx.so"), str(tmp_path / "x.c")], check=True)
    found = cli("diff", tmp_path / "a/libx.so", tmp_path / "b/libx.so", "--json", expect=4).json["members"][0]
    assert (found["form"], found["ranges"], found["differing"]) == ("ELF", 1, 1)
    (span,) = found["spans"]
    assert span["place"].startswith(".text, answer+0x")
    assert (span["a"], span["b"]) == ("29", "2a")

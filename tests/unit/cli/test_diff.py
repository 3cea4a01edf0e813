"""``lockage diff`` as it is typed: files, folders, what is not there, and where the result goes."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from lockage.cli.app import run

if TYPE_CHECKING:
    from pathlib import Path

    Output = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty place to stand in, and a store of its own."""
    monkeypatch.setenv("LOCKAGE_HOME", str(tmp_path / "store"))
    monkeypatch.setenv("LOCKAGE_KEYS", str(tmp_path / "keys"))
    for name in ("FORCE_COLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(name, raising=False)
    place = tmp_path / "here"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


def two(here: Path, name: str = "x.txt", a: bytes = b"one\n", b: bytes = b"two\n") -> tuple[str, str]:
    for side, data in (("a", a), ("b", b)):
        (here / side).mkdir(exist_ok=True)
        (here / side / name).write_bytes(data)
    return f"a/{name}", f"b/{name}"


def test_files(here: Path, capsys: Output) -> None:
    assert run(["diff", *two(here)]) == 4
    assert capsys.readouterr().out.splitlines()[-2:] == ["    -one", "    +two"]
    assert run(["diff", "a/x.txt", "a/x.txt"]) == 0
    assert capsys.readouterr().out == "x.txt: identical\n"


def test_colour_only_where_it_is_wanted(here: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    names = two(here)
    run(["diff", *names])
    assert "\x1b" not in capsys.readouterr().out
    monkeypatch.setenv("FORCE_COLOR", "1")
    run(["diff", *names])
    assert "\x1b[31m-one\x1b[0m" in capsys.readouterr().out


def test_folders(here: Path, capsys: Output) -> None:
    two(here)
    (here / "a" / "same").write_bytes(b"same")
    (here / "b" / "same").write_bytes(b"same")
    (here / "a" / "tool").write_bytes(b"tool")
    (here / "b" / "tool").write_bytes(b"tool")
    (here / "a" / "tool").chmod(0o755)
    (here / "b" / "tool").chmod(0o644)
    (here / "a" / "link").symlink_to("x.txt")
    (here / "b" / "link").symlink_to("tool")
    (here / "b" / "sub").mkdir()
    (here / "b" / "sub" / "new").write_bytes(b"new")
    assert run(["diff", "a", "b", "--json"]) == 4
    document = json.loads(capsys.readouterr().out)
    assert document["grade"] == "different"
    found = {member["path"]: member for member in document["members"]}
    assert set(found) == {"x.txt", "tool", "link", "sub/", "sub/new"}
    assert found["x.txt"]["diff"][-2:] == ["-one", "+two"]
    assert {field["field"]: (field["a"], field["b"]) for field in found["tool"]["fields"]}["mode"] == ("755", "644")
    assert found["link"]["fields"][0] == {"field": "link target", "a": "x.txt", "b": "tool"}
    assert run(["diff", "a", "a"]) == 0


def test_a_file_that_was_moved(here: Path, capsys: Output) -> None:
    for side in "ab":
        (here / side).mkdir()
        (here / side / f"{side}.bin").write_bytes(b"the same bytes")
    assert run(["diff", "a", "b"]) == 4
    assert "  b.bin: moved from a.bin (14 bytes)" in capsys.readouterr().out.splitlines()


def test_a_file_and_a_folder_cannot_be_compared(here: Path, capsys: Output) -> None:
    two(here)
    assert run(["diff", "a", "b/x.txt"]) == 2
    assert "incomparable" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["nothing-there", "shop@1.0", "0" * 64, "sha256:" + "0" * 64])
def test_what_is_not_there(here: Path, name: str, capsys: Output) -> None:
    two(here)
    assert run(["diff", name, "a/x.txt"]) == 2
    err = capsys.readouterr().err
    assert "nothing-to-compare" in err


def test_a_page(here: Path, capsys: Output) -> None:
    names = two(here)
    assert run(["diff", *names, "--html", "-"]) == 4
    page = capsys.readouterr().out
    assert page.startswith("<!doctype html>")
    assert run(["diff", *names, "--html", "report.html"]) == 4
    assert (here / "report.html").read_text() == page
    assert capsys.readouterr().out.splitlines()[-1] == "written to report.html"


def test_a_page_that_cannot_be_written(here: Path, capsys: Output) -> None:
    assert run(["diff", *two(here), "--html", "no/such/folder.html"]) == 2
    assert "cannot write no/such/folder.html" in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--json", "--html", "-"], ["--json", "--diffoscope"], ["--html", "x", "--diffoscope"]])
def test_only_one_output(here: Path, options: list[str], capsys: Output) -> None:
    assert run(["diff", *two(here), *options]) == 2
    assert "only one" in capsys.readouterr().err


def test_the_limit(here: Path, capsys: Output) -> None:
    a, b = (b"".join(b"%s %d\n" % (word, number) for number in range(30)) for word in (b"a", b"b"))
    run(["diff", *two(here, a=a, b=b), "--limit", "5"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 8
    assert lines[-1].endswith("more lines")


def test_diffoscope_is_asked_for_and_absent(here: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(here))
    assert run(["diff", *two(here), "--diffoscope"]) == 2
    assert "diffoscope-missing" in capsys.readouterr().err


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (1, 4), (2, 1)])
def test_diffoscope_is_handed_the_pair(
    here: Path, code: int, expected: int, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "diffoscope").write_text(f'#!/bin/sh\necho "compares $1 with $2"\nexit {code}\n')
    (here / "diffoscope").chmod(0o755)
    monkeypatch.setenv("PATH", f"{here}:{os.environ['PATH']}")
    assert run(["diff", *two(here), "--diffoscope"]) == expected
    assert "compares a/x.txt with b/x.txt" in capfd.readouterr().out


def test_what_may_not_be_read(here: Path, capsys: Output) -> None:
    names = two(here)
    (here / "a" / "x.txt").unlink()
    (here / "a" / "x.txt").symlink_to("/proc/self/mem")  # a regular file that nobody can read from its beginning, not even root
    assert run(["diff", *names]) == 2
    assert "unreadable-file" in capsys.readouterr().err

"""`lockage stabilize` and `lockage check-archive` as people and CI use them: on files alone, without a store."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from lockage.cli.app import run

if TYPE_CHECKING:
    from pathlib import Path

Output = pytest.CaptureFixture[str]
DATE = ["--date", "2024-05-06T07:08:09Z"]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    file = tmp_path / "x.zip"
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("b.html", "Last updated on Sep 02, 2019.")
        made.writestr("a", "a")
    file.chmod(0o640)
    return file


@pytest.fixture(autouse=True)
def no_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)


def names(file: Path) -> list[str]:
    with zipfile.ZipFile(file) as made:
        return made.namelist()


def test_a_file_is_replaced_whole_and_keeps_its_mode(archive: Path, capsys: Output) -> None:
    assert run(["stabilize", *DATE, str(archive)]) == 0
    shown = capsys.readouterr().out
    assert f"{archive}: changed\n" in shown
    assert "  zip: member order of the file itself: as written → by path\n" in shown
    assert "  html: sphinx stamp of b.html: Sep 02, 2019 → the source's date\n" in shown
    assert names(archive) == ["a", "b.html"]
    assert archive.stat().st_mode & 0o777 == 0o640
    assert os.listdir(archive.parent) == ["x.zip"]  # noqa: PTH208 (nothing half-written beside it)
    assert run(["stabilize", *DATE, str(archive)]) == 0
    assert capsys.readouterr().out == f"{archive}: nothing to change\n"


def test_check_writes_nothing(archive: Path, capsys: Output) -> None:
    before = archive.read_bytes()
    assert run(["stabilize", "--check", *DATE, str(archive)]) == 4
    assert archive.read_bytes() == before
    assert "would change" in capsys.readouterr().out
    run(["stabilize", *DATE, str(archive)])
    assert run(["stabilize", "--check", *DATE, str(archive)]) == 0


def test_the_date_may_be_in_the_environment(archive: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    assert run(["stabilize", str(archive)]) == 2
    assert "no-date" in capsys.readouterr().err
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1714979289")
    assert run(["stabilize", "--out", str(archive.parent / "env"), str(archive)]) == 0
    assert run(["stabilize", "--out", str(archive.parent / "option"), *DATE, str(archive)]) == 0
    assert (archive.parent / "env" / "x.zip").read_bytes() == (archive.parent / "option" / "x.zip").read_bytes()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    assert run(["stabilize", str(archive)]) == 2
    assert "invalid-setting" in capsys.readouterr().err


@pytest.mark.parametrize("date", ["2024-13-01", "now", "-1", "999999999999", "2024-05-06T07:08"])
def test_what_is_no_date_is_refused(archive: Path, date: str, capsys: Output) -> None:
    assert run(["stabilize", "--date", date, str(archive)]) == 2
    assert "is neither YYYY-MM-DD" in capsys.readouterr().err


@pytest.mark.parametrize("date", ["2024-05-06", "1714953600", "2024-05-06T00:00:00Z"])
def test_dates_are_written_in_three_ways(archive: Path, date: str) -> None:
    assert run(["stabilize", "--date", date, str(archive)]) == 0
    with zipfile.ZipFile(archive) as made:
        assert made.infolist()[0].date_time == (2024, 5, 6, 0, 0, 0)


@pytest.mark.parametrize("how", ["hard link", "symbolic link"])
def test_a_file_with_several_names_is_refused_in_place(archive: Path, how: str, capsys: Output) -> None:
    other = archive.parent / "other.zip"
    before = archive.read_bytes()
    if how == "hard link":
        other.hardlink_to(archive)
    else:
        other.symlink_to(archive)
    assert run(["stabilize", *DATE, str(other)]) == 2
    shown = capsys.readouterr()
    assert f"{other}: left as it is" in shown.out
    assert "shared-file" in shown.err
    assert archive.read_bytes() == other.read_bytes() == before
    assert run(["stabilize", *DATE, "--out", str(archive.parent / "out"), str(other)]) == 0
    assert archive.read_bytes() == before


def test_one_bad_file_does_not_stop_the_others(archive: Path, capsys: Output) -> None:
    bad = archive.parent / "bad.whl"
    bad.write_bytes(b"PK\x03\x04")
    assert run(["stabilize", "--json", *DATE, str(bad), str(archive)]) == 9
    first, second = json.loads(capsys.readouterr().out)["files"]
    assert first["error"]["code"] == "malformed-archive"
    assert second["changed"]
    assert second["report"]["passes"][0]["name"] == "zip"
    assert bad.read_bytes() == b"PK\x03\x04"


def test_passes_are_chosen_by_name(archive: Path, capsys: Output) -> None:
    assert run(["stabilize", *DATE, "--without", "html", str(archive)]) == 0
    with zipfile.ZipFile(archive) as made:
        assert made.read("b.html") == b"Last updated on Sep 02, 2019."
    assert run(["stabilize", *DATE, "--with", "elv", str(archive)]) == 2
    assert "no pass 'elv'; did you mean 'elf'?" in capsys.readouterr().err
    assert run(["stabilize", *DATE, "--in-place", "--check", str(archive)]) == 2


def test_a_folder_that_cannot_be_written_is_said(archive: Path, capsys: Output) -> None:
    (archive.parent / "file").touch()
    assert run(["stabilize", *DATE, "--out", str(archive.parent / "file" / "below"), str(archive)]) != 0
    shown = capsys.readouterr()
    assert f"error[folder-unwritable]: cannot write {archive.parent / 'file' / 'below' / 'x.zip'}: " in shown.err
    assert "left as it is" in shown.out


def test_check_archive_says_what_varies(archive: Path, capsys: Output) -> None:
    assert run(["check-archive", str(archive)]) == 4
    shown = capsys.readouterr().out
    assert f"{archive}: findings\n  varies " in shown
    assert "varies stamp: b.html: sphinx stamp" in shown
    run(["stabilize", *DATE, str(archive)])
    capsys.readouterr()
    assert run(["check-archive", str(archive)]) == 0
    assert capsys.readouterr().out == f"{archive}: nothing that varies\n"


def test_check_archive_says_what_is_not_valid(archive: Path, capsys: Output) -> None:
    archive.write_bytes(archive.read_bytes()[:-4])
    assert run(["check-archive", "--json", str(archive)]) == 6
    (found,) = json.loads(capsys.readouterr().out)["files"]
    assert (found["file"], found["findings"][0]["code"], found["findings"][0]["level"]) == (str(archive), "malformed-archive", "invalid")


@pytest.mark.parametrize("command", [["stabilize", "--check", "--date", "0"], ["check-archive"]])
def test_neither_touches_a_store_keys_or_the_network(tmp_path: Path, command: list[str]) -> None:
    file = tmp_path / "x.gz"
    file.write_bytes(gzip.compress(b"x"))
    code = (
        "import sys\nfrom lockage.cli.app import run\nrun(sys.argv[1:])\n"
        "print([name for name in sys.modules if name.startswith(('lockage.adapters', 'lockage.work', 'lockage.catalog', 'lockage.ledger'))"
        " or name in ('socket', 'cryptography', 'sqlite3', 'urllib.request', 'bz2', 'lzma', 'cramjam', 'email')])"
    )
    environ = {"PATH": os.environ["PATH"], "LOCKAGE_HOME": str(tmp_path / "home"), "LOCKAGE_KEYS": str(tmp_path / "keys")}
    done = subprocess.run([sys.executable, "-P", "-c", code, *command, str(file)], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.gz"]

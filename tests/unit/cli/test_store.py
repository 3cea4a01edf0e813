"""`lockage store` and `lockage store check` as people see them, on the small store of the golden archive."""

import tarfile
from pathlib import Path

import pytest

from lockage.cli.app import run

ARCHIVE = Path(__file__).parents[2] / "golden" / "store" / "format-1.tar.gz"
Output = pytest.CaptureFixture[str]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    with tarfile.open(ARCHIVE) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # which Python has since 3.11.4
        archive.extractall(tmp_path)
    monkeypatch.setenv("LOCKAGE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LOCKAGE_KEYS", str(tmp_path / "keys"))
    return tmp_path / "home"


def test_what_a_store_holds(home: Path, capsys: Output) -> None:
    assert run(["store"]) == 0
    first, header, *rows = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{home}: ")
    assert first.endswith(" free")
    assert header.split()[:4] == ["kind", "number", "size", "oldest"]
    assert [row.split()[:2] for row in rows[:4]] == [["blobs", "21"], ["ledger", "1"], ["runs", "1"], ["actions", "1"]]


def test_a_store_that_is_not_there_holds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    monkeypatch.setenv("LOCKAGE_HOME", str(tmp_path / "none"))
    assert run(["store"]) == 0
    assert ": 0 B, " in capsys.readouterr().out
    assert run(["store", "check"]) == 0
    assert not (tmp_path / "none" / "format").exists()


def test_what_is_broken_is_said_with_its_use_and_what_mends_it(home: Path, capsys: Output) -> None:
    (blob,) = (home / "blobs" / "sha256" / "87").iterdir()  # the artifact, "a\n"
    blob.chmod(0o644)
    blob.write_bytes(b"b\n")
    assert run(["store", "check"]) == 6
    shown = capsys.readouterr().out
    for text in ("blobs: 21", "ledger entries: 8", "of shop@1.0-1", "set aside: ", "to mend it: `lockage build` of commit ", "1 broken"):
        assert text in shown
    assert not blob.exists()


def test_a_newer_store_is_refused_by_every_command_that_opens_it(home: Path, capsys: Output) -> None:
    (home / "format").write_text("3\n")
    for words in (["store"], ["status"], ["ledger", "verify"]):
        assert run(words) == 8
        assert "store-format-unknown" in capsys.readouterr().err

"""Bad input: keys and trust roots that are missing, open to others, of somebody else, or changed; folders to pull into."""

from __future__ import annotations

import shutil
import sqlite3
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Store

pytestmark = [pytest.mark.sandbox, pytest.mark.network]


def test_a_store_copied_without_its_keys_is_not_believed(released: Store) -> None:
    released("promote", "shop", "--to", "dev", expect=0)
    before = released.kept()
    released.keys.rename(released.keys.with_name("elsewhere"))
    for command in (("status",), ("promote", "shop", "--to", "dev"), ("pull", "dev", "--into", "out"), ("ledger", "verify")):
        error = released(*command, "--json", expect=6).error
        assert error["code"] == "trust-root-unknown"
        assert error["details"]["origin"] in error["message"]
        assert "LOCKAGE_KEYS" in error["hint"]
    assert not (released.work / "out").exists()
    shutil.rmtree(released.keys, ignore_errors=True)
    released.keys.with_name("elsewhere").rename(released.keys)
    assert released.kept() == before


def test_a_changed_trust_root_is_not_believed(released: Store) -> None:
    (pinned,) = (released.keys / "trust").iterdir()
    whole = pinned.read_bytes()
    for place in range(5, len(whole), len(whole) // 12):
        data = bytearray(whole)
        data[place] ^= 1
        pinned.write_bytes(data)
        error = released("status", "--json", expect=6).error
        assert "trust root" in error["message"], (place, error)
    pinned.write_bytes(whole)
    released("status", expect=0)


def test_another_stores_trust_root_is_not_believed(released: Store, cli: Store) -> None:
    cli("policy", "list", expect=0)
    (pinned,) = (released.keys / "trust").iterdir()
    (other,) = (cli.keys / "trust").iterdir()
    pinned.write_bytes(other.read_bytes())
    error = released("status", "--json", expect=6).error
    assert error["code"] in ("trust-root-mismatch", "invalid-checkpoint")


@pytest.mark.parametrize("key", ["promoter", "ledger"])
@pytest.mark.parametrize("how", ["open", "gone", "foreign", "garbage"])
def test_a_key_that_must_not_be_used_is_not_used(released: Store, cli: Store, key: str, how: str) -> None:
    file = released.keys / "keys" / f"{key}.pem"
    before = released.kept()
    whole = file.read_bytes()
    if how == "open":
        file.chmod(0o644)
    elif how == "gone":
        file.unlink()
    elif how == "foreign":
        cli("policy", "list", expect=0)
        file.write_bytes((cli.keys / "keys" / f"{key}.pem").read_bytes())
    else:
        file.write_bytes(b"-----BEGIN PRIVATE KEY-----\nnot base64\n-----END PRIVATE KEY-----\n")
    error = released("promote", "shop", "--to", "dev", "--json", expect=8).error
    assert error["code"] == ("key-not-trusted" if how == "foreign" else "key-unusable")
    if how == "foreign":
        assert key in error["message"]
    else:
        assert str(file) in error["message"]
    if how == "open":
        assert f"chmod 600 {file}" in error["hint"]
    after = released.kept()
    assert (after.size, after.checkpoint, after.projects) == (before.size, before.checkpoint, before.projects)
    file.write_bytes(whole)
    file.chmod(0o600)
    released("promote", "shop", "--to", "dev", "--json", expect=0)
    released("pull", "dev", "--into", "out", expect=0)


def test_keys_inside_the_store_are_refused(cli: Store) -> None:
    error = cli("policy", "list", "--json", expect=2, LOCKAGE_KEYS=str(cli.home / "keys")).error
    assert error["code"] == "invalid-setting"
    assert str(cli.home / "keys") in error["message"]


def test_pull_touches_no_folder_of_others(released: Store) -> None:
    released("promote", "shop", "--to", "dev", expect=0)
    out = released.work / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    error = released("pull", "dev", "--into", "out", "--json", expect=8).error
    assert error["code"] == "folder-unwritable"
    assert "mine.txt" in error["message"]
    assert [path.name for path in out.iterdir()] == ["mine.txt"]
    assert (out / "mine.txt").read_text() == "mine"


def test_pull_does_not_go_back_to_what_an_older_ledger_says(released: Store) -> None:
    released("promote", "shop", "--to", "dev", expect=0)
    older = released.work.with_name("older.db")
    connection = sqlite3.connect(released.home / "ledger.db")
    connection.execute("VACUUM INTO ?", (str(older),))
    connection.close()
    (released.work / "README.md").write_text("other words\n")
    project = released.work / "pyproject.toml"
    project.write_text(project.read_text().replace('version = "1.2.0"', 'version = "1.3.0"'))
    released.commit()
    released("test", expect=0)
    released("release", expect=0)
    released("promote", "shop", "--to", "dev", expect=0)
    released("pull", "dev", "--into", "out", expect=0)
    out = released.work / "out"
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    for left in released.home.glob("ledger.db-*"):
        left.unlink()
    shutil.copy(older, released.home / "ledger.db")
    error = released("pull", "dev", "--into", "out", "--json", expect=6).error
    assert "generation" in error["message"]
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


@pytest.mark.parametrize("text", [b"", b"{}", b"not json"])
def test_a_folder_whose_memory_was_changed_is_left_alone(released: Store, text: bytes) -> None:
    released("promote", "shop", "--to", "dev", expect=0)
    released("pull", "dev", "--into", "out", expect=0)
    manifest = released.work / "out" / ".lockage-manifest.json"
    manifest.write_bytes(text)
    error = released("pull", "dev", "--into", "out", "--json", expect=6).error
    assert ".lockage-manifest.json" in error["message"] + error["hint"]
    assert manifest.read_bytes() == text


def test_a_channel_that_holds_nothing_is_a_usage_error(released: Store) -> None:
    assert released("pull", "dev", "--into", "out", "--json", expect=2).error["code"] == "channel-empty"
    assert not (released.work / "out").exists()


def test_a_store_that_is_none_is_named(cli: Store) -> None:
    for command in (
        ("status",),
        ("history", "dev"),
        ("pull", "dev", "--into", "out"),
        ("promote", "shop", "--to", "dev"),
        ("ledger", "verify"),
    ):
        error = cli(*command, "--json", expect=2).error
        assert error["code"] == "no-store"
        assert str(cli.home) in error["message"]
    assert not cli.home.exists()

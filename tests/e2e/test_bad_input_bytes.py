"""Bad input: one byte changed in what the store keeps. It is noticed, named, not used, and healed where it can be made again."""

from __future__ import annotations

import json
import shutil
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Kept, Store

pytestmark = [pytest.mark.sandbox, pytest.mark.network]


def locked(store: Store, kind: str, begin: str) -> dict[str, Any]:
    """What the lock pins of the first package whose name begins so."""
    lock = json.loads((store.work / "lockage.lock").read_text())
    found: dict[str, Any] = next(item for item in lock["environments"]["build"][kind] if item["name"].startswith(begin))
    return found


def put_together_anew(store: Store, kind: str) -> None:
    """Roots of this store's own, so that the next build reads the packages; for Python packages over the shared OS layer."""
    shared = (store.home / "roots").resolve()
    (store.home / "roots").unlink()
    if kind == "python":
        (store.home / "roots").mkdir(0o700)
        (store.home / "roots" / "os").symlink_to(shared / "os")
    shutil.rmtree(store.home / "actions")


def unchanged(store: Store, before: Kept, but: str) -> None:
    """The ledger and every other blob are as they were; the damaged one is gone from its place, and its bytes are kept aside."""
    after = store.kept()
    assert (after.size, after.checkpoint, after.projects) == (before.size, before.checkpoint, before.projects)
    assert before.blobs - after.blobs <= {but}
    assert any(path.name.startswith(but) for path in (store.home / "blobs" / "quarantine").iterdir())


def blob_error(error: dict[str, Any], digest: str, path: Path) -> None:
    assert error["code"] == "blob-corrupt"
    assert digest in error["message"]
    assert str(path) in error["message"]
    assert error["details"]["expected"] == digest
    assert len(error["details"]["found"]) == 64


@pytest.mark.parametrize(("kind", "begin"), [("packages", "libexpat1"), ("python", "packaging")])
def test_a_changed_package_is_not_unpacked_and_fetched_again(shop: Store, kind: str, begin: str) -> None:
    digest = locked(shop, kind, begin)["sha256"]
    put_together_anew(shop, kind)
    before = shop.kept()
    shop.damage(shop.blob(digest), 2000)
    done = shop("build", expect=0, CI="1")
    assert f"the store had lost, or held damaged, blob {digest[:12]} of" in done.stdout + done.stderr
    assert begin in done.stdout + done.stderr
    assert before.blobs <= shop.kept().blobs
    assert shop.set_aside(digest)


@pytest.mark.parametrize("which", ["source", "artifact", "raw", "tree"])
def test_a_changed_blob_is_not_used_and_made_again(shop: Store, which: str) -> None:
    built = shop("build", "--json", expect=0).json
    wheel = built["artifacts"][0]["sha256"]
    if which == "source":
        digest = shop.run(["sh", "-c", "sha256sum < src/shop/__init__.py"]).stdout.split()[0]
        shutil.rmtree(shop.home / "actions")
        shutil.rmtree(shop.home / "memo")
    elif which == "artifact":
        digest = wheel
    elif which == "tree":
        digest = built["source"]["tree"]["sha256"]
        for kind in ("resolution", "last-build"):  # a build that repeats the last one does not look at its source
            shutil.rmtree(shop.home / "memo" / kind, ignore_errors=True)
    else:
        run = json.loads((shop.home / "runs" / f"{built['run']}.json").read_text())["run"]
        digest = next(a["raw"]["sha256"] for a in run["artifacts"] if a["blob"]["sha256"] == wheel)
        shutil.rmtree(shop.home / "memo" / "artifacts")
    before = shop.kept()
    shop.damage_blob(digest)
    shutil.rmtree(shop.work / "dist")
    again = shop("build", "--json", expect=0).json
    assert again["artifacts"] == built["artifacts"]
    assert before.blobs <= shop.kept().blobs
    assert shop.set_aside(digest)
    if which != "artifact":  # which is made again from what is kept beside it, without a loss
        run = json.loads((shop.home / "runs" / f"{again['run']}.json").read_text())["run"]
        assert digest in [blob for lost in run["lost"] for blob in lost["blobs"]]


def ledger_with(store: Store, statement: str, *values: object) -> None:
    connection = sqlite3.connect(store.home / "ledger.db")
    with connection:
        assert connection.execute(statement, values).rowcount == 1
    connection.close()


LEDGER = {
    "entry": "UPDATE entry SET data = CAST(replace(CAST(data AS TEXT), '2', '3') AS BLOB) WHERE sequence = 2",
    "first-entry": "UPDATE entry SET data = CAST(replace(CAST(data AS TEXT), 'lockage.local', 'lockage.locaI') AS BLOB) WHERE sequence = 0",
    "leaf": "UPDATE node SET hash = randomblob(32) WHERE level = 0 AND position = 1",
    "node": "UPDATE node SET hash = randomblob(32) WHERE level = 1 AND position = 0",
    "edge": "UPDATE node SET hash = randomblob(32) WHERE level = (SELECT max(level) FROM node) AND position = 0",
    "checkpoint": "UPDATE head SET checkpoint = CAST(replace(CAST(checkpoint AS TEXT), '—', '-') AS BLOB)",
    "checkpoint-size": "UPDATE head SET checkpoint = CAST(replace(checkpoint, char(10) || size, char(10) || (size + 1)) AS BLOB)",
    "size": "UPDATE head SET size = size - 1",
    "entry-gone": "DELETE FROM entry WHERE sequence = 2",
    "last-entry-gone": "DELETE FROM entry WHERE sequence = (SELECT max(sequence) FROM entry)",
    "checkpoint-empty": "UPDATE head SET checkpoint = x''",
    "time": "UPDATE head SET time = time + 1",
}


#: What is only kept to be quick is not believed: the entries are hashed again, so these do no harm until they are found.
DERIVED = ("leaf", "node")
COMMANDS = (("status",), ("promote", "shop", "--to", "dev"), ("release",), ("history", "dev"), ("pull", "dev", "--into", "out"))


@pytest.mark.parametrize("case", LEDGER)
def test_a_changed_ledger_is_noticed_and_nothing_is_added_to_it(released: Store, case: str) -> None:
    blobs = released.whole_blobs()
    ledger_with(released, LEDGER[case])
    before = released.ledger_head()
    error = released("ledger", "verify", "--json", expect=6).error
    assert error["code"] in ("ledger-corrupt", "invalid-checkpoint")
    assert "ledger" in error["message"]
    if case in ("entry", "entry-gone"):
        assert "ledger entry 2" in error["message"]
    for command in COMMANDS if case not in DERIVED else ():
        error = released(*command, "--json", expect=6).error
        assert error["code"] in ("ledger-corrupt", "invalid-checkpoint")
    assert not (released.work / "out").exists()
    assert released.ledger_head() == before
    assert blobs <= released.whole_blobs()


def test_a_ledger_that_is_no_database_is_named(released: Store) -> None:
    for left in released.home.glob("ledger.db-*"):
        left.unlink()
    (released.home / "ledger.db").write_bytes(b"not a database" * 1000)
    for command in (("ledger", "verify"), *COMMANDS):
        error = released(*command, "--json", expect=6).error
        assert error["code"] == "ledger-corrupt"
        assert str(released.home / "ledger.db") in error["message"]


def test_a_changed_manifest_is_not_handed_out(released: Store) -> None:
    released("promote", "shop", "--to", "dev", expect=0)
    entries = released("ledger", "log", "--last", "1", "--json", expect=0).json["entries"]
    before = released.kept()
    released.damage(released.blob(entries[0]["manifest"]), 300)
    error = released("pull", "dev", "--into", "out", "--json", expect=6).error
    blob_error(error, entries[0]["manifest"], released.blob(entries[0]["manifest"]))
    assert "the manifest of dev" in error["message"]
    unchanged(released, before, entries[0]["manifest"])
    error = released("pull", "dev", "--into", "out", "--json", expect=6).error
    assert error["code"] == "blob-missing"
    assert "the manifest of dev" in error["message"]
    assert not (released.work / "out").exists()


def test_a_changed_artifact_of_a_release_is_not_handed_out_and_can_be_built_again(released: Store) -> None:
    released("promote", "shop", "--to", "dev", expect=0)
    document = released("release", "--json", expect=0).json["document"]
    wheel = next(artifact for artifact in document["artifacts"] if artifact["name"].endswith(".whl"))
    released("pull", "dev", "--into", "out", expect=0)
    holding = sorted(path.name for path in (released.work / "out").iterdir())
    before = released.kept()
    released.damage(released.blob(wheel["sha256"]), 300)
    error = released("pull", "dev", "--into", "out", "--json", expect=6).error
    blob_error(error, wheel["sha256"], released.blob(wheel["sha256"]))
    assert wheel["name"] in error["message"]
    unchanged(released, before, wheel["sha256"])
    assert sorted(path.name for path in (released.work / "out").iterdir()) == holding
    assert not list(released.work.glob(".out*"))
    released("build", "--json", f"{released.work}@HEAD", "--out", "built", expect=0)
    released("pull", "dev", "--into", "out", expect=0)
    after = released.kept()
    assert (after.size, after.projects) == (before.size, before.projects)
    assert before.blobs <= after.blobs


DOCUMENTS = {
    "release": ("release-closed", "release", "shop@1.2.0-1"),
    "policy": ("policy-set", "policy", "the policy of dev"),
    "evidence": ("evidence-recorded", "bundle", "evidence"),
}


@pytest.mark.parametrize("what", DOCUMENTS)
def test_changed_documents_do_not_count(released: Store, what: str) -> None:
    kind, key, named = DOCUMENTS[what]
    entries = released("ledger", "log", "--last", "100", "--json", expect=0).json["entries"]
    digest = next(entry for entry in entries if entry["type"] == kind)[key]
    before = released.kept()
    released.damage(released.blob(digest), 100)
    error = released("promote", "shop", "--to", "dev", "--json", expect=6).error
    blob_error(error, digest, released.blob(digest))
    assert named in error["message"]
    unchanged(released, before, digest)
    if what == "evidence":  # it counts as absent, and can be given anew
        again = released("promote", "shop", "--to", "dev", "--json", expect=5).error
        assert "lockage build" in again["details"]["reasons"][0]
        assert released.kept().heads == before.heads
        released("build", "--json", expect=0)
        released("promote", "shop", "--to", "dev", "--json", expect=0)
        return
    again = released("promote", "shop", "--to", "dev", "--json", expect=6).error
    assert again["code"] == "blob-missing"
    assert named in again["message"]
    assert released.kept().heads == before.heads


def test_a_ledger_restored_from_an_older_copy_gets_its_provenance_again(shop: Store) -> None:
    (shop.home / "ledger.db").unlink()
    for left in shop.home.glob("ledger.db-*"):
        left.unlink()
    shop("test", "--json", expect=0)
    shop("release", "--json", expect=0)
    shop("promote", "shop", "--to", "dev", "--json", expect=0)

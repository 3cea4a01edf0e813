"""The bytes that last have not changed, and are read as what they are."""

import base64
import hashlib
import json
import subprocess
import sys
from pathlib import Path

from lockage.catalog import Catalog
from lockage.ledger import Proof, VerifierKey, decode_entry, encode_entry, verify_ledger
from lockage.record.release import Release

FOLDER = Path(__file__).parents[2] / "golden" / "ledger"
ENTRIES = (FOLDER / "entries.jsonl").read_bytes().splitlines()
TREE = json.loads((FOLDER / "tree.json").read_text())
KEY = VerifierKey.parse(TREE["vkey"])


def test_the_vectors_are_what_the_code_makes() -> None:
    done = subprocess.run([sys.executable, FOLDER / "regenerate.py", "--verify"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_type_of_entry_is_read_and_written_the_same() -> None:
    types = set()
    for data in ENTRIES:
        assert encode_entry(decode_entry(data)) == data
        types.add(json.loads(data)["type"])
    assert len(types) == 10


def test_the_tree_by_hand() -> None:
    nodes = {(level, index): bytes.fromhex(text) for level, index, text in TREE["nodes"]}
    for index, data in enumerate(ENTRIES):
        assert nodes[0, index] == hashlib.sha256(b"\0" + data).digest()
    for (level, index), found in nodes.items():
        if level:
            left, right = nodes[level - 1, 2 * index], nodes[level - 1, 2 * index + 1]
            assert found == hashlib.sha256(b"\1" + left + right).digest()
    right = hashlib.sha256(b"\1" + nodes[1, 4] + nodes[0, 10]).digest()
    root = hashlib.sha256(b"\1" + nodes[3, 0] + right).digest()
    assert root.hex() == TREE["root"]
    assert (FOLDER / "checkpoint").read_text().split("\n")[:3] == [KEY.name, "11", base64.b64encode(root).decode()]


def test_ledger_proof_and_catalog() -> None:
    checkpoint = (FOLDER / "checkpoint").read_bytes()
    assert verify_ledger(ENTRIES, checkpoint, [KEY]).size == 11
    assert Proof.parse((FOLDER / "entry-5.tlog-proof").read_bytes()).verify(ENTRIES[5], [KEY]).size == 11
    assert Catalog.of_ledger(ENTRIES, checkpoint, [KEY]).size == 11


def test_the_release_document() -> None:
    data = (FOLDER / "release.json").read_bytes()
    release = Release.decode(data)
    assert release.encode() == data
    assert [item.name for item in release.artifacts] == [
        "shop-1.4.0-1-linux_x86_64-manual_draft_.html",
        "shop-1.4.0-cp311-cp311-linux_x86_64.whl",
        "shop-1.4.0.tar.gz",
    ]

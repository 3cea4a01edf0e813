"""Write or verify the golden vectors of root identities: `python tests/golden/root/regenerate.py [--verify]`.

Verification computes the metadata digest a second time from the vector's own rows with nothing but json and hashlib.
"""

import hashlib
import json
import sys
from pathlib import Path

from lockage.base.digest import Digest
from lockage.base.path import RelPath
from lockage.environment.root import Entry, Kind, metadata_bytes, root_ref

FILE = Path(__file__).with_name("vectors.json")


def _file(path: str, data: bytes, mode: int = 0o644, source: str = "", gid: int = 0) -> Entry:
    return Entry(path=RelPath(path), kind=Kind.FILE, mode=mode, gid=gid, size=len(data), sha256=Digest.of(data), source=source)


def _folder(path: str, mode: int = 0o755) -> Entry:
    return Entry(path=RelPath(path), kind=Kind.DIRECTORY, mode=mode)


def _link(path: str, target: str) -> Entry:
    return Entry(path=RelPath(path), kind=Kind.LINK, mode=0o777, target=target)


CASES: dict[str, list[Entry]] = {
    "empty": [],
    "one of each": [
        _link("bin", "usr/bin"),
        _folder("tmp", 0o1777),
        _folder("usr"),
        _folder("usr/bin"),
        _file("usr/bin/gunzip", b"#!/bin/sh\n", 0o755, source="7"),
        _file("usr/bin/uncompress", b"#!/bin/sh\n", 0o755, source="7"),
        _file("usr/empty", b"", 0o600, gid=42),
    ],
    "order of names": [
        _folder("a"),
        _file("a/b", b"1"),
        _file("a-b", b"2"),
        _file("a.b", b"3"),
        _file("\ue000", b"private use"),
        _file("\U0001f6b6", b"beyond the basic plane"),
        _file("F\u0151tan\u00fas\u00edtv\u00e1ny.crt", b"not ASCII"),
    ],
    "executable by others only": [_file("odd", b"x", 0o655)],
}


def vectors() -> dict[str, object]:
    """Every case with its rows and both digests, from the code."""
    found: dict[str, object] = {}
    for name, entries in CASES.items():
        ref = root_ref(reversed(entries))
        found[name] = {
            "rows": json.loads(metadata_bytes(entries)),
            "tree": str(ref.tree),
            "metadata": str(ref.metadata),
        }
    return found


def independent_metadata(rows: object) -> str:
    """The metadata digest of rows, without lockage."""
    return hashlib.sha256(json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def main() -> int:
    text = json.dumps(vectors(), indent=1, ensure_ascii=False) + "\n"
    if "--verify" in sys.argv[1:]:
        kept = json.loads(FILE.read_text())
        same = text == FILE.read_text() and all(independent_metadata(case["rows"]) == case["metadata"] for case in kept.values())
        print("same" if same else "different")
        return 0 if same else 1
    FILE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The content digest: golden vectors, and what it must and must not depend on."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import runpy
import tarfile
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from lockage.stabilize import content_digest

GOLDEN = Path(__file__).parents[2] / "golden" / "content_digest"
Build = Callable[..., bytes]
Entry = Callable[..., tarfile.TarInfo]


def digest_of(rows: list[list[object]]) -> str:
    return sha256(json.dumps(rows, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()


def test_golden_vectors() -> None:
    module = runpy.run_path(str(GOLDEN / "regenerate.py"))
    assert module["vectors"]() == json.loads((GOLDEN / "vectors.json").read_text(encoding="utf-8"))


def test_it_is_the_digest_of_the_documented_list(make_zip: Build) -> None:
    rows = [["b", "file", False, None, 3, sha256(b"bbb").hexdigest()], ["a", "directory", False, None, 0, None]]
    assert content_digest("x.zip", make_zip([("b", b"bbb"), ("a/", b"")])) == digest_of(rows)


def test_a_plain_file_is_a_list_of_one() -> None:
    assert content_digest("x.txt", b"abc") == digest_of([["", "file", False, None, 3, sha256(b"abc").hexdigest()]])


def test_what_claims_to_be_an_archive_and_is_none_is_opaque() -> None:
    expected = digest_of([["", "opaque", False, None, 3, sha256(b"abc").hexdigest()]])
    assert {content_digest(name, b"abc") for name in ("x.whl", "x.zip", "x.tar", "x.tar.gz", "x.gz", "x.tar.xz", "x.tar.bz2")} == {expected}


def test_packing_does_not_matter(make_zip: Build) -> None:
    members = [("a", b"a" * 400)]
    one, two = make_zip(members, method=zipfile.ZIP_STORED, date=(1999, 1, 1, 1, 1, 2)), make_zip(members)
    assert one != two
    assert content_digest("x.zip", one) == content_digest("x.zip", two)


def test_order_content_name_and_executable_bit_matter(make_zip: Build) -> None:
    variants = [
        make_zip([("a", b"1"), ("b", b"2")]),
        make_zip([("b", b"2"), ("a", b"1")]),
        make_zip([("a", b"1"), ("b", b"3")]),
        make_zip([("a", b"1"), ("c", b"2")]),
        make_zip([("a", b"1"), ("b", b"2")], mode=0o100755),
        make_zip([("a", b"1"), ("b", b"2")], mode=0o120777),
        b"#!prefix\n" + make_zip([("a", b"1"), ("b", b"2")]),
    ]
    assert len({content_digest("x.zip", data) for data in variants}) == len(variants)


def test_a_tree_has_one_digest_in_every_container(make_zip: Build, make_tar: Build, entry: Entry) -> None:
    tar = make_tar([(entry("d", kind=tarfile.DIRTYPE), b""), (entry("d/f"), b"data")])
    names = {
        "x.tar": tar,
        "x.tar.gz": gzip.compress(tar),
        "x.tar.bz2": bz2.compress(tar),
        "x.tar.xz": lzma.compress(tar),
        "x.zip": make_zip([("d/", b""), ("d/f", b"data")]),
    }
    assert len({content_digest(name, data) for name, data in names.items()}) == 1


def test_a_damaged_member_makes_the_whole_opaque(make_zip: Build) -> None:
    data = bytearray(make_zip([("a", b"a" * 100)], method=zipfile.ZIP_STORED))
    data[40] ^= 1
    expected = digest_of([["", "opaque", False, None, len(data), sha256(data).hexdigest()]])
    assert content_digest("x.zip", bytes(data)) == expected

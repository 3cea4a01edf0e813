"""Grades and structural differences."""

from __future__ import annotations

import gzip
import io
import tarfile
import time
import zipfile

import msgspec
import pytest

from lockage.base.canonical import canonical_of, decode
from lockage.base.instant import ZIP_FLOOR
from lockage.compare.difference import Comparison, DifferenceKind
from lockage.compare.files import compare_files, grade
from lockage.compare.grade import Grade, best, worst
from lockage.compare.render import render_text
from lockage.stabilize import stabilize


def packed(members: list[tuple[str, bytes]], *, level: int = 6, year: int = 2020, mode: int = 0o644) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in members:
            info = zipfile.ZipInfo(name, (year, 1, 1, 0, 0, 0))
            info.external_attr, info.compress_type = mode << 16, zipfile.ZIP_DEFLATED
            archive.writestr(info, data, zipfile.ZIP_DEFLATED, level)
    return out.getvalue()


def tarred(members: list[tuple[str, bytes]], *, user: str = "") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size, info.uname = len(data), user
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


TEXT = b"".join(b"line %d\n" % number for number in range(200))


def test_grades_are_ordered() -> None:
    assert [str(each) for each in sorted(Grade, key=lambda each: each.rank)] == [
        "identical",
        "same-content",
        "stabilized",
        "different",
        "failed",
    ]
    assert worst([Grade.IDENTICAL, Grade.STABILIZED, Grade.SAME_CONTENT]) is Grade.STABILIZED
    assert best([Grade.FAILED, Grade.DIFFERENT]) is Grade.DIFFERENT
    assert Grade.IDENTICAL.at_least(Grade.IDENTICAL)
    assert not Grade.DIFFERENT.at_least(Grade.STABILIZED)


@pytest.mark.parametrize("fold", [worst, best])
def test_no_grades_prove_nothing(fold: object) -> None:
    with pytest.raises(ValueError, match="empty"):
        fold([])  # type: ignore[operator]  # both take an iterable


def test_equal_bytes_are_identical() -> None:
    assert compare_files("x.zip", b"broken", b"broken") == Comparison(name="x.zip", grade=Grade.IDENTICAL)


def test_what_was_not_delivered_failed() -> None:
    assert grade("x", None, b"") is Grade.FAILED
    assert grade("x", b"", None) is Grade.FAILED
    assert grade("x", b"", b"") is Grade.IDENTICAL


def test_metadata_alone_is_same_content() -> None:
    found = compare_files("x.zip", packed([("a", TEXT)], year=2020), packed([("a", TEXT)], year=2021, level=1))
    assert found.grade is Grade.SAME_CONTENT
    assert [(difference.path, difference.kind) for difference in found.members] == [("a", DifferenceKind.METADATA)]
    fields = {field.field: (field.a, field.b) for field in found.members[0].fields}
    assert fields["mtime"] == ("2020-01-01 00:00:00", "2021-01-01 00:00:00")
    assert "packed bytes" in fields


def test_another_order_is_stabilized() -> None:
    found = compare_files("x.zip", packed([("a", b"1"), ("b", b"2")]), packed([("b", b"2"), ("a", b"1")]))
    assert found.grade is Grade.STABILIZED
    assert found.members[0].fields[0].field == "order"


def test_one_byte_is_found() -> None:
    data = bytes(range(256)) * 40
    other = data[:5000] + b"!" + data[5001:]
    found = compare_files("x.zip", packed([("a.bin", data), ("b", b"")]), packed([("a.bin", other), ("b", b"")]))
    assert found.grade is Grade.DIFFERENT
    (difference,) = found.members
    assert (difference.path, difference.kind, difference.offset, difference.sizes) == (
        "a.bin",
        DifferenceKind.CONTENT,
        5000,
        (10240, 10240),
    )
    assert (difference.bytes_a[:5], difference.bytes_b[:5]) == ("88 89", "21 89")


def test_a_text_shows_its_lines() -> None:
    found = compare_files("x.zip", packed([("a.py", TEXT)]), packed([("a.py", TEXT.replace(b"line 100\n", b"line one hundred\n"))]))
    assert found.members[0].diff == (
        "@@ -99,5 +99,5 @@",
        " line 98",
        " line 99",
        "-line 100",
        "+line one hundred",
        " line 101",
        " line 102",
    )


def test_long_texts_and_lines_are_cut() -> None:
    a, b = (b"".join(b"%s %d %s\n" % (word, number, b"x" * 300) for number in range(500)) for word in (b"a", b"b"))
    (difference,) = compare_files("x.txt", a, b).members
    assert len(difference.diff) == 61
    assert difference.diff[-1] == "… in all 500 lines removed, 500 added"
    assert {line[0] for line in difference.diff[1:-1]} == {"-", "+"}
    assert max(map(len, difference.diff)) == 161


def test_line_ends_are_named() -> None:
    (difference,) = compare_files("x.txt", b"a\nb\n", b"a\r\nb\r\n").members
    assert difference.diff == ()
    assert [(detail.name, detail.a, detail.b) for detail in difference.details] == [("line ends", "LF", "CRLF")]


def test_members_of_one_side() -> None:
    found = compare_files("x.zip", packed([("a", b"1"), ("c", b"333")]), packed([("b", b"22"), ("c", b"333")]))
    assert found.grade is Grade.DIFFERENT
    assert [(d.path, d.kind, d.sizes) for d in found.members] == [
        ("a", DifferenceKind.ONLY_IN_A, (1, 0)),
        ("b", DifferenceKind.ONLY_IN_B, (0, 2)),
    ]


def test_the_executable_bit_is_content() -> None:
    found = compare_files("x.zip", packed([("a", b"1")], mode=0o755), packed([("a", b"1")]))
    assert found.grade is Grade.DIFFERENT
    assert found.members[0].fields[0].field == "executable"


def test_members_of_one_name_are_paired_in_order() -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        a, b = packed([("a", b"1"), ("a", b"2")]), packed([("a", b"1"), ("a", b"3")])
    assert [(d.path, d.offset) for d in compare_files("x.zip", a, b).members] == [("a", 0)]


def test_tar_gz_is_compared_by_member() -> None:
    a, b = gzip.compress(tarred([("p/a", b"1")], user="one"), mtime=1), gzip.compress(tarred([("p/a", b"1")], user="two"), mtime=2)
    found = compare_files("p.tar.gz", a, b)
    assert found.grade is Grade.SAME_CONTENT
    assert {field.field for difference in found.members for field in difference.fields} == {"gzip mtime", "uname"}


def test_gzip_of_the_same_bytes_is_same_content() -> None:
    found = compare_files("a.gz", gzip.compress(TEXT, 1, mtime=1), gzip.compress(TEXT, 9, mtime=2))
    assert found.grade is Grade.SAME_CONTENT
    assert found.members[0].fields[0].field == "gzip mtime"


def test_an_archive_within_is_opened_once() -> None:
    deep = [packed([("in.zip", packed([("deepest.zip", packed([("a", data)]))]))]) for data in (b"1" * 99, b"2" * 99)]
    found = compare_files("out.zip", *deep)
    nested = found.members[0].nested
    assert nested is not None
    assert nested.members[0].path == "deepest.zip"
    assert nested.members[0].nested is None
    assert nested.members[0].offset is not None


def test_an_archive_against_a_damaged_one() -> None:
    whole = packed([("a", TEXT)])
    found = compare_files("x.whl", whole, whole[:-3])
    assert found.grade is Grade.DIFFERENT
    assert {field.field: field.b for field in found.members[0].fields}["type"] == "not a readable archive"


def test_a_damaged_member_is_compared_as_bytes() -> None:
    whole = packed([("a", b"a" * 50)], level=0)
    damaged = bytearray(whole)
    damaged[60] ^= 1
    found = compare_files("x.zip", whole, bytes(damaged))
    assert (found.grade, found.members[0].path, found.members[0].offset) == (Grade.DIFFERENT, "", 60)


def test_bytes_before_the_archive_are_content() -> None:
    whole = packed([("a", b"a")])
    found = compare_files("x.pyz", b"#!/usr/bin/python3\n" + whole, b"#!/usr/bin/python2\n" + whole)
    assert (found.grade, found.members[0].path, found.members[0].offset) == (Grade.DIFFERENT, "", 17)


def test_a_file_and_its_stable_form() -> None:
    raw = packed([("b", TEXT), ("a", TEXT)])
    assert compare_files("x.zip", raw, stabilize("x.zip", raw, ZIP_FLOOR).data).grade is Grade.STABILIZED


def test_what_the_passes_make_the_same_is_stabilized_at_any_depth() -> None:
    old, new = (b"Last updated on %s.\n" % date for date in (b"Sep 02, 2019", b"Jan 17, 2020"))
    assert compare_files("index.html", old, new).grade is Grade.STABILIZED
    assert compare_files("index.html", old, new + b"x").grade is Grade.DIFFERENT
    one, two = (packed([("a.jar", packed([("index.html", page)]))]) for page in (old, new))
    found = compare_files("x.zip", one, two)
    assert found.grade is Grade.STABILIZED
    assert found.members[0].nested is not None
    assert found.members[0].nested.members[0].path == "index.html"


def test_content_that_no_pass_is_for_is_different_whatever_else_is() -> None:
    one, two = (packed([("index.html", b"Last updated on Sep 02, 201%s." % text), ("a.txt", text)]) for text in (b"1", b"2"))
    assert compare_files("x.zip", one, two).grade is Grade.DIFFERENT


def test_thousands_of_differences_are_counted() -> None:
    a, b = (packed([(f"{number:05}", value) for number in range(1500)]) for value in (b"1", b"2"))
    found = compare_files("x.zip", a, b)
    assert (len(found.members), found.omitted) == (1000, 500)
    assert render_text(found)[-1] == "  … and 1460 more"


def test_a_byte_in_a_large_archive_is_found_in_well_under_a_second() -> None:
    noise = bytes(range(256)) * 4000
    members = [(f"{number}.bin", noise) for number in range(30)]
    other = [*members[:-1], (members[-1][0], noise[:-1] + b"!")]
    a, b = packed(members, level=1), packed(other, level=1)
    start = time.perf_counter()
    found = compare_files("x.zip", a, b)
    assert time.perf_counter() - start < 0.5
    assert found.members[0].offset == len(noise) - 1


def test_the_text_puts_content_first_and_shows_no_control_characters() -> None:
    a, b = packed([("a", b"1"), ("evil\x1b[31m", b"1")], year=2020), packed([("a", b"1"), ("evil\x1b[31m", b"2")], year=2021)
    lines = render_text(compare_files("x.zip", a, b))
    assert lines[0] == "x.zip: different"
    assert lines[1] == "  evil\\x1b[31m: content differs from byte 0 on (1 bytes)"
    assert "  a: metadata" in lines
    assert all(line.isprintable() for line in lines)


def test_a_comparison_is_json() -> None:
    found = compare_files("x.zip", packed([("in.zip", packed([("a", b"1")]))]), packed([("in.zip", packed([("a", b"2")]))]))
    assert decode(canonical_of(found), Comparison) == found
    assert msgspec.to_builtins(found)["grade"] == "different"

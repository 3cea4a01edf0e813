"""What each form finds, on pairs that differ in one known thing; and that none of them trusts the bytes."""

from __future__ import annotations

import base64
import gzip
import io
import itertools
import lzma
import marshal
import sqlite3
import struct
import sys
import tarfile
import time
import zipfile
import zlib
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockage.compare.budget import Budget, Nesting
from lockage.compare.difference import DifferenceKind
from lockage.compare.files import compare_files
from lockage.compare.forms import inspect
from lockage.compare.grade import Grade

if TYPE_CHECKING:
    from lockage.compare.difference import MemberDifference


def only(name: str, a: bytes, b: bytes) -> MemberDifference:
    """The one difference of two files that are no archives by name."""
    (difference,) = compare_files(name, a, b, depth=8).members
    return difference


def told(name: str, a: bytes, b: bytes) -> set[tuple[str, str, str | None, str | None]]:
    """What is said of two files, in the words of their form."""
    return {(detail.kind, detail.name, detail.a, detail.b) for detail in only(name, a, b).details}


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    out = b"\x89PNG\r\n\x1a\n"
    for kind, body in chunks:
        out += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return out


HEADER = (b"IHDR", struct.pack(">IIBBBBB", 2, 1, 8, 2, 0, 0, 0))
PIXELS = b"\0" + bytes(range(6))


def image(*more: tuple[bytes, bytes], pixels: bytes = PIXELS, level: int = 6) -> bytes:
    return png(HEADER, *more, (b"IDAT", zlib.compress(pixels, level)), (b"IEND", b""))


def pyc(source: str, *, time: int = 0, flags: int = 0, filename: str = "m.py") -> bytes:
    return MAGIC_NUMBER + struct.pack("<III", flags, time, len(source)) + marshal.dumps(compile(source, filename, "exec"))


def database(*statements: str) -> bytes:
    connection = sqlite3.connect(":memory:")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    return bytes(connection.serialize())


def array(kind: str, shape: str, data: bytes) -> bytes:
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def library(*members: tuple[str, bytes], time: int = 0) -> bytes:
    out = b"!<arch>\n"
    for name, data in members:
        out += f"{name + '/':<16}{time:<12}{0:<6}{0:<6}{'644':<8}{len(data):<10}`\n".encode() + data + b"\n" * (len(data) % 2)
    return out


def test_png_chunks() -> None:
    dated = [image((b"tIME", struct.pack(">HBBBBB", 2020, 1, day, 3, 4, 5))) for day in (2, 3)]
    assert told("x.png", *dated) == {("chunk", "tIME", "2020-01-02T03:04:05Z", "2020-01-03T03:04:05Z")}
    assert told("x.png", image(), image((b"tEXt", b"Author\0me"))) == {("chunk", "tEXt", None, "Author: me")}


def test_png_pixels_that_are_compressed_otherwise() -> None:
    a, b = image(pixels=PIXELS * 40, level=1), image(pixels=PIXELS * 40, level=9)
    assert [name for _, name, _, _ in told("x.png", a, b)] == ["IDAT"]
    a, b = image(), image(pixels=bytes(7))
    assert {name for _, name, _, _ in told("x.png", a, b)} == {"IDAT", "pixels"}


def test_pyc_header_and_code() -> None:
    source = "def f():\n    return 'one'\n"
    assert told("m.pyc", pyc(source, time=1_600_000_000), pyc(source, time=1_600_000_001)) == {
        ("header", "time of the source", "2020-09-13T12:26:40Z", "2020-09-13T12:26:41Z")
    }
    changed = told("m.pyc", pyc(source), pyc(source.replace("one", "two")))
    assert ("code <module>.f, constant", "'one'", "present", None) in changed
    assert ("code <module>.f, constant", "'two'", None, "present") in changed
    moved = told("m.pyc", pyc(source, filename="/a/m.py"), pyc(source, filename="/b/m.py"))
    assert ("code <module>.f", "filename", "/a/m.py", "/b/m.py") in moved
    added = told("m.pyc", pyc(source), pyc(source + "class C:\n    pass\n"))
    assert ("code", "<module>.C", None, "line 3") in added


def test_pyc_sets_in_another_order() -> None:
    whole = marshal.dumps(compile("x in {'a', 'b'}", "m", "exec"))
    swapped = whole.replace(b"\x01a", b"\x01?").replace(b"\x01b", b"\x01a").replace(b"\x01?", b"\x01b")
    head = MAGIC_NUMBER + bytes(12)
    (one,) = told("m.pyc", head + whole, head + swapped)
    assert one[:2] == ("code <module>", "order within a set")
    assert set(one[2:]) == {"frozenset('a', 'b')", "frozenset('b', 'a')"}


@pytest.mark.parametrize("path", [Path(zipfile.__file__), Path(tarfile.__file__), Path(sys.modules["inspect"].__file__ or "")], ids=str)
def test_code_is_read_as_python_reads_it(path: Path) -> None:
    from lockage.compare.marshal import read_marshal

    def same(mine: object, its: object) -> None:
        if isinstance(its, CodeType):
            assert isinstance(mine, dict)
            assert (mine["name"], mine["filename"], mine["firstlineno"]) == (its.co_name, its.co_filename, its.co_firstlineno)
            assert (mine["names"], mine["code"], mine["qualname"]) == (its.co_names, its.co_code, its.co_qualname)
            consts = mine["consts"]
            assert isinstance(consts, tuple)
            for one, two in zip(consts, its.co_consts, strict=True):
                same(one, two)
        elif isinstance(its, frozenset):
            assert isinstance(mine, tuple)
            assert set(mine) == its
        else:
            assert mine == its

    code = compile(path.read_text(), str(path), "exec")
    same(read_marshal(marshal.dumps(code), int.from_bytes(MAGIC_NUMBER[:2], "little")), code)


def test_sqlite_schema_and_rows() -> None:
    schema = "CREATE TABLE t (a TEXT)"
    a = database(schema, "INSERT INTO t VALUES ('1')")
    b = database(schema, *(f"INSERT INTO t VALUES ('{number}')" for number in range(3000)), "CREATE INDEX i ON t (a)")
    found = told("x.db", a, b)
    assert ("table", "table t", "1 rows", "3000 rows") in found
    assert ("schema", "index i", None, "CREATE INDEX i ON t (a)") in found


def test_npy_header_and_elements() -> None:
    data = struct.pack("<4d", 1, 2, 3, 4)
    assert told("x.npy", array("<f8", "(4,)", data), array("<f8", "(2, 2)", data)) == {("header", "shape", "(4,)", "(2, 2)")}
    other = struct.pack("<4d", 1, 2, 5, 4)
    difference = only("x.npy", array("<f8", "(4,)", data), array("<f8", "(4,)", other))
    assert difference.details[0].name == "number 2 of 4"
    assert (difference.ranges, difference.differing) == (1, 1)


def test_ar_members_and_times() -> None:
    a, b = library(("x.o", b"code"), ("y.o", b"1"), time=1_600_000_000), library(("x.o", b"other"), ("z.o", b"2"), time=1_600_000_000)
    nested = only("lib.a", a, b).nested
    assert nested is not None
    assert {(each.path, each.kind) for each in nested.members} == {
        ("x.o", DifferenceKind.CONTENT),
        ("y.o", DifferenceKind.ONLY_IN_A),
        ("z.o", DifferenceKind.ONLY_IN_B),
    }
    nested = only("lib.a", a, library(("x.o", b"code"), ("y.o", b"1"), time=1_600_000_001)).nested
    assert nested is not None
    assert (nested.members[0].fields[0].a, nested.members[0].fields[0].b) == (
        "2020-09-13T12:26:40Z (1600000000)",
        "2020-09-13T12:26:41Z (1600000001)",
    )


def test_json_by_key() -> None:
    a, b = b'{"a": {"b": [1, 2]}, "gone": 1}', b'{"a": {"b": [1, 3]}, "new": null}'
    assert told("x.json", a, b) == {("key", ".a.b[1]", "2", "3"), ("key", ".gone", "1", None), ("key", ".new", None, "null")}
    assert told("x.json", b'{"a": 1, "b": 2}', b'{"b": 2, "a": 1}') == {("key", ".", "keys in one order", "in another order")}
    assert told("x.json", b'{"a":1}', b'{"a": 1}') == {("key", ".", "the same document", "written otherwise")}
    assert told("x.json", b"[3, 1, 2]", b"[1, 2, 3]") == {("key", ".", "[3,1,2]", "in another order: [1,2,3]")}


def test_metadata_by_field() -> None:
    text = "Metadata-Version: 2.1\nName: shop\nVersion: {}\nRequires-Dist: a\nRequires-Dist: {}\n\nLong\n{}\n"
    found = told("shop.dist-info/METADATA", text.format("1", "b", "text").encode(), text.format("2", "c", "words").encode())
    assert found == {
        ("field", "Version", "1", "2"),
        ("field", "Requires-Dist (2)", "b", "c"),
        ("field", "description", "2 lines", "2 lines"),
    }


@pytest.mark.parametrize(
    ("a", "b", "name", "values"),
    [
        (b"a\nb\n", b"\xef\xbb\xbfa\nb\n", "byte order mark", ("no", "yes")),
        (b"a\nb\n", b"a\nb", "end of the last line", ("yes", "no")),
        (b"a\r\nb\r\n", b"a\r\nb\n", "line ends", ("CRLF", "CRLF and LF")),
        ("grün\n".encode(), "grün\n".encode("latin-1"), "encoding", ("utf-8", "latin-1")),
        ("grün\n".encode(), b"\xff\xfe" + "grün\n".encode("utf-16-le"), "encoding", ("utf-8", "utf-16-le")),
        (b"a\nb\nc\n", b"c\na\nb\n", "order", ("the same lines", "in another order")),
    ],
)
def test_how_a_text_is_written(a: bytes, b: bytes, name: str, values: tuple[str, str]) -> None:
    assert ("text", name, *values) in told("x.txt", a, b)


def test_bytes_are_told_by_ranges() -> None:
    a = bytes(range(256)) * 1000
    b = bytearray(a)
    b[100] ^= 1
    b[104] ^= 1
    b[200_000] ^= 0xFF
    difference = only("x.bin", a, bytes(b))
    assert (difference.form, difference.ranges, difference.differing) == ("bytes", 2, 3)
    assert [(span.offset, span.lengths) for span in difference.spans] == [(100, (5, 5)), (200_000, (1, 1))]
    assert (difference.spans[1].a, difference.spans[1].b) == ("40", "bf")


@pytest.mark.parametrize("chunk", [1, 2])
def test_a_range_is_one_however_it_lies(chunk: int) -> None:
    a = bytes(200_000)
    start, stop = (chunk << 16) - 3, (chunk << 16) + 5
    difference = only("x.bin", a, a[:start] + b"\1" * (stop - start) + a[stop:])
    assert [(span.offset, span.lengths) for span in difference.spans] == [(start, (8, 8))]
    assert (difference.ranges, difference.differing) == (1, 8)


@given(st.binary(max_size=300), st.data())
def test_ranges_hold_every_byte_that_differs(a: bytes, data: st.DataObject) -> None:
    from lockage.compare.content import ranges_of

    b = data.draw(st.binary(min_size=len(a), max_size=len(a)))
    found = ranges_of(a, b, listed=1000)
    within = {at for span in found.spans for at in range(span.offset, span.offset + span.lengths[0])}
    differing = {at for at in range(len(a)) if a[at] != b[at]}
    assert differing <= within
    assert (found.count, found.differing) == (len(found.spans), len(differing))
    ends = [(span.offset, span.offset + span.lengths[0]) for span in found.spans]
    assert all(later[0] - sooner[1] >= 8 for sooner, later in itertools.pairwise(ends))


def test_an_insertion_is_one_range() -> None:
    a = bytes(range(256)) * 4
    difference = only("x.bin", a, a[:300] + b"\xff\0\xff" + a[300:])
    assert [(span.offset, span.lengths) for span in difference.spans] == [(300, (0, 3))]


def test_what_is_compressed_is_compared_unpacked() -> None:
    a, b = lzma.compress(b"line 1\nline 2\n"), lzma.compress(b"line 1\nline 3\n")
    nested = only("notes.txt.xz", a, b).nested
    assert nested is not None
    assert (nested.name, nested.members[0].diff[-2:]) == ("notes.txt", ("-line 2", "+line 3"))


def test_archives_are_known_by_their_bytes_too() -> None:
    found = []
    for value in (b"1", b"2"):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr(zipfile.ZipInfo("inside/deep.txt"), value)
        found.append(gzip.compress(out.getvalue(), mtime=0))
    nested = only("no-suffix", *found).nested
    assert nested is not None
    within = nested.members[0].nested
    assert within is not None
    assert within.members[0].path == "inside/deep.txt"


PAIRS = {
    "x.png": (image(), image(pixels=bytes(7))),
    "m.pyc": (pyc("def f(x): return x, 'one', {1, 2}"), pyc("def f(x): return x, 'two', {1, 3}")),
    "x.db": (database("CREATE TABLE t (a)"), database("CREATE TABLE t (a)", "INSERT INTO t VALUES (1)")),
    "x.npy": (array("<f8", "(1,)", bytes(8)), array("<f8", "(1,)", bytes(7) + b"1")),
    "lib.a": (library(("x.o", b"code")), library(("x.o", b"cope"))),
    "x.json": (b'{"a": [1, {"b": 2}]}', b'{"a": [1, {"b": 3}]}'),
    "p.dist-info/METADATA": (b"Name: a\n\ntext\n", b"Name: b\n\ntext\n"),
    "p.dist-info/RECORD": (b"a,sha256=1,1\n", b"a,sha256=2,1\n"),
    "x.txt": (b"one\ntwo\n", b"one\nthree\n"),
    "x.xz": (lzma.compress(b"1"), lzma.compress(b"2")),
}


@pytest.mark.parametrize("name", PAIRS)
@settings(max_examples=60)
@given(data=st.data())
def test_damaged_bytes_never_raise(name: str, data: st.DataObject) -> None:
    a, whole = PAIRS[name]
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged = whole[:at] + data.draw(st.binary(max_size=6)) + whole[data.draw(st.integers(at, len(whole))) :]
    inspect(name, a, damaged, nesting=Nesting(2, Budget()))
    inspect(name, damaged, damaged[: len(damaged) // 2], nesting=Nesting(2, Budget()))


@pytest.mark.parametrize("name", PAIRS)
def test_each_form_reads_its_own(name: str) -> None:
    found = inspect(name, *PAIRS[name], nesting=Nesting(1, Budget()))
    assert found.form != "bytes"
    assert found.details or found.nested or found.diff


def wheel(version: str, *, module: bytes = b"x = 1\n", extra: dict[str, bytes] | None = None) -> bytes:
    """A wheel with a RECORD that is true."""
    from lockage.base.digest import sha256

    members = {
        "shop/__init__.py": module,
        f"shop-{version}.dist-info/METADATA": f"Name: shop\nVersion: {version}\n".encode(),
        **(extra or {}),
    }
    rows = []
    for path, data in members.items():
        digest = base64.urlsafe_b64encode(sha256(data)).rstrip(b"=").decode()
        rows.append(f"{path},sha256={digest},{len(data)}")
    members[f"shop-{version}.dist-info/RECORD"] = "\n".join([*rows, f"shop-{version}.dist-info/RECORD,,", ""]).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path, data in members.items():
            archive.writestr(zipfile.ZipInfo(path), data)
    return out.getvalue()


def test_a_record_that_only_follows_says_so() -> None:
    found = compare_files("shop.whl", wheel("1"), wheel("1", module=b"x = 2\n"))
    record = next(each for each in found.members if each.path.endswith("RECORD"))
    assert record.follows == "1 rows, from the members that they are of"
    assert (record.details, record.spans, record.diff) == ((), (), ())


def test_a_record_that_lies_is_told() -> None:
    a = wheel("1", extra={"shop/data": b"1"})
    b = wheel("1", extra={"shop/data": b"1"}).replace(b"shop/data,sha256=", b"shop/data,sha256-")
    (record,) = [each for each in compare_files("shop.whl", _repacked(a), _repacked(b)).members if each.path.endswith("RECORD")]
    assert [detail.name for detail in record.details] == ["shop/data"]
    assert record.follows == ""


def _repacked(data: bytes) -> bytes:
    """Its members in a new archive, so that checksums are true again."""
    from lockage.stabilize.zip_reader import read_zip

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for member in read_zip_unchecked(data):
            archive.writestr(zipfile.ZipInfo(member[0]), member[1])
    assert read_zip(out.getvalue()).members
    return out.getvalue()


def read_zip_unchecked(data: bytes) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [(info.filename, data[info.header_offset + 30 + len(info.filename) :][: info.file_size]) for info in archive.infolist()]


def test_another_version_is_compared_member_by_member() -> None:
    found = compare_files("shop.whl", wheel("1.0"), wheel("2.0"))
    assert found.grade is Grade.DIFFERENT
    assert (found.members[0].fields[0].field, found.members[0].fields[0].a) == ("folder", "shop-1.0.dist-info")
    metadata = next(each for each in found.members if each.path.endswith("METADATA"))
    assert (metadata.path, metadata.origin) == ("shop-2.0.dist-info/METADATA", "shop-1.0.dist-info/METADATA")
    assert [(detail.name, detail.a, detail.b) for detail in metadata.details] == [("Version", "1.0", "2.0")]
    record = next(each for each in found.members if each.path.endswith("RECORD"))
    assert record.details == ()


def test_moved_members_are_told_as_moved() -> None:
    a, b = (wheel("1", extra={path: b"the same bytes"}) for path in ("shop/old.txt", "shop/new.txt"))
    moved = next(each for each in compare_files("shop.whl", a, b).members if each.kind is DifferenceKind.MOVED)
    assert (moved.origin, moved.path) == ("shop/old.txt", "shop/new.txt")
    record = next(each for each in compare_files("shop.whl", a, b).members if each.path.endswith("RECORD"))
    assert (record.details, record.follows) == ((), "2 rows, from the members that they are of")
    assert compare_files("shop.whl", a, b).grade is Grade.DIFFERENT


def test_without_structure_paths_are_what_they_are() -> None:
    a, b = (wheel("1", extra={path: b"the same bytes"}) for path in ("shop/old.txt", "shop/new.txt"))
    kinds = {each.path: each.kind for each in compare_files("shop.whl", a, b, structure=False).members}
    assert (kinds["shop/old.txt"], kinds["shop/new.txt"]) == (DifferenceKind.ONLY_IN_A, DifferenceKind.ONLY_IN_B)


def test_what_is_nested_without_end_ends() -> None:
    def zipped(members: dict[str, bytes]) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, data in members.items():
                archive.writestr(zipfile.ZipInfo(path), data)
        return out.getvalue()

    a, b = b"1", b"2"
    for _ in range(6):  # 10**6 differing files in the end
        a, b = (zipped({f"{number}.zip": data for number in range(10)}) for data in (a, b))
    start = time.process_time()
    assert compare_files("x.zip", a, b, depth=8).grade is Grade.DIFFERENT
    assert time.process_time() - start < 20


def test_the_budget_is_that_of_the_whole() -> None:
    budget = Budget(2)
    assert [budget.spend() for _ in range(4)] == [True, True, False, False]


def test_ar_archives_in_ar_archives_end_too() -> None:
    a, b = b"1", b"2"
    for _ in range(50):
        a, b = (library(("in.a", data)) for data in (a, b))
    difference = only("lib.a", a, b)
    levels = 0
    while difference.nested is not None:
        (difference,), levels = difference.nested.members, levels + 1
    assert levels == 8

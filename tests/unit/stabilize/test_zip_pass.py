"""The passes `zip` and `wheel`: what they make the same, what they leave, and what they say of it."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

import pytest

from lockage.base.instant import Instant
from lockage.stabilize import Stabilized, content_digest, stabilize
from lockage.stabilize.compressor import COMPRESSOR

DATE = Instant.parse("2024-05-06T07:08:09Z")
Build = Callable[..., bytes]


def opened(result: Stabilized) -> zipfile.ZipFile:
    archive = zipfile.ZipFile(io.BytesIO(result.data))
    assert archive.testzip() is None
    return archive


def fields(result: Stabilized) -> dict[str, int]:
    return {change.field: change.count for done in result.report.passes for change in done.changes}


def test_order_date_mode_and_compression_become_one(make_zip: Build) -> None:
    first = make_zip([("b.txt", b"b" * 500), ("a/x.txt", b"x")], date=(2001, 2, 3, 4, 5, 6), mode=0o100600)
    second = make_zip([("a/x.txt", b"x"), ("b.txt", b"b" * 500)], method=zipfile.ZIP_STORED)
    assert stabilize("x.zip", first, DATE).data == stabilize("x.zip", second, DATE).data
    info = opened(stabilize("x.zip", first, DATE)).infolist()
    assert [member.filename for member in info] == ["a/x.txt", "b.txt"]
    assert {member.date_time for member in info} == {(2024, 5, 6, 7, 8, 8)}
    assert {member.external_attr >> 16 for member in info} == {0o100644}
    assert [member.compress_type for member in info] == [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]


def test_every_changed_field_is_reported(make_zip: Build) -> None:
    found = fields(stabilize("x.zip", make_zip([("b", b"b" * 500), ("a", b"a" * 500)]), DATE))
    assert found == {"member order": 1, "mtime": 2, "mode": 2}


def test_nothing_is_reported_of_what_is_stable_already(make_zip: Build) -> None:
    once = stabilize("x.zip", make_zip([("a", b"a" * 500)]), DATE)
    again = stabilize("x.zip", once.data, DATE)
    assert again.data == once.data
    assert not again.changed
    assert again.report.passes[0].changes == ()


def test_a_date_before_1980_is_lifted_to_it(make_zip: Build) -> None:
    assert opened(stabilize("x.zip", make_zip([("a", b"")]), Instant(0))).infolist()[0].date_time == (1980, 1, 1, 0, 0, 0)


def test_a_date_after_2107_is_the_last_one(make_zip: Build) -> None:
    assert opened(stabilize("x.zip", make_zip([("a", b"")]), Instant(5_000_000_000))).infolist()[0].date_time == (2107, 12, 31, 23, 59, 58)


@pytest.mark.parametrize(
    ("mode", "kept"), [(0o100755, 0o100755), (0o100700, 0o100755), (0o104755, 0o100755), (0o100644, 0o100644), (0, 0o100644)]
)
def test_the_executable_bit_is_kept_and_nothing_else(make_zip: Build, mode: int, kept: int) -> None:
    assert opened(stabilize("x.zip", make_zip([("a", b"a")], mode=mode), DATE)).infolist()[0].external_attr >> 16 == kept


def test_a_symbolic_link_stays_one(make_zip: Build) -> None:
    member = opened(stabilize("x.zip", make_zip([("link", b"target")], mode=0o120755), DATE)).infolist()[0]
    assert member.external_attr >> 16 == 0o120777


def test_comments_and_extra_fields_go() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo("a")
        info.extra, info.comment = b"\x55\x54\x05\x00\x01\x00\x00\x00\x00", b"made on host"
        archive.writestr(info, b"a")
        archive.comment = b"built by somebody"
    result = stabilize("x.zip", out.getvalue(), DATE)
    assert (opened(result).comment, opened(result).infolist()[0].comment, opened(result).infolist()[0].extra) == (b"", b"", b"")
    assert {"comment", "extra"} <= fields(result).keys()


def test_data_descriptors_go() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def tell(self) -> int:
            raise OSError("not seekable")

    out = Pipe()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", b"a" * 500)
        archive.writestr("b", b"b")
    result = stabilize("x.zip", out.getvalue(), DATE)
    assert [member.flag_bits for member in opened(result).infolist()] == [0, 0]
    assert fields(result)["flags"] == 2
    assert "unreferenced bytes" not in fields(result)


def test_a_shebang_before_the_archive_stays(make_zip: Build) -> None:
    prefix = b"#!/usr/bin/env python3\n"
    result = stabilize("app.pyz", prefix + make_zip([("__main__.py", b"print(1)\n")]), DATE)
    assert result.data.startswith(prefix + b"PK\x03\x04")
    assert opened(result).read("__main__.py") == b"print(1)\n"
    assert stabilize("app.pyz", result.data, DATE).data == result.data


def test_members_of_one_name_keep_their_order(make_zip: Build) -> None:
    result = stabilize("x.zip", make_zip([("same", b"first"), ("a", b""), ("same", b"second")]), DATE)
    assert [opened(result).read(info) for info in opened(result).infolist()] == [b"", b"first", b"second"]


def test_names_beyond_ascii_are_utf8(make_zip: Build) -> None:
    assert [info.filename for info in opened(stabilize("x.zip", make_zip([("grüße/ß.txt", b"x")]), DATE)).infolist()] == ["grüße/ß.txt"]


@pytest.mark.slow
def test_seventy_thousand_members(make_zip: Build) -> None:
    result = stabilize("x.zip", make_zip([(f"{number:05}", b"") for number in range(70_000)], method=zipfile.ZIP_STORED), DATE)
    assert len(opened(result).namelist()) == 70_000
    assert fields(result)["mtime"] == 70_000
    assert len(result.report.passes[0].changes) < 5


def test_bytes_that_belong_to_no_member_go(make_zip: Build) -> None:
    whole = make_zip([("a", b"aaaa")], method=zipfile.ZIP_STORED)
    directory = whole.index(b"PK\x01\x02")
    hidden = whole[:directory] + b"hidden" + whole[directory:]
    end = hidden.index(b"PK\x05\x06")
    hidden = hidden[: end + 16] + (directory + 6).to_bytes(4, "little") + hidden[end + 20 :]
    result = stabilize("x.zip", hidden, DATE)
    assert b"hidden" not in result.data
    assert fields(result)["unreferenced bytes"] == 1


def test_the_report_names_pass_and_compressor(make_zip: Build) -> None:
    done = stabilize("x.zip", make_zip([("a", b"a")]), DATE).report.passes[0]
    assert (done.name, done.version, done.compressor) == ("zip", 2, COMPRESSOR)


def test_a_wheel_ends_with_its_dist_info_and_record(make_wheel: Build) -> None:
    result = stabilize("toy-1.0-py3-none-any.whl", make_wheel({"toy/z.py": b"z", "toy/a.py": b"a", "zzz/x.py": b""}), DATE)
    assert opened(result).namelist() == [
        "toy/a.py",
        "toy/z.py",
        "zzz/x.py",
        "toy-1.0.dist-info/METADATA",
        "toy-1.0.dist-info/WHEEL",
        "toy-1.0.dist-info/RECORD",
    ]
    record = opened(result).read("toy-1.0.dist-info/RECORD").decode().split("\n")
    assert record[:-2] == sorted(record[:-2])
    assert record[-2:] == ["toy-1.0.dist-info/RECORD,,", ""]
    assert result.report.faults == ()


def test_wheels_that_differ_in_record_order_only_become_equal(make_wheel: Build) -> None:
    files = {"toy/a.py": b"a", "toy/b.py": b"b"}
    one, two = make_wheel(files), make_wheel(dict(reversed(files.items())))
    assert one != two
    assert stabilize("t.whl", one, DATE).data == stabilize("t.whl", two, DATE).data


@pytest.mark.parametrize(
    ("record", "code"),
    [
        ("toy/a.py,sha256=AAAA,1\ntoy-1.0.dist-info/RECORD,,\n", "record-hash"),
        ("toy-1.0.dist-info/RECORD,,\n", "record-unlisted"),
        ("toy/gone.py,,\n", "record-absent"),
        ("toy/a.py,md5=00,1\n", "record-hash-weak"),
        ("toy/a.py,sha512=00,1\n", "record-hash-unchecked"),
        ("toy/a.py,,\ntoy/a.py,,\n", "record-duplicate"),
        ("only one field\n", "record-unreadable"),
        ("toy/a.py,sha256=ypeBEsobvcr6wjGzmiPcTaeG7_gUfE5yuYB3ha_uSLs,2\n", "record-size"),
    ],
)
def test_a_record_that_does_not_hold_is_reported_and_never_repaired(make_wheel: Build, record: str, code: str) -> None:
    result = stabilize("toy-1.0-py3-none-any.whl", make_wheel({"toy/a.py": b"a"}, record=record), DATE)
    assert code in {fault.code for fault in result.report.faults}
    assert opened(result).read("toy-1.0.dist-info/RECORD").decode() == record


def test_a_wheel_without_record_is_reported(make_zip: Build) -> None:
    result = stabilize("t.whl", make_zip([("t.py", b"")]), DATE)
    assert [fault.code for fault in result.report.faults] == ["record-missing"]


def test_a_signed_record_stays(make_wheel: Build) -> None:
    data = make_wheel({"toy/a.py": b"a", "toy-1.0.dist-info/RECORD.jws": b"{}"})
    before = zipfile.ZipFile(io.BytesIO(data)).read("toy-1.0.dist-info/RECORD")
    result = stabilize("t.whl", data, DATE)
    assert opened(result).read("toy-1.0.dist-info/RECORD") == before
    assert "record-signed" in {fault.code for fault in result.report.faults}


def test_faults_are_folded(make_wheel: Build) -> None:
    result = stabilize("t.whl", make_wheel({f"t/{number}.py": b"" for number in range(200)}, record="x\n"), DATE)
    assert len(result.report.faults) <= 51
    result = stabilize("t.whl", make_wheel({f"t/{number}.py": b"" for number in range(200)}, record=""), DATE)
    assert result.report.faults[-1].code == "more-faults"


def test_contents_stay(make_zip: Build) -> None:
    data = make_zip([("a", b"1" * 999), ("b/", b""), ("b/c", b"2")])
    assert content_digest("x.zip", stabilize("x.zip", data, DATE).data) == content_digest("x.zip", data)


def test_a_file_that_is_no_archive_is_left_alone() -> None:
    result = stabilize("report.xml", b"<x/>", DATE)
    assert (result.data, result.report.passes, result.changed) == (b"<x/>", (), False)


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA])
def test_an_unknown_compression_is_kept_with_a_reason(make_zip: Build, method: int) -> None:
    data = make_zip([("a", b"a" * 99)], method=method)
    result = stabilize("x.zip", data, DATE)
    assert result.data == data
    assert "lzma" in (result.report.passes[0].kept or "")


def test_bzip2_members_are_packed_anew(make_zip: Build) -> None:
    assert opened(stabilize("x.zip", make_zip([("a", b"a" * 99)], method=zipfile.ZIP_BZIP2), DATE)).read("a") == b"a" * 99

"""Rules that stabilizing, content digests and grades obey for any archive."""

from __future__ import annotations

import contextlib
import gzip
import io
import tarfile
import warnings
import zipfile

from hypothesis import given, settings
from hypothesis import strategies as st

from lockage.base.canonical import canonical_of
from lockage.base.errors import StepFailed
from lockage.base.instant import Instant
from lockage.compare.files import compare_files
from lockage.compare.grade import Grade
from lockage.compare.render import render_text
from lockage.stabilize import Choice, content_digest, stabilize
from lockage.stabilize.compressor import deflate, inflate
from lockage.stabilize.finding import Level, check_archive

names = st.lists(st.sampled_from(["a", "b.py", "ü", "toy-1.0.dist-info", "RECORD", "x y"]), min_size=1, max_size=3).map("/".join)
dates = st.integers(min_value=-1, max_value=6_000_000_000).map(Instant)


@st.composite
def zips(draw: st.DrawFn) -> bytes:
    members = draw(st.lists(st.tuples(names, st.binary(max_size=300), st.booleans(), st.sampled_from([0, 8])), max_size=8))
    out = io.BytesIO(b"#!shebang\n" if draw(st.booleans()) else b"")
    out.seek(0, io.SEEK_END)
    with zipfile.ZipFile(out, "a") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # duplicate names are wanted
        for name, data, executable, method in members:
            info = zipfile.ZipInfo(name, draw(st.sampled_from([(1980, 1, 1, 0, 0, 0), (2024, 2, 29, 23, 59, 58)])))
            info.external_attr, info.compress_type = (0o100777 if executable else 0o100600) << 16, method
            archive.writestr(info, data)
    return out.getvalue()


@st.composite
def tars(draw: st.DrawFn) -> bytes:
    out = io.BytesIO()
    style = draw(st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]))
    with tarfile.open(fileobj=out, mode="w", format=style) as archive:
        for name, data, mode in draw(st.lists(st.tuples(names, st.binary(max_size=700), st.integers(0, 0o7777)), max_size=6)):
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.mtime, info.uname = len(data), mode, draw(st.integers(0, 2**33 - 1)), "somebody"
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


#: Pages by which stamp they bear; the passes make one of them.
PAGES = [b"Last updated on %s." % stamp for stamp in (b"Sep 02, 2019", b"Jan 17, 2020", b"May 06, 2024")]


@st.composite
def builds(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Two archives of the same things, built at other times and in another order: pages and archives of them, to some depth."""
    found = [draw(st.permutations([("a", b"same"), ("b/index.html", draw(st.sampled_from(PAGES)))])) for _ in range(2)]
    for level in range(draw(st.integers(0, 4))):
        kind = draw(st.sampled_from(["zip", "jar", "tar", "tar.gz"]))
        more = [draw(st.permutations([("c.html", draw(st.sampled_from(PAGES))), (f"{level}.{kind}", b"")])) for _ in range(2)]
        packed = [_packed(kind, members, draw(st.integers(0, 2**31))) for members in found]
        found = [[(name, data or inner) for name, data in members] for members, inner in zip(more, packed, strict=True)]
    return _packed("zip", found[0], 0), _packed("zip", found[1], 1 << 30)


def _packed(kind: str, members: list[tuple[str, bytes]], time: int) -> bytes:
    out = io.BytesIO()
    if kind in ("zip", "jar"):
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED if time % 2 else zipfile.ZIP_STORED) as archive:
            for name, data in members:
                archive.writestr(zipfile.ZipInfo(name, (1980 + time % 100, 1, 1, 0, 0, 0)), data)
        return out.getvalue()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.uid = len(data), time, time % 7
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue() if kind == "tar" else gzip.compress(out.getvalue(), 1, mtime=time)


@given(builds(), dates)
def test_builds_that_differ_in_stamps_and_order_at_any_depth_give_the_same_bytes(pair: tuple[bytes, bytes], date: Instant) -> None:
    one, two = (stabilize("x.zip", data, date) for data in pair)
    if any(fault.code == "member-deep" for fault in one.report.faults):
        return  # what lies deeper is left as it is
    assert one.data == two.data
    assert not stabilize("x.zip", one.data, date).changed
    assert all(finding.level is not Level.VARIES for finding in check_archive("x.zip", one.data, date))


class Archive(tuple[str, bytes]):
    """A name and bytes; its text is short, since hypothesis shows what failed."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{self[0]}: {len(self[1])} bytes, {entries(*self)!r}"[:3000]


archives = st.one_of(
    zips().map(lambda data: Archive(("x.zip", data))),
    zips().map(lambda data: Archive(("x.whl", data))),
    tars().map(lambda data: Archive(("x.tar", data))),
    tars().map(lambda data: Archive(("x.tar.gz", gzip.compress(data, 1)))),
)


@given(archives, dates)
def test_stabilizing_twice_is_stabilizing_once(archive: tuple[str, bytes], date: Instant) -> None:
    name, data = archive
    once = stabilize(name, data, date)
    again = stabilize(name, once.data, date)
    assert again.data == once.data
    assert all(done.changes == () for done in again.report.passes)


@given(archives, dates, dates)
def test_the_date_is_the_only_thing_that_matters_beside_the_content(archive: tuple[str, bytes], one: Instant, two: Instant) -> None:
    name, data = archive
    assert stabilize(name, stabilize(name, data, one).data, two).data == stabilize(name, data, two).data


def entries(name: str, data: bytes) -> list[tuple[str, bytes, bool]]:
    """What the standard library reads, sorted: name, content and whether the owner may execute it."""
    if name.endswith((".zip", ".whl")):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return sorted(
                (i.filename, archive.read(i), bool(i.external_attr >> 16 & 0o111)) for i in archive.infolist() if "RECORD" not in i.filename
            )
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return sorted((m.name, tar.extractfile(m).read(), bool(m.mode & 0o111)) for m in tar.getmembers())  # type: ignore[union-attr]  # all are files


@given(archives, dates)
def test_no_content_is_lost_and_the_standard_library_agrees(archive: tuple[str, bytes], date: Instant) -> None:
    name, data = archive
    assert entries(name, stabilize(name, data, date).data) == entries(name, data)


@given(archives, dates)
def test_what_changed_is_reported(archive: tuple[str, bytes], date: Instant) -> None:
    name, data = archive
    result = stabilize(name, data, date)
    assert result.changed == (result.data != data)
    assert canonical_of(result.report)
    if result.changed and name != "x.tar":  # empty blocks at the end of a tar archive are no field of any member
        assert any(done.changes for done in result.report.passes)


@given(archives, archives)
def test_grades_agree_with_digests(one: tuple[str, bytes], two: tuple[str, bytes]) -> None:
    for name, a, b in ((one[0], one[1], two[1]), (one[0], one[1], stabilize(*one, Instant(0)).data)):
        comparison = compare_files(name, a, b)
        assert (comparison.grade is Grade.IDENTICAL) == (a == b)
        if a != b:
            assert (comparison.grade is Grade.SAME_CONTENT) == (content_digest(name, a) == content_digest(name, b))
            assert comparison.members
        assert render_text(comparison)


@given(one=archives)
def test_a_file_and_its_stable_form_are_never_different(one: tuple[str, bytes]) -> None:
    assert compare_files(*one, stabilize(*one, Instant(0)).data).grade.at_least(Grade.STABILIZED)


@settings(max_examples=300)
@given(archives, st.data())
def test_damaged_bytes_raise_nothing_but_our_errors(archive: tuple[str, bytes], data: st.DataObject) -> None:
    name, whole = archive
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        if damaged:
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    broken = bytes(damaged[: data.draw(st.integers(0, len(damaged)))]) if data.draw(st.booleans()) else bytes(damaged)
    if name == "x.tar.gz":
        name = data.draw(st.sampled_from(["x.tar.gz", "x.gz"]))
    content_digest(name, broken)
    compare_files(name, whole, broken)
    with contextlib.suppress(StepFailed):
        stabilize(name, broken, Instant(0))


@given(st.binary(max_size=5000), st.integers(0, 200))
def test_what_is_packed_unpacks(data: bytes, times: int) -> None:
    whole = data * times
    assert inflate(bytes(deflate(whole)), len(whole), "x") == whole


#: Names whose passes read bytes that anybody could have written.
READ = (
    *("x.pyc", "x.png", "x.mo", "x.po", "x.a", "x.db", "x.so", "x.html", "x.properties"),
    *("META-INF/MANIFEST.MF", "x.jar", "x.tar.xz", "x.tar.zst"),
)
HEADS = (
    *(b"", b"\xa7\r\r\n" + bytes(12), b"\x89PNG\r\n\x1a\n", b"\xde\x12\x04\x95", b"!<arch>\n", b"SQLite format 3\0", b"\x7fELF\2\1"),
    b"\x28\xb5\x2f\xfd",
)


@settings(max_examples=300)
@given(st.sampled_from(READ), st.sampled_from(HEADS), st.binary(max_size=200))
def test_bytes_at_random_raise_nothing_but_our_errors(name: str, head: bytes, rest: bytes) -> None:
    with contextlib.suppress(StepFailed):
        once = stabilize(name, head + rest, Instant(10**9), choice=Choice(on=("elf",)))
        assert stabilize(name, once.data, Instant(10**9), choice=Choice(on=("elf",))).data == once.data
    check_archive(name, head + rest)

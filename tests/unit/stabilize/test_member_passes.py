"""The passes over single files: two builds that differ in their stamps give the same bytes, and nothing else is touched."""

from __future__ import annotations

import marshal
import py_compile
import re
import sqlite3
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lockage.base.instant import Instant
from lockage.stabilize import PASSES, Choice, Stabilized, stabilize
from lockage.stabilize.errors import MalformedArchive
from lockage.stabilize.stamp_pass import HTML, JAVASCRIPT

if TYPE_CHECKING:
    from collections.abc import Callable

DATE = Instant.parse("2024-05-06T07:08:09Z")
EVERY = Choice(on=("elf",))


def fields(result: Stabilized) -> set[str]:
    return {change.field for done in result.report.passes for change in done.changes}


def kept(result: Stabilized) -> str:
    return "; ".join(done.kept or "" for done in result.report.passes)


# Compiled Python

SOURCE = """
NAMES = ('a', 'b', frozenset({1, 2}), 10**30, 1.5, 2j, b'x', None, ...)
def f(a, /, b, *, c=NAMES):
    return [f(x, x, c=c) for x in a]
"""


def pyc(tmp_path: Path, time: int, *, mode: py_compile.PycInvalidationMode = py_compile.PycInvalidationMode.TIMESTAMP) -> bytes:
    import os

    source = tmp_path / "m.py"
    source.write_text(SOURCE)
    os.utime(source, (time, time))
    made = py_compile.compile(str(source), cfile=str(tmp_path / "m.pyc"), dfile="m.py", doraise=True, invalidation_mode=mode)
    assert made is not None
    return Path(made).read_bytes()


def every_object_marked(data: bytes) -> bytes:
    """The same code as another run may write it, in which more objects had a second reference."""
    code = marshal.loads(data[16:])
    held = [code, *code.co_consts, *code.co_names, *code.co_consts]  # references that make the writer mark what it did not
    assert held
    return data[:16] + marshal.dumps(code)


def test_compiled_python_does_not_tell_when_or_who_else_held_its_objects(tmp_path: Path) -> None:
    one, two = pyc(tmp_path, 1_600_000_000), every_object_marked(pyc(tmp_path, 1_700_000_000))
    assert one[16:] != two[16:], "this interpreter marks alike whatever is held; the test proves nothing"
    first, second = stabilize("m.pyc", one, DATE), stabilize("m.pyc", two, DATE)
    assert first.data == second.data
    assert fields(first) == {"source time", "objects marked without being referred to"}
    assert int.from_bytes(first.data[8:12], "little") == int(DATE)
    assert len(first.data) == len(one)


def test_compiled_python_loads_as_the_same_code(tmp_path: Path) -> None:
    before = pyc(tmp_path, 1_600_000_000)
    after = stabilize("m.pyc", before, DATE).data
    assert marshal.loads(after[16:]) == marshal.loads(before[16:])
    namespace: dict[str, object] = {}
    exec(marshal.loads(after[16:]), namespace)
    assert namespace["NAMES"] == ("a", "b", frozenset({1, 2}), 10**30, 1.5, 2j, b"x", None, ...)


@pytest.mark.slow
def test_all_of_the_standard_library_loads_as_the_same_code(tmp_path: Path) -> None:
    seen = 0
    for source in sorted(Path(re.__file__).parents[1].glob("*.py")):
        made = py_compile.compile(str(source), cfile=str(tmp_path / "x.pyc"), doraise=True)
        assert made is not None
        before = Path(made).read_bytes()
        after = stabilize("x.pyc", before, DATE).data
        assert marshal.loads(after[16:]) == marshal.loads(before[16:]), source
        seen += 1
    assert seen > 100


def test_a_hash_based_file_keeps_its_hash(tmp_path: Path) -> None:
    data = pyc(tmp_path, 1, mode=py_compile.PycInvalidationMode.CHECKED_HASH)
    assert stabilize("m.pyc", data, DATE).data[:16] == data[:16]


def test_compiled_python_of_another_python_is_kept() -> None:
    data = (3394).to_bytes(2, "little") + b"\r\n" + bytes(12) + b"N"
    result = stabilize("m.pyc", data, DATE)
    assert (result.data, "3394" in kept(result)) == (data, True)


@pytest.mark.parametrize("body", [b")\xff", b"r\0\0\0\0", b"\xe3\0", b"s\xff\xff\xff\x7f", b"l\xff\xff\xff\x7f", b"(\xff\xff\xff\xff"])
def test_damaged_compiled_python_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedArchive):
        stabilize("m.pyc", (3495).to_bytes(2, "little") + b"\r\n" + bytes(12) + body, DATE)


@pytest.mark.parametrize("body", [b"NN", b"\xceN", b"?", b"{N"], ids=["more", "marked None", "unknown", "open"])
def test_compiled_python_that_is_not_understood_is_kept_or_malformed(body: bytes) -> None:
    data = (3495).to_bytes(2, "little") + b"\r\n" + bytes(12) + body
    try:
        assert stabilize("m.pyc", data, DATE).data == data
    except MalformedArchive:
        assert body == b"{N"


# Pictures


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">L", len(body)) + kind + body + struct.pack(">L", zlib.crc32(kind + body))


def png(*extra: bytes, tail: bytes = b"") -> bytes:
    head = chunk(b"IHDR", struct.pack(">2L5B", 1, 1, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(extra) + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"") + tail


def test_the_times_of_a_picture_become_the_date() -> None:
    def made(year: int) -> bytes:
        time = struct.pack(">H5B", year, 2, 3, 4, 5, 6)
        return png(
            chunk(b"tIME", time),
            chunk(b"tEXt", b"date:create\0%d-01-01" % year),
            chunk(b"zTXt", b"Creation Time\0\0" + zlib.compress(b"%d" % year)),
            chunk(b"iTXt", b"date:modify\0\0\0\0\0%d" % year),
            chunk(b"tEXt", b"Software\0kept"),
            tail=b"behind",
        )

    result = stabilize("p.png", made(2001), DATE)
    assert result.data == stabilize("p.png", made(2020), DATE).data
    assert fields(result) == {"tIME", "date:create", "Creation Time", "date:modify"}
    assert struct.pack(">H5B", 2024, 5, 6, 7, 8, 9) in result.data
    assert b"Software\0kept" in result.data
    assert result.data.endswith(b"behind")
    at = 8
    while at < len(result.data) - len(b"behind"):  # every chunk's checksum holds
        size = int.from_bytes(result.data[at : at + 4])
        assert zlib.crc32(result.data[at + 4 : at + 8 + size]) == int.from_bytes(result.data[at + 8 + size : at + 12 + size])
        at += 12 + size


def test_a_picture_without_times_stays() -> None:
    assert not stabilize("p.png", png(chunk(b"tEXt", b"Comment\0date:create")), DATE).changed


def test_a_picture_cut_short_is_malformed() -> None:
    with pytest.raises(MalformedArchive):
        stabilize("p.png", png()[:-6], DATE)


def test_what_is_no_picture_goes_through_no_pass() -> None:
    assert stabilize("p.png", b"GIF89a", DATE).report.passes == ()


# Message catalogues

PO = (
    b'msgid ""\nmsgstr ""\n"POT-Creation-Date: %s\\n"\n"PO-Revision-Date: 2001-01-01 10:00+0200\\n"\n\n'
    b'msgid "POT-Creation-Date: 2099-01-01 00:00+0000"\nmsgstr "x"\n'
)


def mo(date: bytes, order: str = "<") -> bytes:
    header = b"POT-Creation-Date: " + date + b"\nPO-Revision-Date: 2001-01-01 10:00+0200\n"
    texts = [(b"", header), (b"POT-Creation-Date: 2099-01-01 00:00+0000", b"x")]
    at = 28 + 16 * len(texts)
    tables, body = [b"", b""], b""
    for which in (0, 1):
        for pair in texts:
            tables[which] += struct.pack(f"{order}2L", len(pair[which]), at + len(body))
            body += pair[which] + b"\0"
    return struct.pack(f"{order}7L", 0x950412DE, 0, len(texts), 28, 28 + 8 * len(texts), 0, 0) + b"".join(tables) + body


@pytest.mark.parametrize("make", [lambda date: PO % date, mo, lambda date: mo(date, ">")], ids=["po", "mo", "mo of the other byte order"])
def test_dates_of_catalogues_are_never_later_than_the_date(make: Callable[[bytes], bytes]) -> None:
    name = "m.po" if make(b"").startswith(b"msgid") else "m.mo"
    result = stabilize(name, make(b"2024-05-06 09:08+0100"), DATE)
    assert result.data == stabilize(name, make(b"2030-01-01 00:00-0500"), DATE).data == make(b"2024-05-06 07:08+0000")
    assert fields(result) == {"POT-Creation-Date"}
    early = make(b"2024-05-06 08:08+0100")
    assert stabilize(name, early, DATE).data == early


@pytest.mark.parametrize("date", [b"2024-02-31 00:00+0000", b"YEAR-MO-DA HO:MI+ZONE", b"2099-01-01 00:00+2959"])
def test_what_is_no_date_stays(date: bytes) -> None:
    assert not stabilize("m.po", PO % date, DATE).changed


def test_a_catalogue_cut_short_is_malformed() -> None:
    with pytest.raises(MalformedArchive):
        stabilize("m.mo", mo(b"2024-05-06 09:08+0100")[:100], DATE)


# Databases


def database(file: Path, writes: int) -> bytes:
    connection = sqlite3.connect(file)
    connection.execute("create table t (x)")
    for _ in range(writes):
        connection.execute("insert into t values (1)")
        connection.commit()
        connection.execute("delete from t")
        connection.commit()
    connection.execute("vacuum")
    connection.close()
    return file.read_bytes()


def test_how_often_a_database_was_written_is_not_told(tmp_path: Path) -> None:
    one, two = database(tmp_path / "one.db", 1), database(tmp_path / "two.db", 3)
    assert one != two
    result = stabilize("one.db", one, DATE)
    assert result.data == stabilize("two.sqlite3", two, DATE).data
    assert fields(result) == {"change counter", "version valid for", "library version"}
    (tmp_path / "again.db").write_bytes(result.data)
    with sqlite3.connect(tmp_path / "again.db") as connection:
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)


def test_a_database_whose_counters_differ_is_kept(tmp_path: Path) -> None:
    data = bytearray(database(tmp_path / "one.db", 1))
    data[95] ^= 1
    result = stabilize("one.db", bytes(data), DATE)
    assert result.data == data
    assert "header" in kept(result)


# Generators' stamps

STAMPS = {
    "javadoc": ("<!-- Generated by javadoc (17) on {} -->", "Mon Sep 02 15:15:03 UTC 2019", "Tue Jan 07 01:02:03 CEST 2020"),
    "doxygen": (
        'Generated on {} for Toy by&#160;<a href="http://www.doxygen.org/index.html">',
        "Mon Sep 2 2019 15:15:03",
        "Tue Jan 17 2020 01:02:03",
    ),
    "sphinx": ("      Last updated on {}.\n", "Sep 02, 2019", "Jan 17, 2020"),
    "jsdoc": (
        'Documentation generated by <a href="https://github.com/jsdoc/jsdoc">JSDoc 4.0.2</a> on {}',
        "Mon Sep 02 2019 15:15:03 GMT+0000 (Coordinated Universal Time)",
        "Tue Jan 07 2020 01:02:03 GMT+0200 (CEST)",
    ),
    "epydoc": ("Generated by Epydoc 3.0.1\n    on {}", "Mon Sep  2 15:15:03 2019", "Fri Jan 17 01:02:03 2020"),
    "docutils": ("Generated on: {}.", "2019-09-02 15:15 UTC", "2020-01-07 01:02 UTC"),
    "mkdocs": ("MkDocs version : 1.5\nBuild Date UTC : {}", "2019-09-02 15:15:03.123456", "2020-01-07 01:02:03.5+00:00"),
    "yard": ('Generated on {} by\n  <a href="https://yardoc.org"', "Mon Sep  2 15:15:03 2019", "Fri Jan 17 01:02:03 2020"),
    "pydoctor": ('<a href="https://github.com/twisted/pydoctor/">pydoctor</a> 24.3.3 at {}.', "2019-09-02 15:15:03", "2020-01-07 01:02:03"),
    "ldoc": (
        'by <a href="http://github.com/stevedonovan/LDoc">LDoc 1.4.6</a></i>\n<i style="float:right;">Last updated {} </i>',
        "2019-09-02 15:15:03",
        "2020-01-07 01:02:03",
    ),
    "asciidoctor": ('<div id="footer-text">\nVersion 1<br>\nLast updated {}\n', "2019-09-02 15:15:03 UTC", "2020-01-07 01:02:03 +0200"),
    "javadoc-date": ('<!-- Generated by javadoc (17) -->\n<meta name="dc.created" content="{}">', "2019-09-02", "2020-01-07"),
    "apidoc": (
        'define({{"generator": {{"name": "apidoc", "time": "{}", "url": "x"}}}});',
        "2019-09-02T15:15:03.123Z",
        "2020-01-07T01:02:03.000Z",
    ),
}


@pytest.mark.parametrize("rule", [*HTML, *JAVASCRIPT], ids=lambda rule: rule.name)
def test_a_generators_stamp_becomes_the_date(rule: object) -> None:
    name = rule.name  # type: ignore[attr-defined]  # pytest's ids want a plain object
    form, one, two = STAMPS[name]
    file = "api_project.js" if name == "apidoc" else "index.html"
    pages = [f"<p>{one}</p>\n{form.format(stamp)}\n<p>{two}</p>".encode() for stamp in (one, two)]
    result = stabilize(file, pages[0], DATE)
    assert result.data == stabilize(file, pages[1], DATE).data
    assert fields(result) == {f"{name} stamp"}
    assert b"2024" in result.data
    assert result.data.startswith(f"<p>{one}</p>".encode()), "a time that is no stamp stays"
    assert not stabilize(file, result.data, DATE).changed


def test_a_page_of_no_known_generator_stays() -> None:
    page = b'<meta name="date" content="2019-09-02"> Generated on 2019-09-02 by hand. Last updated on 2 September 2019.'
    assert not stabilize("index.html", page, DATE).changed


# Java's and Python's lists


def test_the_stamp_of_properties_becomes_the_date() -> None:
    form = b"#Generated by Maven\n#%s\nversion=1\n#Mon Sep 02 15:15:03 UTC 2019\n"
    result = stabilize("pom.properties", form % b"Mon Sep 02 15:15:03 UTC 2019", DATE)
    assert result.data == stabilize("pom.properties", form % b"Fri Jan 17 01:02:03 GMT+02:00 2020", DATE).data
    assert result.data == form % b"Mon May 06 07:08:09 UTC 2024"


def test_a_manifest_loses_who_and_when_but_nothing_else() -> None:
    form = (
        b"Manifest-Version: 1.0\r\nBuilt-By: %s\r\n a continued line\r\nMain-Class: a\r\n .B\r\nBnd-LastModified: 1\r\n\r\n"
        b"Name: x\r\nBuilt-By: kept\r\n\r\n"
    )
    result = stabilize("META-INF/MANIFEST.MF", form % b"me", DATE)
    assert result.data == stabilize("META-INF/MANIFEST.MF", form % b"you", DATE).data
    assert result.data == b"Manifest-Version: 1.0\r\nMain-Class: a\r\n .B\r\n\r\nName: x\r\nBuilt-By: kept\r\n\r\n"


def test_a_manifest_with_digests_is_kept() -> None:
    data = b"Built-By: me\r\n\r\nName: x\r\nSHA-256-Digest: abc=\r\n"
    assert stabilize("META-INF/MANIFEST.MF", data, DATE).data == data


@pytest.mark.parametrize("path", ["toy.egg-info/SOURCES.txt", "a/toy.egg-info/top_level.txt", "EGG-INFO/namespace_packages.txt"])
def test_lists_of_egg_info_are_sorted(path: str) -> None:
    assert stabilize(path, b"b\na\nc\n", DATE).data == b"a\nb\nc\n"
    assert stabilize(path, b"b\na", DATE).data == b"a\nb"
    assert not stabilize(path, b"b\r\na", DATE).changed


def test_tags_of_a_wheel_file_are_sorted_where_they_are() -> None:
    data = b"Wheel-Version: 1.0\nTag: py3-none-b\nTag: py3-none-a\nBuild: 1\n"
    result = stabilize("toy-1.0.dist-info/WHEEL", data, DATE)
    assert result.data == b"Wheel-Version: 1.0\nTag: py3-none-a\nTag: py3-none-b\nBuild: 1\n"


# Static libraries and ELF


def library(time: int, *, owner: int = 0, mode: int = 0o644) -> bytes:
    def member(name: bytes, body: bytes, head: tuple[int, int, int] | None = (time, owner, mode)) -> bytes:
        meta = b"%-12d%-6d%-6d%-8o" % (head[0], head[1], head[1], 0o100000 | head[2]) if head else b" " * 32
        return b"%-16s" % name + meta + b"%-10d`\n" % len(body) + body + b"\n" * (len(body) % 2)

    names = b"a_very_long_name_of_an_object.o/\n"
    return (
        b"!<arch>\n"
        + member(b"/", b"\0\0\0\0", (time, 0, 0))
        + member(b"//", names, None)
        + member(b"/0", b"one")
        + member(b"b.o/", b"two!")
    )


def test_a_static_library_does_not_tell_who_made_it_and_when() -> None:
    result = stabilize("lib.a", library(1_600_000_000, owner=1000, mode=0o664), DATE)
    assert result.data == stabilize("lib.a", library(1_700_000_000), DATE).data
    assert fields(result) == {"mtime", "uid", "gid", "mode"}
    assert len(result.data) == len(library(0))
    paths = {change.path for done in result.report.passes for change in done.changes}
    assert "a_very_long_name_of_an_object.o" in paths


def test_an_executable_member_stays_so() -> None:
    assert b"100755" in stabilize("lib.a", library(0, mode=0o700), DATE).data


@pytest.mark.parametrize("damage", [lambda d: d[:-3], lambda d: d.replace(b"`\n", b"``", 1), lambda d: d[:8] + b"x" * 58 + b"`\n"])
def test_a_damaged_library_is_malformed(damage: Callable[[bytes], bytes]) -> None:
    with pytest.raises(MalformedArchive):
        stabilize("lib.a", damage(library(0)), DATE)


def elf(folder: bytes, identity: bytes) -> bytes:
    """A little-endian 64-bit file of three sections: a build id, debug strings and the names of sections."""
    note = struct.pack("<3L", 4, len(identity), 3) + b"GNU\0" + identity
    text = b"/tmp/" + folder + b"/a.c\0/usr/include/x.h\0"
    names = b"\0.note.gnu.build-id\0.debug_str\0.shstrtab\0"
    body = note + text + names
    heads = bytes(64)
    at = 64
    for name, kind, content in ((b".note.gnu.build-id", 7, note), (b".debug_str", 1, text), (b".shstrtab", 3, names)):
        heads += struct.pack("<2L4Q2L2Q", names.index(name), kind, 0, 0, at, len(content), 0, 0, 1, 0)
        at += len(content)
    start = struct.pack("<4s5B7x2HL3QL6H", b"\x7fELF", 2, 1, 1, 0, 0, 1, 62, 1, 0, 0, 64 + len(body), 0, 64, 0, 0, 64, 4, 3)
    return start + body + heads


def test_elf_files_lose_random_folders_only_if_asked_to() -> None:
    one, two = elf(b"tmpab12cd34", b"1" * 20), elf(b"tmpzz99__aa", b"2" * 20)
    assert not stabilize("m.so", one, DATE).changed
    result = stabilize("m.so", one, DATE, choice=EVERY)
    assert result.data == stabilize("m.so", two, DATE, choice=EVERY).data
    assert fields(result) == {".debug_str", "build id"}
    assert len(result.data) == len(one)
    assert b"/tmp/tmp00000000/a.c\0/usr/include/x.h\0" in result.data
    assert not stabilize("m.so", result.data, DATE, choice=EVERY).changed


def test_another_program_has_another_build_id() -> None:
    one, two = (stabilize("m.so", elf(folder, b"1" * 20), DATE, choice=EVERY).data for folder in (b"src", b"lib"))
    assert one[80:100] != two[80:100]


def test_a_damaged_elf_file_is_malformed() -> None:
    with pytest.raises(MalformedArchive):
        stabilize("m.so", elf(b"src", b"1" * 20)[:-100], DATE, choice=EVERY)


def test_every_pass_is_named_once_and_says_what_it_does() -> None:
    assert len({each.name for each in PASSES}) == len(PASSES)
    assert all(each.changes and each.never and each.version > 0 for each in PASSES)

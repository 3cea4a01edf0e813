"""The passes `tar`, `tar-gzip` and `gzip`."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable

import pytest

from lockage.base.instant import Instant
from lockage.stabilize import Stabilized, stabilize
from lockage.stabilize.errors import MalformedArchive

DATE = Instant.parse("2024-05-06T07:08:09Z")
Build = Callable[..., bytes]
Entry = Callable[..., tarfile.TarInfo]


def opened(data: bytes) -> tarfile.TarFile:
    return tarfile.open(fileobj=io.BytesIO(data))


def fields(result: Stabilized) -> dict[str, int]:
    return {change.field: change.count for done in result.report.passes for change in done.changes}


def test_owner_time_mode_and_order_become_one(make_tar: Build, entry: Entry) -> None:
    one = make_tar([(entry("p/b"), b"b"), (entry("p", kind=tarfile.DIRTYPE, mode=0o700), b""), (entry("p/a", mode=0o711), b"a")])
    two = make_tar(
        [(entry("p/a", mode=0o755, time=1.5), b"a"), (entry("p/b", mode=0o600), b"b"), (entry("p", kind=tarfile.DIRTYPE), b"")],
        style=tarfile.PAX_FORMAT,
    )
    result = stabilize("p.tar", one, DATE)
    assert result.data == stabilize("p.tar", two, DATE).data
    members = opened(result.data).getmembers()
    assert [(member.name, member.mode) for member in members] == [("p", 0o755), ("p/a", 0o755), ("p/b", 0o644)]
    assert {(m.uid, m.gid, m.uname, m.gname, m.mtime) for m in members} == {(0, 0, "", "", int(DATE))}
    assert {"tar dialect", "member order", "mtime", "mode", "uid", "gid", "uname", "gname"} == fields(result).keys()


@pytest.mark.parametrize("style", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
@pytest.mark.parametrize("name", ["p/" + "long" * 22 + "/" + "x" * 60, "p/short"])
def test_every_dialect_gives_the_same_bytes(make_tar: Build, entry: Entry, style: int, name: str) -> None:
    result = stabilize("p.tar", make_tar([(entry(name), b"data")], style=style), DATE)
    assert result.data == stabilize("p.tar", make_tar([(entry(name), b"data")], style=tarfile.PAX_FORMAT), DATE).data
    assert opened(result.data).getnames() == [name]
    assert opened(result.data).extractfile(name).read() == b"data"  # type: ignore[union-attr]  # it is a file


def test_names_and_targets_beyond_ascii_need_pax(make_tar: Build, entry: Entry) -> None:
    data = make_tar([(entry("p/grüße"), b"x"), (entry("p/link", kind=tarfile.SYMTYPE, target="grüße"), b"")], style=tarfile.PAX_FORMAT)
    members = opened(stabilize("p.tar", data, DATE).data).getmembers()
    assert [(member.name, member.linkname) for member in members] == [("p/grüße", ""), ("p/link", "grüße")]


def test_pax_records_are_dropped_and_said(make_tar: Build, entry: Entry) -> None:
    info = entry("a")
    info.pax_headers = {"SCHILY.xattr.user.note": "private"}
    result = stabilize("p.tar", make_tar([(info, b"")], style=tarfile.PAX_FORMAT, headers={"comment": "0123abc"}), DATE)
    assert {"pax SCHILY.xattr.user.note", "pax comment"} <= fields(result).keys()
    assert b"private" not in result.data


def test_setuid_is_dropped_and_said(make_tar: Build, entry: Entry) -> None:
    result = stabilize("p.tar", make_tar([(entry("su", mode=0o4755), b"")]), DATE)
    assert opened(result.data).getmembers()[0].mode == 0o755
    assert [(change.before, change.after) for change in result.report.passes[0].changes if change.field == "mode"] == [("4755", "755")]


def test_hard_links_follow_their_file(make_tar: Build, entry: Entry) -> None:
    data = make_tar(
        [
            (entry("p/z", mode=0o755), b"z"),
            (entry("p/a", kind=tarfile.LNKTYPE, target="p/z"), b""),
            (entry("p/0", kind=tarfile.LNKTYPE, target="p/a"), b""),
        ]
    )
    members = opened(stabilize("p.tar", data, DATE).data).getmembers()
    assert [(member.name, member.linkname, member.mode) for member in members] == [
        ("p/z", "", 0o755),
        ("p/0", "p/z", 0o755),
        ("p/a", "p/z", 0o755),
    ]


def test_a_hard_link_to_nothing_is_malformed(make_tar: Build, entry: Entry) -> None:
    with pytest.raises(MalformedArchive, match="hard link"):
        stabilize("p.tar", make_tar([(entry("a", kind=tarfile.LNKTYPE, target="b"), b"")]), DATE)


@pytest.mark.parametrize("kind", [tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE])
def test_devices_and_pipes_are_kept_with_a_reason(make_tar: Build, entry: Entry, kind: bytes) -> None:
    data = make_tar([(entry("dev", kind=kind), b"")])
    result = stabilize("p.tar", data, DATE)
    assert result.data == data
    assert result.report.passes[0].kept


def test_hard_links_among_members_of_one_path_are_kept(make_tar: Build, entry: Entry) -> None:
    data = make_tar([(entry("a"), b"1"), (entry("b", kind=tarfile.LNKTYPE, target="a"), b""), (entry("a"), b"2")])
    assert stabilize("p.tar", data, DATE).data == data


def test_leading_dots_go(make_tar: Build, entry: Entry) -> None:
    data = make_tar([(entry("./", kind=tarfile.DIRTYPE), b""), (entry("./a"), b"a")])
    assert opened(stabilize("p.tar", data, DATE).data).getnames() == [".", "a"]


def test_a_tar_gz_has_no_name_and_no_time(make_tar: Build, entry: Entry) -> None:
    inner = make_tar([(entry("p/a"), b"a" * 3000)])
    out = io.BytesIO()
    with gzip.GzipFile("p-1.0.tar", "wb", fileobj=out, mtime=1700000000) as stream:
        stream.write(inner)
    result = stabilize("p-1.0.tar.gz", out.getvalue(), DATE)
    assert result.data[:10] == b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
    assert gzip.decompress(result.data) == stabilize("p.tar", inner, DATE).data
    assert {"gzip name", "gzip mtime", "packed bytes"} <= fields(result).keys()
    assert result.data == stabilize("p-1.0.tgz", gzip.compress(inner, 1), DATE).data


def test_gzip_parts_become_one() -> None:
    result = stabilize("log.gz", gzip.compress(b"one") + gzip.compress(b"two") + b"\0" * 7, DATE)
    assert gzip.decompress(result.data) == b"onetwo"
    assert not stabilize("log.gz", result.data, DATE).changed


def test_the_end_is_a_whole_record(make_tar: Build, entry: Entry) -> None:
    assert len(stabilize("p.tar", make_tar([(entry("a"), b"a" * 9000)]), DATE).data) % 10240 == 0


def test_an_empty_tar_stays_empty(make_tar: Build) -> None:
    assert stabilize("p.tar", make_tar([]), DATE).data == bytes(10240)

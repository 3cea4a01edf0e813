"""Archives that no two readers need agree about, each named by its defect."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
from collections.abc import Callable

import pytest

from lockage.base.digest import Digest
from lockage.base.errors import ExitCode
from lockage.base.instant import ZIP_FLOOR
from lockage.stabilize import compressor, content_digest, stabilize
from lockage.stabilize.errors import ArchiveTooLarge, CompressorDiffers, EncryptedArchive, MalformedArchive, UnsafeArchive

Build = Callable[..., bytes]


def patched(data: bytes, signature: bytes, offset: int, form: str, value: int) -> bytes:
    out = bytearray(data)
    struct.pack_into(form, out, data.rindex(signature) + offset, value)
    return bytes(out)


LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"

ZIP_DEFECTS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "text": lambda _: b"not an archive",
    "truncated end record": lambda data: data[:-1],
    "truncated in the middle": lambda data: data[: len(data) // 2],
    "bytes behind the end": lambda data: data + b"x",
    "two end records": lambda data: patched(data, END, 20, "<H", 22) + data[data.rindex(END) : data.rindex(END) + 22],
    "directory shorter than counted": lambda data: patched(patched(data, END, 8, "<H", 9), END, 10, "<H", 9),
    "directory longer than counted": lambda data: patched(patched(data, END, 8, "<H", 0), END, 10, "<H", 0),
    "directory before the file": lambda data: patched(data, END, 12, "<L", 99999),
    "offset beyond the directory": lambda data: patched(data, CENTRAL, 42, "<L", 99999),
    "local header elsewhere": lambda data: patched(data, CENTRAL, 42, "<L", 1),
    "two names": lambda data: data.replace(b"name", b"eman", 1),
    "two methods": lambda data: patched(data, LOCAL, 8, "<H", 0),
    "two sizes": lambda data: patched(data, LOCAL, 22, "<L", 1),
    "two checksums": lambda data: patched(data, LOCAL, 14, "<L", 1),
    "wrong checksum": lambda data: patched(patched(data, LOCAL, 14, "<L", 1), CENTRAL, 16, "<L", 1),
    "unpacks to more than it says": lambda data: patched(patched(data, LOCAL, 22, "<L", 5), CENTRAL, 24, "<L", 5),
    "unpacks to less than it says": lambda data: patched(patched(data, LOCAL, 22, "<L", 5000), CENTRAL, 24, "<L", 5000),
    "packed bytes reach into the directory": lambda data: patched(patched(data, LOCAL, 18, "<L", 9999), CENTRAL, 20, "<L", 9999),
    "zip64 size that is not there": lambda data: patched(data, CENTRAL, 24, "<L", 0xFFFFFFFF),
}


@pytest.mark.parametrize("defect", ZIP_DEFECTS)
@pytest.mark.parametrize("name", ["x.whl", "x.zip"])
def test_malformed_zip(make_zip: Build, defect: str, name: str) -> None:
    data = ZIP_DEFECTS[defect](make_zip([("name", b"0123456789" * 100)]))
    with pytest.raises(MalformedArchive) as caught:
        stabilize(name, data, ZIP_FLOOR)
    assert caught.value.exit_code is ExitCode.STEP_FAILED
    assert content_digest(name, data) == content_digest(name, data)


def test_malformed_zip_by_overlap(make_zip: Build) -> None:
    data = bytearray(make_zip([("a", b"x" * 50), ("a", b"x" * 50)], method=zipfile.ZIP_STORED))
    struct.pack_into("<L", data, data.rindex(CENTRAL) + 42, 0)  # both entries now name the first member's bytes
    with pytest.raises(MalformedArchive, match="overlaps"):
        stabilize("x.zip", bytes(data), ZIP_FLOOR)


def test_malformed_zip_by_a_directory_with_content(make_zip: Build) -> None:
    with pytest.raises(MalformedArchive, match="directory with"):
        stabilize("x.zip", make_zip([("a/", b"content")]), ZIP_FLOOR)


def test_encrypted_zip(make_zip: Build) -> None:
    data = make_zip([("a", b"a")])
    with pytest.raises(EncryptedArchive):
        stabilize("x.zip", patched(patched(data, LOCAL, 6, "<H", 1), CENTRAL, 8, "<H", 1), ZIP_FLOOR)


def test_zip_bomb_by_declaration(make_zip: Build) -> None:
    data = make_zip([("a", b"a" * 5000)])
    with pytest.raises(ArchiveTooLarge):
        stabilize("x.zip", patched(patched(data, LOCAL, 22, "<L", 0xFFFFFFF0), CENTRAL, 24, "<L", 0xFFFFFFF0), ZIP_FLOOR)


def test_gzip_bomb() -> None:
    with pytest.raises(ArchiveTooLarge):
        compressor.gunzip(gzip.compress(bytes(100_000)), limit=99_999)


@pytest.mark.parametrize("name", ["../up", "a/../../up", "/absolute", "C:/drive", "a\\..\\..\\up", "\\\\server\\share"])
def test_paths_out_of_the_archive(make_zip: Build, make_tar: Build, entry: Callable[..., tarfile.TarInfo], name: str) -> None:
    with pytest.raises(UnsafeArchive):
        stabilize("x.zip", make_zip([(name, b"")]), ZIP_FLOOR)
    with pytest.raises(UnsafeArchive):
        stabilize("x.tar", make_tar([(entry(name), b"")]), ZIP_FLOOR)


def test_a_member_below_a_symbolic_link(make_tar: Build, entry: Callable[..., tarfile.TarInfo]) -> None:
    with pytest.raises(UnsafeArchive, match="below the symbolic link"):
        stabilize("x.tar", make_tar([(entry("a", kind=tarfile.SYMTYPE, target="/etc"), b""), (entry("a/passwd"), b"x")]), ZIP_FLOOR)


def test_a_member_in_place_of_a_symbolic_link(make_tar: Build, entry: Callable[..., tarfile.TarInfo]) -> None:
    with pytest.raises(UnsafeArchive, match="shares its path"):
        stabilize("x.tar", make_tar([(entry("a", kind=tarfile.SYMTYPE, target="/etc/passwd"), b""), (entry("a"), b"x")]), ZIP_FLOOR)


TAR_DEFECTS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "text": lambda _: b"not an archive" * 100,
    "truncated header": lambda data: data[:300],
    "truncated content": lambda data: data[:600],
    "wrong checksum": lambda data: b"X" + data[1:],
    "bytes behind the end": lambda data: data + b"x" * 512,
    "size that is no number": lambda data: data[:124] + b"zzzzzzzzzzz\0" + data[136:],
    "size that is negative": lambda data: data[:124] + b"\xff" * 12 + data[136:],
}


def summed(data: bytes) -> bytes:
    """The same with a right checksum in its first header, so that the defect behind it shows."""
    head = data[:148] + b" " * 8 + data[156:512]
    return data[:148] + b"%06o\0 " % sum(head) + data[156:] if len(data) > 512 else data


@pytest.mark.parametrize("defect", TAR_DEFECTS)
def test_malformed_tar(make_tar: Build, entry: Callable[..., tarfile.TarInfo], defect: str) -> None:
    data = TAR_DEFECTS[defect](make_tar([(entry("a"), b"a" * 700)]))
    data = summed(data) if "size" in defect else data
    for name, packed in (("x.tar", data), ("x.tar.gz", gzip.compress(data))):
        with pytest.raises(MalformedArchive):
            stabilize(name, packed, ZIP_FLOOR)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text",
        gzip.compress(b"x" * 99, mtime=0)[:-1],
        gzip.compress(b"x", mtime=0)[:-5] + b"12345",
        gzip.compress(b"x", mtime=0) + b"tail",
    ],
    ids=["empty", "text", "cut", "wrong-checksum", "tail"],  # names that every worker collects alike
)
def test_malformed_gzip(data: bytes) -> None:
    for name in ("x.gz", "x.tar.gz"):
        with pytest.raises(MalformedArchive):
            stabilize(name, data, ZIP_FLOOR)


def test_damaged_pax_header(make_tar: Build, entry: Callable[..., tarfile.TarInfo]) -> None:
    data = make_tar([(entry("grüße"), b"")], style=tarfile.PAX_FORMAT)
    with pytest.raises(MalformedArchive, match="PAX"):
        stabilize("x.tar", data.replace(b"path=gr", b"path gr"), ZIP_FLOOR)


def test_a_name_that_is_not_utf8_is_kept() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT, encoding="latin-1") as archive:
        archive.addfile(tarfile.TarInfo("gr\xfc\xdfe"))
    result = stabilize("x.tar", out.getvalue(), ZIP_FLOOR)
    assert result.data == out.getvalue()
    assert "UTF-8" in (result.report.passes[0].kept or "")


def test_another_compressor_is_noticed_by_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    import deflate

    monkeypatch.setattr(deflate, "deflate_compress", lambda data, level: bytearray(data[: level * 100]))
    compressor._packer.cache_clear()
    try:
        with pytest.raises(CompressorDiffers) as caught:
            compressor.deflate(b"data")
    finally:
        compressor._packer.cache_clear()
    assert caught.value.details["expected"] == compressor.COMPRESSOR.sample


def test_the_pinned_compressor_is_installed() -> None:
    import deflate

    assert deflate.__version__ == compressor.COMPRESSOR.version
    assert Digest.of(bytes(deflate.deflate_compress(compressor.sample(), compressor.COMPRESSOR.level))) == compressor.COMPRESSOR.sample

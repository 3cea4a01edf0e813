"""Builders of small archives, through the standard library: a writer that is not the code under test."""

from __future__ import annotations

import io
import tarfile
import warnings
import zipfile
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from hashlib import sha256

import pytest

Zip = Callable[..., bytes]


@pytest.fixture
def make_zip() -> Zip:
    """Members as (name, bytes) pairs, with the date, mode and compression asked for."""

    def build(
        members: list[tuple[str, bytes]],
        *,
        date: tuple[int, ...] = (2021, 3, 4, 5, 6, 8),
        mode: int = 0o100664,
        method: int = zipfile.ZIP_DEFLATED,
    ) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", method) as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # duplicate names are wanted
            for name, data in members:
                info = zipfile.ZipInfo(name, date)  # type: ignore[arg-type]  # the stub wants a tuple of six
                info.external_attr = (0o040775 if name.endswith("/") else mode) << 16
                info.compress_type = method
                archive.writestr(info, data)
        return out.getvalue()

    return build


@pytest.fixture
def make_wheel(make_zip: Zip) -> Zip:
    """A wheel with a RECORD that holds, unless other lines are given."""

    def build(files: Mapping[str, bytes], *, record: str | None = None, **options: object) -> bytes:
        contents = {
            **files,
            "toy-1.0.dist-info/METADATA": b"Metadata-Version: 2.4\nName: toy\nVersion: 1.0\n",
            "toy-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\n",
        }
        if record is None:
            rows = [
                f"{name},sha256={urlsafe_b64encode(sha256(data).digest()).rstrip(b'=').decode()},{len(data)}"
                for name, data in contents.items()
            ]
            record = "\r\n".join([*reversed(rows), "toy-1.0.dist-info/RECORD,,", ""])
        return make_zip([*contents.items(), ("toy-1.0.dist-info/RECORD", record.encode())], **options)

    return build


@pytest.fixture
def make_tar() -> Callable[..., bytes]:
    """A tar archive of TarInfo and content pairs, in a format of the standard library."""

    def build(
        members: list[tuple[tarfile.TarInfo, bytes]], *, style: int = tarfile.GNU_FORMAT, headers: dict[str, str] | None = None
    ) -> bytes:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=style, pax_headers=headers) as archive:
            for info, data in members:
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        return out.getvalue()

    return build


@pytest.fixture
def entry() -> Callable[..., tarfile.TarInfo]:
    """A tar header with an owner, a time and a mode that no pass keeps."""

    def build(
        name: str, *, kind: bytes = tarfile.REGTYPE, target: str = "", mode: int = 0o664, time: float = 1700000000
    ) -> tarfile.TarInfo:
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.mode, info.mtime = kind, target, mode, time
        info.uid, info.gid, info.uname, info.gname = 1001, 127, "runner", "docker"
        return info

    return build

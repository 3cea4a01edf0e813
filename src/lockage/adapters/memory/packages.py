"""Tiny packages made of a few files, for tests: real .deb archives and real wheels, the same bytes every time."""

from __future__ import annotations

import binascii
import io
import tarfile
import zipfile
from typing import TYPE_CHECKING

import msgspec

from lockage.base.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["TarNode", "control_of", "make_deb", "make_tar", "make_wheel"]

_EPOCH = 315532800


class TarNode(msgspec.Struct, frozen=True, kw_only=True):
    """One member of a package's data archive; ``kind`` is a tar type flag: ``0`` file, ``1`` hardlink, ``2`` link, ``5`` directory."""

    name: str
    kind: str = "0"
    data: bytes = b""
    mode: int = 0o644
    target: str = ""
    uid: int = 0
    gid: int = 0


def make_deb(
    name: str, nodes: Iterable[TarNode], *, version: str = "1", compression: str = "xz", control: Mapping[str, str] | None = None
) -> bytes:
    """A Debian package with these members; ``control`` adds fields."""
    fields = {"Package": name, "Version": version, "Architecture": "amd64", "Maintainer": "Nobody", **(control or {})}
    text = "".join(f"{key}: {value}\n" for key, value in fields.items())
    parts = (
        ("debian-binary", b"2.0\n"),
        ("control.tar.xz", make_tar([TarNode(name="./control", data=text.encode())], "xz")),
        (f"data.tar.{compression}" if compression else "data.tar", make_tar(nodes, compression)),
    )
    out = b"!<arch>\n"
    for part, data in parts:
        out += f"{part:<16}{_EPOCH:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode() + data + b"\n" * (len(data) % 2)
    return out


def control_of(deb: bytes) -> str:
    """The control paragraph of what :func:`make_deb` made."""
    import lzma

    header = deb.index(b"control.tar.xz")
    size = int(deb[header + 48 : header + 58])
    with tarfile.open(fileobj=io.BytesIO(lzma.decompress(deb[header + 60 : header + 60 + size]))) as tar:
        stream = tar.extractfile("./control")
        assert stream is not None
        return stream.read().decode()


def make_tar(nodes: Iterable[TarNode], compression: str = "") -> bytes:
    """A tar archive with these members, packed with ``xz``, ``gz``, ``zst`` or nothing."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.GNU_FORMAT, encoding="utf-8", errors="surrogateescape") as tar:
        for node in nodes:
            info = tarfile.TarInfo(node.name)
            info.type = node.kind.encode()
            info.mode, info.linkname, info.uid, info.gid, info.mtime = node.mode, node.target, node.uid, node.gid, _EPOCH
            info.size = len(node.data)
            tar.addfile(info, io.BytesIO(node.data))
    if compression == "xz":
        import lzma

        return lzma.compress(plain.getvalue())
    if compression == "gz":
        import gzip

        return gzip.compress(plain.getvalue(), mtime=0)
    if compression == "zst":
        from lockage.stabilize.stream import pack

        return pack("zstd", plain.getvalue())
    return plain.getvalue()


def make_wheel(
    project: str,
    files: Mapping[str, bytes],
    *,
    version: str = "1",
    executable: Iterable[str] = (),
    record: Mapping[str, str] | None = None,
    requires: Iterable[str] = (),
) -> bytes:
    """A pure wheel with these files beside its own metadata; ``record`` replaces lines of RECORD by path (an empty one leaves it out)."""
    info = f"{project}-{version}.dist-info"
    content = {
        f"{info}/METADATA": (
            f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n" + "".join(f"Requires-Dist: {text}\n" for text in requires)
        ).encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: lockage\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        **files,
    }
    lines = {path: f"{path},sha256={_urlsafe(data)},{len(data)}" for path, data in content.items()}
    lines[f"{info}/RECORD"] = f"{info}/RECORD,,"
    lines.update(record or {})
    content[f"{info}/RECORD"] = "".join(f"{line}\n" for line in lines.values() if line).encode()
    runnable = set(executable)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in content.items():
            member = zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0))
            member.external_attr = (0o100755 if path in runnable else 0o100644) << 16
            archive.writestr(member, data)
    return out.getvalue()


def _urlsafe(data: bytes) -> str:
    text = binascii.b2a_base64(Digest.of(data).raw, newline=False).rstrip(b"=").decode()
    return text.replace("+", "-").replace("/", "_")

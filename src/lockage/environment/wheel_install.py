"""A wheel's bytes as installed files, the same on any machine (PyPA "Binary distribution format" and "Recording installed projects").

Invariants: nothing is executed; every file is checked against the wheel's own RECORD; no times and no bytecode are written, because
bytecode depends on the interpreter that makes it (a root's imports compile in memory). The scheme is ``posix_local`` of Debian's python3.
"""

from __future__ import annotations

import binascii
import configparser
import csv
import io
import re
import zipfile
import zlib
from typing import TYPE_CHECKING

import msgspec

from lockage.base.digest import Digest
from lockage.base.path import RelPath
from lockage.environment.root.entry import member_path
from lockage.environment.root.errors import InvalidPackage, UnsupportedPackage

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["InstalledFile", "install_wheel"]

#: Debian's.
INTERPRETER = "/usr/bin/python3"
_UNRECORDED = ("RECORD", "RECORD.jws", "RECORD.p7s")
#: The callable of an entry point, "Entry points specification": ``module:attribute.path``, extras are obsolete and ignored.
_ENTRY_POINT = re.compile(r"(?P<module>\w+(?:\.\w+)*)\s*:\s*(?P<attribute>\w+(?:\.\w+)*)\s*(?:\[[^]]*\])?")
_SCRIPT_NAME = re.compile(r"[\w.+-]+(?: [\w.+-]+)*")
_WINDOWS = re.compile(r"\\|^[A-Za-z]:")


class InstalledFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file below the installation prefix (``usr/local``)."""

    path: RelPath
    data: bytes
    sha256: Digest
    executable: bool = False


def install_wheel(
    file: str, data: bytes, python: str, *, site: str | None = None, interpreter: str = INTERPRETER
) -> Iterator[InstalledFile]:
    """The files of the wheel named ``file`` for ``python`` (such as ``3.11``), one at a time, RECORD last.

    ``site`` is the folder below the prefix that the ``interpreter`` imports from, if not that of Debian's python3.
    Raises :class:`InvalidPackage` for a damaged, contradictory or climbing archive,
    :class:`UnsupportedPackage` for a valid one of a kind not known here.
    """
    return _Installation(file, data, python, site or f"lib/python{python}/dist-packages", interpreter).files()


class _Installation:
    def __init__(self, file: str, data: bytes, python: str, site: str, interpreter: str) -> None:
        self._file = file
        self._python = python
        self._site = site
        self._shebang = f"#!{interpreter}\n".encode()
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
            self._members = self._listed()
        except (zipfile.BadZipFile, ValueError, EOFError) as error:
            raise self._invalid(f"is not a readable zip archive: {error}") from error
        self._info = self._found_info()
        self._installed: list[tuple[str, Digest, int]] = []

    def files(self) -> Iterator[InstalledFile]:
        self._check_format()
        record = self._record()
        self._refuse_unrecorded(record)
        for path in sorted(self._members, key=str.encode):
            content, digest = self._verified(path, record)
            if path in {f"{self._info}/{name}" for name in (*_UNRECORDED, "INSTALLER", "REQUESTED", "direct_url.json")}:
                continue
            yield self._noted(self._placed(path, content, digest))
        for script in self._entry_points():
            yield self._noted(script)
        yield self._noted(_written(f"{self._site}/{self._info}/INSTALLER", b"lockage\n"))
        yield _written(f"{self._site}/{self._info}/RECORD", self._new_record())

    def _invalid(self, what: str, **details: str) -> InvalidPackage:
        return InvalidPackage(f"{self._file} {what}", package=self._file, **details)

    def _listed(self) -> dict[RelPath, zipfile.ZipInfo]:
        members: dict[RelPath, zipfile.ZipInfo] = {}
        for info in self._zip.infolist():
            path = member_path(info.filename, self._file)
            if info.is_dir() or path is None:
                continue
            if _WINDOWS.search(info.filename) or not info.filename.startswith(path):
                raise self._invalid(f"has a member with an odd name: {info.filename!r}", path=info.filename)
            if (info.external_attr >> 16) & 0o170000 == 0o120000:
                raise self._invalid(f"has a symbolic link, which wheels cannot hold: {path}", path=path)
            if info.flag_bits & 1:
                raise self._invalid(f"has an encrypted member: {path}", path=path)
            if path in members:
                raise self._invalid(f"has two members of one name: {path}", path=path)
            members[path] = info
        return members

    def _found_info(self) -> str:
        found = sorted({path.parts[0] for path in self._members if path.parts[0].endswith(".dist-info") and len(path.parts) > 1})
        if len(found) != 1:
            raise self._invalid(f"has {len(found)} .dist-info folders instead of one: {', '.join(found) or 'none'}")
        named = self._file.removesuffix(".whl").split("-")
        actual = found[0].removesuffix(".dist-info").split("-")
        if len(named) not in (5, 6) or len(actual) != 2 or _normal(actual[0]) != _normal(named[0]):
            raise self._invalid(f"holds another project than its name says: {found[0]}", found=found[0])
        return found[0]

    def _read(self, path: RelPath) -> bytes:
        try:
            return self._zip.read(self._members[path])
        except KeyError:
            raise self._invalid(f"lacks {path}", path=path) from None
        except NotImplementedError as error:
            raise UnsupportedPackage(f"{self._file}: {path} is compressed in a way that Python cannot read", package=self._file) from error
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
            raise self._invalid(f"has a damaged member {path}: {error}", path=path) from error

    def _text(self, name: str) -> str:
        try:
            return self._read(RelPath(f"{self._info}/{name}")).decode()
        except UnicodeDecodeError as error:
            raise self._invalid(f"has a {name} that is not UTF-8") from error

    def _check_format(self) -> None:
        fields = dict(line.split(":", 1) for line in self._text("WHEEL").splitlines() if ":" in line)
        version = fields.get("Wheel-Version", "").strip()
        if not re.fullmatch(r"1\.\d+", version):
            raise UnsupportedPackage(f"{self._file} has Wheel-Version {version or 'none'}; only 1.x is known", package=self._file)

    def _record(self) -> dict[RelPath, tuple[str, str]]:
        record: dict[RelPath, tuple[str, str]] = {}
        try:
            for row in csv.reader(io.StringIO(self._text("RECORD"), newline=""), strict=True):
                if not row:
                    continue
                path = member_path(row[0], self._file)
                if len(row) != 3 or path is None:
                    raise self._invalid(f"has a malformed line in RECORD: {','.join(row)!r}")
                record[path] = (row[1], row[2])
        except csv.Error as error:
            raise self._invalid(f"has a RECORD that is no CSV: {error}") from error
        return record

    def _refuse_unrecorded(self, record: dict[RelPath, tuple[str, str]]) -> None:
        exempt = {f"{self._info}/{name}" for name in _UNRECORDED}
        for path in sorted(set(self._members) ^ set(record)):
            if path not in exempt:
                where = "is not in its RECORD" if path in self._members else "is in its RECORD but not in the archive"
                raise self._invalid(f"contradicts its RECORD: {path} {where}", path=path)

    def _verified(self, path: RelPath, record: dict[RelPath, tuple[str, str]]) -> tuple[bytes, Digest]:
        content = self._read(path)
        digest = Digest.of(content)
        expected, size = record.get(path, ("", ""))
        if f"{path}" in {f"{self._info}/{name}" for name in _UNRECORDED}:
            return content, digest
        name, _, value = expected.partition("=")
        if name != "sha256":
            raise UnsupportedPackage(
                f"{self._file}: RECORD gives no sha256 of {path} but {name or 'nothing'}", package=self._file, path=path
            )
        found = _urlsafe(digest)
        if value != found or (size and size != str(len(content))):
            raise self._invalid(f"contradicts its RECORD: {path} has another sha256 or size", path=path, expected=value, found=found)
        return content, digest

    def _placed(self, path: RelPath, content: bytes, digest: Digest) -> InstalledFile:
        """Where a file of the wheel goes: the site folder, or below a key of the ``.data`` folder its scheme's folder."""
        executable = bool((self._members[path].external_attr >> 16) & 0o111)
        data_folder = f"{self._info.removesuffix('.dist-info')}.data"
        first, *rest = path.parts
        if first != data_folder:
            return InstalledFile(path=RelPath(f"{self._site}/{path}"), data=content, sha256=digest, executable=executable)
        project = self._info.partition("-")[0]
        folders = {
            "purelib": self._site,
            "platlib": self._site,
            "scripts": "bin",
            "headers": f"include/python{self._python}/{project}",
        }
        if len(rest) < 2 or rest[0] not in (*folders, "data"):
            raise self._invalid(f"has a .data folder of an unknown kind: {path}", path=path)
        below = "/".join(rest[1:])
        if rest[0] == "scripts":
            executable = True
            if re.match(rb"#!pythonw?[ \r\n]", content):
                return _written(f"bin/{below}", self._shebang + content.partition(b"\n")[2], executable=True)
        place = below if rest[0] == "data" else f"{folders[rest[0]]}/{below}"
        return InstalledFile(path=RelPath(place), data=content, sha256=digest, executable=executable)

    def _entry_points(self) -> Iterator[InstalledFile]:
        if RelPath(f"{self._info}/entry_points.txt") not in self._members:
            return
        parser = configparser.ConfigParser(delimiters=("=",), strict=True, interpolation=None, default_section="\0")
        parser.optionxform = str  # type: ignore[assignment,method-assign]  # the documented way to keep case
        try:
            parser.read_string(self._text("entry_points.txt"))
        except configparser.Error as error:
            raise self._invalid(f"has a malformed entry_points.txt: {error}") from error
        found = {
            name: value
            for section in ("console_scripts", "gui_scripts")
            if parser.has_section(section)
            for name, value in parser.items(section)
        }
        for name, value in sorted(found.items()):
            match = _ENTRY_POINT.fullmatch(value.strip())
            if match is None or not _SCRIPT_NAME.fullmatch(name):
                raise self._invalid(f"has a malformed script in entry_points.txt: {name} = {value}")
            yield _written(f"bin/{name}", self._shebang + _script(match["module"], match["attribute"]), executable=True)

    def _noted(self, file: InstalledFile) -> InstalledFile:
        self._installed.append((_from_site(file.path, self._site), file.sha256, len(file.data)))
        return file

    def _new_record(self) -> bytes:
        out = io.StringIO(newline="")
        writer = csv.writer(out, lineterminator="\n")
        for path, digest, size in sorted(self._installed, key=lambda row: row[0].encode()):
            writer.writerow([path, f"sha256={_urlsafe(digest)}", size])
        writer.writerow([f"{self._info}/RECORD", "", ""])
        return out.getvalue().encode()


def _written(path: str, data: bytes, *, executable: bool = False) -> InstalledFile:
    """A file that the archive does not have."""
    return InstalledFile(path=RelPath(path), data=data, sha256=Digest.of(data), executable=executable)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _urlsafe(digest: Digest) -> str:
    text = binascii.b2a_base64(digest.raw, newline=False).rstrip(b"=").decode()
    return text.replace("+", "-").replace("/", "_")


def _from_site(path: RelPath, site: str) -> str:
    """A path below the prefix as RECORD has it: relative to the site folder."""
    return path.removeprefix(f"{site}/") if path.startswith(f"{site}/") else f"{'../' * (site.count('/') + 1)}{path}"


def _script(module: str, attribute: str) -> bytes:
    first = attribute.partition(".")[0]
    return f'import sys\nfrom {module} import {first}\n\nif __name__ == "__main__":\n    sys.exit({attribute}())\n'.encode()

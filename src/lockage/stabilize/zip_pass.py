"""The passes `wheel` and `zip`: one order, one date, plain modes, no extras, the pinned compressor. Contents stay as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.stabilize.change import Changes
from lockage.stabilize.compressor import COMPRESSOR
from lockage.stabilize.errors import Unhandled
from lockage.stabilize.model import Fault, MemberKind, PassReport
from lockage.stabilize.wheel_record import check_record, find_record, in_order
from lockage.stabilize.zip_reader import ZipArchive, ZipMember, read_zip
from lockage.stabilize.zip_writer import CREATOR, MODES, ZipWriter, dos_time

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockage.base.instant import Instant

__all__ = ["stabilize_wheel", "stabilize_zip"]

#: Folding keeps the report of a wheel whose RECORD is of another wheel small.
_FAULTS = 50
_UTF8_FLAG = 1 << 11


def stabilize_zip(name: str, version: int, data: bytes, date: Instant) -> tuple[bytes, PassReport]:
    """A zip archive in its fixed form, members sorted by path."""
    try:
        archive = read_zip(data)
        return _written(name, version, archive, sorted(archive.members, key=_by_path), {}, (), date)
    except Unhandled as reason:
        return data, PassReport(name=name, version=version, kept=str(reason))


def stabilize_wheel(name: str, version: int, data: bytes, date: Instant) -> tuple[bytes, PassReport]:
    """A wheel in its fixed form: .dist-info at the end (as the wheel format recommends), RECORD last and its lines sorted if it holds."""
    try:
        archive = read_zip(data)
        record, faults = find_record(archive.members)
        replaced: dict[str, bytes] = {}
        if record is not None:
            faults = check_record(archive.members, record)
            if not faults:
                replaced[record.path] = in_order(record.read().decode(), record.path).encode()
        if archive.prefix:
            faults += (Fault(code="prefixed", path="", message=f"{len(archive.prefix)} bytes lie before the first member"),)
        ordered = sorted(archive.members, key=lambda member: (_place(member.path), _by_path(member)))
        return _written(name, version, archive, ordered, replaced, faults, date)
    except Unhandled as reason:
        return data, PassReport(name=name, version=version, kept=str(reason))


def _by_path(member: ZipMember) -> list[bytes]:
    return member.path.encode().split(b"/")  # by segment, so that a folder is followed by what is in it


def _place(path: str) -> int:
    top = path.split("/", 1)[0]
    if not top.endswith(".dist-info"):
        return 0
    return 2 if path == f"{top}/RECORD" else 1


def _written(
    name: str,
    version: int,
    archive: ZipArchive,
    ordered: list[ZipMember],
    replaced: Mapping[str, bytes],
    faults: tuple[Fault, ...],
    date: Instant,
) -> tuple[bytes, PassReport]:
    changes = Changes()
    changes.add("", "comment", f"{len(archive.comment)} bytes" if archive.comment else "", "")
    changes.add("", "unreferenced bytes", archive.unreferenced, 0)
    if ordered != list(archive.members):
        changes.add("", "member order", "as written", "by path")
    writer = ZipWriter(archive.prefix, date)
    for member in ordered:
        if member.path == ".":
            raise Unhandled("the zip archive has a member for its own top folder")
        before = member.read()
        after = replaced.get(member.path, before)
        changes.add(member.path, "lines", "as written", "sorted" if after != before else "as written")
        packed = writer.add(member.path, member.kind, after, executable=member.executable)
        _note(changes, member, packed, dos_time(date))
    report = PassReport(name=name, version=version, changes=changes.listed(), faults=_folded(faults), compressor=COMPRESSOR)
    return writer.finish(), report


def _note(changes: Changes, member: ZipMember, packed: bytes, time: int) -> None:
    path = member.path
    plain_name = f"{path}/" if member.kind is MemberKind.DIRECTORY else path
    changes.add(path, "name", member.name, plain_name)
    if member.time != time:
        changes.add(path, "mtime", member.mtime, "the source's date")
    changes.add(path, "mode", f"{member.mode:o}", f"{MODES[member.kind, member.executable]:o}")
    changes.add(path, "creator", member.creator, CREATOR)
    changes.add(path, "flags", member.flags, 0 if path.isascii() else _UTF8_FLAG)
    changes.add(path, "extra", f"{len(member.extra)} bytes" if member.extra else "", "")
    changes.add(path, "comment", f"{len(member.comment)} bytes" if member.comment else "", "")
    plain = (20, 0, 0x10 if member.kind is MemberKind.DIRECTORY else 0, 0)
    changes.add(path, "version needed, internal and DOS attributes, local extra size", member.others, plain)
    if member.packed() != packed:
        changes.add(path, "packed bytes", member.packing, f"{COMPRESSOR.package} {COMPRESSOR.version}")


def _folded(faults: tuple[Fault, ...]) -> tuple[Fault, ...]:
    if len(faults) <= _FAULTS:
        return faults
    more = Fault(code="more-faults", path="", message=f"{len(faults) - _FAULTS} more faults")
    return (*faults[:_FAULTS], more)

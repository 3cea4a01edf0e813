"""The passes over tar archives, packed or not, and `gzip`: one order, one date, no owner, plain modes, the pinned compressors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.instant import ZIP_FLOOR
from lockage.stabilize.compressor import COMPRESSOR, crc32, deflate, gunzip
from lockage.stabilize.errors import MalformedArchive, Unhandled
from lockage.stabilize.model import DATE, MemberKind
from lockage.stabilize.stream import STREAMS, pack, unpack
from lockage.stabilize.tar_reader import TarArchive, TarMember, read_tar
from lockage.stabilize.tar_writer import MODES, TarWriter

if TYPE_CHECKING:
    from lockage.base.instant import Instant
    from lockage.stabilize.compressor import Compressor
    from lockage.stabilize.job import Job

__all__ = [
    "gzip_fields",
    "pack_gzip",
    "stabilize_gzip",
    "stabilize_tar",
    "stabilize_tar_bzip2",
    "stabilize_tar_gzip",
    "stabilize_tar_xz",
    "stabilize_tar_zstd",
]

#: RFC 1952: no flags, no time, no extra flags, unknown operating system.
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
#: The last whole second that 11 octal digits hold.
_CEILING = 8**11 - 1


def pack_gzip(data: bytes) -> bytes:
    """A gzip file without name and time, of the pinned compressor's bytes."""
    return b"".join((_GZIP_HEADER, deflate(data), crc32(data).to_bytes(4, "little"), (len(data) & 0xFFFFFFFF).to_bytes(4, "little")))


def gzip_fields(data: bytes) -> dict[str, str]:
    """What the first header of a gzip file says beside its content (RFC 1952 2.3)."""
    flags, found, at = data[3], {"mtime": str(int.from_bytes(data[4:8], "little")), "os": str(data[9]), "extra flags": str(data[8])}, 10
    if flags & 4:
        size = int.from_bytes(data[at : at + 2], "little")
        found["extra"] = data[at + 2 : at + 2 + size].hex()
        at += 2 + size
    for bit, field in ((8, "name"), (16, "comment")):
        if flags & bit:
            end = data.index(b"\0", at)
            found[field] = data[at:end].decode("latin-1")
            at = end + 1
    if flags & 2:
        found["header checksum"] = data[at : at + 2].hex()
    return found


def _note_gzip(job: Job, before: bytes, after: bytes) -> None:
    old, new = gzip_fields(before), gzip_fields(after)
    for field in sorted(old.keys() | new.keys()):
        job.change("", f"gzip {field}", old.get(field, ""), new.get(field, ""))
    _note_packing(job, COMPRESSOR, before, after)


def _note_packing(job: Job, compressor: Compressor, before: bytes, after: bytes) -> None:
    job.packed_by(compressor)
    if before != after:
        job.change("", "packed bytes", "as written", f"{compressor.package} {compressor.version}")


def stabilize_gzip(data: bytes, job: Job) -> bytes:
    """A gzip file of one part, without name and time; its content goes through the passes of the name without ``.gz``."""
    content = gunzip(data, job.limit)
    out = pack_gzip(job.content(content))
    _note_gzip(job, data, out)
    return out


def stabilize_tar(data: bytes, job: Job) -> bytes:
    """A tar archive in its fixed form."""
    return _written(read_tar(data), job)


def stabilize_tar_gzip(data: bytes, job: Job) -> bytes:
    """A tar archive in its fixed form, in a gzip file of one part."""
    out = pack_gzip(_written(read_tar(gunzip(data, job.limit)), job))
    _note_gzip(job, data, out)
    return out


def _streamed(form: str, data: bytes, job: Job) -> bytes:
    out = pack(form, _written(read_tar(unpack(form, data, job.limit)), job))
    _note_packing(job, STREAMS[form], data, out)
    return out


def stabilize_tar_bzip2(data: bytes, job: Job) -> bytes:
    """A tar archive in its fixed form, in one bzip2 stream."""
    return _streamed("bzip2", data, job)


def stabilize_tar_xz(data: bytes, job: Job) -> bytes:
    """A tar archive in its fixed form, in one xz stream."""
    return _streamed("xz", data, job)


def stabilize_tar_zstd(data: bytes, job: Job) -> bytes:
    """A tar archive in its fixed form, in one zstd frame."""
    return _streamed("zstd", data, job)


def _ordered(archive: TarArchive) -> list[TarMember]:
    """Members by path, hard links behind everything they could point to; a chain of hard links ends at its file."""
    if any(member.kind is MemberKind.SPECIAL for member in archive.members):
        raise Unhandled("the tar archive has a device or a pipe")
    links = [member for member in archive.members if member.kind is MemberKind.HARDLINK]
    if links:
        counted: dict[str, int] = {}
        for member in archive.members:
            counted[member.path] = counted.get(member.path, 0) + 1
        if any(count > 1 for count in counted.values()):
            raise Unhandled("the tar archive has hard links and two members of one path")
    seen: dict[str, TarMember] = {}
    for member in archive.members:
        if member.kind is MemberKind.HARDLINK:
            target = seen.get(member.target or "")
            if target is None:
                raise MalformedArchive(f"{member.path}: a hard link to what is not before it in the tar archive", member=member.path)
            if target.kind is MemberKind.HARDLINK:
                member.target = target.target
            elif target.kind is not MemberKind.FILE:
                raise MalformedArchive(f"{member.path}: a hard link to a {target.kind}", member=member.path)
        seen[member.path] = member
    return sorted(archive.members, key=lambda member: (member.kind is MemberKind.HARDLINK, member.path.encode().split(b"/")))


def _written(archive: TarArchive, job: Job) -> bytes:
    date = job.date
    stamp = type(date)(min(max(int(date), int(ZIP_FLOOR)), _CEILING))
    ordered = _ordered(archive)
    executables = {member.path for member in archive.members if member.executable}
    if ordered != list(archive.members):
        job.change("", "member order", "as written", "by path")
    writer = TarWriter(stamp)
    for member in ordered:
        executable = member.target in executables if member.kind is MemberKind.HARDLINK else member.executable
        mode = MODES[member.kind] | (0o111 if executable else 0)
        content = member.packed()
        if member.kind is MemberKind.FILE:
            content = job.member(member.path, content)
        writer.add(member.path, member.kind, content, mode=mode, target=member.target)
        _note(job, member, mode, stamp)
    job.change("", "tar dialect", "+".join(archive.dialects), "+".join(sorted(writer.dialects)))
    return writer.finish()


def _note(job: Job, member: TarMember, mode: int, stamp: Instant) -> None:
    path = member.path
    job.change(path, "name", member.name.rstrip("/"), path)
    fixed = {"mtime": str(int(stamp)), "mode": f"{mode:o}", "uid": "0", "gid": "0", "uname": "", "gname": ""}
    for field, before in member.header.items():
        if field == "mtime" and before != fixed["mtime"]:
            before = before.partition(".")[0] + " and a fraction" if "." in before else before
            job.change(path, field, before, DATE)
        else:
            job.change(path, field, before, fixed.get(field, ""))

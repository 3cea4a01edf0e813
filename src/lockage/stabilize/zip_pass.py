"""The passes over zip archives: one order, one date, plain modes, no extras, the pinned compressor. Members go through their own passes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.instant import Instant
from lockage.stabilize.compressor import COMPRESSOR
from lockage.stabilize.errors import Unhandled
from lockage.stabilize.model import DATE, Fault, MemberKind
from lockage.stabilize.wheel_record import check_record, find_record, hash_of, in_order
from lockage.stabilize.zip_reader import ZipArchive, ZipMember, read_zip
from lockage.stabilize.zip_writer import CREATOR, MODES, ZipWriter, dos_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockage.stabilize.job import Job

__all__ = ["stabilize_epub", "stabilize_jar", "stabilize_wheel", "stabilize_zip"]

_UTF8_FLAG = 1 << 11
#: Clojure loads a class only if it is newer than its source, by the two seconds that zip can tell apart.
_CLOJURE = (".clj", ".cljc", ".cljs")
_STEP = 2


def stabilize_zip(data: bytes, job: Job) -> bytes:
    """A zip archive in its fixed form, members sorted by path."""
    return _Zip(read_zip(data, job.limit), job).written(_by_path)


def stabilize_jar(data: bytes, job: Job) -> bytes:
    """A jar: META-INF and the manifest first, where readers that stream look for it. A signed one is kept."""
    archive = read_zip(data, job.limit)
    for member in archive.members:
        folder, _, file = member.path.upper().rpartition("/")
        if folder == "META-INF" and (file.endswith((".SF", ".RSA", ".DSA", ".EC")) or file.startswith("SIG-")):
            raise Unhandled("the jar is signed")
    return _Zip(archive, job, early=_CLOJURE).written(lambda member: (_jar_place(member.path), _by_path(member)))


def stabilize_epub(data: bytes, job: Job) -> bytes:
    """An archive whose first member says its type, stored (EPUB OCF 4.3, OpenDocument 1.3 part 2, 3.3)."""
    packed = _Zip(read_zip(data, job.limit), job, stored=("mimetype",))
    return packed.written(lambda member: (member.path != "mimetype", _by_path(member)))


def stabilize_wheel(data: bytes, job: Job) -> bytes:
    """A wheel in its fixed form: .dist-info at the end (as the wheel format recommends), RECORD last.

    Members go through their passes only if RECORD holds; then it gets its lines sorted and their new hashes.
    """
    archive = read_zip(data, job.limit)
    record, faults = find_record(archive.members)
    if record is not None:
        faults = check_record(archive.members, record)
    job.fault(*faults)
    if archive.prefix:
        job.fault(Fault(code="prefixed", path="", message=f"{len(archive.prefix)} bytes lie before the first member"))
    wheel = _Zip(archive, job, members=not faults)
    if record is not None and not faults:
        wheel.last = (record.path, wheel.new_record)
    return wheel.written(lambda member: (_wheel_place(member.path), _by_path(member)))


def _by_path(member: ZipMember) -> list[bytes]:
    return member.path.encode().split(b"/")  # by segment, so that a folder is followed by what is in it


def _jar_place(path: str) -> int:
    return {"META-INF": 0, "META-INF/MANIFEST.MF": 1}.get(path, 2 if path.startswith("META-INF/") else 3)


def _wheel_place(path: str) -> int:
    top = path.split("/", 1)[0]
    if not top.endswith(".dist-info"):
        return 0
    return 2 if path == f"{top}/RECORD" else 1


class _Zip:
    """One archive on its way into its fixed form.

    ``members``: whether they go through their passes; ``stored``: members never packed; ``early``: endings of members that must be
    older than the others.
    """

    def __init__(
        self, archive: ZipArchive, job: Job, *, members: bool = True, stored: tuple[str, ...] = (), early: tuple[str, ...] = ()
    ) -> None:
        self._archive, self._job, self._members, self._stored, self._early = archive, job, members, stored, early
        #: New hash and size of members that passes changed, by path.
        self.changed: dict[str, tuple[str, int]] = {}
        #: The member that is made from the others, and how.
        self.last: tuple[str, Callable[[bytes], bytes]] | None = None

    def new_record(self, data: bytes) -> bytes:
        """RECORD's bytes in order, with new rows for the members that were changed."""
        assert self.last is not None
        path = self.last[0]
        if self.changed:
            self._job.change(path, "rows", "as written", f"{len(self.changed)} of them for changed members")
        ordered = in_order(data.decode(), path).encode()
        self._job.change(path, "lines", "as written", "sorted" if ordered != data else "as written")
        return in_order(data.decode(), path, self.changed).encode() if self.changed else ordered

    def written(self, place: Callable[[ZipMember], object]) -> bytes:
        """The archive's bytes, members sorted by ``place``."""
        archive, job = self._archive, self._job
        ordered = sorted(archive.members, key=place)  # type: ignore[arg-type]  # places are lists and tuples that can be compared
        job.packed_by(COMPRESSOR)
        job.change("", "comment", f"{len(archive.comment)} bytes" if archive.comment else "", "")
        job.change("", "unreferenced bytes", archive.unreferenced, 0)
        if ordered != list(archive.members):
            job.change("", "member order", "as written", "by path")
        writer = ZipWriter(archive.prefix, job.date)
        for member in ordered:
            if member.path == ".":
                raise Unhandled("the zip archive has a member for its own top folder")
            time = dos_time(Instant(job.date - _STEP) if self._early and member.path.endswith(self._early) else job.date)
            stored = member.path in self._stored
            data = self._content(member)
            packed = writer.add(member.path, member.kind, data, executable=member.executable, stored=stored, time=time)
            self._note(member, packed, time)
        return writer.finish()

    def _content(self, member: ZipMember) -> bytes:
        before = member.read()
        if self.last is not None and self.last[0] == member.path:
            return self.last[1](before)
        if not self._members or member.kind is not MemberKind.FILE:
            return before
        after = self._job.member(member.path, before)
        if after != before:
            self.changed[member.path] = (hash_of(after), len(after))
        return after

    def _note(self, member: ZipMember, packed: bytes, time: int) -> None:
        path, change = member.path, self._job.change
        plain_name = f"{path}/" if member.kind is MemberKind.DIRECTORY else path
        change(path, "name", member.name, plain_name)
        if member.time != time:
            change(path, "mtime", member.mtime, DATE)
        change(path, "mode", f"{member.mode:o}", f"{MODES[member.kind, member.executable]:o}")
        change(path, "creator", member.creator, CREATOR)
        change(path, "flags", member.flags, 0 if path.isascii() else _UTF8_FLAG)
        change(path, "extra", f"{len(member.extra)} bytes" if member.extra else "", "")
        change(path, "comment", f"{len(member.comment)} bytes" if member.comment else "", "")
        plain = (20, 0, 0x10 if member.kind is MemberKind.DIRECTORY else 0, 0)
        change(path, "version needed, internal and DOS attributes, local extra size", member.others, plain)
        made = self.last is not None and self.last[0] == path and bool(self.changed)
        if path not in self.changed and not made and member.packed() != packed:
            change(path, "packed bytes", member.packing, f"{COMPRESSOR.package} {COMPRESSOR.version}")

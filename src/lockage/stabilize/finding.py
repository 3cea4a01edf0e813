"""What is not deterministic or not valid about one archive: the same passes, and what they would change, put as findings.

Invariant: an archive that the passes leave as it is has no finding of the level ``varies``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from lockage.base.errors import StepFailed
from lockage.base.instant import ZIP_FLOOR, Instant
from lockage.stabilize.choice import Choice
from lockage.stabilize.content import contents_of
from lockage.stabilize.errors import Unhandled
from lockage.stabilize.model import DATE, MemberKind, archive_kind
from lockage.stabilize.passes import PASSES, has_pass, stabilize

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lockage.stabilize.member import Member
    from lockage.stabilize.model import Change, PassReport, Report

__all__ = ["CODES", "Finding", "Level", "check_archive", "own_date"]

#: The passes that are off by themselves find something as well.
_EVERY = Choice(on=("elf",))
#: Bytes at the start of a member in which a NUL makes it binary.
_HEAD = 8192


class Level(StrEnum):
    """How bad a finding is; declared from the worst."""

    #: Readers may disagree about the archive, or it contradicts itself.
    INVALID = "invalid"
    #: The same build again could give other bytes.
    VARIES = "varies"
    #: Worth knowing, no fault.
    NOTE = "note"


class Finding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing found, alike in ``count`` places; ``path`` is the first (``inner.zip!member``), empty for the archive itself."""

    code: str
    level: Level
    path: str
    message: str
    remedy: str
    count: int = 1


_SORT = "Sort what is packed by name, and pack it in that order."
_DATES = "Give every member one time, `SOURCE_DATE_EPOCH`."
#: By code: its level where it has only one, else the worse and the better; and what to do.
CODES = {
    "times": ("varies", _DATES),
    "order": ("varies; a note if it follows from the names", _SORT),
    "modes": ("varies", "Pack files as 0644, 0755 if they are to be executed, and folders as 0755, whatever the umask is."),
    "owners": ("varies", "Pack as owner 0 of no name (`tar --owner=0 --group=0 --numeric-owner`)."),
    "host": ("varies", "Pack without comments, extra fields and attributes of the host; `lockage stabilize` takes them away."),
    "stray-bytes": ("varies", "Pack anew: bytes that belong to no member are left over, or hidden."),
    "stamp": ("varies", "Tell the tool that wrote it the date (most know `SOURCE_DATE_EPOCH`), or let `lockage stabilize` set it."),
    "build-folder": ("varies", "Build in a folder of a fixed name, or map it away (`-ffile-prefix-map=$PWD=.`, `--remap-path-prefix`)."),
    "duplicate-name": ("invalid", "Pack every path once: which of the members is used depends on the reader."),
    "member-malformed": (
        "invalid",
        "Write the member with a tool that makes correct files, or give it a name that does not claim to be one.",
    ),
    "host-path": ("note", "See whether the path is meant; if it is the build's, map it away (`-ffile-prefix-map=$PWD=.`)."),
    "compression": (
        "note",
        "Nothing, unless machines must give the same bytes: then pack with a pinned packer, as `lockage stabilize` does.",
    ),
    "kept": ("note", "Nothing: `lockage stabilize` leaves it as it is."),
    "no-pass": ("note", "Nothing: only files that a pass is for are checked."),
}
_RECORD = "Make the wheel with a tool that writes `RECORD`; `lockage stabilize` never repairs it."
#: By the field of a change: the finding that it is. What is not here is a stamp if a pass over members changed it, else of the host.
_FIELDS = {
    **dict.fromkeys(("mtime", "gzip mtime"), "times"),
    **dict.fromkeys(("member order", "lines", "Tag lines"), "order"),
    "mode": "modes",
    **dict.fromkeys(("uid", "gid", "uname", "gname"), "owners"),
    **dict.fromkeys(("packed bytes", "tar dialect", "gzip extra flags", "gzip os", "flags", "creator"), "compression"),
    "version needed, internal and DOS attributes, local extra size": "compression",
    "unreferenced bytes": "stray-bytes",
    "rows": "",  # follows from what changed in the members
}
#: Digits of a build id that may be a random one (`--build-id=uuid`).
_RANDOM_ID = 32
_CONTAINERS = frozenset(each.name for each in PASSES if each.container)


def own_date(filename: str, data: bytes) -> Instant:
    """The newest time that an archive's own members carry, a zip's taken for UTC; 1980-01-01 if there is none."""
    newest = int(ZIP_FLOOR)
    for member in contents_of(filename, data).members or ():
        text = member.fields().get("mtime", "0")
        try:
            found = int(Instant.parse(f"{text.replace(' ', 'T')}Z")) if " " in text else int(text.partition(".")[0])
        except ValueError:  # a month or a day that there is not
            continue
        newest = max(newest, found)
    return Instant(newest)


def check_archive(filename: str, data: bytes, date: Instant | None = None) -> tuple[Finding, ...]:
    """Everything found, the worst first. Without a date an archive's own newest time is taken for it, so that one time throughout is right.

    Raises :class:`CompressorDiffers` only.
    """
    if not has_pass(filename, data, _EVERY):
        return (_finding("no-pass", Level.NOTE, "", "no pass is for a file of this name"),)
    try:
        report = _report(filename, data, date)
        members = contents_of(filename, data).members or ()
        systematic = _systematic([member.path for member in members])
        found = [*_of_report(report, systematic=systematic), *_of_members(members)]
    except StepFailed as error:
        return (Finding(code=error.code, level=Level.INVALID, path="", message=str(error), remedy=error.hint),)
    except Unhandled as reason:
        return (_finding("kept", Level.NOTE, "", str(reason)),)
    order = list(Level)
    return tuple(sorted(found, key=lambda finding: order.index(finding.level)))


def _report(filename: str, data: bytes, date: Instant | None) -> Report:
    """What the passes would do; a zip's own time may have lost a second, so the one after it is tried as well."""
    if date is not None:
        return stabilize(filename, data, date, choice=_EVERY).report
    own = own_date(filename, data)
    reports = [stabilize(filename, data, own, choice=_EVERY).report]
    if any(change.after == DATE for done in reports[0].passes if done.name not in _CONTAINERS for change in done.changes):
        reports.append(stabilize(filename, data, Instant(own + 1), choice=_EVERY).report)
    return min(reports, key=lambda report: sum(change.count for done in report.passes for change in done.changes))


def _finding(code: str, level: Level, path: str, message: str, count: int = 1) -> Finding:
    return Finding(code=code, level=level, path=path, message=message, remedy=CODES[code][1], count=count)


def _of_report(report: Report, *, systematic: bool) -> Iterator[Finding]:
    for done in report.passes:
        if done.kept is not None:
            yield _finding("kept", Level.NOTE, "", done.kept)
        for fault in done.faults:
            if fault.code == "member-duplicate" and "!" not in fault.path:
                continue  # found among the members
            if fault.code in ("member-kept", "member-deep", "member-size", "record-signed", "record-hash-unchecked"):
                yield _finding("kept", Level.NOTE, fault.path, fault.message)
            else:
                code = {"member-duplicate": "duplicate-name", "prefixed": "stray-bytes"}.get(fault.code, fault.code)
                remedy = CODES[code][1] if code in CODES else _RECORD
                yield Finding(code=code, level=Level.INVALID, path=fault.path, message=fault.message, remedy=remedy)
        for change in done.changes:
            yield from _of_change(done, change, systematic=systematic)


def _of_change(done: PassReport, change: Change, *, systematic: bool) -> Iterator[Finding]:
    code = _FIELDS.get(change.field, "host" if done.name in _CONTAINERS else "stamp")
    if not code or (change.field == "build id" and len(change.before) != _RANDOM_ID):
        return  # a linker's digest of the file is as stable as the file
    noted = code == "compression" or change.field in ("build id", "Tag lines") or (code == "order" and systematic)
    message = f"{change.field}: {change.before or 'nothing'}, stable would be {change.after or 'nothing'}"
    if code == "times":
        message = f"{change.field}: {change.before}, not the one time of the archive"
    yield _finding(code, Level.NOTE if noted else Level.VARIES, change.path, message, change.count)


def _systematic(paths: Sequence[str]) -> bool:
    """Whether paths are in an order that follows from them alone: as texts, by segment, or folder by folder with its files first.

    What is in .dist-info may come behind the rest.
    """
    apart = [[path for path in paths if (".dist-info/" in path) is last] for last in (False, True)]
    groups = apart if [*apart[0], *apart[1]] == list(paths) else [list(paths)]
    return all(any(group == sorted(group, key=key) for key in (str.encode, _segments, _walked)) for group in groups)


def _segments(path: str) -> tuple[int, list[str]]:
    return path.endswith("/RECORD"), path.split("/")


def _walked(path: str) -> tuple[int, list[tuple[bool, str]]]:
    *folders, file = path.split("/")
    return path.endswith(".dist-info/RECORD"), [*((True, name) for name in folders), (False, file)]


def _of_members(members: Sequence[Member]) -> Iterator[Finding]:
    from lockage.stabilize.places import RANDOM_FOLDER, host_path  # compiled only where something is searched

    seen: set[str] = set()
    for member in members:
        if member.path in seen:
            yield _finding("duplicate-name", Level.INVALID, member.path, "the archive holds it more than once")
        seen.add(member.path)
        if member.kind is not MemberKind.FILE or archive_kind(member.path) is not None:
            continue
        data = member.read()
        found = RANDOM_FOLDER.search(data)
        if found:
            text = found[0].decode("ascii", "replace")
            yield _finding("build-folder", Level.VARIES, member.path, f"a temporary folder of a random name: …{text}")
        elif b"\0" in data[:_HEAD] and (path := host_path(data)):
            yield _finding("host-path", Level.NOTE, member.path, f"a path that another machine may not have: {path[:120]}")

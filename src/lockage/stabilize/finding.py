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
from lockage.stabilize.model import MemberKind, archive_kind
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
#: By code: what to do.
CODES = {
    "times": _DATES,
    "order": _SORT,
    "modes": "Pack files as 0644, 0755 if they are to be executed, and folders as 0755, whatever the umask is.",
    "owners": "Pack as owner 0 of no name (`tar --owner=0 --group=0 --numeric-owner`).",
    "host": "Pack without comments, extra fields and attributes of the host; `lockage stabilize` takes them away.",
    "stray-bytes": "Pack anew: bytes that belong to no member are left over, or hidden.",
    "compression": "Nothing, unless other machines must give the same bytes: then pack with one pinned packer, as `lockage stabilize` does.",
    "stamp": "Tell the tool that wrote it the date (most know `SOURCE_DATE_EPOCH`), or let `lockage stabilize` set it.",
    "build-folder": "Build in a folder of a fixed name, or map it away (`-ffile-prefix-map=$PWD=.`, `--remap-path-prefix`).",
    "host-path": "See whether the path is meant; if it is the build's, map it away (`-ffile-prefix-map=$PWD=.`).",
    "duplicate-name": "Pack every path once: which of the members is used depends on the reader.",
    "kept": "Nothing: `lockage stabilize` leaves it as it is.",
    "no-pass": "Nothing: only files that a pass is for are checked.",
}
_RECORD = "Make the wheel with a tool that writes `RECORD`; `lockage stabilize` never repairs it."
#: By the field of a change: the finding that it is. What is not here is a stamp if a pass over members changed it, else of the host.
_FIELDS = {
    **dict.fromkeys(("mtime", "gzip mtime"), "times"),
    **dict.fromkeys(("member order", "lines", "Tag lines"), "order"),
    "mode": "modes",
    **dict.fromkeys(("uid", "gid", "uname", "gname"), "owners"),
    **dict.fromkeys(("packed bytes", "tar dialect", "gzip extra flags", "flags", "creator"), "compression"),
    "version needed, internal and DOS attributes, local extra size": "compression",
    "unreferenced bytes": "stray-bytes",
    "rows": "",  # follows from what changed in the members
}
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
        found = [*_of_report(report), *_of_members(contents_of(filename, data).members or ())]
    except (StepFailed, Unhandled) as error:
        hint = error.hint if isinstance(error, StepFailed) else CODES["kept"]
        code = error.code if isinstance(error, StepFailed) else "kept"
        return (Finding(code=code, level=Level.INVALID, path="", message=str(error), remedy=hint),)
    order = list(Level)
    return tuple(sorted(found, key=lambda finding: order.index(finding.level)))


def _report(filename: str, data: bytes, date: Instant | None) -> Report:
    """What the passes would do; a zip's own time may have lost a second, so the one after it is tried as well."""
    if date is not None:
        return stabilize(filename, data, date, choice=_EVERY).report
    own = own_date(filename, data)
    reports = [stabilize(filename, data, own, choice=_EVERY).report]
    if any(done.changes for done in reports[0].passes if done.name not in _CONTAINERS):
        reports.append(stabilize(filename, data, Instant(own + 1), choice=_EVERY).report)
    return min(reports, key=lambda report: sum(change.count for done in report.passes for change in done.changes))


def _finding(code: str, level: Level, path: str, message: str, count: int = 1) -> Finding:
    return Finding(code=code, level=level, path=path, message=message, remedy=CODES[code], count=count)


def _of_report(report: Report) -> Iterator[Finding]:
    for done in report.passes:
        if done.kept is not None:
            yield _finding("kept", Level.NOTE, "", done.kept)
        for fault in done.faults:
            if fault.code in ("member-kept", "member-deep", "member-size", "record-signed", "record-hash-unchecked"):
                yield _finding("kept", Level.NOTE, fault.path, fault.message)
            else:
                remedy = _RECORD if fault.code.startswith("record") else StepFailed.hint
                remedy = CODES["duplicate-name"] if fault.code == "member-duplicate" else remedy
                yield Finding(code=fault.code, level=Level.INVALID, path=fault.path, message=fault.message, remedy=remedy)
        for change in done.changes:
            finding = _of_change(done, change)
            if finding is not None:
                yield finding


def _of_change(done: PassReport, change: Change) -> Finding | None:
    inside = done.name not in _CONTAINERS
    code = _FIELDS.get(change.field, "stamp" if inside else "host")
    if not code:
        return None
    level = Level.NOTE if code == "compression" else Level.VARIES
    message = f"{change.field}: {change.before or 'nothing'}, stable would be {change.after or 'nothing'}"
    if code == "times":
        message = f"{change.field}: {change.before}, not the one time of the archive"
    return _finding(code, level, change.path, message, change.count)


def _of_members(members: Sequence[Member]) -> Iterator[Finding]:
    from lockage.stabilize.places import BUILD_PATH, RANDOM_FOLDER  # compiled only where something is searched

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
        elif b"\0" in data[:_HEAD] and (path := BUILD_PATH.search(data)):
            text = path[0].decode("ascii", "replace")[:120]
            yield _finding("host-path", Level.NOTE, member.path, f"a path that another machine may not have: {text}")

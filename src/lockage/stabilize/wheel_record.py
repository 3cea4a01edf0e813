"""A wheel's RECORD: checked against the members, then its lines put in one order, with new hashes of what passes changed. It is never
repaired.

Binary distribution format: RECORD is a CSV of path, hash and size; every file but RECORD itself and its signatures is
listed with a sha256 or better. A RECORD that does not hold, or that is signed, stays byte for byte as it is.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from types import MappingProxyType
from typing import TYPE_CHECKING

from lockage.base.digest import Digest
from lockage.stabilize.model import Fault, MemberKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lockage.stabilize.member import Member

__all__ = ["check_record", "find_record", "hash_of", "in_order"]

_SIGNATURES = (".jws", ".p7s")
_Row = tuple[str, str, str]


def find_record(members: Sequence[Member]) -> tuple[Member | None, tuple[Fault, ...]]:
    """The wheel's one RECORD, or the faults that say why there is none."""
    found = [
        member
        for member in members
        if member.path.endswith(".dist-info/RECORD") and member.path.count("/") == 1 and member.kind is MemberKind.FILE
    ]
    if len(found) == 1:
        return found[0], ()
    message = "the wheel has no RECORD in its .dist-info" if not found else f"the wheel has {len(found)} RECORDs"
    return None, (Fault(code="record-missing" if not found else "record-ambiguous", path="", message=message),)


def in_order(text: str, record: str, changed: Mapping[str, tuple[str, int]] = MappingProxyType({})) -> str:
    """The same rows sorted by path, RECORD's own row last; ``text`` must be a RECORD without faults.

    Rows of ``changed`` members, by path, get their new hash (:func:`hash_of`) and size.
    """
    import csv  # loaded only for wheels
    import io

    rows = sorted(_rows(text), key=lambda row: (row[0] == record, row[0].encode()))
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows((path, *changed[path]) if path in changed else (path, *rest) for path, *rest in rows)
    return out.getvalue()


def hash_of(data: bytes) -> str:
    """A file's hash as RECORD writes it."""
    return "sha256=" + urlsafe_b64encode(Digest.of(data).raw).rstrip(b"=").decode()


def _rows(text: str) -> list[_Row]:
    import csv  # loaded only for wheels
    import io

    found: list[_Row] = []
    for row in csv.reader(io.StringIO(text, newline="")):
        if row:
            if len(row) != 3:
                raise ValueError(f"a row with {len(row)} fields instead of 3: {','.join(row)[:100]!r}")
            found.append((row[0], row[1], row[2]))
    return found


def check_record(members: Sequence[Member], record: Member) -> tuple[Fault, ...]:
    """Everything in which RECORD and the members disagree; empty if the wheel is whole."""
    try:
        rows = _rows(record.read().decode())
    except ValueError as error:
        return (Fault(code="record-unreadable", path=record.path, message=f"RECORD is not the CSV of UTF-8 text that it must be: {error}"),)
    faults: list[Fault] = []
    listed: dict[str, _Row] = {}
    for row in rows:
        if row[0] in listed:
            faults.append(Fault(code="record-duplicate", path=row[0], message="RECORD lists it twice"))
        listed[row[0]] = row
    exempt = {record.path, *(record.path + suffix for suffix in _SIGNATURES)}
    files: set[str] = set()
    for member in members:
        if member.kind is MemberKind.DIRECTORY:
            continue
        if member.path in files:
            faults.append(Fault(code="member-duplicate", path=member.path, message="the wheel holds it twice"))
        files.add(member.path)
        if member.path not in listed:
            if member.path not in exempt or member.path == record.path:
                faults.append(Fault(code="record-unlisted", path=member.path, message="the wheel holds it, RECORD does not list it"))
        elif member.path not in exempt:
            faults.extend(_check(member, listed[member.path]))
    faults += [
        Fault(code="record-absent", path=path, message="RECORD lists it, the wheel does not hold it")
        for path in listed
        if path not in files
    ]
    if any(member.path in exempt and member.path != record.path for member in members):
        faults.append(Fault(code="record-signed", path=record.path, message="RECORD is signed, so its lines were not put in order"))
    return tuple(faults)


def _check(member: Member, row: _Row) -> list[Fault]:
    path, declared, size = row
    algorithm, _, value = declared.partition("=")
    if algorithm != "sha256":
        code = "record-hash-unchecked" if algorithm in ("sha384", "sha512") else "record-hash-weak"
        return [Fault(code=code, path=path, message=f"RECORD gives it a hash that is not checked here: {declared[:80]!r}")]
    data = member.read()
    found = hash_of(data)
    if declared.rstrip("=") != found:
        return [Fault(code="record-hash", path=path, message=f"RECORD says sha256={value[:60]}, its bytes are {found}")]
    if size and size != str(len(data)):
        return [Fault(code="record-size", path=path, message=f"RECORD says {size[:20]} bytes, it has {len(data)}")]
    return []

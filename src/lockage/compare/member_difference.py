"""One member's difference: its fields as people read them, and its content as a form tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from lockage.base.instant import Instant
from lockage.compare.content import first_difference, ranges_of, window
from lockage.compare.difference import DifferenceKind, FieldDifference, MemberDifference

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockage.compare.finding import Finding
    from lockage.stabilize.member import Member

__all__ = ["content_difference", "facts_of", "fields_of", "gzip_fields_differing"]

#: So many details of a file are listed, and so long may a value be.
_DETAILS, _VALUE = 200, 120


def content_difference(path: str, a: bytes, b: bytes, fields: tuple[FieldDifference, ...], found: Finding | None) -> MemberDifference:
    """The difference of two contents, told with what a form found, if one was asked."""
    offset = first_difference(a, b)
    plain = MemberDifference(
        path=path,
        kind=DifferenceKind.CONTENT,
        offset=offset,
        sizes=(len(a), len(b)),
        bytes_a=window(a, offset or 0),
        bytes_b=window(b, offset or 0),
        fields=fields,
    )
    if found is None:
        return plain
    ranges = found.ranges
    only_follows = bool(found.follows) and not found.details
    if ranges is None and not found.diff and found.nested is None and not only_follows:
        ranges = ranges_of(a, b)
    return replace(
        plain,
        form=found.form,
        details=found.details[:_DETAILS],
        omitted=max(len(found.details) - _DETAILS, 0),
        diff=found.diff,
        spans=ranges.spans if ranges is not None else (),
        ranges=ranges.count if ranges is not None else 0,
        differing=ranges.differing if ranges is not None else 0,
        follows=found.follows,
        nested=found.nested,
    )


def fields_of(a: Mapping[str, str], b: Mapping[str, str]) -> tuple[FieldDifference, ...]:
    """The fields that differ; numbers of seconds are told as times."""
    keys = dict.fromkeys((*a, *b))
    return tuple(
        FieldDifference(field=key, a=_value(key, a.get(key, "")), b=_value(key, b.get(key, "")))
        for key in keys
        if a.get(key, "") != b.get(key, "")
    )


def _value(key: str, value: str) -> str:
    whole = value.partition(".")[0]
    if key.endswith(("mtime", "atime", "ctime")) and whole.isdecimal() and len(whole) <= 11:
        return f"{Instant(int(whole))} ({value})" if value != "0" else "0"
    return value[:_VALUE]


def gzip_fields_differing(a: bytes, b: bytes) -> tuple[FieldDifference, ...]:
    """What the headers of two gzip files say otherwise, whatever they hold."""
    if not (a.startswith(b"\x1f\x8b") and b.startswith(b"\x1f\x8b")):
        return ()
    from lockage.stabilize.tar_pass import gzip_fields

    try:
        return fields_of(*({f"gzip {key}": value for key, value in gzip_fields(data).items()} for data in (a, b)))
    except (ValueError, IndexError):
        return ()


def facts_of(member: Member) -> dict[str, str]:
    """What the content digest says of a member beside its bytes."""
    return {"type": member.kind.value, "executable": str(member.executable).lower(), "link target": member.target or ""}

"""What is compared: one file, or several under one title."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lockage.base.errors import Usage
from lockage.compare.archives import compare_members
from lockage.compare.files import compare_files
from lockage.compare.member_difference import fields_of
from lockage.stabilize.model import archive_kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lockage.compare.difference import Comparison, FieldDifference
    from lockage.stabilize.member import Member

__all__ = ["FileSide", "Incomparable", "SetSide", "Side", "compare_sides"]

_DEPTH = 8


class Incomparable(Usage):
    """One of the two is a file, the other holds several."""

    code = "incomparable"
    hint = "Compare two files, or two of folders and releases; a file of a release is RELEASE/NAME."


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSide:
    """One file; ``title`` is how it was asked for."""

    title: str
    name: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSide:
    """Several files, sorted by path. ``fields`` are told where they differ; ``key`` gives what a path is paired by."""

    title: str
    members: Sequence[Member]
    fields: Mapping[str, str] = field(default_factory=dict)
    key: Callable[[str], str] = str


Side = FileSide | SetSide


def compare_sides(a: Side, b: Side) -> Comparison:
    """Everything that differs between the two. Raises :class:`Incomparable`, and what the members' readers raise."""
    if isinstance(a, FileSide) and isinstance(b, FileSide):
        # of two names the one that says what the bytes are
        name = b.name if archive_kind(a.name) is None and archive_kind(b.name) is not None else a.name
        return compare_files(name, a.data, b.data, depth=_DEPTH)
    if isinstance(a, FileSide) or isinstance(b, FileSide):
        one, two = ("one file", "several") if isinstance(a, FileSide) else ("several", "one file")
        raise Incomparable(f"{a.title} is {one}, {b.title} is {two}", a=a.title, b=b.title)
    name = a.title if a.title == b.title else f"{a.title} and {b.title}"
    fields: tuple[FieldDifference, ...] = fields_of(a.fields, b.fields)
    return compare_members(name, a.members, b.members, depth=_DEPTH, keys=(a.key, b.key), fields=fields)

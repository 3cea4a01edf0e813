"""What differs between two files, as data: rendered here as text, elsewhere as HTML, and the ground that blame stands on."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from lockage.compare.grade import Grade

__all__ = ["Comparison", "DifferenceKind", "FieldDifference", "MemberDifference"]


class DifferenceKind(StrEnum):
    """In what a member differs; the worst of what applies."""

    ONLY_IN_A = "only-in-a"
    ONLY_IN_B = "only-in-b"
    CONTENT = "content"
    METADATA = "metadata"


class FieldDifference(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One field other than the content: mtime, mode, order, compression and the like; values as text, cut when long."""

    field: str
    a: str
    b: str


class MemberDifference(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A member of both archives that differs, or of one that the other lacks; the file itself has an empty path.

    ``offset`` is the first byte that differs (the end of the shorter one, if it is all there is of it), ``sizes`` both sizes in
    bytes, ``bytes_a`` and ``bytes_b`` up to 16 bytes from the offset on, in hex. ``diff`` are a few lines of a text's difference.
    """

    path: str
    kind: DifferenceKind
    offset: int | None = None
    sizes: tuple[int, int] | None = None
    bytes_a: str = ""
    bytes_b: str = ""
    fields: tuple[FieldDifference, ...] = ()
    diff: tuple[str, ...] = ()
    nested: Comparison | None = None


class Comparison(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How alike two files of one name are, and in what they differ; ``omitted`` differences were found but not listed."""

    name: str
    grade: Grade
    members: tuple[MemberDifference, ...] = ()
    omitted: int = 0

"""What differs between two files, as data: rendered as text and as HTML, printed as JSON, and the ground that blame stands on."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from lockage.compare.grade import Grade

__all__ = ["Comparison", "Detail", "DifferenceKind", "FieldDifference", "MemberDifference", "Span"]


class DifferenceKind(StrEnum):
    """In what a member differs; the worst of what applies."""

    ONLY_IN_A = "only-in-a"
    ONLY_IN_B = "only-in-b"
    CONTENT = "content"
    METADATA = "metadata"
    #: The same bytes under another path.
    MOVED = "moved"


class FieldDifference(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One field other than the content: mtime, mode, order, compression and the like; values as text, cut when long."""

    field: str
    a: str
    b: str


class Detail(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing within a file that differs, in the words of its format: a section, a symbol, a key, a chunk.

    ``a`` or ``b`` is None where that side has none; values are text, cut when long.
    """

    kind: str
    name: str
    a: str | None
    b: str | None


class Span(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A range of bytes that differs: where it begins in ``a``, its length on each side, and up to 16 bytes of each, in hex.

    ``place`` is what lies there: the section and the symbol of an ELF file.
    """

    offset: int
    lengths: tuple[int, int]
    a: str
    b: str
    place: str = ""


class MemberDifference(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A member of both archives that differs, or of one that the other lacks; the file itself has an empty path.

    ``path`` is that in b where both have one; ``origin`` is that in a, if it is another. ``offset`` is the first byte that differs
    (the end of the shorter one, if it is all there is of it), ``sizes`` both sizes in bytes, ``bytes_a`` and ``bytes_b`` up to 16 bytes
    from the offset on, in hex.

    ``form`` is what both were read as; ``details`` what differs in its words, ``omitted`` of which are not listed; ``diff`` is a unified
    diff of a text. ``spans`` are the first of ``ranges`` ranges of bytes, with ``differing`` bytes in all. ``follows`` says what this
    difference is only a consequence of.
    """

    path: str
    kind: DifferenceKind
    origin: str = ""
    offset: int | None = None
    sizes: tuple[int, int] | None = None
    bytes_a: str = ""
    bytes_b: str = ""
    fields: tuple[FieldDifference, ...] = ()
    form: str = ""
    details: tuple[Detail, ...] = ()
    omitted: int = 0
    diff: tuple[str, ...] = ()
    spans: tuple[Span, ...] = ()
    ranges: int = 0
    differing: int = 0
    follows: str = ""
    nested: Comparison | None = None


class Comparison(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How alike two files are, and in what they differ; ``omitted`` differences were found but not listed."""

    name: str
    grade: Grade
    members: tuple[MemberDifference, ...] = ()
    omitted: int = 0

"""A comparison as lines: what differs first, then how. Nothing of a path or of a file is trusted to be printable."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from lockage.compare.difference import DifferenceKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lockage.compare.difference import Comparison, Detail, MemberDifference, Span

__all__ = ["Line", "Role", "lines_of", "printable", "render_text", "said_of", "sorted_members", "span_title"]

_ORDER = {
    DifferenceKind.CONTENT: 0,
    DifferenceKind.MOVED: 1,
    DifferenceKind.ONLY_IN_A: 2,
    DifferenceKind.ONLY_IN_B: 3,
    DifferenceKind.METADATA: 4,
}


class Role(StrEnum):
    """What a line is, so that a screen can show it as such."""

    TITLE = "title"
    MEMBER = "member"
    PLAIN = "plain"
    A = "a"
    B = "b"
    NOTE = "note"


class Line(NamedTuple):
    """One line, how deep it is nested, and what it is."""

    depth: int
    role: Role
    text: str


def render_text(comparison: Comparison, *, members: int = 40) -> list[str]:
    """The comparison as plain text: the grade, then up to ``members`` of everything that is listed, contents before metadata."""
    return [f"{'  ' * line.depth}{line.text}" for line in lines_of(comparison, limit=members)]


def lines_of(comparison: Comparison, *, limit: int, depth: int = 0) -> Iterator[Line]:
    """The same with what each line is; ``limit`` is that of members, of details and of lines of a text."""
    yield Line(depth, Role.TITLE, f"{printable(comparison.name)}: {comparison.grade}")
    ordered = sorted_members(comparison)
    for difference in ordered[:limit]:
        yield from _member(difference, limit, depth + 1)
    more = max(len(ordered) - limit, 0) + comparison.omitted
    if more:
        yield Line(depth + 1, Role.NOTE, f"… and {more} more")


def sorted_members(comparison: Comparison) -> list[MemberDifference]:
    """Contents before metadata, consequences last of their kind."""
    return sorted(comparison.members, key=lambda difference: (_ORDER[difference.kind], bool(difference.follows), difference.path))


def printable(text: str) -> str:
    """The text with everything escaped that could steer a terminal or reorder a line."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def said_of(difference: MemberDifference) -> str:
    """What is said of a member in one line."""
    a, b = difference.sizes or (0, 0)
    match difference.kind:
        case DifferenceKind.ONLY_IN_A | DifferenceKind.ONLY_IN_B:
            return f"only in {difference.kind[-1]} ({max(a, b)} bytes)"
        case DifferenceKind.MOVED:
            return f"moved from {printable(difference.origin)} ({b} bytes)"
        case DifferenceKind.METADATA:
            return "metadata"
        case DifferenceKind.CONTENT:
            sizes = f"{a} bytes" if a == b else f"{a} and {b} bytes"
            return f"content differs from byte {difference.offset} on ({sizes})"


def _member(difference: MemberDifference, limit: int, depth: int) -> Iterator[Line]:
    path = printable(difference.path) or "the file itself"
    if difference.origin and difference.kind is not DifferenceKind.MOVED:
        path = f"{path} (in a: {printable(difference.origin)})"
    yield Line(depth, Role.MEMBER, f"{path}: {said_of(difference)}")
    depth += 1
    if difference.follows:
        yield Line(depth, Role.NOTE, f"follows from others: {printable(difference.follows)}")
    for field in difference.fields:
        yield Line(depth, Role.PLAIN, f"{field.field}: {printable(field.a) or '-'} | {printable(field.b) or '-'}")
    yield from _details(difference.details, difference.omitted, limit, depth)
    if difference.nested is not None:
        yield from lines_of(difference.nested, limit=limit, depth=depth)
    elif difference.diff:
        yield from _diff(difference.diff, limit, depth)
    elif difference.spans:
        yield from _spans(difference, limit, depth)
    elif (difference.bytes_a or difference.bytes_b) and not difference.follows:
        yield Line(depth, Role.A, f"a: {difference.bytes_a}")
        yield Line(depth, Role.B, f"b: {difference.bytes_b}")


def _details(details: Sequence[Detail], omitted: int, limit: int, depth: int) -> Iterator[Line]:
    for detail in details[:limit]:
        name = f"{detail.kind} {printable(detail.name)}".rstrip()
        if detail.a is None or detail.b is None:
            side, value = ("b", detail.b) if detail.a is None else ("a", detail.a)
            yield Line(depth, Role.PLAIN, f"{name}: only in {side}" + (f" ({printable(value or '')})" if value != "present" else ""))
        else:
            same = detail.a == detail.b
            yield Line(depth, Role.PLAIN, f"{name}: {printable(detail.a)}" + ("" if same else f" | {printable(detail.b)}"))
    more = max(len(details) - limit, 0) + omitted
    if more:
        yield Line(depth, Role.NOTE, f"… and {more} more of these")


def _diff(diff: Sequence[str], limit: int, depth: int) -> Iterator[Line]:
    for line in diff[:limit]:
        role = {"-": Role.A, "+": Role.B, "@": Role.NOTE, "…": Role.NOTE}.get(line[:1], Role.PLAIN)
        yield Line(depth, role, printable(line))
    if len(diff) > limit:
        yield Line(depth, Role.NOTE, f"… and {len(diff) - limit} more lines")


def _spans(difference: MemberDifference, limit: int, depth: int) -> Iterator[Line]:
    shown = difference.spans[:limit]
    for span in shown:
        yield Line(depth, Role.PLAIN, span_title(span))
        yield Line(depth + 1, Role.A, f"- {_hex(span.a, span.lengths[0])}")
        yield Line(depth + 1, Role.B, f"+ {_hex(span.b, span.lengths[1])}")
    if difference.ranges > len(shown):
        more = difference.ranges - len(shown)
        yield Line(depth, Role.NOTE, f"… and {more} more ranges; {difference.differing} bytes differ in all")


def span_title(span: Span) -> str:
    """Where a range lies, and how long it is."""
    a, b = span.lengths
    length = f"{a} bytes" if a == b and a != 1 else "1 byte" if a == b else f"{a} and {b} bytes"
    return f"{length} at {hex(span.offset)}" + (f": {printable(span.place)}" if span.place else "")


def _hex(text: str, length: int) -> str:
    """Bytes in hex with what of them is text beside it, as hexdump shows them."""
    if not text:
        return "(nothing)"
    plain = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in bytes.fromhex(text))
    more = " …" if length > len(plain) else ""
    return f"{text}{more}  |{plain}|"

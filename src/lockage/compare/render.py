"""A comparison as lines of plain text: what differs first, then how; nothing of a path is trusted to be printable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.compare.difference import DifferenceKind

if TYPE_CHECKING:
    from lockage.compare.difference import Comparison, MemberDifference

__all__ = ["render_text"]

_ORDER = {DifferenceKind.CONTENT: 0, DifferenceKind.ONLY_IN_A: 1, DifferenceKind.ONLY_IN_B: 2, DifferenceKind.METADATA: 3}


def render_text(comparison: Comparison, *, members: int = 40) -> list[str]:
    """The comparison as text: the grade, then up to ``members`` differences, contents before metadata."""
    lines = [f"{_shown(comparison.name)}: {comparison.grade}"]
    ordered = sorted(comparison.members, key=lambda difference: (_ORDER[difference.kind], difference.path))
    for difference in ordered[:members]:
        lines += [f"  {line}" for line in _member(difference, members)]
    more = max(len(ordered) - members, 0) + comparison.omitted
    if more:
        lines.append(f"  … and {more} more")
    return lines


def _shown(text: str) -> str:
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def _member(difference: MemberDifference, members: int) -> list[str]:
    path = _shown(difference.path) or "the file itself"
    a, b = difference.sizes or (0, 0)
    if difference.kind in (DifferenceKind.ONLY_IN_A, DifferenceKind.ONLY_IN_B):
        return [f"{path}: only in {difference.kind[-1]} ({max(a, b)} bytes)"]
    sizes = f"{a} bytes" if a == b else f"{a} and {b} bytes"
    content = difference.kind is DifferenceKind.CONTENT
    lines = [f"{path}: content differs from byte {difference.offset} on ({sizes})" if content else f"{path}: metadata"]
    lines += [f"  {field.field}: {_shown(field.a) or '-'} | {_shown(field.b) or '-'}" for field in difference.fields]
    if difference.nested is not None:
        return lines + [f"  {line}" for line in render_text(difference.nested, members=members)]
    if difference.diff:
        lines += [f"  {_shown(line)}" for line in difference.diff]
    elif content:
        lines += [f"  a: {difference.bytes_a}", f"  b: {difference.bytes_b}"]
    return lines

"""How two texts differ, line by line: a unified diff in bounded time.

Lines that stand once in both texts and in the same order are anchors (patience diff); only what lies between two anchors, if it is
small, is compared line against line. So the time grows with n·log n, and not with n², whatever the texts are.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    _Block = tuple[int, int, int, int]

__all__ = ["changed_blocks", "unified"]

#: Between two anchors so many lines against so many are compared closely, and so many pairs of lines in all; the rest is replaced whole.
_CLOSELY, _PAIRS = 200, 1_000_000
_WIDTH = 160
_LEAD = 60


def changed_blocks(a: Sequence[str], b: Sequence[str]) -> list[_Block]:
    """What was replaced, as (start in a, stop in a, start in b, stop in b), in order."""
    start, least = 0, min(len(a), len(b))
    while start < least and a[start] == b[start]:
        start += 1
    stop_a, stop_b = len(a), len(b)
    while stop_a > start and stop_b > start and a[stop_a - 1] == b[stop_b - 1]:
        stop_a, stop_b = stop_a - 1, stop_b - 1
    found: list[_Block] = []
    at_a, at_b = start, start
    pairs = 0
    for one, two in (*_anchors(a, b, start, stop_a, stop_b), (stop_a, stop_b)):
        pairs += (one - at_a) * (two - at_b)
        found += _between(a, b, (at_a, one, at_b, two), closely=pairs <= _PAIRS)
        at_a, at_b = one + 1, two + 1
    return _joined(found)


def _anchors(a: Sequence[str], b: Sequence[str], start: int, stop_a: int, stop_b: int) -> list[tuple[int, int]]:
    """The longest rising sequence of lines that are unique on both sides."""
    in_a, in_b = _unique(a, start, stop_a), _unique(b, start, stop_b)
    pairs = sorted((index, in_b[line]) for line, index in in_a.items() if line in in_b)
    tails: list[int] = []
    last: list[int] = []
    before: list[int] = []
    for number, (_, right) in enumerate(pairs):
        place = bisect_left(tails, right)
        tails[place : place + 1] = [right]
        last[place : place + 1] = [number]
        before.append(last[place - 1] if place else -1)
    found: list[tuple[int, int]] = []
    number = last[-1] if last else -1
    while number >= 0:
        found.append(pairs[number])
        number = before[number]
    return found[::-1]


def _unique(lines: Sequence[str], start: int, stop: int) -> dict[str, int]:
    found: dict[str, int] = {}
    for index in range(start, stop):
        found[lines[index]] = -1 if lines[index] in found else index
    return {line: index for line, index in found.items() if index >= 0}


def _between(a: Sequence[str], b: Sequence[str], block: _Block, *, closely: bool) -> Iterator[_Block]:
    from_a, to_a, from_b, to_b = block
    while from_a < to_a and from_b < to_b and a[from_a] == b[from_b]:
        from_a, from_b = from_a + 1, from_b + 1
    while from_a < to_a and from_b < to_b and a[to_a - 1] == b[to_b - 1]:
        to_a, to_b = to_a - 1, to_b - 1
    if from_a == to_a and from_b == to_b:
        return
    if closely and from_a < to_a and from_b < to_b and to_a - from_a <= _CLOSELY and to_b - from_b <= _CLOSELY:
        import difflib  # loaded only where lines are to be compared closely

        matcher = difflib.SequenceMatcher(None, a[from_a:to_a], b[from_b:to_b], autojunk=False)
        for tag, low_a, high_a, low_b, high_b in matcher.get_opcodes():
            if tag != "equal":
                yield from_a + low_a, from_a + high_a, from_b + low_b, from_b + high_b
        return
    yield from_a, to_a, from_b, to_b


def _joined(blocks: list[_Block]) -> list[_Block]:
    """Blocks that touch are one."""
    found: list[_Block] = []
    for block in blocks:
        if found and found[-1][1] == block[0] and found[-1][3] == block[2]:
            found[-1] = (found[-1][0], block[1], found[-1][2], block[3])
        else:
            found.append(block)
    return found


def unified(a: Sequence[str], b: Sequence[str], *, most: int, context: int = 2) -> tuple[str, ...]:
    """A unified diff of at most ``most`` lines, and a last one that counts what was left out; nothing if the lines are the same."""
    blocks = changed_blocks(a, b)
    shown: list[str] = []
    hunk: list[_Block] = []
    for index, block in enumerate(blocks):
        hunk.append(block)
        if index + 1 < len(blocks) and blocks[index + 1][0] - block[1] <= 2 * context:
            continue
        if shown and len(shown) >= most:
            break
        shown += _hunk(a, b, hunk, context, most - len(shown))
        hunk = []
    removed, added = sum(block[1] - block[0] for block in blocks), sum(block[3] - block[2] for block in blocks)
    listed = [sum(line.startswith(sign) for line in shown) for sign in "-+"]
    if [removed, added] != listed:
        shown.append(f"… in all {removed} lines removed, {added} added")
    return tuple(shown)


def _hunk(a: Sequence[str], b: Sequence[str], blocks: Sequence[_Block], context: int, room: int) -> list[str]:
    first_a, first_b = max(blocks[0][0] - context, 0), max(blocks[0][2] - context, 0)
    last_a, last_b = min(blocks[-1][1] + context, len(a)), min(blocks[-1][3] + context, len(b))
    found = [f"@@ -{_range(first_a, last_a)} +{_range(first_b, last_b)} @@"]
    at = first_a
    for low_a, high_a, low_b, high_b in blocks:
        found += [f" {_cut(line)}" for line in a[at:low_a]]
        count = min(high_a - low_a, high_b - low_b)
        most_a, most_b = (max(room // 2, 1), max(room // 2, 1)) if count else (room, room)
        if high_a - low_a + high_b - low_b <= room:
            most_a = most_b = room
        found += [f"-{_cut(line, b[low_b + n] if n < count else '')}" for n, line in enumerate(a[low_a : min(high_a, low_a + most_a)])]
        found += [f"+{_cut(line, a[low_a + n] if n < count else '')}" for n, line in enumerate(b[low_b : min(high_b, low_b + most_b)])]
        at = high_a
    found += [f" {_cut(line)}" for line in a[at:last_a]]
    return found[: max(room, 2)]


def _range(first: int, stop: int) -> str:
    """As diff writes it (POSIX): the first line counted from 1, and how many; of none, the line before."""
    return f"{first + 1 if stop > first else first},{stop - first}"


def _cut(line: str, other: str = "") -> str:
    """A long line, cut to what surrounds the first character that differs from the other side's line."""
    if len(line) <= _WIDTH:
        return line
    start = 0
    if other:
        common = min(len(line), len(other))
        at = next((index for index in range(common) if line[index] != other[index]), common)
        start = max(at - _LEAD, 0) if at > _WIDTH - 20 else 0
    head = "…" if start else ""
    stop = start + _WIDTH - len(head) - 1
    return f"{head}{line[start:stop]}…" if stop < len(line) else f"{head}{line[start:]}"

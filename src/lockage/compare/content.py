"""Where two byte strings begin to differ, and a few lines of how two texts do. Bounded whatever the input."""

from __future__ import annotations

from itertools import islice

__all__ = ["first_difference", "last_difference", "text_difference", "window"]

_CHUNK = 1 << 16
#: Longer texts are compared as bytes only; the line diff is quadratic at worst.
_TEXT_LIMIT = 1 << 18
_LINES, _WIDTH, _HUNK, _CONTEXT = 12, 160, 60, 2


def first_difference(a: bytes, b: bytes) -> int | None:
    """The offset of the first byte that differs, the shorter length if one continues the other, None if they are equal."""
    common = min(len(a), len(b))
    for start in range(0, common, _CHUNK):
        stop = min(start + _CHUNK, common)
        if a[start:stop] != b[start:stop]:
            return next(index for index in range(start, stop) if a[index] != b[index])
    return None if len(a) == len(b) else common


def last_difference(a: bytes, b: bytes) -> int:
    """How many bytes at the end are the same, of what follows the first difference; the rest, up to there, is the range that differs."""
    most = min(len(a), len(b)) - (first_difference(a, b) or 0)
    same = 0
    while same < most:
        step = min(_CHUNK, most - same)
        one, two = (data[len(data) - same - step : len(data) - same] for data in (a, b))
        if one != two:
            return same + next(index for index in range(step) if one[-1 - index] != two[-1 - index])
        same += step
    return same


def window(data: bytes, offset: int) -> str:
    """Up to 16 bytes from the offset on, in hex."""
    return data[offset : offset + 16].hex(" ")


def text_difference(a: bytes, b: bytes) -> tuple[str, ...]:
    """A few lines, each led by ``-``, ``+`` or a space, under the number of the first line; nothing unless both are UTF-8 text."""
    if max(len(a), len(b)) > _TEXT_LIMIT or b"\0" in a or b"\0" in b:
        return ()
    try:
        lines_a, lines_b = a.decode().splitlines(), b.decode().splitlines()
    except UnicodeDecodeError:
        return ()
    start = next((index for index, (x, y) in enumerate(zip(lines_a, lines_b, strict=False)) if x != y), min(len(lines_a), len(lines_b)))
    rest = min(len(lines_a), len(lines_b)) - start
    same = next((index for index in range(rest) if lines_a[-1 - index] != lines_b[-1 - index]), rest)
    first = max(start - _CONTEXT, 0)
    part_a = lines_a[first : min(len(lines_a) - same + _CONTEXT, first + _HUNK)]
    part_b = lines_b[first : min(len(lines_b) - same + _CONTEXT, first + _HUNK)]
    if part_a == part_b:
        return ("the lines are the same; their ends differ",)
    import difflib  # loaded only when texts differ

    hunk = (line for line in difflib.unified_diff(part_a, part_b, n=_CONTEXT, lineterm="") if not line.startswith(("---", "+++", "@@")))
    shown = [line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…" for line in islice(hunk, _LINES + 1)]
    head = f"line {first + 1}:"
    return (head, *shown) if len(shown) <= _LINES else (head, *shown[:_LINES], "…")

"""Columns that fit: tables are cut, never wrapped, and only where a terminal says how wide it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lockage.wiring.terminal import Terminal

__all__ = ["cells", "cut", "fitted", "prose"]

#: A column that is cut keeps so much of itself while others can be cut as well.
_LEAST = 8


def cells(text: str) -> int:
    """How many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width  # only texts that are not ASCII need the tables

    return sum(0 if combining(character) else 2 if east_asian_width(character) in "WF" else 1 for character in text)


def cut(text: str, width: int, *, unicode: bool = True) -> str:
    """The text in at most so many columns; what is missing is shown by an ellipsis."""
    if cells(text) <= width:
        return text
    mark = "…" if unicode else "..."
    if width <= len(mark):
        return mark[:width]
    while text and cells(text) > width - len(mark):
        text = text[:-1]
    return text + mark


def prose(text: str, terminal: Terminal, *, hang: int = 2) -> list[str]:
    """A line of words, broken between them where a terminal is too narrow; what stands in backticks stays together to be copied.

    Further lines are indented like the first, and ``hang`` more.
    """
    if terminal.width is None or cells(text) <= terminal.width:
        return [text]
    import re
    import textwrap  # only where it is too narrow

    whole = re.sub("`[^`]*`", lambda found: found[0].replace(" ", "\0"), text)
    indent = " " * (len(text) - len(text.lstrip(" ")) + hang)
    lines = textwrap.wrap(whole, terminal.width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return [line.replace("\0", " ") for line in lines]


def fitted(
    rows: Sequence[Sequence[str]], terminal: Terminal, *, header: Sequence[str] = (), least: Sequence[int] = (-1,), indent: int = 0
) -> Iterable[str]:
    """Lines with aligned columns; where they are too wide the columns ``least`` are cut, the first of them first, then the widest."""
    everything = [list(header), *map(list, rows)] if header else [list(row) for row in rows]
    if not everything:
        return
    widths = [max(cells(row[column]) for row in everything) for column in range(len(everything[0]))]
    if terminal.width is not None:
        _narrow(widths, terminal.width - indent, [column % len(widths) for column in least])
    for row in everything:
        line = ""
        for cell, width in zip(row, widths, strict=True):
            if width or terminal.width is None:  # a column without a width was left out
                shown = cut(cell, width, unicode=terminal.unicode)
                line += shown + " " * (width - cells(shown) + 2)
        line = " " * indent + line.rstrip()
        yield line if terminal.width is None else cut(line, terminal.width, unicode=terminal.unicode)


def _narrow(widths: list[int], width: int, least: Sequence[int]) -> None:
    """Take from the columns what they are too wide together: first what they can spare, then the least of them altogether."""
    others = sorted(range(len(widths)), key=lambda number: -widths[number])
    for column, floor in [*((column, _LEAST) for column in (*least, *others)), *((column, 0) for column in least)]:
        over = sum(widths) + 2 * (sum(map(bool, widths)) - 1) - width
        if over <= 0:
            return
        kept = max(min(widths[column], floor), widths[column] - over)
        widths[column] = kept if kept > 1 else 0

"""A place in a file that an error is about, with the line itself, so that nobody has to open the file to see it."""

from __future__ import annotations

import msgspec

__all__ = ["Excerpt", "excerpt_of"]

#: Longer lines are cut around the place.
_LONGEST = 400


class Excerpt(msgspec.Struct, frozen=True, kw_only=True):
    """``line`` and ``column`` count from 1; ``width`` characters from there are meant; ``text`` is the line without its end."""

    file: str
    line: int
    column: int
    text: str
    message: str
    width: int = 1

    @property
    def place(self) -> str:
        """``FILE:LINE:COLUMN``, as editors and terminals make links of."""
        return f"{self.file}:{self.line}:{self.column}"


def excerpt_of(document: str, *, file: str, line: int, column: int, message: str, width: int = 1) -> Excerpt:
    """The excerpt at a place of a document; a line or column that is not there is taken to the nearest that is."""
    lines = document.replace("\r\n", "\n").split("\n")
    last = max((number for number, text in enumerate(lines, 1) if text.strip()), default=1)
    line = max(1, line)
    if line > last:  # the end of a file is shown at the end of its last line that says something
        line, column = last, len(lines[last - 1]) + 1
    text = lines[line - 1]
    column = max(1, min(column, len(text) + 1))
    width = max(1, min(width, len(text) - column + 1))
    return Excerpt(file=file, line=line, column=column, text=text[:_LONGEST], message=message, width=width)

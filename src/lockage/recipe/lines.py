"""At which line and column a key of a TOML document stands, and where its value begins and ends; tomllib does not say.

Only used to explain faults and to add to a list, and only on documents that tomllib has read: the scanner follows the grammar
of TOML 1.0 as far as it must to know where keys and values begin and end, and checks nothing.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left
from typing import NamedTuple

import msgspec

__all__ = ["Key", "Place", "Span", "nearest", "places_of", "spans_of"]

Key = tuple[str | int, ...]

_SPACE = re.compile(r"[ \t]*")
_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_STRINGS = (
    re.compile(r'"""(?:\\.|[^\\])*?"{3,5}', re.DOTALL),
    re.compile(r"'''.*?'{3,5}", re.DOTALL),
    re.compile(r'"(?:\\.|[^"\\\n])*"'),
    re.compile(r"'[^'\n]*'"),
)
_PLAIN = re.compile(r"[^,\]}#\r\n]+")


class Place(msgspec.Struct, frozen=True):
    """A stretch of one line: ``line`` and ``column`` count from 1."""

    line: int
    column: int
    width: int


def places_of(text: str) -> dict[Key, Place]:
    """The place of the first mention of every key and array element of a valid TOML document."""
    scanner = _Scanner(text.replace("\r\n", "\n"))
    scanner.document()
    return scanner.places


class Span(NamedTuple):
    """Where the value of a key or an array element stands: offsets of its first character and behind its last.

    ``pair`` is where its key begins; ``inline`` says that it stands in an inline table.
    """

    start: int
    end: int
    pair: int
    inline: bool


def spans_of(text: str) -> dict[Key, Span]:
    """The place of every value of a valid TOML document, arrays and their elements included, in the text as it is."""
    scanner = _Scanner(text)
    scanner.document()
    return scanner.spans


def nearest(places: dict[Key, Place], key: Key) -> Place:
    """The place of a key, or of the closest thing around it that is in the file; its first character if there is none."""
    for end in range(len(key), 0, -1):
        found = places.get(key[:end])
        if found is not None:
            return found
    return Place(1, 1, 1)


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._tables: dict[Key, int] = {}
        self._ends = [found.start() for found in re.finditer("\n", text)]
        self._inline = 0
        self.places: dict[Key, Place] = {}
        self.spans: dict[Key, Span] = {}

    def document(self) -> None:
        table: Key = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            if self._text.startswith("[", self._at):
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK)

    def _header(self) -> Key:
        start = self._at
        array = self._text.startswith("[[", self._at)
        self._at += 1 + array
        *parents, last = self._key_parts()
        self._at = self._text.index("]", self._at) + 1 + array
        key: Key = ()
        for part in parents:
            key = self._entered((*key, part), start)
        key = (*key, last)
        self._note(key, start)
        if not array:
            return key
        self._tables[key] = self._tables.get(key, -1) + 1
        key = (*key, self._tables[key])
        self._note(key, start)
        return key

    def _entered(self, key: Key, start: int) -> Key:
        """A table on the way to another: of an array of tables it is the last element."""
        self._note(key, start)
        return (*key, self._tables[key]) if key in self._tables else key

    def _pair(self, table: Key) -> None:
        key = table
        start = self._at
        parts = self._key_parts()
        self._at = start + len(self._text[start : self._at].rstrip())
        for part in parts:
            key = (*key, part)
            self._note(key, start)
        self._at = self._text.index("=", self._at) + 1
        self._skip(_SPACE)
        self._value(key, start)

    def _value(self, key: Key, pair: int) -> None:
        start = self._at
        opening = self._text[self._at]
        if opening == "[":
            self._items("]", key)
        elif opening == "{":
            self._inline += 1
            self._items("}", key)
            self._inline -= 1
        elif opening in "\"'":
            self._string()
        else:
            self._skip(_PLAIN)
        self.spans.setdefault(key, Span(start, self._at, pair, self._inline > 0))

    def _items(self, closing: str, key: Key) -> None:
        """The elements of an array or the pairs of an inline table, from its opening bracket to behind its closing one."""
        self._at += 1
        number = 0
        self._skip(_BLANK)
        while self._text[self._at] != closing:
            if closing == "]":
                start = self._at
                self._value((*key, number), start)
                self._note((*key, number), start)
                number += 1
            else:
                self._pair(key)
            self._skip(_BLANK)
            if self._text[self._at] == ",":
                self._at += 1
                self._skip(_BLANK)
        self._at += 1

    def _key_parts(self) -> list[str]:
        parts = []
        while True:
            self._skip(_SPACE)
            if self._text[self._at] in "\"'":
                parts.append(tomllib.loads(f"key = {self._string()}")["key"])
            else:
                parts.append(self._skip(_BARE))
            self._skip(_SPACE)
            if not self._text.startswith(".", self._at):
                return parts
            self._at += 1

    def _string(self) -> str:
        for form in _STRINGS:
            found = form.match(self._text, self._at)
            if found:
                self._at = found.end()
                return found[0]
        raise ValueError("not a TOML string")

    def _skip(self, form: re.Pattern[str]) -> str:
        found = form.match(self._text, self._at)
        if not found:
            return ""
        self._at = found.end()
        return found[0]

    def _note(self, key: Key, start: int) -> None:
        """A key or element that began at ``start`` and ends here."""
        if key in self.places:
            return
        line = bisect_left(self._ends, start) + 1
        begins = self._text.rfind("\n", 0, start) + 1
        end = self._text.find("\n", start, self._at)
        self.places[key] = Place(line, start - begins + 1, max(1, (self._at if end < 0 else end) - start))

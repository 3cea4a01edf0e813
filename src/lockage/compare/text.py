"""What two texts are written in, and how their lines differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.compare.difference import Detail

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Text", "read_text", "text_details", "text_difference"]

#: Longer texts are compared as bytes.
_LIMIT = 1 << 24
_LINES = 60
_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
#: Control characters that texts have: tab, line feed, form feed, carriage return, escape.
_PLAIN = bytes((9, 10, 12, 13, 27))
_BINARY = bytes(sorted(set(range(32)) - set(_PLAIN)))
#: Of a text in Latin-1 at most one byte in three is no ASCII.
_LATIN = 3


class Text(msgspec.Struct, frozen=True, kw_only=True):
    """A text: its encoding, whether it begins with a byte order mark, and its lines without their ends."""

    encoding: str
    mark: bool
    ends: str
    lines: list[str]
    closed: bool


def read_text(data: bytes) -> Text | None:
    """The bytes as text; None if they are none, or too long."""
    if len(data) > _LIMIT:
        return None
    mark, encoding = next(((mark, name) for mark, name in _MARKS if data.startswith(mark)), (b"", "utf-8"))
    body = data[len(mark) :]
    if encoding == "utf-8" and len(body.translate(None, _BINARY)) != len(body):
        return None
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError:
        if mark or sum(byte > 127 for byte in body[:4096]) * _LATIN > min(len(body), 4096):
            return None
        encoding, text = "latin-1", body.decode("latin-1")
    crlf, feeds, returns = text.count("\r\n"), text.count("\n"), text.count("\r")
    kinds = [name for name, count in (("CRLF", crlf), ("LF", feeds - crlf), ("CR", returns - crlf)) if count]
    plain = text.replace("\r\n", "\n").replace("\r", "\n") if returns else text
    lines = plain.split("\n")
    closed = lines[-1] == ""
    if closed:
        del lines[-1]
    return Text(encoding=encoding, mark=bool(mark), ends=" and ".join(kinds) or "none", lines=lines, closed=closed)


def text_details(a: Text, b: Text) -> Iterator[Detail]:
    """In what two texts differ besides their lines."""
    if a.encoding != b.encoding:
        yield Detail(kind="text", name="encoding", a=a.encoding, b=b.encoding)
    if a.mark != b.mark:
        yield Detail(kind="text", name="byte order mark", a="yes" if a.mark else "no", b="yes" if b.mark else "no")
    if a.ends != b.ends and "none" not in (a.ends, b.ends):
        yield Detail(kind="text", name="line ends", a=a.ends, b=b.ends)
    if a.closed != b.closed and a.lines and b.lines:
        yield Detail(kind="text", name="end of the last line", a="yes" if a.closed else "no", b="yes" if b.closed else "no")
    if len(a.lines) == len(b.lines) and a.lines != b.lines and sorted(a.lines) == sorted(b.lines):
        yield Detail(kind="text", name="order", a="the same lines", b="in another order")


def text_difference(a: Text, b: Text, *, most: int = _LINES) -> tuple[str, ...]:
    """A unified diff of at most ``most`` lines; nothing if the lines are the same."""
    if a.lines == b.lines:
        return ()
    from lockage.compare.lines import unified  # only where texts differ

    return unified(a.lines, b.lines, most=most)

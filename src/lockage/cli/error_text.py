"""How an error is told: its code, what was wrong, the offending lines, where, and what to do; as JSON; and to a CI service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lockage.cli.columns import cells, prose
from lockage.wiring.terminal import Log, Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockage.base.errors import LockageError
    from lockage.base.excerpt import Excerpt

__all__ = ["error_document", "error_lines", "marks"]

#: What the excerpts say already.
_TOLD = frozenset({"file", "line", "key", "faults"})
#: Numbers of a limit that was reached, in its own unit: the message has them as people write them.
_OF_LIMITS = frozenset({"allowed", "reached"})
#: What others wrote, line by line.
_VERBATIM = frozenset({"last_lines", "traceback"})
_WIDEST = 160


def error_document(error: LockageError) -> dict[str, Any]:
    """The ``--json`` document of an error; ``excerpts`` are there only if it is about lines of a file."""
    document: dict[str, Any] = {
        "code": error.code,
        "exit_code": int(error.exit_code),
        "message": error.message,
        "hint": error.hint,
        "details": dict(error.details),
    }
    if error.excerpts:
        document["excerpts"] = error.excerpts
    return {"error": document}


def error_lines(error: LockageError, terminal: Terminal) -> Iterator[str]:
    """The text for people."""
    excerpts = error.excerpts
    title = f"error[{error.code}]"
    if not excerpts:
        first, *more = error.message.split("\n")
        yield from _begun(title, "1;31", first, terminal)
        yield from more
    elif len(excerpts) == 1:
        yield from _begun(title, "1;31", f"{excerpts[0].place}: {excerpts[0].message}", terminal)
        yield from _quoted(excerpts[0], terminal)
    else:
        files = list(dict.fromkeys(excerpt.file for excerpt in excerpts))
        yield from _begun(title, "1;31", f"{len(excerpts)} faults in {', '.join(files)}", terminal)
        for excerpt in excerpts:
            yield from _begun(f"  {excerpt.place}", "1", excerpt.message, terminal)
            yield from _quoted(excerpt, terminal)
    counted = _OF_LIMITS if "limit" in error.details else frozenset[str]()
    for name, value in error.details.items():
        if name in counted:
            continue
        if value not in (None, "", ()) and not (excerpts and name in _TOLD):
            yield from _detail(name, value, terminal)
    yield from _begun("hint", "1;36", error.hint, terminal)


def _begun(word: str, colour: str, text: str, terminal: Terminal) -> list[str]:
    """``WORD: TEXT`` with the word in colour, broken between words where the terminal is narrow."""
    lines = prose(f"{word}: {text}", terminal)
    if terminal.colour and lines[0].startswith(word):
        lines[0] = f"\x1b[{colour}m{word}\x1b[0m{lines[0][len(word) :]}"
    return lines


def _quoted(excerpt: Excerpt, terminal: Terminal) -> Iterator[str]:
    """The line with its number, and a mark below the place; a long line is cut so that the place can be seen."""
    number = str(excerpt.line)
    room = (terminal.width or _WIDEST) - len(number) - 8
    text, column = _printable(excerpt.text), excerpt.column - 1
    if column >= room:
        cut = column - room // 2
        text, column = "..." + text[cut + 3 :], column - cut
    if len(text) > room:
        text = text[: max(room - 3, 1)] + "..."
    bar = "│" if terminal.unicode else "|"
    mark = "^" * max(1, min(cells(text[column : column + excerpt.width]), room - column))
    yield f"    {number} {bar} {text}".rstrip()
    yield f"    {' ' * len(number)} {bar} {' ' * cells(text[:column])}{_mark(mark, terminal)}"


def _mark(mark: str, terminal: Terminal) -> str:
    return f"\x1b[1;31m{mark}\x1b[0m" if terminal.colour else mark


def _printable(text: str) -> str:
    """As many characters, and nothing that a terminal would obey."""
    return "".join(character if character.isprintable() else " " if character == "\t" else "?" for character in text)


def _detail(name: str, value: object, terminal: Terminal) -> Iterator[str]:
    label = name.replace("_", " ")
    if not isinstance(value, tuple):
        yield from prose(f"  {label}: {value}", terminal)
        return
    yield f"  {label}:"
    for item in value:
        for line in str(item).splitlines() or [""]:
            yield from [f"    {line}"] if name in _VERBATIM else prose(f"    {line}", terminal)


def marks(error: LockageError, terminal: Terminal) -> Iterator[str]:
    """What GitHub shows beside the line of a file, or at the top of the job; nothing elsewhere.

    The commands and their escapes are those of GitHub's own toolkit (actions/toolkit, packages/core/src/command.ts).
    """
    if terminal.log is not Log.GITHUB:
        return
    title = _property(f"lockage: {error.code}")
    for excerpt in error.excerpts:
        place = f"file={_property(excerpt.file)},line={excerpt.line},col={excerpt.column}"
        yield f"::error {place},title={title}::{_data(excerpt.message)}"
    if not error.excerpts:
        file = error.details.get("file")
        place = f"file={_property(str(file))}," if file else ""
        yield f"::error {place}title={title}::{_data(f'{error.message}{chr(10)}{error.hint}')}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")

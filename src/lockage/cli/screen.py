"""What the user sees: results on standard output, progress and errors on standard error, colour only on a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import msgspec

from lockage.base.canonical import plain
from lockage.base.errors import ExitCode, LockageError
from lockage.base.units import human_size as human_size
from lockage.base.units import human_time as human_time
from lockage.cli.progress import Progress as Progress
from lockage.cli.progress import settle as settle
from lockage.wiring.terminal import terminal_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "Progress",
    "exit_for",
    "human_size",
    "human_time",
    "json_text",
    "print_json",
    "say",
    "say_prose",
    "settle",
    "short",
    "show_error",
    "table",
]


def say(text: str = "") -> None:
    """One line of the result."""
    settle()
    sys.stdout.write(f"{text}\n")


def print_json(document: Any) -> None:  # Any: a document made of plain values and structs
    """The one stable document of ``--json``."""
    settle()
    sys.stdout.write(json_text(document) + "\n")


def json_text(document: Any) -> str:  # Any: a document made of plain values and structs
    """A document as ``--json`` prints it, without the last line's end."""
    return msgspec.json.format(msgspec.json.encode(plain(document)), indent=2).decode()


def show_error(error: LockageError, *, as_json: bool) -> int:
    """Print an error: code, what was wrong, where, what to do; returns its exit code."""
    from lockage.cli.error_text import error_document, error_lines, marks  # only on the way to an error

    if as_json:
        print_json(error_document(error))
    settle()
    terminal = terminal_of(sys.stderr)
    lines = [*error_lines(error, terminal), *marks(error, terminal)]
    sys.stderr.write("\n".join(lines) + "\n")
    return int(error.exit_code)


def short(digest: str) -> str:
    """The first twelve digits of a digest: enough for people."""
    return digest[:12]


def table(rows: Sequence[Sequence[str]], *, header: Sequence[str] = (), least: Sequence[int] = (-1,), indent: int = 0) -> Iterable[str]:
    """Lines with aligned columns, cut to the width of the terminal: the columns ``least`` matter least, the first of them least of all."""
    from lockage.cli.columns import fitted

    return fitted(rows, terminal_of(sys.stdout), header=header, least=least, indent=indent)


def say_prose(text: str) -> None:
    """One line of words, broken between them on a terminal that is too narrow for it."""
    from lockage.cli.columns import prose

    for line in prose(text, terminal_of(sys.stdout)):
        say(line)


def exit_for(passed: bool, otherwise: ExitCode) -> int:
    """The exit code of a command that succeeded or found something."""
    return int(ExitCode.DONE if passed else otherwise)

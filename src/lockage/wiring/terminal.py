"""What this process prints to: a terminal, its width, colours, characters; or the log of a CI job that can fold.

The environment is read by the conventions that others keep: NO_COLOR and CLICOLOR_FORCE (no-color.org, bixense.com/clicolors),
FORCE_COLOR, TERM=dumb, COLUMNS; GITHUB_ACTIONS and GITLAB_CI are set by those two services in every job.
"""

from __future__ import annotations

import os
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

__all__ = ["Log", "Terminal", "terminal_of"]

#: Narrower than this nothing can be shown in columns; the terminal may wrap then.
_NARROWEST = 20


class Log(StrEnum):
    """Whose marks for folded sections and annotations the output shall carry."""

    PLAIN = "plain"
    GITHUB = "github"
    GITLAB = "gitlab"


class Terminal(msgspec.Struct, frozen=True, kw_only=True):
    """``width`` in columns, None where lines may be of any length; ``live``: the cursor can be moved to redraw."""

    width: int | None = None
    colour: bool = False
    unicode: bool = True
    live: bool = False
    log: Log = Log.PLAIN


def terminal_of(stream: TextIO, environ: Mapping[str, str] | None = None) -> Terminal:
    """What a stream of this process is, now: windows are resized. ``environ`` is this process's own unless a test says otherwise."""
    found = os.environ if environ is None else environ
    tty = stream.isatty()
    dumb = found.get("TERM", "") in ("", "dumb", "unknown")
    log = _log(found)
    return Terminal(
        width=_width(stream, found) if tty else None,
        colour=_colour(found, tty=tty and not dumb),
        unicode=_unicode(stream),
        live=tty and not dumb and log is Log.PLAIN,
        log=log,
    )


def _log(environ: Mapping[str, str]) -> Log:
    if environ.get("GITHUB_ACTIONS") == "true":
        return Log.GITHUB
    return Log.GITLAB if environ.get("GITLAB_CI") == "true" else Log.PLAIN


def _colour(environ: Mapping[str, str], *, tty: bool) -> bool:
    if environ.get("NO_COLOR"):
        return False
    if any(environ.get(name, "0") not in ("", "0", "false") for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    return tty and environ.get("CLICOLOR") != "0"


def _unicode(stream: TextIO) -> bool:
    try:
        "…⠋│".encode(getattr(stream, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _width(stream: TextIO, environ: Mapping[str, str]) -> int | None:
    asked = environ.get("COLUMNS", "")
    if asked.isdecimal() and asked.isascii() and int(asked) > 0:
        return max(int(asked), _NARROWEST)
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return None
    return max(columns, _NARROWEST) if columns else None

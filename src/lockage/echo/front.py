"""The front door: a build that can be answered by an echo is answered here, every other command by the whole program."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper

from lockage.echo.command import key_of, store_folder
from lockage.echo.echo import Echo, recalled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["answered"]


def answered(words: Sequence[str]) -> bool:
    """Whether an echo answered this command, which has then printed all that it prints and is done.

    Raises OSError if that cannot be printed.
    """
    if words[:1] != ["build"] or not isinstance(sys.stdout, TextIOWrapper) or not isinstance(sys.stderr, TextIOWrapper):
        return False
    echo = _holding(words)
    if echo is None:
        return False
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")
    if echo.errors:
        sys.stderr.write(echo.errors)
        sys.stderr.flush()
    sys.stdout.write(echo.output)
    sys.stdout.flush()  # while it can still be said that nobody reads it
    return True


def _holding(words: Sequence[str]) -> Echo | None:
    environ = os.environ
    try:
        here, store = os.getcwd(), store_folder(environ)  # noqa: PTH109
        echo = None if store is None else recalled(store, key_of(words, here, environ, (sys.stdout, sys.stderr)))
        if store is None or echo is None or not echo.holds(store, here, environ):
            return None
    except (OSError, ValueError, TypeError, AttributeError):  # the last: a platform without what this takes
        return None
    return echo

"""A command as it was given: its words, and all that it sees of the process that is not a file."""

from __future__ import annotations

import os
import sys

from lockage import __version__
from lockage.echo.fields import packed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TextIO

__all__ = ["key_of", "store_folder"]

#: Variables that a build, or what it prints, may depend on: by their beginning, or whole.
_BEGINNINGS = ("LOCKAGE_", "_LOCKAGE", "OTEL_", "XDG_", "GIT_", "LC_", "PYTHON", "CLICOLOR", "FORCE_COLOR", "NO_COLOR")
_WHOLE = frozenset({"HOME", "PATH", "LANG", "TERM", "COLUMNS", "GITHUB_ACTIONS", "GITLAB_CI", "TRACEPARENT", "SOURCE_DATE_EPOCH"})


def store_folder(environ: Mapping[str, str]) -> str | None:
    """The store's folder by LOCKAGE_HOME, XDG_DATA_HOME or HOME; None where none of them says it.

    As :class:`lockage.wiring.places.Places` has it.
    """
    own = environ.get("LOCKAGE_HOME")
    if own:
        return own
    base, home = environ.get("XDG_DATA_HOME"), environ.get("HOME")
    if base and os.path.isabs(base):  # noqa: PTH117
        return f"{base}/lockage"
    return f"{home}/.local/share/lockage" if home else None


def key_of(words: Sequence[str], here: str, environ: Mapping[str, str], streams: Sequence[TextIO]) -> bytes:
    """All of it as bytes: two commands of one key differ in files alone. ``streams`` are what it prints to. Raises OSError, ValueError."""
    seen = sorted(f"{name}={value}" for name, value in environ.items() if name.startswith(_BEGINNINGS) or name in _WHOLE)
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0  # which LOCKAGE_CPUS must not exceed
    machine = os.uname().machine  # a lock is that of one platform
    texts = [__version__, str(sys.hexversion), machine, str(cpus), here, *map(_stream, streams), str(len(words)), *words, *seen]
    return packed(map(os.fsencode, texts))


def _stream(stream: TextIO) -> str:
    """What decides how something is printed there (:mod:`lockage.wiring.terminal`)."""
    columns = os.get_terminal_size(stream.fileno()).columns if stream.isatty() else 0
    return f"{stream.isatty()} {columns} {stream.encoding}"

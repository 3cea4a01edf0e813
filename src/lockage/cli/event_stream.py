"""``--events`` and ``LOCKAGE_EVENTS``: what a command tells, as JSON Lines in a file, a pipe or on standard output.

Every line is handed to the system whole before the command goes on, so a command that is killed leaves whole lines. A stream that can
no longer be written (a full disk, a reader that has gone) ends there and a warning says so; the command goes on, as what it makes is
worth more. A stream that does not end with ``command-ended`` is therefore not all of it.
"""

from __future__ import annotations

import os
import secrets
import stat
import sys
import threading
import time
from contextlib import ExitStack, redirect_stdout
from typing import TYPE_CHECKING, BinaryIO

from lockage import __version__
from lockage.base.errors import Usage
from lockage.cli.progress import observe
from lockage.record.event_line import EventLines

if TYPE_CHECKING:
    from lockage.record.event import Event

__all__ = ["EventStream", "EventsUnwritable", "begin_stream"]


class EventsUnwritable(Usage):
    """The file that events are to be written to cannot be opened."""

    code = "events-unwritable"
    hint = "Name a file that can be written with --events or LOCKAGE_EVENTS, or leave it out."


class EventStream:
    """Writes events to an open file; implements :class:`lockage.cli.progress.Observer`.

    ``name`` is what warnings call it; ``until_end`` is closed at the end.
    """

    def __init__(self, sink: BinaryIO, name: str, command: str, until_end: ExitStack) -> None:
        self._sink: BinaryIO | None = sink
        self._until_end = until_end
        self._name = name
        self._lock = threading.Lock()
        self._lines = EventLines(secrets.token_hex(8))
        # Of a clock that is not set while the command runs, so that times do not go back.
        self._offset = time.time_ns() - time.monotonic_ns()
        self._write(self._lines.begin(command, __version__, self._now()))

    def hear(self, event: Event) -> None:
        """Write what follows from an event; may be called from any thread."""
        with self._lock:
            self._write(self._lines.told(event, self._now()))

    def end(self, exit_code: int, error: str | None) -> None:
        """Write the last line."""
        with self._lock:
            self._write(self._lines.end(exit_code, error, self._now()))
            self._sink = None
            self._until_end.close()

    def _now(self) -> int:
        return (self._offset + time.monotonic_ns()) // 1_000_000

    def _write(self, data: bytes) -> None:
        if self._sink is None or not data:
            return
        try:
            left = memoryview(data)
            while left:
                left = left[self._sink.write(left) or 0 :]
            self._sink.flush()
        except (OSError, ValueError) as error:
            self._sink = None
            reason = getattr(error, "strerror", None) or error
            sys.stderr.write(f"lockage: warning: no more events are written to {self._name}: {reason}\n")


def begin_stream(target: str, command: str) -> None:
    """Begin to write what this command tells; ``-`` is standard output, which then has nothing else. Raises EventsUnwritable."""
    until_end = ExitStack()
    if target == "-":
        sink: BinaryIO = sys.stdout.buffer
        until_end.enter_context(redirect_stdout(sys.stderr))
        observe(EventStream(sink, "standard output", command, until_end))
        return
    try:
        sink = until_end.enter_context(open(target, "ab", buffering=0))  # noqa: SIM115, PTH123 (closed at the end of the command; /dev/fd/3 is a path as well)
        if stat.S_ISREG(os.fstat(sink.fileno()).st_mode) and _torn(target):
            sink.write(b"\n")
    except OSError as error:
        raise EventsUnwritable(f"events cannot be written to {target}: {error.strerror}", file=target) from error
    observe(EventStream(sink, target, command, until_end))


def _torn(path: str) -> bool:
    """Whether a file does not end with a whole line, as the disk was full or the machine went off."""
    with open(path, "rb") as file:  # noqa: PTH123 (as above)
        if not file.seek(0, os.SEEK_END):
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"

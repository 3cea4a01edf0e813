"""The pass `gettext`: the two dates in the header of a message catalogue, where they are later than the source's."""

from __future__ import annotations

import re
import struct
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

from lockage.stabilize.errors import MalformedArchive
from lockage.stabilize.model import DATE

if TYPE_CHECKING:
    from lockage.stabilize.job import Job

__all__ = ["stabilize_gettext"]

_DATE = re.compile(
    rb"(POT-Creation-Date|PO-Revision-Date): ([0-9]{4}-[01][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9])([+-])([0-2][0-9])([0-5][0-9])"
)
#: A text catalogue's header ends with its first entry that has a message.
_HEADER_END = re.compile(rb'^msgid "[^"]', re.MULTILINE)


def stabilize_gettext(data: bytes, job: Job) -> bytes:
    """A catalogue with dates no later than the source's, text (.po, .pot) or compiled (.mo). Raises :class:`MalformedArchive`."""
    for order in ("<", ">"):
        if data.startswith(struct.pack(f"{order}L", 0x950412DE)):
            start, stop = _compiled_header(data, order)
            break
    else:
        end = _HEADER_END.search(data)
        start, stop = 0, end.start() if end else len(data)
    return data[:start] + _dated(data[start:stop], job) + data[stop:]


def _compiled_header(data: bytes, order: str) -> tuple[int, int]:
    """Where the translation of the empty message lies: the first, as messages are sorted (GNU gettext manual, "MO Files")."""
    try:
        _, _, count, originals, translations = struct.unpack_from(f"{order}5L", data)
        length, _ = struct.unpack_from(f"{order}2L", data, originals) if count else (1, 0)
        size, start = struct.unpack_from(f"{order}2L", data, translations) if count else (0, 0)
    except struct.error as error:
        raise MalformedArchive("a message catalogue is cut short", found=len(data)) from error
    if length:
        return 0, 0  # it has no header
    if start + size > len(data):
        raise MalformedArchive("a message catalogue is cut short", found=len(data))
    return start, start + size


def _dated(header: bytes, job: Job) -> bytes:
    moment = datetime.fromtimestamp(max(int(job.date), 0), UTC)

    def dated(found: re.Match[bytes]) -> bytes:
        name, local, sign, hours, minutes = (part.decode() for part in found.groups())
        offset = timedelta(hours=int(hours), minutes=int(minutes)) * (-1 if sign == "-" else 1)
        try:
            time = datetime.fromisoformat(local).replace(tzinfo=timezone(offset))
        except ValueError:  # no such day, or no such zone
            return found[0]
        if time <= moment:
            return found[0]
        job.change("", name, f"{local}{sign}{hours}{minutes}", DATE)
        return f"{name}: {moment:%Y-%m-%d %H:%M}+0000".encode()

    return _DATE.sub(dated, header)

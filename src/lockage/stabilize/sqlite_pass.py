"""The pass `sqlite`: the three numbers of a database's header that say how often and by which library it was written.

Database file format 1.3.7 and 1.3.14: the change counter is for the caches of open connections; the size in the header counts only while
"version valid for" is equal to it; the library's version is information. Nothing else in a database is provably without meaning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.stabilize.errors import MalformedArchive, Unhandled

if TYPE_CHECKING:
    from lockage.stabilize.job import Job

__all__ = ["stabilize_sqlite"]

_HEADER = 100
_CHANGES, _VALID_FOR, _LIBRARY = slice(24, 28), slice(92, 96), slice(96, 100)


def stabilize_sqlite(data: bytes, job: Job) -> bytes:
    """A database with one change counted. Raises :class:`MalformedArchive`, and :class:`Unhandled` if its counters differ."""
    if len(data) < _HEADER:
        raise MalformedArchive("an SQLite database is cut short", found=len(data))
    if data[_CHANGES] != data[_VALID_FOR]:
        raise Unhandled("the database was last written by a library that does not keep its size in the header")
    out = bytearray(data)
    for field, place, after in (("change counter", _CHANGES, 1), ("version valid for", _VALID_FOR, 1), ("library version", _LIBRARY, 0)):
        job.change("", field, int.from_bytes(data[place]), after)
        out[place] = after.to_bytes(4)
    return bytes(out)

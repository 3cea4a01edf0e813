"""The passes `java-properties` and `java-manifest`: what Java's tools write of the time, the user and the host."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lockage.stabilize.errors import Unhandled
from lockage.stabilize.model import DATE

if TYPE_CHECKING:
    from lockage.stabilize.job import Job

__all__ = ["stabilize_manifest", "stabilize_properties"]

#: java.util.Properties.store writes Date.toString() as the first or second line; Maven's archiver does the same.
_STORED = re.compile(
    rb"\A((?:#[^\r\n]*\r?\n){0,3}?)#((?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [0-3][0-9] "
    rb"[0-2][0-9]:[0-5][0-9]:[0-6][0-9] [A-Za-z0-9:+-]{1,9} [0-9]{4})(\r?\n)"
)
#: Main attributes that say who, when or where; of those that OSS Rebuild, strip-nondeterminism and Maven's guide list, the ones that
#: say nothing of what is in the jar.
_GONE = frozenset(
    b"Bnd-LastModified Build-Date Build-Date-UTC Build-Host Build-Machine Build-Time Build-Time-ISO-8601 Build-Timestamp Build-User "
    b"BuildDate BuildTime Built-At Built-By Built-Date Built-Host Built-On Builder Building-Host Creation-Date Date DSTAMP Hostname "
    b"Implementation-Build-Date Implementation-Build-Time Last-Modified Module-Build-Host Package-Date TODAY TSTAMP".lower().split()
)


def stabilize_properties(data: bytes, job: Job) -> bytes:
    """A properties file whose stamp is the date."""
    found = _STORED.match(data)
    if found is None:
        return data
    stamp = f"{datetime.fromtimestamp(max(int(job.date), 0), UTC):%a %b %d %H:%M:%S UTC %Y}".encode()
    if found[2] != stamp:
        job.change("", "stamp", found[2].decode(), DATE)
    return found[1] + b"#" + stamp + found[3] + data[found.end() :]


def stabilize_manifest(data: bytes, job: Job) -> bytes:
    """A jar's manifest without what says who built it, when and where. Raises :class:`Unhandled` if its entries have digests."""
    if re.search(rb"^[A-Za-z0-9-]+-Digest", data, re.MULTILINE):
        raise Unhandled("the manifest has digests of its entries")
    out: list[bytes] = []
    gone = main = True
    for line in data.splitlines(keepends=True):
        main = main and bool(line.strip())  # the main section ends with an empty line
        if not line.startswith(b" "):  # a line that goes on belongs to the attribute before it
            name = line.partition(b":")[0]
            gone = main and name.lower() in _GONE
            if gone:
                job.change("", name.decode("latin-1"), line.partition(b":")[2].strip().decode("utf-8", "replace"), "")
        elif not out:
            gone = False
        if not gone:
            out.append(line)
    return b"".join(out)

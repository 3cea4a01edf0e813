"""Archives that keep what mirrors have removed, by the time at which it was there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lockage.base.instant import Instant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lockage.adapters.debian_mirror.discovery import Mirror

__all__ = ["DATE", "dated"]

#: Stands in an archive's address for a time, as snapshot services have it: 20240506T070809Z.
DATE = "{date}"
#: When to look, in seconds after the date of the suite's Release file: a snapshot is taken some hours after the archive has
#: changed, and shows what there was then; a package that was new or about to go may be in the one before or after.
_OFFSETS = (6 * 3600, 24 * 3600, 0)


def dated(archives: Iterable[Mirror], as_of: str | None) -> Iterator[Mirror]:
    """The archives to ask for packages of a Release file of that date; one that needs a date is left out where none is known."""
    for archive in archives:
        if DATE not in archive.uri:
            yield archive
            continue
        try:
            date = Instant.parse(as_of or "")
        except ValueError:
            continue
        for offset in _OFFSETS:
            yield archive._replace(uri=archive.uri.replace(DATE, re.sub("[-:]", "", str(Instant(date + offset)))))

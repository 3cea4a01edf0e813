"""The one way in: a file's name picks the passes, in order, and each reports what it changed.

A stabilized file depends on nothing beside its own bytes but the versions of the passes, the compressors, the source's date,
which passes were chosen, and which members were to be kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.digest import BlobRef
from lockage.stabilize.choice import EVERY_DEFAULT, Choice
from lockage.stabilize.compressor import UNPACKED_LIMIT
from lockage.stabilize.errors import ArchiveTooLarge, Unhandled
from lockage.stabilize.model import Report, Stabilized
from lockage.stabilize.registry import PASSES, PASSES_VERSION, Pass

if TYPE_CHECKING:
    from collections.abc import Container

    from lockage.base.digest import Digest
    from lockage.base.instant import Instant

__all__ = ["PASSES", "PASSES_VERSION", "Pass", "has_pass", "stabilize"]


def has_pass(path: str, data: bytes, choice: Choice = EVERY_DEFAULT) -> bool:
    """Whether any pass would look at a file of this path and these bytes."""
    return any(each.applies(path, data) and choice.takes(each.name, by_itself=each.default) for each in PASSES)


def stabilize(
    filename: str, data: bytes, date: Instant, *, choice: Choice = EVERY_DEFAULT, keep: Container[Digest] = frozenset()
) -> Stabilized:
    """A file after its passes, and the report.

    ``date`` is the source's date; every time in the file becomes it (in a zip never before 1980-01-01). ``keep`` holds digests of members
    that stay byte for byte, whatever they are. Raises :class:`MalformedArchive`, :class:`UnsafeArchive`, :class:`EncryptedArchive`,
    :class:`ArchiveTooLarge` and :class:`CompressorDiffers`.
    """
    from lockage.stabilize.job import Job, Treatment  # not needed to know the passes
    from lockage.stabilize.notes import Notes

    before = after = BlobRef.of(data)
    notes = Notes()
    treatment = Treatment(date, PASSES, choice, keep)
    for each in treatment.passes_for(filename, data):
        if len(data) > UNPACKED_LIMIT:
            raise ArchiveTooLarge(f"{filename}: {len(data)} bytes, more than {UNPACKED_LIMIT}", file=filename, limit=UNPACKED_LIMIT)
        noted = Notes()
        try:
            data = each.run(data, Job(treatment, each, noted, 0, filename))
        except Unhandled as reason:
            notes.of(each.name, each.version).kept = str(reason)
        else:
            notes.adopt("", noted)
        after = BlobRef.of(data)
    return Stabilized(data=data, report=Report(file=filename, date=date, before=before, after=after, passes=notes.reports()))

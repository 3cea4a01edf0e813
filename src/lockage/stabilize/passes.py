"""The registry of passes, and the one way in: a file's name picks the passes, in order, and each reports what it changed.

A pass's version changes whenever its bytes could; the version of a pass, the compressor and the source's date are all
that a stabilized file depends on beside its own bytes. This module is light: a pass's code is imported when it runs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import msgspec

from lockage.base.digest import BlobRef
from lockage.stabilize.compressor import COMPRESSOR, UNPACKED_LIMIT
from lockage.stabilize.errors import ArchiveTooLarge
from lockage.stabilize.model import PassReport, Report, Stabilized

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockage.base.instant import Instant

__all__ = ["PASSES", "PASSES_VERSION", "Pass", "passes_for", "stabilize"]


class Pass(msgspec.Struct, frozen=True, kw_only=True):
    """A named, versioned pure function over the bytes of files with certain names; ``function`` is a name in ``module`` of this room."""

    name: str
    version: int
    suffixes: tuple[str, ...]
    module: str
    function: str

    def applies(self, filename: str) -> bool:
        """Whether it is meant for files of this name."""
        return filename.lower().endswith(self.suffixes)

    def run(self, data: bytes, date: Instant) -> tuple[bytes, PassReport]:
        """The file after this pass, and what was changed; raises the errors of this room."""
        function: Callable[[str, int, bytes, Instant], tuple[bytes, PassReport]] = getattr(
            import_module(f"lockage.stabilize.{self.module}"), self.function
        )
        return function(self.name, self.version, data, date)


#: In order; of those that apply to a file only the first runs, for each writes its whole container.
PASSES = (
    Pass(name="wheel", version=1, suffixes=(".whl",), module="zip_pass", function="stabilize_wheel"),
    Pass(name="zip", version=1, suffixes=(".zip", ".egg", ".pyz"), module="zip_pass", function="stabilize_zip"),
    Pass(name="tar-gzip", version=1, suffixes=(".tar.gz", ".tgz"), module="tar_pass", function="stabilize_tar_gzip"),
    Pass(name="tar", version=1, suffixes=(".tar",), module="tar_pass", function="stabilize_tar"),
    Pass(name="gzip", version=1, suffixes=(".gz",), module="tar_pass", function="stabilize_gzip"),
)

#: Names and versions of every pass and of the compressor: what a remembered result, and provenance, must be keyed by.
PASSES_VERSION = ";".join(
    (
        *(f"{each.name}={each.version}" for each in PASSES),
        f"{COMPRESSOR.package}={COMPRESSOR.version}:{COMPRESSOR.level}:{COMPRESSOR.sample[:16]}",
    )
)


def passes_for(filename: str) -> tuple[Pass, ...]:
    """The passes that a file of this name goes through; none for what is not an archive."""
    return next(((each,) for each in PASSES if each.applies(filename)), ())


def stabilize(filename: str, data: bytes, date: Instant) -> Stabilized:
    """A file after its passes, and the report.

    ``date`` is the source's date; every time in the file becomes it (never before 1980-01-01). Raises
    :class:`MalformedArchive`, :class:`UnsafeArchive`, :class:`EncryptedArchive`, :class:`ArchiveTooLarge` and :class:`CompressorDiffers`.
    """
    before = after = BlobRef.of(data)
    reports: list[PassReport] = []
    for each in passes_for(filename):
        if len(data) > UNPACKED_LIMIT:
            raise ArchiveTooLarge(f"{filename}: {len(data)} bytes, more than {UNPACKED_LIMIT}", file=filename, limit=UNPACKED_LIMIT)
        data, report = each.run(data, date)
        reports.append(report)
        after = BlobRef.of(data)
    return Stabilized(data=data, report=Report(file=filename, date=date, before=before, after=after, passes=tuple(reports)))

"""A release named on the command line in the place of a source."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockage.record.locator import parse_remote, revisions_of_path

if TYPE_CHECKING:
    from lockage.catalog.model import ReleaseRecord
    from lockage.wiring import Wiring

__all__ = ["names_source", "open_release"]


def names_source(text: str) -> bool:
    """Whether it is a path, a path at a revision, or an address; nothing that has one of these forms is looked up as a release."""
    if "/" in text or parse_remote(text) is not None or Path(text).exists():
        return True
    return any(Path(path).exists() for path, _ in revisions_of_path(text))


def open_release(text: str, *, jobs: int | None, quiet: bool) -> tuple[Wiring, ReleaseRecord] | None:
    """The services and the release that a name means; None if it names a source, or nothing that the store knows."""
    if names_source(text):
        return None
    from lockage.cli.project import open_services  # a source needs none of this
    from lockage.work.released import release_meant

    wiring = open_services(jobs=jobs, quiet=quiet)
    record = release_meant(wiring, text)
    return None if record is None else (wiring, record)

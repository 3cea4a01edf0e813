"""Named, ordered, pure passes over archives, and the content digest. What is exported here is light to import."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.stabilize.choice import Choice
from lockage.stabilize.model import ArchiveKind, Change, Fault, MemberKind, PassReport, Report, Stabilized, archive_kind
from lockage.stabilize.passes import PASSES, PASSES_VERSION, Pass, has_pass, stabilize

if TYPE_CHECKING:
    from lockage.base.digest import Digest

__all__ = [
    "PASSES",
    "PASSES_VERSION",
    "ArchiveKind",
    "Change",
    "Choice",
    "Fault",
    "MemberKind",
    "Pass",
    "PassReport",
    "Report",
    "Stabilized",
    "archive_kind",
    "content_digest",
    "has_pass",
    "stabilize",
]


def content_digest(filename: str, data: bytes) -> Digest:
    """The digest of what an archive holds, whatever it is packed with; see :mod:`lockage.stabilize.content`."""
    from lockage.stabilize import content  # its readers are loaded only when a digest is wanted

    return content.content_digest(filename, data)

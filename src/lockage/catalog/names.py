"""Bytes never change under a name: which file names of a release are taken by other bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockage.record.release import Release

__all__ = ["NameConflict", "name_conflicts"]


class NameConflict(msgspec.Struct, frozen=True, kw_only=True):
    """A file name that a release wants for ``wanted``, while ``release`` has used it for ``taken``."""

    name: str
    wanted: Digest
    taken: Digest
    release: Digest


def name_conflicts(history: Iterable[Release], new: Release) -> tuple[NameConflict, ...]:
    """The names of ``new`` that any release of a channel's history used for other bytes, by name; the first user of each is named.

    Names that differ only in case are one name, as they are to some of the file systems that they are copied to.
    """
    wanted = {artifact.name.casefold(): artifact for artifact in new.artifacts}
    found: dict[str, NameConflict] = {}
    for release in history:
        for artifact in release.artifacts:
            name = artifact.name.casefold()
            mine = wanted.get(name)
            if mine is not None and name not in found and (mine.sha256 != artifact.sha256 or mine.name != artifact.name):
                found[name] = NameConflict(name=mine.name, wanted=mine.sha256, taken=artifact.sha256, release=release.digest)
    return tuple(found[name] for name in sorted(found))

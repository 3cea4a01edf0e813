"""Where two files of one name differ, as things that can be counted and searched for: one spot per member and aspect."""

from __future__ import annotations

import msgspec

from lockage.compare.difference import Comparison, DifferenceKind

__all__ = ["CONTENT", "FAILED", "MISSING", "PRESENCE", "Spot", "spots"]

#: Aspects besides the names of metadata fields.
CONTENT, PRESENCE, FAILED = "content", "presence", "failed"
#: The rebuild went through, and delivered no file of that name.
MISSING = "missing"
#: What only follows from other members' bytes, and is no spot of its own where those are.
_CONSEQUENCE = ".dist-info/RECORD"


class Spot(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One thing that differs: ``member`` is empty for the file itself; ``aspect`` is a constant of this module or a metadata field."""

    artifact: str
    member: str
    aspect: str


def spots(comparison: Comparison) -> tuple[Spot, ...]:
    """The spots of a comparison, contents first, each in the order of the archive's paths; none if the files are identical."""
    found: list[Spot] = []
    for difference in comparison.members:
        if difference.kind in (DifferenceKind.ONLY_IN_A, DifferenceKind.ONLY_IN_B):
            found.append(Spot(artifact=comparison.name, member=difference.path, aspect=PRESENCE))
            continue
        if difference.kind is DifferenceKind.MOVED:
            found += [Spot(artifact=comparison.name, member=path, aspect=PRESENCE) for path in (difference.origin, difference.path)]
        if difference.kind is DifferenceKind.CONTENT:
            found.append(Spot(artifact=comparison.name, member=difference.path, aspect=CONTENT))
        found += [Spot(artifact=comparison.name, member=difference.path, aspect=field.field) for field in difference.fields]
    telling = [spot for spot in found if not spot.member.endswith(_CONSEQUENCE)]
    rank = {CONTENT: 0, PRESENCE: 1}
    return tuple(sorted(telling or found, key=lambda spot: (rank.get(spot.aspect, 2), spot.member, spot.aspect)))

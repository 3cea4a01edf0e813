"""What is to blame for a difference, as data."""

from __future__ import annotations

import msgspec

from lockage.base.name import StepName

__all__ = ["Blame", "Blamed"]


class Blame(msgspec.Struct, frozen=True, kw_only=True):
    """One cause of a difference. No ``axes``: it differs by itself, whatever is varied.

    ``step`` is the first whose output diverged; ``offset`` and ``length`` are the range of bytes of the ``member`` that differ (an
    empty ``member`` is the artifact itself), ``place`` is its section in an ELF file. ``members`` counts what else has the same cause.
    ``process`` is the command line of the process that wrote the member's file, or else the artifact; None where that is not known.
    """

    artifact: str
    member: str
    aspect: str
    axes: tuple[str, ...]
    step: StepName | None
    offset: int | None
    length: int | None
    place: str
    cause: str
    says: str
    fix: str
    members: int = 1
    process: tuple[str, ...] | None = None


class Blamed(msgspec.Struct, frozen=True, kw_only=True):
    """What was found, the most telling first; ``exhausted`` says that more rebuilds would be needed to tell everything.

    ``unobserved`` says why no processes are told.
    """

    found: tuple[Blame, ...]
    rebuilds: int
    exhausted: bool = False
    unobserved: str | None = None

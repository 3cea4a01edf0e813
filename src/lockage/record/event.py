"""What a use case tells while it works; for progress on a terminal, never part of a result."""

from __future__ import annotations

import msgspec

from lockage.base.digest import BlobRef, Digest
from lockage.base.name import StepName

__all__ = ["BlobsLost", "Event", "Fetched", "Phase", "Planned", "StepEnded", "StepRetried", "StepSkipped", "StepStarted"]


class Phase(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """A part of the work begins, said in one line; ``total`` is how many bytes it will fetch, if that is known."""

    text: str
    total: int | None = None


class Fetched(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """So many more bytes have arrived; may be told from any thread."""

    size: int


class Planned(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """These steps will be looked at, in this order unless their needs say otherwise."""

    steps: tuple[StepName, ...]


class StepStarted(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A step is being executed."""

    step: StepName


class StepEnded(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """A step has its result; ``log`` is what it printed."""

    step: StepName
    cached: bool
    failure: str | None
    wall_ms: int
    log: BlobRef | None = None


class StepRetried(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An attempt at a step has failed, the first being number 1, and the next of so many begins."""

    step: StepName
    attempt: int
    attempts: int
    failure: str


class StepSkipped(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A step is not executed, because these steps failed that it needs, directly or not."""

    step: StepName
    failed: tuple[StepName, ...]


class BlobsLost(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Of ``what``, which the store had kept, these blobs were found damaged and set aside, or missing; it is brought back now."""

    what: str
    blobs: tuple[Digest, ...]


Event = Phase | Fetched | Planned | StepStarted | StepEnded | StepRetried | StepSkipped | BlobsLost

"""What a use case tells while it works; for progress on a terminal and for streams of events, never part of a result.

Invariants: an event carries no time and no number, whoever hears it adds both (docs/formats/events.md); its ``type`` and the names
of its fields are published, so they keep their meaning, and what is new is optional.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from lockage.base.digest import BlobRef, Digest
from lockage.base.name import EnvironmentName, LatchName, ProjectName, StepName
from lockage.record.result import Usage

__all__ = [
    "ArtifactDelivered",
    "BlobsLost",
    "Event",
    "Fetched",
    "HostUsed",
    "Phase",
    "Planned",
    "Reason",
    "RunRecorded",
    "StepBlocked",
    "StepEnded",
    "StepQueued",
    "StepRetried",
    "StepSkipped",
    "StepStarted",
    "StepUnblocked",
]


class Reason(StrEnum):
    """Why a step is executed; ``lockage explain`` says what has changed since which run."""

    NOT_KEPT = "not-kept"  # no result of its action is kept
    LOST = "lost"  # a result is kept, but not all that it refers to
    REBUILD = "rebuild"  # a verification executes everything


class Phase(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="phase-begun", omit_defaults=True):
    """A part of the work begins, said in one line; ``total`` is how many bytes it will fetch, if that is known.

    It ends when another begins, or a step, or the command ends.
    """

    text: str
    total: int | None = None


class Fetched(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="fetched"):
    """So many more bytes have arrived; may be told from any thread."""

    size: int


class Planned(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="planned", omit_defaults=True):
    """These steps will be looked at, in this order unless their needs say otherwise; each waits until it starts, ends or is skipped.

    ``needs`` holds those that need others; ``jobs`` is how many may run beside each other.
    """

    steps: tuple[StepName, ...]
    project: ProjectName | None = None
    needs: dict[StepName, tuple[StepName, ...]] = {}
    jobs: int = 1


class StepQueued(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="step-queued"):
    """A step has been looked at and has to be executed, but others have their turn first; one that can start at once is never queued."""

    step: StepName


class StepStarted(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="step-started", omit_defaults=True):
    """A step is being executed; ``action`` is the digest of everything that it sees."""

    step: StepName
    action: Digest | None = None
    reason: Reason | None = None


class StepBlocked(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="step-blocked"):
    """A step that was started waits for a latch that another build holds; may be told from any thread."""

    step: StepName
    latch: LatchName


class StepUnblocked(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="step-unblocked"):
    """A step that was blocked has all its latches, and is being executed; may be told from any thread."""

    step: StepName


class StepEnded(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="step-ended", omit_defaults=True):
    """A step has its result; ``log`` is what it printed, ``wall_ms`` what the execution took whose result it is.

    ``usage`` is there if it was executed now, in so many ``attempts``.
    """

    step: StepName
    cached: bool
    failure: str | None
    wall_ms: int
    log: BlobRef | None = None
    action: Digest | None = None
    usage: Usage | None = None
    attempts: int = 1


class StepRetried(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="step-retried"):
    """An attempt at a step has failed, the first being number 1, and the next of so many begins."""

    step: StepName
    attempt: int
    attempts: int
    failure: str


class StepSkipped(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="step-skipped"):
    """A step is not executed, because these steps failed that it needs, directly or not."""

    step: StepName
    failed: tuple[StepName, ...]


class BlobsLost(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="blobs-lost"):
    """Of ``what``, which the store had kept, these blobs were found damaged and set aside, or missing; it is brought back now."""

    what: str
    blobs: tuple[Digest, ...]


class HostUsed(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="host-used"):
    """Steps of this environment run on the machine as it is, nothing pinned and nothing hidden; ``fingerprint`` tells machines apart."""

    environment: EnvironmentName
    fingerprint: Digest


class ArtifactDelivered(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="artifact-delivered"):
    """An artifact of a run, after its passes, under its built name."""

    name: str
    blob: BlobRef
    content_digest: Digest
    step: StepName


class RunRecorded(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="run-recorded", omit_defaults=True):
    """A run is over and has this id on this machine; ``repeated``: it executed nothing, and is the run that it repeats.

    The numbers count steps: executed, of which failed; taken from the cache; and not started as they need what failed.
    """

    run: str
    executed: int
    cached: int
    failed: int = 0
    skipped: int = 0
    repeated: bool = False


Event = (
    Phase
    | Fetched
    | Planned
    | StepQueued
    | StepStarted
    | StepBlocked
    | StepUnblocked
    | StepEnded
    | StepRetried
    | StepSkipped
    | BlobsLost
    | HostUsed
    | ArtifactDelivered
    | RunRecorded
)

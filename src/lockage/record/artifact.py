"""What a build delivers: artifacts by digest, and the record of a run."""

from __future__ import annotations

import msgspec

from lockage.base.digest import BlobRef, Digest
from lockage.base.instant import Instant
from lockage.base.name import ProjectName, StepName
from lockage.record.result import Usage
from lockage.record.source import Source

__all__ = ["Artifact", "Attempt", "Run", "Skipped", "StepRun"]


class Artifact(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One output file under its built name, after its passes; ``raw`` is what the step wrote, ``report`` what the passes changed."""

    name: str
    blob: BlobRef
    content_digest: Digest
    step: StepName
    raw: BlobRef
    report: BlobRef | None = None


class Attempt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One execution of a step that failed and was followed by another: why it failed, what it printed, and what it took.

    Times are as in :class:`StepRun`.
    """

    failure: str
    log: BlobRef
    usage: Usage
    started_ms: int | None = None
    finished_ms: int | None = None


class StepRun(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step of a run: its action, what it gave, and whether that was taken from the cache.

    ``attempts`` are those before the one that counts, the oldest first. Times are milliseconds of a steady clock since the execution
    of the plan began, as whoever waits for steps sees them; ``started_ms`` is that of the attempt that counts. None: the step was taken
    from the cache, or recorded before there were such times.
    """

    step: StepName
    action: BlobRef
    exit_code: int
    cached: bool
    outputs: BlobRef
    log: BlobRef
    usage: Usage
    failure: str | None = None
    attempts: tuple[Attempt, ...] = ()
    started_ms: int | None = None
    finished_ms: int | None = None


class Skipped(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A step that a run did not execute: ``failed`` are the steps it needs, directly or not, that failed, in plan order."""

    step: StepName
    failed: tuple[StepName, ...]


class Run(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One execution of a plan; ``steps`` and ``skipped`` in plan order. Times are in whole seconds and not part of any identity.

    ``environments`` are those of its steps by name, each as the canonical JSON of what it was locked to; ``recipe_document`` is the
    canonical JSON of the recipe, None in runs recorded before it was kept. ``host`` says on what it ran (docs/observability.md).
    """

    project: ProjectName
    source: Source
    recipe: Digest
    lock: Digest
    started: Instant
    finished: Instant
    steps: tuple[StepRun, ...]
    artifacts: tuple[Artifact, ...]
    host: dict[str, str] = {}
    skipped: tuple[Skipped, ...] = ()
    environments: dict[str, BlobRef] = {}
    recipe_document: BlobRef | None = None

"""What a build delivers: artifacts by digest, and the record of a run."""

from __future__ import annotations

import msgspec

from lockage.base.digest import BlobRef, Digest
from lockage.base.instant import Instant
from lockage.base.name import ProjectName, StepName
from lockage.base.path import RelPath
from lockage.record.result import Usage
from lockage.record.source import Source

__all__ = ["Artifact", "Attempt", "DifferentOutput", "Lost", "Reexecuted", "Reexecution", "Run", "Skipped", "StepRun"]


class Artifact(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One output file under its built name, after its passes; ``raw`` is what the step wrote, ``report`` what the passes changed."""

    name: str
    blob: BlobRef
    content_digest: Digest
    step: StepName
    raw: BlobRef
    report: BlobRef | None = None


class Attempt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One execution of a step that failed and was followed by another: why it failed, what it printed, and what it took."""

    failure: str
    log: BlobRef
    usage: Usage


class Lost(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Blobs that a run found damaged or missing in the store, and what they were of; it brought them back."""

    what: str
    blobs: tuple[Digest, ...]


class StepRun(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step of a run: its action, what it gave, and whether that was taken from the cache.

    ``attempts`` are those before the one that counts, the oldest first.
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


class Skipped(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A step that a run did not execute: ``failed`` are the steps it needs, directly or not, that failed, in plan order."""

    step: StepName
    failed: tuple[StepName, ...]


class DifferentOutput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A path at which two executions of a step differ: the grade, and what is there, a file's sha256; ``nothing`` if it is absent."""

    path: RelPath
    grade: str
    kept: str
    found: str


class Reexecuted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A step with a kept result that was executed again: the grade, what it gave now (of a failure: what was kept), and what differs."""

    step: StepName
    action: BlobRef
    grade: str
    outputs: BlobRef
    log: BlobRef
    failure: str | None = None
    different: tuple[DifferentOutput, ...] = ()


class Reexecution(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The sample of kept results that a run put to the test, in plan order; the seed chose it."""

    seed: str
    steps: tuple[Reexecuted, ...]


class Run(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One execution of a plan; ``steps`` and ``skipped`` in plan order. Times are in whole seconds and not part of any identity.

    ``environments`` are those of its steps by name, each as the canonical JSON of what it was locked to. ``lost`` is what it found
    damaged or missing in the store, and brought back; ``reexecuted`` the sample of kept results that it executed again.
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
    lost: tuple[Lost, ...] = ()
    reexecuted: Reexecution | None = None

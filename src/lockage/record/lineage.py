"""Lineage: all that artifacts were made from, back to every source file, package and step (docs/formats/lineage.md).

Invariants: steps are in plan order, each after all that it needs; what several steps share (inputs, environments) stands once and is
named; equal lineages have equal bytes, as nothing in it depends on when it was asked for.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from lockage.base.digest import BlobRef, Digest
from lockage.base.instant import Instant
from lockage.base.name import ProjectName, StepName
from lockage.record.source import Source

__all__ = [
    "AppliedPass",
    "FetchedFile",
    "InRelease",
    "InputSet",
    "Lineage",
    "LineageArtifact",
    "LineageEnvironment",
    "LineageRun",
    "LineageService",
    "LineageStep",
    "OnChannel",
    "Package",
    "SourceFile",
    "Statement",
]


class AppliedPass(msgspec.Struct, frozen=True, kw_only=True):
    """A pass that an artifact went through; ``changes`` counts the fields that it changed, ``kept`` says why it left the file alone."""

    name: str
    version: int
    changes: int
    kept: str | None = None


class OnChannel(msgspec.Struct, frozen=True, kw_only=True):
    """A channel that holds a release now."""

    channel: str
    generation: int
    since: Instant


class InRelease(msgspec.Struct, frozen=True, kw_only=True):
    """A release that holds an artifact, under which name, and where it is now."""

    release: str
    sha256: Digest
    name: str
    closed: Instant
    by: str
    channels: tuple[OnChannel, ...]


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """A signed statement about an artifact, as recorded; nothing of it was verified for this."""

    predicate: str
    bundle: Digest
    recorded: Instant
    by: str


class LineageArtifact(msgspec.Struct, frozen=True, kw_only=True):
    """One of the artifacts asked for. ``raw`` is what its step wrote, before ``passes``; ``step`` is ``source`` for an sdist as given."""

    name: str
    sha256: Digest
    size: int
    content_digest: Digest
    step: StepName
    raw: Digest | None
    passes: tuple[AppliedPass, ...] = ()
    releases: tuple[InRelease, ...] = ()
    evidence: tuple[Statement, ...] = ()


class LineageRun(msgspec.Struct, frozen=True, kw_only=True):
    """The run that the actions are of; ``others`` delivered the same artifacts."""

    run: str
    started: Instant
    finished: Instant
    others: tuple[str, ...] = ()


class SourceFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file or link of the source that a step saw."""

    path: str
    sha256: Digest | None = None
    size: int | None = None
    executable: bool = False
    target: str | None = None


class InputSet(msgspec.Struct, frozen=True, kw_only=True):
    """What patterns select of the source; ``id`` counts them in the order of the steps."""

    id: str
    patterns: tuple[str, ...]
    files: tuple[SourceFile, ...]


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """One package of an environment, or a crate, whose ``file`` is its archive's name."""

    name: str
    version: str
    file: str
    sha256: Digest


class LineageEnvironment(msgspec.Struct, frozen=True, kw_only=True):
    """An environment that steps ran in: its root, and every package that it was put together from.

    ``unpinned_host`` says which machine it was, where it was one as it is; ``root`` is its fingerprint then.
    """

    name: str
    root: BlobRef
    os: str
    architecture: str
    release_date: str
    packages: tuple[Package, ...]
    python: tuple[Package, ...]
    unpinned_host: str | msgspec.UnsetType = msgspec.UNSET


class FetchedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file from outside the source that steps saw."""

    name: str
    sha256: Digest
    path: str
    urls: tuple[str, ...]


class LineageService(msgspec.Struct, frozen=True, kw_only=True):
    """A stand-in for a service that steps asked: the recording in the source that it answered from, as ``files`` without their folder."""

    name: str
    form: str
    recording: str
    files: tuple[SourceFile, ...]


class LineageStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step: ``action`` is the digest of all that it saw, ``inputs`` the id of its source files. None: none, or not kept."""

    step: StepName
    kind: str
    action: Digest | None
    outputs: Digest | None
    environment: str
    needs: tuple[StepName, ...]
    inputs: str | None
    fetched: tuple[str, ...] = ()
    crates: tuple[Package, ...] = ()
    flags: dict[str, bool] = {}
    stamps: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()
    services: tuple[str, ...] = ()


class Lineage(msgspec.Struct, frozen=True, kw_only=True):
    """The whole document; ``missing`` says in words what the store does not know any more."""

    schema: Literal["lockage-lineage/1"] = "lockage-lineage/1"
    project: ProjectName
    source: Source
    recipe: Digest
    lock: Digest
    run: LineageRun | None
    artifacts: tuple[LineageArtifact, ...]
    steps: tuple[LineageStep, ...]
    inputs: tuple[InputSet, ...]
    environments: tuple[LineageEnvironment, ...]
    fetched: tuple[FetchedFile, ...]
    services: tuple[LineageService, ...] = ()
    missing: tuple[str, ...] = ()

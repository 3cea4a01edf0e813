"""A recipe, parsed: what to build, of which steps, in which environments. Every value here has been checked."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

import msgspec

from lockage.base.canonical import canonical_of, plain
from lockage.base.digest import Digest
from lockage.base.name import EnvironmentName, FetchName, FlagName, LatchName, PoolName, ProjectName, ServiceName, StepName
from lockage.base.path import RelPath
from lockage.environment.declaration import Declaration
from lockage.recipe.modes import Mode
from lockage.recipe.service import Service
from lockage.stabilize.choice import Choice

__all__ = ["INFERENCE", "READING", "FetchInput", "Recipe", "Resources", "Stamp", "Step", "StepKind", "VersionFrom"]

#: The number of the reading of lockage.toml; to be raised when the same bytes are to become another recipe, as readings are remembered.
READING = 1
#: The same for what is inferred: to be raised when the same files are to become another recipe.
INFERENCE = 3


class StepKind(StrEnum):
    """What a step is for: only builds deliver artifacts; tests and checks deliver evidence."""

    BUILD = "build"
    TEST = "test"
    CHECK = "check"


class Stamp(StrEnum):
    """What a step may be told about the source besides its tree."""

    DATE = "date"
    VERSION = "version"


class VersionFrom(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the version comes from: ``pyproject`` (the project's metadata), ``tag`` (the commit's tag) or a literal."""

    rule: str
    literal: str | None = None


class Resources(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a step may take: ``cpus`` is what it sees, the rest are limits (bytes and seconds) and not part of its identity."""

    cpus: int = 1
    memory: int = 2 << 30
    disk: int = 4 << 30
    timeout: int = 3600
    processes: int = 4096


class FetchInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file from outside the source: ``urls`` all lead to it, ``sha256`` says which it is, ``path`` where a step sees it.

    ``limit`` is the most bytes that are read before it is clear that they are others.
    """

    DEFAULT_LIMIT: ClassVar[int] = 4 << 30

    name: FetchName
    urls: tuple[str, ...]
    sha256: Digest
    path: RelPath
    executable: bool = False
    limit: int = DEFAULT_LIMIT


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A named command: ``run`` is an argument list (a shell line becomes ``/bin/sh -euc LINE``). ``inputs`` are globs over the source.

    ``stabilize``: whether its artifacts go through the passes, or through which.
    ``unset`` are variables that it is not given, although its environment or the defaults would. ``retries`` is how often it is run
    again if it fails in a way that may pass, ``exclusive`` and ``pools`` are what it holds while it runs, of each pool so many units; as
    with limits, its action does not depend on them.
    """

    name: StepName
    kind: StepKind = StepKind.BUILD
    environment: EnvironmentName
    needs: tuple[StepName, ...] = ()
    inputs: tuple[str, ...] = ("**",)
    stamp: tuple[Stamp, ...] = ()
    run: tuple[str, ...]
    outputs: tuple[RelPath, ...] = ()
    artifacts: tuple[str, ...] = ()
    flags: tuple[FlagName, ...] = ()
    variables: dict[str, str] = {}
    resources: Resources = Resources()
    stabilize: bool | Choice = True
    fetch: tuple[FetchName, ...] = ()
    crates: RelPath | None = None
    modes: tuple[Mode, ...] = ()
    unset: tuple[str, ...] = ()
    retries: int = 0
    exclusive: tuple[LatchName, ...] = ()
    pools: dict[PoolName, int] = {}
    services: tuple[ServiceName, ...] = ()

    @property
    def cpus(self) -> int:
        """How many CPUs it sees."""
        return 1 if Mode.SINGLE_CPU in self.modes else self.resources.cpus


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of lockage.toml; ``steps`` are in the order of the file. ``inferred`` says that no file was there.

    ``pools`` are the sizes of the pools that its steps may take units of.
    """

    project: ProjectName
    version: VersionFrom
    environments: dict[str, Declaration]
    steps: tuple[Step, ...]
    flags: dict[str, bool] = {}
    inferred: bool = False
    fetches: tuple[FetchInput, ...] = ()
    pools: dict[PoolName, int] = {}
    services: tuple[Service, ...] = ()

    def step(self, name: StepName) -> Step:
        """The step of that name; raises KeyError."""
        for step in self.steps:
            if step.name == name:
                return step
        raise KeyError(name)

    @property
    def digest(self) -> Digest:
        document = plain(self)
        for table in (document, *document["steps"]):  # a recipe without them is what it was before there were any
            for key in ("fetch", "fetches", "crates", "modes", "unset", "retries", "exclusive", "pools", "services"):
                if not table.get(key, True):
                    del table[key]
        return Digest.of(canonical_of(document))

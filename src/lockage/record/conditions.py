"""Under which conditions steps were executed: on what machines, and what was otherwise than a build should find it.

Nothing of it is part of an action. It is recorded, signed with the evidence, and can be refused by a policy (docs/what-can-differ.md).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from lockage.base.name import StepName
from lockage.environment.base import HostBase
from lockage.environment.lock import UNPINNED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from lockage.environment.lock import LockedEnvironment
    from lockage.record.artifact import Lost

__all__ = ["Conditions", "Deviation", "DeviationKind", "ExecutedOn", "deviations_of_environments", "failed_attempts", "repaired"]


class DeviationKind(StrEnum):
    """A way in which a build was allowed to be less than it should be."""

    #: An environment that nothing pins: the machine's own, as it was.
    HOST_ENVIRONMENT = "host-environment"
    #: An environment with packages of a suite that was out of date when it was locked, which the recipe or a setting allowed.
    STALE_SUITE = "stale-suite"
    #: A step that failed and was run again, as the recipe lets it.
    RETRIED_STEP = "retried-step"
    #: A run that found something damaged or missing in the store, and brought it back.
    STORE_DAMAGE = "store-damage"


class Deviation(msgspec.Struct, frozen=True, kw_only=True):
    """One deviation: ``subject`` is the environment, the step or the thing that it is about, ``what`` says in words what there was.

    ``kind`` is a :class:`DeviationKind`, or one that a later lockage knows.
    """

    kind: str
    subject: str
    what: str


class ExecutedOn(msgspec.Struct, frozen=True, kw_only=True):
    """The steps that one machine executed, in plan order, and what was recorded of it by :class:`lockage.record.host.HostFact`.

    ``run`` is the run that executed them, None where it was no run (a rebuild) or is not known. No ``host``: nothing is known of it.
    """

    steps: tuple[StepName, ...]
    host: dict[str, str]
    run: str | None = None


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """All conditions of a build, its tests or its rebuilds: who executed its steps, and how it deviated."""

    executions: tuple[ExecutedOn, ...]
    deviations: tuple[Deviation, ...] = ()


def deviations_of_environments(environments: Mapping[str, LockedEnvironment]) -> Iterator[Deviation]:
    """How locked environments, and those that their Python packages are built in, deviate from what a lock should pin; by name."""
    for name in sorted(environments):
        yield from _of_environment(name, environments[name])


def failed_attempts(step: StepName, failures: Iterable[str]) -> Iterator[Deviation]:
    """The attempts at a step that failed and were followed by another, the oldest first."""
    for number, failure in enumerate(failures, 1):
        yield Deviation(kind=DeviationKind.RETRIED_STEP, subject=f"step {step}", what=f"attempt {number} failed ({failure})")


def repaired(lost: Iterable[Lost]) -> Iterator[Deviation]:
    """What a run found damaged or missing in the store."""
    for one in lost:
        yield Deviation(kind=DeviationKind.STORE_DAMAGE, subject=one.what, what="was damaged or missing, and brought back")


def _of_environment(name: str, environment: LockedEnvironment) -> Iterator[Deviation]:
    if isinstance(environment.host, HostBase):
        which = "" if environment.root == UNPINNED else f", fingerprint {environment.root.tree.digest[:12]}"
        what = f"the machine itself, of which nothing is pinned{which}"
        yield Deviation(kind=DeviationKind.HOST_ENVIRONMENT, subject=f"environment {name}", what=what)
    for suite in environment.suites:
        if suite.stale:
            what = f"{suite.suite}, whose Release file is of {suite.release_date}"
            yield Deviation(kind=DeviationKind.STALE_SUITE, subject=f"environment {name}", what=what)
    for one, builder in environment.builders.items():
        yield from _of_environment(f"{name}, to build {one}", builder)

"""Verify: rebuild what was built, with the host varied and then with the sandbox's own values varied, and compare.

A rebuild never reads the action cache. `reproduced` compares rebuilds in which only the host differs; `robust` is the worst
of that and of rebuilds in which what the contract fixes differs as well.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection
from typing import TYPE_CHECKING

import msgspec

from lockage.base.digest import BlobRef, Digest
from lockage.base.instant import Instant
from lockage.base.name import StepName
from lockage.compare.blame import Blamed
from lockage.compare.difference import MemberDifference
from lockage.compare.files import compare_files
from lockage.compare.grade import Grade, worst
from lockage.recipe.model import StepKind
from lockage.record.event import Phase
from lockage.variation import AXES, Claim, Side, axis_of, count_pairs, covering, flaky_at_most, held_axes, select
from lockage.work.artifacts import NoArtifacts
from lockage.work.attest import record_reproductions
from lockage.work.hand_over import build_project
from lockage.work.on_host import can_be_verified
from lockage.work.rebuild import Rebuild, Rebuilder
from lockage.work.roots import fetch_missing, whole

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockage.plan.plan import Plan
    from lockage.record.artifact import Artifact
    from lockage.work.build import Built
    from lockage.work.prepare import Project
    from lockage.work.services import Services

__all__ = ["ArtifactVerdict", "Round", "Verification", "verify", "verify_project", "verify_release"]

#: What to vary: axes, or choices of them; None: all that is usual.
Axes = Collection[str] | None
_OF_HOST = {axis.name for axis in AXES if axis.side is Side.HOST}


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """One rebuild: which claim it serves, what was varied, what each artifact came out as, and why a step failed with its last lines."""

    claim: Claim
    axes: tuple[str, ...]
    artifacts: dict[str, BlobRef]
    failure: str | None = None
    last_lines: tuple[str, ...] = ()


class ArtifactVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What was found of one artifact: its grades, the digests of the build and of every rebuild, and the members that differ.

    ``raw`` is the grade of what the steps wrote, before the passes; None where that is not known.
    """

    filename: str
    reproduced: Grade
    robust: Grade
    raw: Grade | None
    sha256: tuple[Digest, ...]
    differences: tuple[MemberDifference, ...] = ()

    def lines(self) -> list[str]:
        """What differs, a line each, for people."""
        if not self.differences:
            return []
        from lockage.compare.difference import Comparison  # only where something differs
        from lockage.compare.render import render_text

        return render_text(Comparison(name=self.filename, grade=self.robust, members=self.differences))


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """The result of verifying one build; ``unavailable`` says why choices of axes could not be made here.

    ``pairs`` are how many pairs of values of two axes occurred in some rebuild, and how many there are.
    ``blamed`` is what was found out about differences, if that was asked for.
    ``held`` are the axes that modes and services hold still, by step; those that no step was varied in are among the ``unavailable``.
    """

    reproduced: Grade
    robust: Grade
    rounds: tuple[Round, ...]
    rebuilds: tuple[Rebuild, ...]
    artifacts: tuple[ArtifactVerdict, ...]
    started: Instant
    pairs: tuple[int, int] = (0, 0)
    unavailable: dict[str, str] = {}
    blamed: Blamed | None = None
    held: dict[StepName, tuple[str, ...]] = {}

    @property
    def identical(self) -> bool:
        """Whether every rebuild gave the same bytes."""
        return self.robust is Grade.IDENTICAL

    @property
    def flaky_at_most(self) -> float | None:
        """The share of rebuilds in which it may differ by itself, with 95 % certainty; None where it did differ."""
        return flaky_at_most(len(self.rounds)) if self.identical else None

    @property
    def axes(self) -> tuple[str, ...]:
        """The names of the axes that were varied in some round."""
        varied = {axis_of(choice) for round_ in self.rounds for choice in round_.axes}
        return tuple(axis.name for axis in AXES if axis.name in varied)


def verify_project(
    services: Services, project: Project, *, rounds: int | None = 1, axes: Axes = None, severe: bool = False, blaming: int = 0
) -> Verification:
    """Build a project (from the cache where it is known), verify it, and record the reproductions, good or bad.

    What differs is explained by at most ``blaming`` further rebuilds, once all is recorded.
    """
    used = {step.environment for step in project.recipe.steps if step.kind is StepKind.BUILD}
    can_be_verified((name, environment) for name, environment in project.lock.environments.items() if name in used)
    plan, built = build_project(services, project)
    found = verify(services, plan, built, rounds=rounds, axes=axes, severe=severe)
    return _recorded(services, plan, built, found, blaming)


def verify_release(
    services: Services, plan: Plan, released: Built, *, rounds: int | None = 1, axes: Axes = None, severe: bool = False, blaming: int = 0
) -> Verification:
    """Rebuild what a release was made from, compare with its artifacts, and record the reproductions of those, good or bad.

    Where nothing else is varied, what the host varies shows a difference to the release as well. What the steps wrote before their passes
    is not known of a release.
    """
    found = verify(services, plan, released, rounds=rounds, axes=axes, severe=severe)
    found = msgspec.structs.replace(found, artifacts=tuple(msgspec.structs.replace(verdict, raw=None) for verdict in found.artifacts))
    return _recorded(services, plan, released, found, blaming)


def _recorded(services: Services, plan: Plan, built: Built, found: Verification, blaming: int) -> Verification:
    record_reproductions(services, plan, built, found)
    if found.identical or not blaming:
        return found
    from lockage.work.blame import blame  # only where something differs

    return msgspec.structs.replace(found, blamed=blame(services, plan, built, found.rebuilds, most=blaming))


def verify(
    services: Services, plan: Plan, built: Built, *, rounds: int | None = 1, axes: Axes = None, severe: bool = False
) -> Verification:
    """Rebuild ``plan`` ``rounds`` times for each claim and grade every artifact of ``built``.

    The first rebuild varies everything, further ones follow a covering array; None: as many as it has rows, so that every pair of values
    of two axes occurs. More rounds than that begin it again.

    ``axes`` restricts what is varied to these axes or choices (None: everything that this machine can vary, with ``severe`` also what is
    dear or what a sound build may fail on). A rebuild that fails, or whose artifacts
    cannot be delivered, gives the grade `failed`. Raises :class:`NoArtifacts` if there is nothing to compare.
    """
    if not built.artifacts:
        raise NoArtifacts(
            f"{plan.recipe.project} has no artifacts that a rebuild could be compared with",
            hint="Declare `artifacts` in a build step of the recipe.",
        )
    started = services.clock.now()
    can_be_verified((planned.step.environment, planned.environment) for planned in plan.steps)
    for planned in plan.steps:
        fetch_missing(services, planned.environment)
    asked = select(axes, severe=severe)
    modes = {planned.name: (planned.step.modes, bool(planned.services)) for planned in plan.steps}
    reasons = services.unavailable_axes([whole(services, planned.environment, planned.step.environment) for planned in plan.steps])
    still = held_axes(modes.values())
    of_services = held_axes([((), True)])
    reasons |= {
        choice: "services need it as it is" if axis_of(choice) in of_services else "a mode holds it still"
        for wanted in asked
        for choice in wanted
        if axis_of(choice) in still
    }
    everything = [choices for wanted in asked if (choices := tuple(choice for choice in wanted if choice not in reasons))]
    host = [choices for choices in everything if axis_of(choices[0]) in _OF_HOST]
    performed: list[Round] = []
    rebuilds: list[Rebuild] = []
    with Rebuilder(services, plan) as rebuilder:
        for claim, columns in ((Claim.REPRODUCED, host), (Claim.ROBUST, everything)):
            if claim is Claim.ROBUST and columns == host:
                continue
            rows = list(covering(columns)) if rounds is None else list(itertools.islice(itertools.cycle(covering(columns)), rounds))
            for number, varied in enumerate(rows):
                services.tell(Phase(text=f"rebuild {number + 1} of {len(rows)} for `{claim}`: {len(varied)} axes varied"))
                done = rebuilder.rebuild(varied)
                rebuilds.append(done)
                performed.append(_round(claim, done))
    verdicts = tuple(_verdict(services, artifact, performed, rebuilds) for artifact in built.artifacts)
    return Verification(
        reproduced=worst(verdict.reproduced for verdict in verdicts),
        robust=worst(verdict.robust for verdict in verdicts),
        rounds=tuple(performed),
        rebuilds=tuple(rebuilds),
        artifacts=verdicts,
        started=started,
        pairs=count_pairs(everything, [round_.axes for round_ in performed]),
        unavailable={choice: reasons[choice] for wanted in asked for choice in wanted if choice in reasons},
        held={name: still for name, chosen in modes.items() if (still := held_axes([chosen]))},
    )


def _round(claim: Claim, done: Rebuild) -> Round:
    return Round(
        claim=claim,
        axes=done.axes,
        artifacts={artifact.name: artifact.blob for artifact in done.artifacts},
        failure=done.failure,
        last_lines=done.last_lines,
    )


def _verdict(services: Services, artifact: Artifact, rounds: list[Round], rebuilds: list[Rebuild]) -> ArtifactVerdict:
    grades: dict[Claim, list[Grade]] = {Claim.REPRODUCED: [], Claim.ROBUST: []}
    raw_grades: list[Grade] = []
    digests = [artifact.blob.digest]
    differences: tuple[MemberDifference, ...] = ()
    for round_, done in zip(rounds, rebuilds, strict=True):
        delivered = done.artifact(artifact.name)
        again = round_.artifacts.get(artifact.name)
        grade, found = _compared(services, artifact.name, artifact.blob, again)
        differences = differences or found
        grades[round_.claim].append(grade)
        raw_grades.append(_compared(services, artifact.name, artifact.raw, delivered.raw if delivered else None)[0])
        if again is not None:
            digests.append(again.digest)
    reproduced = _worst_or_failed(grades[Claim.REPRODUCED])
    return ArtifactVerdict(
        filename=artifact.name,
        reproduced=reproduced,
        robust=worst([reproduced, *grades[Claim.ROBUST]]),
        raw=_worst_or_failed(raw_grades),
        sha256=tuple(digests),
        differences=differences,
    )


def _compared(services: Services, name: str, first: BlobRef, again: BlobRef | None) -> tuple[Grade, tuple[MemberDifference, ...]]:
    if again is None:
        return Grade.FAILED, ()
    if first == again:
        return Grade.IDENTICAL, ()
    comparison = compare_files(name, services.blobs.get(first), services.blobs.get(again))
    return comparison.grade, comparison.members


def _worst_or_failed(grades: Iterable[Grade]) -> Grade:
    found = list(grades)
    return worst(found) if found else Grade.FAILED

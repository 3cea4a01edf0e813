"""Verify: rebuild what was built, with the host varied and then with the sandbox's own values varied, and compare.

A rebuild never reads the action cache. `reproduced` compares rebuilds in which only the host differs; `robust` is the worst
of that and of rebuilds in which what the contract fixes differs as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.digest import BlobRef, Digest
from lockage.base.errors import StepFailed
from lockage.base.instant import Instant
from lockage.compare import Grade, MemberDifference, compare_files, worst
from lockage.record.event import Phase
from lockage.variation import AXES, Claim, Side, vary
from lockage.work.artifacts import NoArtifacts, deliver
from lockage.work.attest import record_reproductions
from lockage.work.diagnose import last_lines
from lockage.work.execute import Execution
from lockage.work.hand_over import build_project
from lockage.work.roots import fetch_missing

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from lockage.plan.plan import Plan
    from lockage.record.artifact import Artifact
    from lockage.work.build import Built
    from lockage.work.prepare import Project
    from lockage.work.services import Services

__all__ = ["ArtifactVerdict", "Round", "Verification", "verify", "verify_project"]


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """One rebuild: which claim it serves, what was varied, what each artifact came out as, and why a step failed with its last lines."""

    claim: Claim
    axes: tuple[str, ...]
    artifacts: dict[str, BlobRef]
    failure: str | None = None
    last_lines: tuple[str, ...] = ()


class ArtifactVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What was found of one artifact: its grades, the digests of the build and of every rebuild, and the members that differ."""

    filename: str
    reproduced: Grade
    robust: Grade
    raw: Grade
    sha256: tuple[Digest, ...]
    differences: tuple[MemberDifference, ...] = ()

    def lines(self) -> list[str]:
        """What differs, a line each, for people."""
        if not self.differences:
            return []
        from lockage.compare import Comparison, render_text  # only where something differs

        return render_text(Comparison(name=self.filename, grade=self.robust, members=self.differences))


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """The result of verifying one build."""

    reproduced: Grade
    robust: Grade
    rounds: tuple[Round, ...]
    artifacts: tuple[ArtifactVerdict, ...]
    started: Instant
    unavailable: tuple[str, ...] = ()

    @property
    def identical(self) -> bool:
        """Whether every rebuild gave the same bytes."""
        return self.robust is Grade.IDENTICAL

    @property
    def axes(self) -> tuple[str, ...]:
        varied = {name for round_ in self.rounds for name in round_.axes}
        return tuple(axis.name for axis in AXES if axis.name in varied)


def verify_project(services: Services, project: Project, *, rounds: int = 1, axes: Collection[str] | None = None) -> Verification:
    """Build a project (from the cache where it is known), verify it, and record the reproductions, good or bad."""
    plan, built = build_project(services, project)
    found = verify(services, plan, built, rounds=rounds, axes=axes)
    record_reproductions(services, built, found)
    return found


def verify(services: Services, plan: Plan, built: Built, *, rounds: int = 1, axes: Collection[str] | None = None) -> Verification:
    """Rebuild ``plan`` ``rounds`` times for each claim and grade every artifact of ``built``.

    ``axes`` restricts what is varied (None: everything that this machine can vary). A rebuild that fails, or whose artifacts
    cannot be delivered, gives the grade `failed`. Raises :class:`NoArtifacts` if there is nothing to compare.
    """
    if not built.artifacts:
        raise NoArtifacts(
            f"{plan.recipe.project} has no artifacts that a rebuild could be compared with",
            hint="Declare `artifacts` in a build step of the recipe.",
        )
    started = services.clock.now()
    for planned in plan.steps:
        fetch_missing(services, planned.environment)
    unavailable = services.unavailable_axes([planned.environment for planned in plan.steps])
    wanted = [axis for axis in AXES if (axes is None or axis.name in axes) and axis.name not in unavailable]
    host = tuple(axis.name for axis in wanted if axis.side is Side.HOST)
    everything = tuple(axis.name for axis in wanted)
    performed: list[Round] = []
    raws: list[dict[str, BlobRef]] = []
    for claim, varied in ((Claim.REPRODUCED, host), (Claim.ROBUST, everything)):
        if claim is Claim.ROBUST and varied == host:
            continue
        for number in range(rounds):
            services.tell(Phase(text=f"rebuild {number + 1} of {rounds} for `{claim}`: {len(varied)} axes varied"))
            round_, raw = _rebuild(services, plan, claim, varied)
            performed.append(round_)
            raws.append(raw)
    verdicts = tuple(_verdict(services, artifact, performed, raws) for artifact in built.artifacts)
    return Verification(
        reproduced=worst(verdict.reproduced for verdict in verdicts),
        robust=worst(verdict.robust for verdict in verdicts),
        rounds=tuple(performed),
        artifacts=verdicts,
        started=started,
        unavailable=tuple(name for name in unavailable if axes is None or name in axes),
    )


def _rebuild(services: Services, plan: Plan, claim: Claim, varied: tuple[str, ...]) -> tuple[Round, dict[str, BlobRef]]:
    world = vary(varied)
    with services.varied_roots(world) as root_for:
        execution = Execution(services, plan, world=world, fresh=True, root_for=root_for)
        execution.run()
    failed = [run for run in execution.results.values() if run.failure is not None]
    failures = [f"{run.step}: {run.failure}" for run in failed]
    try:
        artifacts = deliver(services, plan, execution.results, remember=False)
    except StepFailed as error:
        failures.append(error.message)
        artifacts = ()
    round_ = Round(
        claim=claim,
        axes=varied,
        artifacts={artifact.name: artifact.blob for artifact in artifacts},
        failure="; ".join(failures) or None,
        last_lines=last_lines(services.blobs.get(failed[0].log)) if failed else (),
    )
    return round_, {artifact.name: artifact.raw for artifact in artifacts}


def _verdict(services: Services, artifact: Artifact, rounds: list[Round], raws: list[dict[str, BlobRef]]) -> ArtifactVerdict:
    grades: dict[Claim, list[Grade]] = {Claim.REPRODUCED: [], Claim.ROBUST: []}
    raw_grades: list[Grade] = []
    digests = [artifact.blob.digest]
    differences: tuple[MemberDifference, ...] = ()
    for round_, raw in zip(rounds, raws, strict=True):
        again = round_.artifacts.get(artifact.name)
        grade, found = _compared(services, artifact.name, artifact.blob, again)
        differences = differences or found
        grades[round_.claim].append(grade)
        raw_grades.append(_compared(services, artifact.name, artifact.raw, raw.get(artifact.name))[0])
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

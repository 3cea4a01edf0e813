"""Attest: what was built, tested and rebuilt is said in signed statements, kept as blobs and recorded in the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage import __version__
from lockage.base.canonical import canonical, plain
from lockage.base.digest import BlobRef, Digest
from lockage.recipe.model import StepKind

if TYPE_CHECKING:
    from lockage.base.instant import Instant
    from lockage.plan.plan import Plan
    from lockage.recipe.crates import Crate
    from lockage.record.artifact import Run
    from lockage.work.build import Built
    from lockage.work.prepare import Project
    from lockage.work.services import Services
    from lockage.work.test import TestOutcome
    from lockage.work.verify import Verification

__all__ = ["record_provenance", "record_reproductions", "record_tests"]

replace = msgspec.structs.replace
#: Tells what is signed now from what earlier lockages signed, which knew less: it is signed once more.
_SIGNED = "conditions"


def record_provenance(services: Services, plan: Plan, built: Built, *, recipe_path: str | None, anew: bool = False) -> tuple[BlobRef, ...]:
    """Sign and record provenance, once for the same artifacts from the same inputs, as long as what was signed is kept.

    What was executed again under other conditions is told of again. With ``anew`` it is recorded again, for a ledger that does not
    know of it. Returns what was signed.
    """
    if not built.artifacts:
        return ()
    run = _until(built.run, services.clock.now())
    artifacts = sorted(f"{a.name} {a.blob}" for a in run.artifacts)
    key = Digest.of(canonical([_SIGNED, run.source.digest, run.recipe, run.lock, *artifacts]))
    executed = run.reexecuted is not None or not all(step.cached for step in run.steps)
    if not anew and not executed and (signed := _signed_before(services, services.memo.get("provenance", key))):
        return signed
    from lockage.base.path import RelPath  # the rest is needed only when something new was built
    from lockage.evidence.predicate import PROVENANCE, provenance
    from lockage.evidence.trust import Role
    from lockage.work.book import record_evidence
    from lockage.work.conditions import conditions_of_run

    conditions = conditions_of_run(services, plan, built.run_id, frozenset(step.step for step in run.steps))
    exact = Digest.of(canonical([key, *(plain(replace(one, run=None)) for one in conditions.executions), plain(conditions.deviations)]))
    if not anew and (signed := _signed_before(services, services.memo.get("provenance", exact))):
        return signed
    kept = services.runs.get(built.run_id)
    statements = provenance(
        run,
        run_id=built.run_id,
        log=kept[1] if kept is not None else services.blobs.put(b""),
        recipe_path=RelPath(recipe_path) if recipe_path else None,
        roots={planned.step.environment: planned.environment.root for planned in plan.steps},
        lockage=__version__,
        fetched={found.name: found for planned in plan.steps for found in planned.fetched}.values(),
        crates=_crates(services, plan),
        images={planned.step.environment: image for planned in plan.steps if (image := planned.environment.pulled) is not None},
        conditions=conditions,
    )
    bundles = record_evidence(services, PROVENANCE, statements, Role.BUILDER)
    for known in (key, exact):
        services.memo.put("provenance", known, " ".join(map(str, bundles)).encode())
    return bundles


def _until(run: Run, now: Instant) -> Run:
    """The run as it is told of now: where a clock was set back, a statement would speak of what has yet to come, and not count."""
    finished = min(run.finished, now)
    return replace(run, started=min(run.started, finished), finished=finished)


def _crates(services: Services, plan: Plan) -> tuple[Crate, ...]:
    """The crates that the plan's steps see."""
    paths = {planned.step.crates for planned in plan.steps if planned.step.crates is not None}
    if not paths:
        return ()
    from lockage.base.tree import read_tree  # only builds of Rust need it
    from lockage.work.crates import crates_of

    source = read_tree(plan.source.tree, services.blobs.get)
    return tuple(crate for path in paths for crate in crates_of(services, source, path))


def _signed_before(services: Services, kept: bytes | None) -> tuple[BlobRef, ...]:
    """The bundles that a memo names, if every one of them is still there."""
    try:
        bundles = tuple(BlobRef.parse(text) for text in (kept or b"").decode().split())
    except ValueError:
        return ()  # a memo that makes no sense counts for nothing
    return bundles if all(map(services.blobs.has, bundles)) else ()


def record_tests(services: Services, project: Project, built: Built, tested: TestOutcome) -> None:
    """Sign and record how the recipe's test steps ended, about every artifact of the project."""
    from lockage.evidence.predicate import TEST_RESULT, test_result
    from lockage.evidence.trust import Role
    from lockage.work.book import record_evidence
    from lockage.work.conditions import conditions_of_run

    if not built.artifacts:
        return
    declared = [step.name for step in project.recipe.steps if step.kind is not StepKind.BUILD]
    now = services.clock.now()
    run = _until(replace(built.run, steps=tested.steps, finished=now), now)
    conditions = conditions_of_run(services, tested.plan, tested.run_id, frozenset(step.step for step in tested.steps))
    record_evidence(services, TEST_RESULT, test_result(run, declared, conditions), Role.TESTER)


def record_reproductions(services: Services, plan: Plan, built: Built, found: Verification) -> None:
    """Sign and record one reproduction for each claim, whatever its grade."""
    from lockage.evidence.predicate import REPRODUCTION, ReproductionRound, VariedAxis, reproduction
    from lockage.evidence.trust import Role
    from lockage.variation import Claim, values_of
    from lockage.work.book import record_evidence
    from lockage.work.conditions import conditions_here

    finished = services.clock.now()
    conditions = conditions_here(services, plan)
    for claim in Claim:
        rounds = [round_ for round_ in found.rounds if round_.claim is claim]
        if not rounds:
            continue
        axes = sorted({name for round_ in rounds for name in round_.axes})
        statements = reproduction(
            built.run,
            claim=claim,
            grades={v.filename: v.reproduced if claim is Claim.REPRODUCED else v.robust for v in found.artifacts},
            rebuilt={
                artifact.name: [round_.artifacts[artifact.name].digest for round_ in rounds if artifact.name in round_.artifacts]
                for artifact in built.artifacts
            },
            rounds=[ReproductionRound(axes=round_.axes, failure=round_.failure) for round_ in rounds],
            axes=[VariedAxis(name=name, values=values_of(name)) for name in axes],
            unavailable=tuple(found.unavailable),
            started=min(found.started, finished),
            finished=finished,
            lockage=__version__,
            conditions=conditions,
        )
        record_evidence(services, REPRODUCTION, statements, Role.VERIFIER)

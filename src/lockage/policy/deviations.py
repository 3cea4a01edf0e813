"""The gate that asks under which conditions steps were executed: on what machines, and how a build deviated.

Invariants: what was signed without its conditions, and what was not recorded of a machine, is refused where it is asked for; a reason
names what was found, what is refused, who told of it, and what to do.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, ClassVar

import msgspec

from lockage.compare.grade import Grade
from lockage.evidence.facts import ReproductionFact, TestFact
from lockage.policy.case import Case, GateResult, Need, by_artifact, latest_results, listed, names_of, of_build, passes, refuses
from lockage.policy.refusal import Refusal
from lockage.record.conditions import DeviationKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lockage.base.digest import Digest
    from lockage.evidence.facts import Fact
    from lockage.policy.proposal import NamedArtifact
    from lockage.record.conditions import ExecutedOn

__all__ = ["Deviations", "Work"]

_GATE = "deviations"
_AGAIN = "`lockage build --reexecute 100%`"
_REMEDIES = {
    DeviationKind.HOST_ENVIRONMENT: "pin the environment in the recipe, then lock, build and release again",
    DeviationKind.STALE_SUITE: "lock from a mirror that is up to date (`lockage lock --upgrade`), then build and release again",
    DeviationKind.RETRIED_STEP: f"see why it failed (`lockage logs`), and execute it again ({_AGAIN})",
    DeviationKind.STORE_DAMAGE: f"check the store (`lockage store check`), and execute the steps again ({_AGAIN})",
}


class Work(StrEnum):
    """Besides the builds, whose conditions count."""

    TESTS = "tests"
    REBUILDS = "rebuilds"


#: What makes evidence of a kind, and makes it again on a machine where it was made before.
_MADE_BY: Mapping[Work | None, tuple[str, str, str]] = {
    None: ("builder has signed provenance", "`lockage build`", f"execute it on another machine ({_AGAIN} in the same store)"),
    Work.TESTS: ("tester has signed results", "`lockage test`", "run `lockage test` on another machine, in a store of its own"),
    Work.REBUILDS: ("verifier has rebuilt it to identical bytes", "`lockage verify`", "run `lockage verify` on another machine"),
}


class Deviations(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="gate", tag="deviations"):
    """Nothing that is refused holds of the builds; with ``also``, of the tests that count, or of a rebuild, neither.

    Of several builds of the same bytes, and of several rebuilds, one that is accepted is enough; of tests the newest results count.
    """

    in_rollback: ClassVar[bool] = True

    refuse: Annotated[tuple[Refusal, ...], msgspec.Meta(min_length=1)]
    also: tuple[Work, ...] = ()

    @property
    def needs(self) -> frozenset[Need]:
        """Provenance, and the evidence of what is asked for besides."""
        more = {Work.TESTS: Need.TEST, Work.REBUILDS: Need.REPRODUCTION}
        return frozenset({Need.PROVENANCE, *(more[work] for work in self.also)})

    def judge(self, case: Case) -> GateResult:
        used: list[Fact] = []
        kinds: list[Work | None] = [None, *self.also]
        for work in kinds:
            facts = _facts(work, case)
            for artifact in case.proposal.artifacts:
                counted = _counted(work, artifact, facts.get(artifact.sha256, ()))
                refused = [fact for fact in counted if any(self._objections(fact, work))]
                if not counted or len(refused) == len(counted) or (refused and work is Work.TESTS):
                    alike = [other for other in case.proposal.artifacts if facts.get(other.sha256) == facts.get(artifact.sha256)]
                    return self._refused(case, work, alike, refused)
                used += [fact for fact in counted if fact not in refused]
        return passes(_GATE, f"nothing that is refused: {listed(self.refuse)}", used)

    def _refused(self, case: Case, work: Work | None, artifacts: Sequence[NamedArtifact], refused: Sequence[Fact]) -> GateResult:
        made, command, _ = _MADE_BY[work]
        if not refused:
            return refuses(
                _GATE, f"{names_of(artifacts)}: no trusted {made} for this source, recipe and lock; run {command}, and promote again"
            )
        newest = max(refused, key=lambda fact: fact.time)
        told = list(self._objections(newest, work))
        what = listed([one for one, _ in told], between="; ")
        remedies = "; ".join(dict.fromkeys(remedy for _, remedy in told))
        then = f"then promote again, or change the policy of {case.proposal.channel}"
        return refuses(_GATE, f"{names_of(artifacts)}: {what} (told by {newest.principal}). To mend it, {remedies}; {then}", refused)

    def _objections(self, fact: Fact, work: Work | None) -> Iterator[tuple[str, str]]:
        """What is refused of what a fact tells, each with what to do about it."""
        _, command, elsewhere = _MADE_BY[work]
        conditions = fact.conditions
        if conditions is None:
            yield "an earlier lockage signed it, which did not tell of conditions", f"run {command} with this one"
            return
        for refusal in self.refuse:
            kind = refusal.kind
            if kind is not None:
                found = [one for one in conditions.deviations if one.kind == kind]
                if found:
                    what = listed([f"{one.subject}: {one.what}" for one in found])
                    yield f"`{refusal}` is refused, and there is {what}", _REMEDIES[kind]
                continue
            for execution in conditions.executions:
                answer = refusal.refuses(execution.host)
                if answer is None:
                    yield f"`{refusal}` is refused, and {refusal.fact} was not recorded of what {_ran(execution)}", elsewhere
                elif answer:
                    value = execution.host[refusal.fact] if refusal.fact is not None else ""
                    yield f"`{refusal}` is refused, and what {_ran(execution)} has {refusal.fact} {_short(value)}", elsewhere


def _ran(execution: ExecutedOn) -> str:
    run = "" if execution.run is None else f" in {execution.run}"
    return f"executed {listed(execution.steps)}{run}"


def _short(value: str) -> str:
    return value if len(value) <= 60 else f"{value[:60]}…"


def _facts(work: Work | None, case: Case) -> Mapping[Digest, Sequence[Fact]]:
    match work:
        case None:
            return by_artifact(of_build(case.provenance, case.proposal))
        case Work.TESTS:
            return by_artifact(of_build(case.tests, case.proposal))
        case Work.REBUILDS:
            return by_artifact(of_build(case.reproductions, case.proposal))


def _counted(work: Work | None, artifact: NamedArtifact, facts: Sequence[Fact]) -> list[Fact]:
    """The facts that could let the artifact pass."""
    if work is Work.TESTS:
        tests = [fact for fact in facts if isinstance(fact, TestFact)]
        latest = [fact for _, fact in latest_results(tests).values()]
        return [fact for fact in tests if fact in latest] or list(tests)  # without test steps there are no results
    if work is Work.REBUILDS:
        return [fact for fact in facts if isinstance(fact, ReproductionFact) and fact.grades[artifact.sha256] is Grade.IDENTICAL]
    return list(facts)

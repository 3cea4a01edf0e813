"""The gates: one rule each, as a small pure object with its parameters.

Invariants: a gate declares what it needs and is given only that; it fails closed, and its reason says what is missing and
what to do. Only facts about the release's own source, recipe and lock count, so that another build of the same bytes proves nothing.
"""

from __future__ import annotations

from collections import defaultdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, ClassVar, TypeVar

import msgspec

from lockage.base.digest import Digest
from lockage.base.name import ChannelName
from lockage.compare import Grade
from lockage.evidence.facts import Fact, FactKind, ProvenanceFact, ReproductionFact, TestFact
from lockage.policy.proposal import NamedArtifact, Proposal, Stay
from lockage.record.source import CommitOrigin, DirectoryOrigin, Origin, SdistOrigin
from lockage.variation import Claim

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lockage.base.name import PrincipalName, StepName

__all__ = ["GATES", "Case", "From", "Gate", "GateResult", "Need", "Reproduced", "SourceClean", "Tests"]

F = TypeVar("F", ProvenanceFact, TestFact, ReproductionFact)

#: How many artifacts, steps or verifiers a reason names before it only counts the rest.
_NAMED = 3


class Need(StrEnum):
    """What a gate can ask for."""

    PROVENANCE = FactKind.PROVENANCE
    TEST = FactKind.TEST
    REPRODUCTION = FactKind.REPRODUCTION
    STAYS = "stays"


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What one gate gets to see: the proposal, and of the rest only what it needs."""

    proposal: Proposal
    provenance: tuple[ProvenanceFact, ...] = ()
    tests: tuple[TestFact, ...] = ()
    reproductions: tuple[ReproductionFact, ...] = ()
    stays: tuple[Stay, ...] = ()


class GateResult(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a gate found: ``reason`` is a sentence for people, ``evidence`` are the bundles it rests on, sorted."""

    gate: str
    passed: bool
    reason: str
    evidence: tuple[Digest, ...] = ()


class SourceClean(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="gate", tag="source-clean"):
    """Every artifact was built by a trusted builder from a commit or an sdist: a source that others can obtain."""

    needs: ClassVar[frozenset[Need]] = frozenset({Need.PROVENANCE})
    in_rollback: ClassVar[bool] = True

    def judge(self, case: Case) -> GateResult:
        facts = _by_artifact(_of_build(case.provenance, case.proposal))
        clean = {sha256: [fact for fact in found if fact.source.clean] for sha256, found in facts.items()}
        missing = [artifact for artifact in case.proposal.artifacts if not clean.get(artifact.sha256)]
        if not missing:
            used = [fact for found in clean.values() for fact in found]
            source = used[0].source  # the same for all: facts of another source were left out
            if source.version != case.proposal.version:
                return _failed(
                    "source-clean", f"the source is version {source.version}, and the release says {case.proposal.version}", used
                )
            return _passed("source-clean", f"built from {_origin(source.origin)}", used)
        dirty = [fact for artifact in missing for fact in facts.get(artifact.sha256, ())]
        if dirty:
            return _failed(
                "source-clean",
                f"{_names(missing)}: built from {_origin(dirty[0].source.origin)}, which nobody else can obtain; commit the changes, then"
                " build and release again",
                dirty,
            )
        return _failed(
            "source-clean",
            f"{_names(missing)}: no trusted builder has signed provenance for this source, recipe and lock; run `lockage build`, and"
            " release again",
        )


class Tests(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="gate", tag="tests"):
    """All test steps of the recipe passed over every artifact; there are at least ``least`` of them."""

    __test__: ClassVar[bool] = False  # not a test, whatever pytest thinks of its name
    needs: ClassVar[frozenset[Need]] = frozenset({Need.TEST})
    in_rollback: ClassVar[bool] = True

    least: Annotated[int, msgspec.Meta(ge=0)] = 0

    def judge(self, case: Case) -> GateResult:
        facts = _of_build(case.tests, case.proposal)
        found = _by_artifact(facts)
        untested = [artifact for artifact in case.proposal.artifacts if not found.get(artifact.sha256)]
        if untested:
            return _failed(
                "tests", f"{_names(untested)}: no trusted tester has signed results for this source, recipe and lock; run `lockage test`"
            )
        failed: dict[StepName, TestFact] = {}
        missing: set[StepName] = set()
        declared: set[StepName] = set()
        for artifact in case.proposal.artifacts:
            latest = _latest_results(found[artifact.sha256])
            wanted = {step for fact in found[artifact.sha256] for step in fact.declared}
            declared |= wanted
            missing |= wanted - set(latest)
            failed |= {step: fact for step, (passed, fact) in latest.items() if not passed}
        if failed:
            return _failed(
                "tests",
                f"test step {_list(sorted(failed))} failed; see `lockage logs`, mend the cause, then build, test and release again",
                failed.values(),
            )
        if missing:
            return _failed("tests", f"test step {_list(sorted(missing))} was not run over every artifact; run `lockage test`", facts)
        if len(declared) < self.least:
            return _failed("tests", f"the recipe has {len(declared)} test steps, and this channel wants at least {self.least}", facts)
        if not declared:
            return _passed("tests", "the recipe has no test step", facts)
        return _passed("tests", f"passed: {_list(sorted(declared))}", facts)


class Reproduced(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="gate", tag="reproduced"):
    """At least ``verifiers`` different trusted verifiers rebuilt every artifact to identical bytes, and none got other bytes last.

    ``claim`` is ``reproduced`` (the host varied) or ``robust`` (the sandbox's values as well); the second implies the first.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({Need.REPRODUCTION})
    in_rollback: ClassVar[bool] = True

    claim: Claim = Claim.REPRODUCED
    verifiers: Annotated[int, msgspec.Meta(ge=1)] = 1

    def judge(self, case: Case) -> GateResult:
        facts = _by_artifact(_of_build(case.reproductions, case.proposal))
        used: list[ReproductionFact] = []
        missing: list[NamedArtifact] = []
        fewest = self.verifiers
        for artifact in case.proposal.artifacts:
            latest = self._latest(artifact.sha256, facts.get(artifact.sha256, ()))
            against = [fact for fact in latest.values() if fact.grades[artifact.sha256] is not Grade.IDENTICAL]
            if against:
                grade = against[0].grades[artifact.sha256]
                return _failed(
                    "reproduced",
                    f"{artifact.name}: the rebuild of {against[0].time} by {against[0].principal} came out {grade}"
                    f" ({self.claim}); run `lockage verify` to see what differs, and mend it",
                    against,
                )
            if len(latest) < self.verifiers:
                missing.append(artifact)
                fewest = min(fewest, len(latest))
            used.extend(latest.values())
        if missing:
            what = "no rebuild" if not fewest else f"only {fewest} of {self.verifiers} rebuilds needed"
            return _failed(
                "reproduced",
                f"{_names(missing)}: {what} by a trusted verifier gave identical bytes ({self.claim}); run `lockage verify`"
                + (" as different verifiers" if self.verifiers > 1 else ""),
                used,
            )
        who = sorted({fact.principal for fact in used})
        axes = sorted({axis for fact in used for axis in fact.axes})
        return _passed("reproduced", f"identical bytes ({self.claim}), rebuilt by {_list(who)} with {len(axes)} axes varied", used)

    def _latest(self, sha256: Digest, facts: Iterable[ReproductionFact]) -> dict[PrincipalName, ReproductionFact]:
        """The newest reproduction of one artifact by each verifier; of two at the same time, the worse counts.

        A robust rebuild that was identical proves `reproduced`; one that was not proves nothing of it, for the cause may be
        what was varied besides the host.
        """
        counted = [
            fact for fact in facts if fact.claim is self.claim or (fact.claim is Claim.ROBUST and fact.grades[sha256] is Grade.IDENTICAL)
        ]
        counted.sort(key=lambda fact: (fact.time, fact.grades[sha256] is not Grade.IDENTICAL))
        return {fact.principal: fact for fact in counted}


class From(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="gate", tag="from"):
    """The release is, or was, on the channel below. A rollback does not ask again."""

    needs: ClassVar[frozenset[Need]] = frozenset({Need.STAYS})
    in_rollback: ClassVar[bool] = False

    channel: ChannelName

    def judge(self, case: Case) -> GateResult:
        stays = [stay for stay in case.stays if stay.channel == self.channel and stay.release == case.proposal.release]
        if stays:
            first = min(stays, key=lambda stay: stay.generation)
            return _passed("from", f"on {self.channel} since {first.since} (generation {first.generation})")
        return _failed(
            "from",
            f"{case.proposal.title} has never been on {self.channel}; promote it to {self.channel} first",
        )


Gate = SourceClean | Tests | Reproduced | From

#: Every gate by the name it has in a policy.
GATES: dict[str, type[Gate]] = {str(kind.__struct_config__.tag): kind for kind in (SourceClean, Tests, Reproduced, From)}


def _of_build(facts: Iterable[F], proposal: Proposal) -> list[F]:
    return [fact for fact in facts if fact.inputs == proposal.inputs]


def _by_artifact(facts: Iterable[F]) -> Mapping[Digest, list[F]]:
    found: dict[Digest, list[F]] = defaultdict(list)
    for fact in facts:
        for sha256 in fact.subjects:
            found[sha256].append(fact)
    return found


def _latest_results(facts: Iterable[TestFact]) -> dict[StepName, tuple[bool, TestFact]]:
    """The newest result of each step; of two at the same time, a failure counts."""
    found: dict[StepName, tuple[bool, TestFact]] = {}
    for fact in sorted(facts, key=lambda fact: fact.time):
        results = [*((step, True) for step in fact.passed), *((step, False) for step in fact.failed)]
        for step, passed in results:
            before = found.get(step)
            if before is None or before[1].time < fact.time or not passed:
                found[step] = (passed, fact)
    return found


def _passed(gate: str, reason: str, facts: Iterable[Fact] = ()) -> GateResult:
    return GateResult(gate=gate, passed=True, reason=reason, evidence=tuple(sorted({fact.evidence for fact in facts})))


def _failed(gate: str, reason: str, facts: Iterable[Fact] = ()) -> GateResult:
    return GateResult(gate=gate, passed=False, reason=reason, evidence=tuple(sorted({fact.evidence for fact in facts})))


def _list(words: Sequence[str]) -> str:
    more = len(words) - _NAMED
    return ", ".join(words[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _names(artifacts: Sequence[NamedArtifact]) -> str:
    return _list([artifact.name for artifact in artifacts])


def _origin(origin: Origin) -> str:
    match origin:
        case CommitOrigin(commit=commit, repository=repository):
            return f"commit {commit[:12]}" + (f" of {repository}" if repository else "")
        case SdistOrigin(file=file):
            return f"sdist {file}"
        case DirectoryOrigin(reason=reason):
            return f"a directory ({reason})"

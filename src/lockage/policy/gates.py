"""The gates: one rule each, as a small pure object with its parameters.

Invariants: a gate declares what it needs and is given only that; it fails closed, and its reason says what is missing and
what to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

import msgspec

from lockage.base.name import ChannelName
from lockage.compare.grade import Grade
from lockage.policy.case import Case, GateResult, Need, by_artifact, latest_results, listed, names_of, of_build, passes, refuses
from lockage.policy.deviations import Deviations
from lockage.record.source import CommitOrigin, DirectoryOrigin, Origin, SdistOrigin
from lockage.variation import Claim

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockage.base.digest import Digest
    from lockage.base.name import PrincipalName, StepName
    from lockage.evidence.facts import ReproductionFact, TestFact
    from lockage.policy.proposal import NamedArtifact

__all__ = ["GATES", "Case", "Deviations", "From", "Gate", "GateResult", "Need", "Reproduced", "SourceClean", "Tests"]


class SourceClean(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="gate", tag="source-clean"):
    """Every artifact was built by a trusted builder from a commit or an sdist: a source that others can obtain."""

    needs: ClassVar[frozenset[Need]] = frozenset({Need.PROVENANCE})
    in_rollback: ClassVar[bool] = True

    def judge(self, case: Case) -> GateResult:
        facts = by_artifact(of_build(case.provenance, case.proposal))
        clean = {sha256: [fact for fact in found if fact.source.clean] for sha256, found in facts.items()}
        missing = [artifact for artifact in case.proposal.artifacts if not clean.get(artifact.sha256)]
        if not missing:
            used = [fact for found in clean.values() for fact in found]
            source = used[0].source  # the same for all: facts of another source were left out
            if source.version != case.proposal.version:
                return refuses(
                    "source-clean", f"the source is version {source.version}, and the release says {case.proposal.version}", used
                )
            return passes("source-clean", f"built from {_origin(source.origin)}", used)
        dirty = [fact for artifact in missing for fact in facts.get(artifact.sha256, ())]
        if dirty:
            return refuses(
                "source-clean",
                f"{names_of(missing)}: built from {_origin(dirty[0].source.origin)}, which nobody else can obtain; commit the changes, then"
                " build and release again",
                dirty,
            )
        return refuses(
            "source-clean",
            f"{names_of(missing)}: no trusted builder has signed provenance for this source, recipe and lock; run `lockage build`, and"
            " release again",
        )


class Tests(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="gate", tag="tests"):
    """All test steps of the recipe passed over every artifact; there are at least ``least`` of them."""

    __test__: ClassVar[bool] = False  # not a test, whatever pytest thinks of its name
    needs: ClassVar[frozenset[Need]] = frozenset({Need.TEST})
    in_rollback: ClassVar[bool] = True

    least: Annotated[int, msgspec.Meta(ge=0)] = 0

    def judge(self, case: Case) -> GateResult:
        facts = of_build(case.tests, case.proposal)
        found = by_artifact(facts)
        untested = [artifact for artifact in case.proposal.artifacts if not found.get(artifact.sha256)]
        if untested:
            return refuses(
                "tests", f"{names_of(untested)}: no trusted tester has signed results for this source, recipe and lock; run `lockage test`"
            )
        failed: dict[StepName, TestFact] = {}
        missing: set[StepName] = set()
        declared: set[StepName] = set()
        for artifact in case.proposal.artifacts:
            latest = latest_results(found[artifact.sha256])
            wanted = {step for fact in found[artifact.sha256] for step in fact.declared}
            declared |= wanted
            missing |= wanted - set(latest)
            failed |= {step: fact for step, (passed, fact) in latest.items() if not passed}
        if failed:
            return refuses(
                "tests",
                f"test step {listed(sorted(failed))} failed; see `lockage logs`, mend the cause, then build, test and release again",
                failed.values(),
            )
        if missing:
            return refuses("tests", f"test step {listed(sorted(missing))} was not run over every artifact; run `lockage test`", facts)
        if len(declared) < self.least:
            return refuses("tests", f"the recipe has {len(declared)} test steps, and this channel wants at least {self.least}", facts)
        if not declared:
            return passes("tests", "the recipe has no test step", facts)
        return passes("tests", f"passed: {listed(sorted(declared))}", facts)


class Reproduced(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="gate", tag="reproduced"):
    """At least ``verifiers`` different trusted verifiers rebuilt every artifact to identical bytes, and none got other bytes last.

    ``claim`` is ``reproduced`` (the host varied) or ``robust`` (the sandbox's values as well); the second implies the first.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({Need.REPRODUCTION})
    in_rollback: ClassVar[bool] = True

    claim: Claim = Claim.REPRODUCED
    verifiers: Annotated[int, msgspec.Meta(ge=1)] = 1

    def judge(self, case: Case) -> GateResult:
        facts = by_artifact(of_build(case.reproductions, case.proposal))
        used: list[ReproductionFact] = []
        missing: list[NamedArtifact] = []
        fewest = self.verifiers
        for artifact in case.proposal.artifacts:
            latest = self._latest(artifact.sha256, facts.get(artifact.sha256, ()))
            against = [fact for fact in latest.values() if fact.grades[artifact.sha256] is not Grade.IDENTICAL]
            if against:
                grade = against[0].grades[artifact.sha256]
                return refuses(
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
            return refuses(
                "reproduced",
                f"{names_of(missing)}: {what} by a trusted verifier gave identical bytes ({self.claim}); run `lockage verify`"
                + (" as different verifiers" if self.verifiers > 1 else ""),
                used,
            )
        who = sorted({fact.principal for fact in used})
        axes = sorted({axis for fact in used for axis in fact.axes})
        return passes("reproduced", f"identical bytes ({self.claim}), rebuilt by {listed(who)} with {len(axes)} axes varied", used)

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
            return passes("from", f"on {self.channel} since {first.since} (generation {first.generation})")
        return refuses(
            "from",
            f"{case.proposal.title} has never been on {self.channel}; promote it to {self.channel} first",
        )


Gate = SourceClean | Tests | Reproduced | From | Deviations

#: Every gate by the name it has in a policy.
GATES: dict[str, type[Gate]] = {str(kind.__struct_config__.tag): kind for kind in (SourceClean, Tests, Reproduced, From, Deviations)}


def _origin(origin: Origin) -> str:
    match origin:
        case CommitOrigin(commit=commit, repository=repository):
            return f"commit {commit[:12]}" + (f" of {repository}" if repository else "")
        case SdistOrigin(file=file):
            return f"sdist {file}"
        case DirectoryOrigin(reason=reason):
            return f"a directory ({reason})"

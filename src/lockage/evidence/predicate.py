"""What statements say: SLSA provenance, test results and reproductions, as they are written and read.

Invariants: every predicate names the digests of the source, recipe and lock that it speaks of, so that facts from another
build of the same bytes are told apart; times are those of the run. Format: docs/formats/evidence.md and reproduction.md.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Literal

import msgspec

from lockage.base.digest import BlobRef, Digest
from lockage.base.instant import Instant
from lockage.base.name import StepName
from lockage.base.path import RelPath
from lockage.compare.grade import Grade, worst
from lockage.evidence.statement import Descriptor, statements
from lockage.evidence.trust import LOCAL_BUILDER
from lockage.plan.action import CONTRACT_VERSION
from lockage.record.conditions import Conditions
from lockage.record.source import CommitOrigin, SdistOrigin, Source
from lockage.variation import Claim

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lockage.environment.base import LockedImage
    from lockage.environment.lock import RootRef
    from lockage.recipe.crates import Crate
    from lockage.recipe.model import FetchInput
    from lockage.record.artifact import Artifact, Run

__all__ = [
    "BUILD_TYPE",
    "PROVENANCE",
    "REPRODUCTION",
    "TEST_RESULT",
    "ArtifactGrade",
    "Inputs",
    "ProvenancePredicate",
    "ReproductionPredicate",
    "ReproductionRound",
    "TestPredicate",
    "TestVerdict",
    "VariedAxis",
    "provenance",
    "reproduction",
    "test_result",
]

PROVENANCE = "https://slsa.dev/provenance/v1"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
REPRODUCTION = "https://lockage.dev/attestation/reproduction/v1"
BUILD_TYPE = "https://lockage.dev/build/v1"


class Inputs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a build was made from: the digests of its source, of its recipe (in canonical form) and of its lock."""

    source: Digest
    recipe: Digest
    lock: Digest

    @classmethod
    def of(cls, run: Run) -> Inputs:
        return cls(source=run.source.digest, recipe=run.recipe, lock=run.lock)


class _Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    path: RelPath | None
    digest: dict[str, Digest]


class _External(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    # SLSA 1.2: verifiers should reject external parameters that they do not know.
    source: Source
    recipe: _Recipe


class _Internal(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    lock: Digest
    contract_version: int
    actions: dict[StepName, BlobRef]
    run: str
    #: Why the attempts at a step failed that were followed by another, the oldest first; left out if there were none.
    attempts: dict[StepName, tuple[str, ...]] | msgspec.UnsetType = msgspec.UNSET
    #: Not there in what was signed before it was recorded; the same goes for the other predicates.
    conditions: Conditions | msgspec.UnsetType = msgspec.UNSET


class _Definition(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    build_type: Literal["https://lockage.dev/build/v1"]
    external_parameters: _External
    internal_parameters: _Internal
    resolved_dependencies: tuple[Descriptor, ...]


class _Builder(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    version: dict[str, str] = {}


class _Metadata(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    invocation_id: str
    started_on: Instant
    finished_on: Instant


class _Details(msgspec.Struct, frozen=True, kw_only=True):
    builder: _Builder
    metadata: _Metadata
    byproducts: tuple[Descriptor, ...] = ()


class ProvenancePredicate(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """SLSA provenance v1 of a lockage build."""

    build_definition: _Definition
    run_details: _Details

    @property
    def inputs(self) -> Inputs:
        external = self.build_definition.external_parameters
        return Inputs(
            source=external.source.digest, recipe=external.recipe.digest["sha256"], lock=self.build_definition.internal_parameters.lock
        )


class TestVerdict(StrEnum):
    """The result of all tests; ``WARNED`` means that a declared test step was not run."""

    __test__ = False  # not a test, whatever pytest thinks of its name

    PASSED = "PASSED"
    WARNED = "WARNED"
    FAILED = "FAILED"


class TestPredicate(msgspec.Struct, frozen=True, kw_only=True):
    """in-toto test-result v0.1; a test is a test step. ``lockage_declared`` are all test steps of the recipe.

    ``lockage_attempts`` says why attempts at steps failed that were followed by another; not there if there were none.
    ``lockage_conditions`` says on what machines the test steps were executed.
    """

    __test__: ClassVar[bool] = False  # not a test, whatever pytest thinks of its name

    result: TestVerdict
    configuration: tuple[Descriptor, ...]
    passed: tuple[StepName, ...] = msgspec.field(name="passedTests", default=())
    warned: tuple[StepName, ...] = msgspec.field(name="warnedTests", default=())
    failed: tuple[StepName, ...] = msgspec.field(name="failedTests", default=())
    lockage_declared: tuple[StepName, ...]
    lockage_inputs: Inputs
    lockage_finished: Instant = msgspec.field(name="lockage_finishedOn")
    lockage_attempts: dict[StepName, tuple[str, ...]] | msgspec.UnsetType = msgspec.UNSET
    lockage_conditions: Conditions | msgspec.UnsetType = msgspec.UNSET

    @staticmethod
    def verdict(declared: Iterable[StepName], passed: Iterable[StepName], failed: Iterable[StepName]) -> TestVerdict:
        """The result that these steps come to."""
        if any(True for _ in failed):
            return TestVerdict.FAILED
        return TestVerdict.PASSED if set(declared) <= set(passed) else TestVerdict.WARNED


class VariedAxis(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was varied, and the values it was given, as text."""

    name: str
    values: dict[str, str]


class ReproductionRound(msgspec.Struct, frozen=True, kw_only=True):
    """One rebuild: the names of the axes varied, and why it failed if it did."""

    axes: tuple[str, ...]
    failure: str | None = None


class ArtifactGrade(msgspec.Struct, frozen=True, kw_only=True):
    """What the rebuilds of one artifact came to; ``rebuilt`` are the digests they gave, in the order of the rounds."""

    name: str
    sha256: Digest
    grade: Grade
    rebuilt: tuple[Digest, ...] = ()


class ReproductionPredicate(msgspec.Struct, frozen=True, kw_only=True):
    """One claim about artifacts, graded: docs/formats/reproduction.md."""

    claim: Claim
    grade: Grade
    artifacts: tuple[ArtifactGrade, ...]
    rounds: tuple[ReproductionRound, ...]
    axes: tuple[VariedAxis, ...]
    unavailable: tuple[str, ...]
    inputs: Inputs
    started: Instant = msgspec.field(name="startedOn")
    finished: Instant = msgspec.field(name="finishedOn")
    lockage: str
    conditions: Conditions | msgspec.UnsetType = msgspec.UNSET


def provenance(
    run: Run,
    *,
    run_id: str,
    log: BlobRef,
    recipe_path: RelPath | None,
    roots: Mapping[str, RootRef],
    lockage: str,
    fetched: Iterable[FetchInput] = (),
    crates: Iterable[Crate] = (),
    images: Mapping[str, LockedImage] | None = None,
    conditions: Conditions | None = None,
) -> tuple[bytes, ...]:
    """The statements about the artifacts of a run. ``roots`` are the environments of its steps, ``recipe_path`` is None if it was inferred.

    ``images`` are what those of the environments begin with that begin with an image.
    ``fetched`` are the fetch inputs of its steps, ``crates`` those of its Cargo.locks; recipes allow no passwords in addresses.
    ``conditions`` are those under which its steps were executed.

    The builder is always the local one: a hosted one signs with its own id and key.
    """
    definition = _Definition(
        build_type="https://lockage.dev/build/v1",
        external_parameters=_External(source=run.source, recipe=_Recipe(path=recipe_path, digest={"sha256": run.recipe})),
        internal_parameters=_Internal(
            lock=run.lock,
            contract_version=CONTRACT_VERSION,
            actions={step.step: step.action for step in run.steps},
            run=run_id,
            attempts=_attempts(run),
            conditions=conditions if conditions is not None else msgspec.UNSET,
        ),
        resolved_dependencies=(*_dependencies(run, recipe_path, roots), *_begun_with(images or {}), *_fetched(fetched, crates)),
    )
    metadata = _Metadata(invocation_id=run_id, started_on=run.started, finished_on=run.finished)

    def predicate(artifacts: Sequence[Artifact]) -> ProvenancePredicate:
        reports = [Descriptor.sha256(f"stabilize/{a.name}", a.report.digest) for a in artifacts if a.report is not None]
        return ProvenancePredicate(
            build_definition=definition,
            run_details=_Details(
                builder=_Builder(id=LOCAL_BUILDER, version={"lockage": lockage}),
                metadata=metadata,
                byproducts=(Descriptor.sha256("log", log.digest), *reports),
            ),
        )

    return tuple(statements(run.artifacts, PROVENANCE, predicate))


def _attempts(run: Run) -> dict[StepName, tuple[str, ...]] | msgspec.UnsetType:
    found = {step.step: tuple(attempt.failure for attempt in step.attempts) for step in run.steps if step.attempts}
    return found or msgspec.UNSET


def _dependencies(run: Run, recipe_path: RelPath | None, roots: Mapping[str, RootRef]) -> Iterable[Descriptor]:
    origin = run.source.origin
    if isinstance(origin, CommitOrigin):
        uri = f"git+{origin.repository}@{origin.commit}" if origin.repository else None
        yield Descriptor(name="source", uri=uri, digest={"gitCommit": origin.commit})
    elif isinstance(origin, SdistOrigin):
        yield Descriptor.sha256(f"source/{origin.file}", origin.sha256)
    yield Descriptor.sha256("source-tree", run.source.tree.digest, size=str(run.source.tree.size))
    yield Descriptor.sha256(recipe_path or "recipe (inferred)", run.recipe)
    yield Descriptor.sha256("lockage.lock", run.lock)
    for name in sorted(roots):
        root = roots[name]
        if root.is_host:  # no root, and so no environment that could be had again: the fingerprint of a machine
            yield Descriptor.sha256(f"host-environment/{name}", root.tree.digest, size=str(root.tree.size))
        else:
            yield Descriptor.sha256(f"environment/{name}", root.tree.digest, size=str(root.tree.size), metadata=str(root.metadata))


def _begun_with(images: Mapping[str, LockedImage]) -> Iterable[Descriptor]:
    """The images by the digest of their manifest, as registries and scanners know them."""
    for name in sorted(images):
        image = images[name]
        index = {} if isinstance(image.index, msgspec.UnsetType) else {"index": str(image.index.digest)}
        yield Descriptor.sha256(f"image/{name}", image.manifest.digest, size=str(image.manifest.size), **index)


def _fetched(inputs: Iterable[FetchInput], crates: Iterable[Crate]) -> Iterable[Descriptor]:
    for found in sorted(inputs, key=lambda item: item.name):
        yield Descriptor(name=f"fetch/{found.name}", uri=found.urls[0], digest={"sha256": str(found.sha256)})
    for crate in sorted(set(crates)):
        yield Descriptor(name=f"crate/{crate.title}", uri=crate.purl, digest={"sha256": str(crate.sha256)})


def test_result(run: Run, declared: Iterable[StepName], conditions: Conditions | None) -> tuple[bytes, ...]:
    """The statements about the tests of a run over its artifacts; ``declared`` are all test steps of the recipe.

    ``conditions`` are those under which the test steps were executed.
    """
    wanted = tuple(sorted(set(declared)))
    ended = {step.step: step.failure is None and step.exit_code == 0 for step in run.steps}
    failed = tuple(name for name in wanted if ended.get(name) is False)
    warned = tuple(name for name in wanted if name not in ended)
    passed = tuple(name for name in wanted if ended.get(name))
    predicate = TestPredicate(
        result=TestPredicate.verdict(wanted, passed, failed),
        configuration=(
            Descriptor.sha256("source", run.source.digest),
            Descriptor.sha256("recipe", run.recipe),
            Descriptor.sha256("lockage.lock", run.lock),
        ),
        passed=passed,
        warned=warned,
        failed=failed,
        lockage_declared=wanted,
        lockage_inputs=Inputs.of(run),
        lockage_finished=run.finished,
        lockage_attempts=_attempts(run),
        lockage_conditions=conditions if conditions is not None else msgspec.UNSET,
    )
    return tuple(statements(run.artifacts, TEST_RESULT, lambda _: predicate))


def reproduction(
    run: Run,
    *,
    claim: Claim,
    grades: Mapping[str, Grade],
    rebuilt: Mapping[str, Sequence[Digest]],
    rounds: Sequence[ReproductionRound],
    axes: Sequence[VariedAxis],
    unavailable: Sequence[str],
    started: Instant,
    finished: Instant,
    lockage: str,
    conditions: Conditions | None = None,
) -> tuple[bytes, ...]:
    """The statements of one claim about the artifacts of a run; ``grades`` and ``rebuilt`` are by built name.

    An artifact without a grade is `failed`: it was not rebuilt.
    """

    def predicate(artifacts: Sequence[Artifact]) -> ReproductionPredicate:
        graded = tuple(
            ArtifactGrade(
                name=artifact.name,
                sha256=artifact.blob.digest,
                grade=grades.get(artifact.name, Grade.FAILED),
                rebuilt=tuple(rebuilt.get(artifact.name, ())),
            )
            for artifact in artifacts
        )
        return ReproductionPredicate(
            claim=claim,
            grade=worst(item.grade for item in graded),
            artifacts=graded,
            rounds=tuple(rounds),
            axes=tuple(axes),
            unavailable=tuple(unavailable),
            inputs=Inputs.of(run),
            started=started,
            finished=finished,
            lockage=lockage,
            conditions=conditions if conditions is not None else msgspec.UNSET,
        )

    return tuple(statements(run.artifacts, REPRODUCTION, predicate))

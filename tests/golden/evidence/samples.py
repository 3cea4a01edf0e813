"""A small world with fixed keys and times, of which the golden vectors in this folder are made; the unit tests use it as well.

``python tests/golden/evidence/samples.py`` writes the vectors anew; with ``--verify`` it only compares (exit 1 if they differ).
The keys are derived from a text that is not secret: nothing signed with them means anything.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

from lockage.adapters.memory.signer import MemoryKeys, MemorySigner
from lockage.base.digest import BlobRef, Digest
from lockage.base.instant import Instant
from lockage.base.name import ChannelName, PrincipalName, ProjectName, StepName, Version
from lockage.base.path import RelPath
from lockage.compare.grade import Grade
from lockage.environment.lock import RootRef
from lockage.evidence import (
    Evidence,
    LedgerState,
    Manifest,
    ManifestArtifact,
    ManifestRelease,
    ReproductionRound,
    Role,
    TrustRoot,
    VariedAxis,
    initial_trust_root,
    provenance,
    reproduction,
    seal_manifest,
    seal_trust_root,
    sign_statements,
    test_result,
)
from lockage.ledger.checkpoint import Checkpoint, sign_checkpoint
from lockage.ledger.note import VerifierKey
from lockage.policy import (
    DEFAULT_POLICIES,
    From,
    Policy,
    Proposal,
    Reproduced,
    SourceClean,
    Standing,
    Stay,
    Tests,
    decide,
    seal_decision,
)
from lockage.record.artifact import Artifact, Run, StepRun
from lockage.record.conditions import Conditions, Deviation, DeviationKind, ExecutedOn
from lockage.record.release import Release, close_release
from lockage.record.result import Usage
from lockage.record.source import CommitOrigin, Origin, Source
from lockage.variation import Claim

HERE = Path(__file__).parent
ORIGIN = "shop.example/ledger"
T0 = Instant.parse("2026-11-23T20:00:00Z")
ANN = PrincipalName("ann@example.org")
DEV, STAGING, PROD = (ChannelName(name) for name in ("dev", "staging", "prod"))
UNIT = StepName("unit")
WHEEL, SDIST = b"the wheel's bytes", b"the sdist's bytes"
HOST = {"kernel": "6.12.3-amd64", "cpu-features": "fpu sse4_2 avx2", "sandbox": "bubblewrap 0.11.0", "store-file-system": "ext4"}
CONDITIONS = Conditions(
    executions=(
        ExecutedOn(steps=(StepName("wheel"),), host=HOST, run="run-000001"),
        ExecutedOn(steps=(UNIT,), host=HOST | {"kernel": "5.10.0"}, run="run-000002"),
    ),
    deviations=(
        Deviation(kind=DeviationKind.STALE_SUITE, subject="environment build", what="debian:sid, whose Release file is of 2026-07-11"),
    ),
)
#: The policies of a new store as they were before conditions were signed; those that stores keep are never changed.
FIRST_POLICIES = (
    Policy(channel=DEV, gates=(SourceClean(), Tests())),
    Policy(channel=STAGING, gates=(From(channel=DEV), Tests(), Reproduced())),
    Policy(channel=PROD, gates=(From(channel=STAGING), SourceClean(), Tests(), Reproduced())),
)


def at(seconds: int) -> Instant:
    return Instant(T0 + seconds)


def signer(role: str) -> MemorySigner:
    return MemoryKeys().load_or_create(role)


def trust_root() -> TrustRoot:
    return initial_trust_root(ANN, {role: signer(role).public for role in Role}, ORIGIN, T0)


def blob(text: str) -> BlobRef:
    return BlobRef.of(text.encode())


def source(origin: Origin | None = None) -> Source:
    commit = CommitOrigin(commit="3f786850e387550fdab836ed7e6dc881de23001b", repository="https://git.example/shop.git", tag="v1.2.0")
    return Source(tree=blob("tree"), date=at(-86400), version=Version("1.2.0"), origin=commit if origin is None else origin)


def artifact(name: str, data: bytes) -> Artifact:
    return Artifact(
        name=name,
        blob=BlobRef.of(data),
        content_digest=Digest.of(data + b"content"),
        step=StepName("wheel"),
        raw=BlobRef.of(data),
        report=blob(name),
    )


def run(origin: Origin | None = None, *, tested: bool = True, recipe: str = "recipe") -> Run:
    steps = [(StepName("wheel"), 0), *([(UNIT, 0 if tested else 1)])]
    return Run(
        project=ProjectName("shop"),
        source=source(origin),
        recipe=Digest.of(recipe.encode()),
        lock=Digest.of(b"lock"),
        started=at(10),
        finished=at(20),
        steps=tuple(
            StepRun(
                step=name,
                action=blob(f"action of {name}"),
                exit_code=code,
                cached=False,
                outputs=blob("outputs"),
                log=blob("log"),
                usage=Usage(),
                failure=f"exit-status: the command ended with status {code}" if code else None,
            )
            for name, code in steps
        ),
        artifacts=(artifact("shop-1.2.0-py3-none-any.whl", WHEEL), artifact("shop-1.2.0.tar.gz", SDIST)),
    )


def provenances(made: Run, conditions: Conditions | None = CONDITIONS) -> tuple[bytes, ...]:
    root = RootRef(tree=blob("root"), metadata=Digest.of(b"metadata"))
    return provenance(
        made,
        run_id="20261123-1",
        log=blob("log"),
        recipe_path=RelPath("lockage.toml"),
        roots={"build": root},
        lockage="0.1.0",
        conditions=conditions,
    )


def reproductions(
    made: Run,
    claim: Claim = Claim.REPRODUCED,
    *,
    grades: dict[str, Grade] | None = None,
    finished: Instant | None = None,
    conditions: Conditions | None = CONDITIONS,
) -> tuple[bytes, ...]:
    graded = {item.name: Grade.IDENTICAL for item in made.artifacts} | (grades or {})
    again = {
        item.name: (item.blob.digest if graded[item.name] is Grade.IDENTICAL else Digest.of(b"other bytes"),) for item in made.artifacts
    }
    return reproduction(
        made,
        claim=claim,
        grades=graded,
        rebuilt=again,
        rounds=[ReproductionRound(axes=("cpu-affinity", "priority"))],
        axes=[VariedAxis(name="cpu-affinity", values={"affinity": "last"}), VariedAxis(name="priority", values={"niceness": "7"})],
        unavailable=["kernel"],
        started=at(20),
        finished=at(30) if finished is None else finished,
        lockage="0.1.0",
        conditions=conditions,
    )


def results(made: Run, declared: tuple[StepName, ...] | None = None, conditions: Conditions | None = CONDITIONS) -> tuple[bytes, ...]:
    return test_result(made, (UNIT,) if declared is None else declared, conditions)


def evidence(made: Run, conditions: Conditions | None = CONDITIONS) -> list[Evidence]:
    """Everything that the default policies want to see."""
    bundles = [
        *sign_statements(provenances(made, conditions), signer(Role.BUILDER)),
        *sign_statements(results(made, conditions=conditions), signer(Role.TESTER)),
        *sign_statements(reproductions(made, conditions=conditions), signer(Role.VERIFIER)),
    ]
    return [Evidence(data=data, recorded=at(40)) for data in bundles]


def release(made: Run) -> Release:
    return close_release(
        made.artifacts,
        project=made.project,
        version=made.source.version,
        build=1,
        platform="linux_x86_64",
        source=made.source,
        recipe=made.recipe,
        lock=made.lock,
    )


def stay(made: Run, channel: ChannelName, generation: int = 1, until: Instant | None = None) -> Stay:
    return Stay(channel=channel, generation=generation, release=release(made).digest, since=at(50), until=until)


def manifest(made: Run, generation: int = 1, previous: bytes | None = None) -> Manifest:
    key = VerifierKey.of_spki(ORIGIN, signer(Role.LEDGER).public)
    checkpoint = sign_checkpoint(Checkpoint(origin=ORIGIN, size=5, root=Digest.of(b"five entries").raw), key, signer(Role.LEDGER).sign)
    closed = release(made)
    return Manifest(
        project=closed.project,
        channel=PROD,
        generation=generation,
        previous=None if previous is None else Digest.of(previous),
        release=ManifestRelease(digest=closed.digest, version=closed.version, build=closed.build),
        artifacts=tuple(ManifestArtifact(name=RelPath(item.name), sha256=item.sha256, size=item.size) for item in closed.artifacts),
        decision=Digest.of(b"decision"),
        issued=at(60),
        ledger=LedgerState(origin=ORIGIN, size=5, checkpoint=checkpoint.decode()),
    )


def vectors() -> dict[str, bytes]:
    made = run()
    proposal = Proposal.of(release(made), PROD, 0)
    standing = Standing(stays=(stay(made, STAGING),))
    decision = decide(proposal, FIRST_POLICIES[2], evidence(made, None), trust_root(), standing, at(60))
    second = decide(proposal, DEFAULT_POLICIES[2], evidence(made), trust_root(), standing, at(60))
    first = seal_manifest(manifest(made), signer(Role.PROMOTER))
    return {
        "trust-root.json": seal_trust_root(trust_root(), [signer(Role.ADMIN)]),
        "builder.spki": signer(Role.BUILDER).public,
        **_evidence_vectors(made, "", None),
        **_evidence_vectors(made, "-2", CONDITIONS),
        "decision.json": seal_decision(decision, signer(Role.PROMOTER)),
        "decision-2.json": seal_decision(second, signer(Role.PROMOTER)),
        "manifest-1.json": first,
        "manifest-2.json": seal_manifest(manifest(made, 2, first), signer(Role.PROMOTER)),
        **{f"policy-{policy.channel}.json": policy.encode() for policy in FIRST_POLICIES},
        **{f"policy-{policy.channel}-2.json": policy.encode() for policy in DEFAULT_POLICIES},
    }


def _evidence_vectors(made: Run, number: str, conditions: Conditions | None) -> dict[str, bytes]:
    made_by, again = provenances(made, conditions), reproductions(made, conditions=conditions)
    return {
        f"provenance{number}.statement.json": made_by[0],
        f"provenance{number}.sigstore.json": sign_statements(made_by, signer(Role.BUILDER))[0],
        f"test-result{number}.sigstore.json": sign_statements(results(made, conditions=conditions), signer(Role.TESTER))[0],
        f"reproduction{number}.statement.json": again[0],
        f"reproduction{number}.sigstore.json": sign_statements(again, signer(Role.VERIFIER))[0],
    }


@cache
def vectors_once() -> dict[str, bytes]:
    return vectors()


def main() -> int:
    differ = [name for name, data in vectors_once().items() if not (HERE / name).exists() or (HERE / name).read_bytes() != data]
    for name in differ:
        if "--verify" not in sys.argv[1:]:
            (HERE / name).write_bytes(vectors_once()[name])
        print(f"{'differs' if '--verify' in sys.argv[1:] else 'wrote'}: {name}")
    return bool(differ and "--verify" in sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())

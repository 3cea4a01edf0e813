"""Show: one run, artifact, release or action of a store, as a plain value for a screen or a document. Nothing here changes anything."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from lockage.base.digest import BlobRef, Digest
from lockage.base.errors import LockageError
from lockage.base.instant import Instant
from lockage.base.name import PrincipalName, ProjectName, ServiceName, StepName
from lockage.plan.action import read_action
from lockage.record.artifact import Artifact, Attempt, Lost, Reexecution
from lockage.record.conditions import Deviation, deviations_of_environments, failed_attempts, repaired
from lockage.record.history import began, critical_path
from lockage.record.lineage import OnChannel
from lockage.record.release import ReleaseArtifact
from lockage.record.result import Exceeded, Usage
from lockage.record.source import Source
from lockage.work.recorded import environments_of_run, hosts_of_lock, recipe_of_run
from lockage.work.release import read_release, release_title

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockage.catalog import Catalog
    from lockage.catalog.model import ReleaseRecord
    from lockage.recipe.model import Step
    from lockage.record.artifact import Run, StepRun
    from lockage.work.find import FoundAction, FoundArtifact, FoundRelease, FoundRun
    from lockage.work.services import Services

__all__ = [
    "ShownAction",
    "ShownArtifact",
    "ShownRelease",
    "ShownRun",
    "ShownStep",
    "StepState",
    "channels_of",
    "needs_of_run",
    "show_action",
    "show_artifact",
    "show_release",
    "show_run",
]


class StepState(StrEnum):
    """What became of a step in a run."""

    DONE = "done"
    CACHED = "cached"
    FAILED = "failed"
    SKIPPED = "skipped"


class ShownStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step of a run. Times are milliseconds since the execution began; ``critical``: it is on the chain that decided how long it took.

    ``usage`` is that of the execution whose result it is, also of one in an earlier run. ``attempts`` are those that failed and were
    followed by another, of which there may be ``retries``; ``exceeded`` is the limit that it failed for, if it was one. What the recipe
    says (``kind``, ``retries``) is None, and ``services`` empty, if it is not kept.
    """

    step: StepName
    state: StepState
    kind: str | None = None
    failure: str | None = None
    action: Digest | None = None
    usage: Usage | None = None
    retries: int | None = None
    attempts: tuple[Attempt, ...] = ()
    exceeded: Exceeded | None = None
    services: tuple[ServiceName, ...] = ()
    started_ms: int | None = None
    finished_ms: int | None = None
    critical: bool = False
    needs_failed: tuple[StepName, ...] = ()


class ShownRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run. ``wall_ms`` is None and ``critical_path`` empty in a run that was recorded without times.

    ``lost`` is what it found damaged or missing in the store and brought back; ``reexecuted`` the sample of kept results that it put to
    the test, None if it was not asked to; ``deviations`` are all that a policy can refuse by kind.
    """

    run: str
    project: ProjectName
    source: Source
    recipe: Digest
    lock: Digest
    started: Instant
    finished: Instant
    wall_ms: int | None
    steps: tuple[ShownStep, ...]
    critical_path: tuple[StepName, ...]
    artifacts: tuple[Artifact, ...]
    lost: tuple[Lost, ...]
    reexecuted: Reexecution | None
    deviations: tuple[Deviation, ...]
    host: dict[str, str]
    log: BlobRef


class ShownRelease(msgspec.Struct, frozen=True, kw_only=True):
    """A release; ``source`` is None and there are no artifacts if its document is not kept.

    ``unpinned_hosts`` are the environments of its lock that were the machine that built it, as it was.
    """

    release: str
    digest: Digest
    closed: Instant
    by: PrincipalName
    lock: Digest
    source: Source | None
    artifacts: tuple[ReleaseArtifact, ...]
    channels: tuple[OnChannel, ...]
    evidence: dict[str, int]
    unpinned_hosts: tuple[str, ...] = ()


class ShownArtifact(msgspec.Struct, frozen=True, kw_only=True):
    """An artifact, the runs that delivered it with the step that made it, and the releases that hold it with their channels."""

    name: str
    sha256: Digest
    kept: bool
    size: int
    content_digest: Digest
    runs: tuple[tuple[str, StepName], ...]
    releases: dict[str, tuple[OnChannel, ...]]


class ShownAction(msgspec.Struct, frozen=True, kw_only=True):
    """An action: all that a step sees. ``run`` is empty if its messages are not kept any more; ``kept``: a result of it is.

    ``unpinned_host``: ``root`` is the fingerprint of the machine that it ran on, and no root.
    """

    action: Digest
    kept: bool
    steps: tuple[tuple[str, StepName], ...]
    run: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    outputs: tuple[str, ...] = ()
    workspace: BlobRef | None = None
    root: BlobRef | None = None
    cpus: int | None = None
    architecture: str | None = None
    unpinned_host: bool = False
    contract: int | None = None
    modes: tuple[str, ...] = ()


def show_run(services: Services, found: FoundRun) -> ShownRun:
    """What the record of a run says, with what can be computed from it."""
    run = found.run
    recipe = recipe_of_run(services, run)
    declared = {} if recipe is None else {step.name: step for step in recipe.steps}
    path = critical_path(run.steps, {name: step.needs for name, step in declared.items()})
    critical = frozenset(path)
    steps = [_step(step, declared.get(step.step), critical=step.step in critical) for step in run.steps]
    steps += [_declared(one.step, StepState.SKIPPED, declared.get(one.step), needs_failed=one.failed) for one in run.skipped]
    ended = [step.finished_ms for step in run.steps if step.finished_ms is not None]
    return ShownRun(
        run=found.run_id,
        project=run.project,
        source=run.source,
        recipe=run.recipe,
        lock=run.lock,
        started=run.started,
        finished=run.finished,
        wall_ms=max(ended, default=None),
        steps=tuple(steps),
        critical_path=path,
        artifacts=run.artifacts,
        lost=run.lost,
        reexecuted=run.reexecuted,
        deviations=(
            *deviations_of_environments(environments_of_run(services, run) if run.steps else {}),
            *(found for step in run.steps for found in failed_attempts(step.step, [attempt.failure for attempt in step.attempts])),
            *repaired(run.lost),
        ),
        host=run.host,
        log=found.log,
    )


def needs_of_run(services: Services, run: Run) -> dict[StepName, Sequence[StepName]]:
    """Which steps each step of a run needed; empty if the recipe is not kept."""
    recipe = recipe_of_run(services, run)
    return {} if recipe is None else {step.name: step.needs for step in recipe.steps}


def _declared(name: StepName, state: StepState, declared: Step | None, *, needs_failed: tuple[StepName, ...] = ()) -> ShownStep:
    """What the recipe says of a step."""
    if declared is None:
        return ShownStep(step=name, state=state, needs_failed=needs_failed)
    return ShownStep(
        step=name,
        state=state,
        kind=str(declared.kind),
        retries=declared.retries,
        services=declared.services,
        needs_failed=needs_failed,
    )


def _step(step: StepRun, declared: Step | None, *, critical: bool) -> ShownStep:
    state = StepState.FAILED if step.failure is not None else StepState.CACHED if step.cached else StepState.DONE
    return msgspec.structs.replace(
        _declared(step.step, state, declared),
        failure=step.failure,
        action=step.action.digest,
        usage=step.usage,
        attempts=step.attempts,
        exceeded=step.exceeded,
        started_ms=began(step),
        finished_ms=step.finished_ms,
        critical=critical,
    )


def channels_of(catalog: Catalog | None, record: ReleaseRecord) -> tuple[OnChannel, ...]:
    """The channels that hold a release now."""
    if catalog is None:
        return ()
    heads = (head for head in catalog.channels(record.project) if head.release == record.release)
    return tuple(OnChannel(channel=head.channel, generation=head.generation, since=head.since) for head in heads)


def show_release(services: Services, catalog: Catalog | None, found: FoundRelease) -> ShownRelease:
    """What a release holds, where it is, and how many statements of each kind there are about its artifacts (none is verified here)."""
    record = found.record
    try:
        release = read_release(services, record)
    except LockageError:
        release = None
    artifacts = () if release is None else release.artifacts
    evidence: dict[str, int] = {}
    for one in catalog.evidence(*(artifact.sha256 for artifact in artifacts)) if catalog is not None else ():
        evidence[one.predicate] = evidence.get(one.predicate, 0) + 1
    return ShownRelease(
        release=release_title(record),
        digest=record.release,
        closed=record.at,
        by=record.actor,
        lock=record.lock,
        source=None if release is None else release.source,
        artifacts=artifacts,
        channels=channels_of(catalog, record),
        evidence=dict(sorted(evidence.items())),
        unpinned_hosts=hosts_of_lock(services, record.lock),
    )


def show_artifact(services: Services, catalog: Catalog | None, found: FoundArtifact) -> ShownArtifact:
    """Who made an artifact, and where it is."""
    blob = services.blobs.locate(found.digest)
    one = found.made[0].artifact if found.made else found.released[0].artifact
    return ShownArtifact(
        name=found.name,
        sha256=found.digest,
        kept=blob is not None,
        size=one.blob.size if isinstance(one, Artifact) else one.size,
        content_digest=one.content_digest,
        runs=tuple((made.run_id, made.artifact.step) for made in found.made),
        releases={release_title(held.record): channels_of(catalog, held.record) for held in found.released},
    )


def show_action(services: Services, found: FoundAction) -> ShownAction:
    """What an action is made of, and which steps had it."""
    shown = ShownAction(action=found.action.digest, kept=services.cache.get(found.action) is not None, steps=found.steps)
    try:
        action = read_action(found.action, services.blobs.get)
    except (LockageError, ValueError):
        return shown
    return msgspec.structs.replace(
        shown,
        run=action.arguments,
        variables=action.variables,
        outputs=action.outputs,
        workspace=action.workspace,
        root=action.root.tree,
        cpus=action.cpus,
        architecture=action.architecture,
        unpinned_host=action.root.is_host,
        contract=action.contract,
        modes=action.modes,
    )

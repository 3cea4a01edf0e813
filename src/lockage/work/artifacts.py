"""From a step's outputs to artifacts: select, stabilize, name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.canonical import InvalidDocument, canonical, canonical_of, decode, plain
from lockage.base.digest import Digest
from lockage.base.errors import StepFailed
from lockage.base.name import StepName
from lockage.base.tree import FileNode, read_tree
from lockage.ports import BlobMissing
from lockage.record.artifact import Artifact, Lost, StepRun
from lockage.record.source import SdistOrigin
from lockage.work.whole import vouched

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lockage.plan.plan import Plan, PlannedStep
    from lockage.work.services import Services

__all__ = ["NoArtifacts", "deliver"]


class NoArtifacts(StepFailed):
    """A step's artifact patterns select nothing of its outputs, or two artifacts of different bytes have one name."""

    code = "no-artifacts"
    hint = "Correct `artifacts` of the step: patterns over the paths of its outputs, with distinct file names."


class _Delivered(msgspec.Struct, frozen=True):
    artifacts: tuple[Artifact, ...]


def deliver(
    services: Services,
    plan: Plan,
    results: Mapping[StepName, StepRun],
    *,
    remember: bool = True,
    recheck: bool = False,
    lost: list[Lost] | None = None,
) -> tuple[Artifact, ...]:
    """The artifacts of every delivering step that has a result, wheels first, then by name. Raises :class:`NoArtifacts`.

    ``remember``: those that were made before are taken, and kept; ``recheck``: those are hashed again, whatever a witness says. Those
    that were made before and are damaged or missing now are made again, and added to ``lost``.
    """
    found: list[Artifact] = []
    source = _SourceFiles(services, plan)
    for planned in plan.deliver():
        run = results.get(planned.name)
        if run is not None and run.failure is None:
            made, gone = _of_step(services, plan, planned, run, source, remember=remember, recheck=recheck)
            found.extend(made)
            if gone and lost is not None:
                lost.append(Lost(what=f"the artifacts of step {planned.name}", blobs=gone))
    if plan.recipe.inferred and found and isinstance(plan.source.origin, SdistOrigin):
        found.append(_own_sdist(services, plan.source.origin))
    return tuple(sorted(_merged(found), key=lambda artifact: (not artifact.name.endswith(".whl"), artifact.name)))


class _SourceFiles:
    """Digests of the source's files: a member of an artifact that is one of them was not made by the build, and is left as it is.

    The tree is read when the first digest is asked for; a build with nothing to do asks for none.
    """

    def __init__(self, services: Services, plan: Plan) -> None:
        self._services, self._plan = services, plan
        self._digests: frozenset[Digest] | None = None

    def __contains__(self, digest: object) -> bool:
        if self._digests is None:
            tree = read_tree(self._plan.source.tree, self._services.blobs.get)
            self._digests = frozenset(node.blob.digest for node in tree if isinstance(node, FileNode))
        return digest in self._digests


def _merged(found: list[Artifact]) -> Iterable[Artifact]:
    """Each name once: the same bytes from two steps are one artifact, the first step's. Raises :class:`NoArtifacts` for other bytes."""
    first: dict[str, Artifact] = {}
    for artifact in found:
        other = first.setdefault(artifact.name, artifact)
        if other.blob == artifact.blob:
            continue
        whose = f"of step {other.step!r}" if other.step == artifact.step else f"of steps {other.step!r} and {artifact.step!r}"
        raise NoArtifacts(
            f"two artifacts {whose} have the name {artifact.name!r} and different bytes",
            hint="Let one of them have another file name, or only one of the steps deliver it: `artifacts` of the step.",
            name=artifact.name,
            steps=(other.step, artifact.step),
            sha256=(other.blob.digest, artifact.blob.digest),
        )
    return first.values()


def _own_sdist(services: Services, origin: SdistOrigin) -> Artifact:
    """An sdist source is its own sdist: delivered beside the wheel as it was given, byte for byte."""
    blob = services.blobs.locate(origin.sha256)
    if blob is None:
        raise BlobMissing(f"the sdist {origin.file} is not in the store", sha256=origin.sha256)
    try:
        content = Digest((services.memo.get("content-digest", blob.digest) or b"").decode())
    except ValueError:  # nothing is remembered, or nothing that makes sense
        from lockage.stabilize import content_digest  # not needed when the digest is remembered

        content = content_digest(origin.file, services.blobs.get(blob))
        services.memo.put("content-digest", blob.digest, content.encode())
    return Artifact(name=origin.file, blob=blob, content_digest=content, step=StepName("source"), raw=blob)


def _of_step(
    services: Services, plan: Plan, planned: PlannedStep, run: StepRun, source: _SourceFiles, *, remember: bool, recheck: bool
) -> tuple[tuple[Artifact, ...], tuple[Digest, ...]]:
    """Its artifacts, and which blobs of those that were made before were lost."""
    from lockage.stabilize.registry import PASSES_VERSION  # a light module; the passes themselves are imported only when they run

    step = planned.step
    key = Digest.of(
        canonical(
            plain(
                {
                    "outputs": run.outputs,
                    "patterns": step.artifacts,
                    "step": step.name,
                    "date": plan.source.date,
                    "source": plan.source.tree,
                    "stabilize": step.stabilize,
                    "passes": PASSES_VERSION,
                }
            )
        )
    )
    gone: tuple[Digest, ...] = ()
    if remember:
        artifacts = _remembered(services.memo.get("artifacts", key))
        refs = sorted({ref for artifact in artifacts for ref in (artifact.blob, artifact.raw, artifact.report) if ref is not None})
        if artifacts and vouched(services, refs, name=f"artifacts {key}", recheck=recheck):
            return artifacts, ()
        gone = tuple(ref.digest for ref in refs if not services.blobs.has(ref))
    artifacts = tuple(_stabilized(services, plan, planned, node, source) for node in _selected(services, planned, run))
    if remember:
        services.memo.put("artifacts", key, canonical_of(_Delivered(artifacts)))
    return artifacts, gone


def _remembered(kept: bytes | None) -> tuple[Artifact, ...]:
    """What a memo names; nothing if there is none, or if another lockage wrote it: a memo counts for nothing."""
    try:
        return decode(kept, _Delivered).artifacts if kept is not None else ()
    except InvalidDocument:
        return ()


def _selected(services: Services, planned: PlannedStep, run: StepRun) -> list[FileNode]:
    from lockage.recipe.glob import select  # not needed when the artifacts are remembered

    chosen, unmatched = select(read_tree(run.outputs, services.blobs.get), planned.step.artifacts)
    files = [node for node in chosen if isinstance(node, FileNode)]
    if unmatched or not files:
        raise NoArtifacts(f"step {planned.name!r}: its outputs hold nothing that matches {', '.join(unmatched)}", step=planned.name)
    return files


def _stabilized(services: Services, plan: Plan, planned: PlannedStep, node: FileNode, source: _SourceFiles) -> Artifact:
    from lockage.stabilize import Choice, content_digest, stabilize  # not needed when the artifacts are remembered

    raw = services.blobs.get(node.blob)
    choice = planned.step.stabilize
    if choice is False:
        return Artifact(
            name=node.path.name, blob=node.blob, content_digest=content_digest(node.path.name, raw), step=planned.name, raw=node.blob
        )
    stable = stabilize(node.path.name, raw, plan.source.date, choice=choice if isinstance(choice, Choice) else Choice(), keep=source)
    blob, report = services.blobs.put_many([stable.data, canonical_of(stable.report)])
    return Artifact(
        name=node.path.name,
        blob=blob,
        content_digest=content_digest(node.path.name, stable.data),
        step=planned.name,
        raw=node.blob,
        report=report,
    )

"""Lineage: from artifacts back to every step, source file, package and fetched file, from what a store keeps.

Invariant: nothing is built or fetched, and nothing guessed: what is not kept any more is named as missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.canonical import decode
from lockage.base.errors import LockageError
from lockage.base.tree import FileNode, LinkNode, Tree, read_tree
from lockage.environment.base import HostBase
from lockage.record.artifact import Artifact
from lockage.record.lineage import (
    AppliedPass,
    FetchedFile,
    InputSet,
    InRelease,
    Lineage,
    LineageArtifact,
    LineageEnvironment,
    LineageRun,
    LineageService,
    LineageStep,
    Package,
    SourceFile,
    Statement,
)
from lockage.work.find import FoundAction, FoundArtifact, FoundRelease, FoundRun, NothingFound
from lockage.work.recorded import environments_of_lock, environments_of_run, recipe_of_run, released_recipe
from lockage.work.release import read_release, release_title
from lockage.work.show import channels_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from lockage.base.digest import Digest
    from lockage.base.name import StepName
    from lockage.base.tree import Node
    from lockage.environment.lock import LockedEnvironment
    from lockage.recipe.model import Recipe, Step
    from lockage.recipe.service import Service
    from lockage.record.artifact import Run, StepRun
    from lockage.record.source import Source
    from lockage.work.find import Finder, Found
    from lockage.work.services import Services

__all__ = ["lineage_of"]


def lineage_of(services: Services, finder: Finder, found: Found) -> Lineage:
    """The lineage of an artifact, of all artifacts of a release, or of all of a run.

    Raises :class:`lockage.work.find.NothingFound` for anything else, and for what has no artifacts.
    """
    artifacts = _artifacts(services, finder, found)
    if not artifacts:
        raise NothingFound("that has no artifacts, so nothing was made from anything", hint="Name an artifact, a release, or a run.")
    chosen = found if isinstance(found, FoundRun) else _run_of(services, finder, artifacts)
    return _Gathering(services, finder, artifacts, chosen).lineage()


def _artifacts(services: Services, finder: Finder, found: Found) -> list[FoundArtifact]:
    digests: list[Digest] = []
    match found:
        case FoundArtifact():
            return [found]
        case FoundRelease():
            digests = [one.sha256 for one in read_release(services, found.record).artifacts]
        case FoundRun():
            digests = [one.blob.digest for one in found.run.artifacts]
        case FoundAction():
            pass
    return [known for digest in digests if (known := finder.artifact(digest)) is not None]


def _run_of(services: Services, finder: Finder, artifacts: Sequence[FoundArtifact]) -> FoundRun | None:
    """The run to tell of: of those that made most of the artifacts the newest, before that one of the very source that was released."""
    released = {
        (release.source.digest, release.recipe, release.lock)
        for held in artifacts[0].released
        for release in (read_release(services, held.record),)
    }
    made: dict[str, int] = {}
    runs: dict[str, Run] = {}
    for artifact in artifacts:
        for one in artifact.made:
            made[one.run_id] = made.get(one.run_id, 0) + 1
            runs[one.run_id] = one.run

    def rank(run_id: str) -> tuple[bool, int, str]:
        run = runs[run_id]
        return (run.source.digest, run.recipe, run.lock) in released, made[run_id], run_id

    best = max(made, key=rank, default=None)
    return finder.run(best) if best is not None else None


class _Gathering:
    """Everything about some artifacts, gathered from one run, or from their release where no run is kept."""

    def __init__(self, services: Services, finder: Finder, artifacts: Sequence[FoundArtifact], found: FoundRun | None) -> None:
        self._services, self._finder, self._artifacts, self._found = services, finder, artifacts, found
        self._missing: list[str] = []
        self._source_tree: Tree | None = None
        self._inputs: dict[tuple[str, ...], InputSet] = {}
        self._fetched: dict[str, FetchedFile] = {}
        self._asked: dict[str, LineageService] = {}

    def lineage(self) -> Lineage:
        """The document."""
        if self._found is not None:
            run = self._found.run
            project, source, recipe_digest, lock = run.project, run.source, run.recipe, run.lock
            recipe, environments = recipe_of_run(self._services, run), environments_of_run(self._services, run)
        else:
            release = read_release(self._services, self._artifacts[0].released[-1].record)
            project, source, recipe_digest, lock = release.project, release.source, release.recipe, release.lock
            recipe, environments = released_recipe(self._services, recipe_digest), environments_of_lock(self._services, lock)
            self._missing.append("no run that made it is recorded here: no actions are known")
        artifacts = tuple(self._artifact(found) for found in self._artifacts)
        runs = {} if self._found is None else {step.step: step for step in self._found.run.steps}
        chosen = self._steps(recipe, [artifact.step for artifact in artifacts], runs)
        if recipe is None:
            self._missing.append("the recipe is not kept: which steps were needed, and what they saw, is not known")
        steps = tuple(self._step(step, runs.get(step.name), recipe, source) for step in chosen)
        used = dict.fromkeys(step.environment for step in steps)
        self._missing += [f"what environment {name} was locked to is not kept" for name in used if name not in environments]
        return Lineage(
            project=project,
            source=source,
            recipe=recipe_digest,
            lock=lock,
            run=self._run(),
            artifacts=artifacts,
            steps=steps,
            inputs=tuple(self._inputs.values()),
            environments=tuple(_environment(self._services, name, environments[name]) for name in used if name in environments),
            fetched=tuple(self._fetched.values()),
            services=tuple(self._asked.values()),
            missing=tuple(dict.fromkeys(self._missing)),
        )

    def _run(self) -> LineageRun | None:
        if self._found is None:
            return None
        others = {one.run_id for artifact in self._artifacts for one in artifact.made} - {self._found.run_id}
        run = self._found.run
        return LineageRun(run=self._found.run_id, started=run.started, finished=run.finished, others=tuple(sorted(others)))

    def _artifact(self, found: FoundArtifact) -> LineageArtifact:
        run_id = None if self._found is None else self._found.run_id
        made = next((one.artifact for one in found.made if one.run_id == run_id), None)
        one = made if made is not None else found.released[-1].artifact if found.released else found.made[0].artifact
        catalog = self._finder.catalog
        return LineageArtifact(
            name=one.name,
            sha256=found.digest,
            size=one.blob.size if isinstance(one, Artifact) else one.size,
            content_digest=one.content_digest,
            step=one.step,
            raw=one.raw.digest if isinstance(one, Artifact) else None,
            passes=tuple(self._passes(one)) if isinstance(one, Artifact) else (),
            releases=tuple(
                InRelease(
                    release=release_title(held.record),
                    sha256=held.record.release,
                    name=held.artifact.name,
                    closed=held.record.at,
                    by=held.record.actor,
                    channels=channels_of(catalog, held.record),
                )
                for held in found.released
            ),
            evidence=tuple(
                Statement(predicate=record.predicate, bundle=record.bundle, recorded=record.at, by=record.actor)
                for record in (catalog.evidence(found.digest) if catalog is not None else ())
            ),
        )

    def _passes(self, artifact: Artifact) -> Iterator[AppliedPass]:
        if artifact.report is None:
            return
        from lockage.stabilize import Report

        try:
            report = decode(self._services.blobs.get(artifact.report), Report)
        except LockageError:
            self._missing.append(f"what the passes changed in {artifact.name} is not kept")
            return
        for one in report.passes:
            yield AppliedPass(name=one.name, version=one.version, changes=sum(change.count for change in one.changes), kept=one.kept)

    def _steps(self, recipe: Recipe | None, ends: Iterable[StepName], runs: dict[StepName, StepRun]) -> list[Step]:
        """The steps that the artifacts come from, directly or not, in plan order."""
        if recipe is None:
            return []
        known = {step.name: step for step in recipe.steps}
        wanted: set[StepName] = set()
        waiting = [name for name in ends if name in known]
        while waiting:
            name = waiting.pop()
            if name not in wanted:
                wanted.add(name)
                waiting.extend(known[name].needs)
        order = [name for name in runs if name in wanted]
        order += [step.name for step in recipe.steps if step.name in wanted and step.name not in runs]
        return [known[name] for name in order]

    def _step(self, step: Step, run: StepRun | None, recipe: Recipe | None, source: Source) -> LineageStep:
        assert recipe is not None
        for one in recipe.fetches:
            if one.name in step.fetch:
                self._fetched.setdefault(one.name, FetchedFile(name=one.name, sha256=one.sha256, path=one.path, urls=one.urls))
        for service in recipe.services:
            if service.name in step.services and service.name not in self._asked:
                self._asked[service.name] = self._service(service, source)
        return LineageStep(
            step=step.name,
            kind=str(step.kind),
            action=None if run is None else run.action.digest,
            outputs=None if run is None else run.outputs.digest,
            environment=step.environment,
            needs=step.needs,
            inputs=self._input_set(step, source),
            fetched=tuple(str(name) for name in step.fetch),
            crates=tuple(self._crates(step, source)),
            flags={str(flag): recipe.flags[flag] for flag in step.flags},
            stamps=tuple(str(stamp) for stamp in step.stamp),
            modes=tuple(str(mode) for mode in step.modes),
            services=tuple(str(name) for name in step.services),
        )

    def _input_set(self, step: Step, source: Source) -> str | None:
        if not step.inputs:
            return None
        known = self._inputs.get(step.inputs)
        if known is None:
            from lockage.recipe.glob import select

            tree = self._tree(source)
            files = () if tree is None else tuple(_source_files(select(tree, step.inputs)[0]))
            known = self._inputs[step.inputs] = InputSet(id=f"inputs-{len(self._inputs) + 1}", patterns=step.inputs, files=files)
        return known.id

    def _service(self, service: Service, source: Source) -> LineageService:
        place = service.recording
        nodes = [node for node in self._tree(source) or () if node.path == place or node.path.is_under(place)]
        return LineageService(name=service.name, form=str(service.form), recording=place, files=tuple(_source_files(nodes)))

    def _tree(self, source: Source) -> Tree | None:
        if self._source_tree is None:
            try:
                self._source_tree = read_tree(source.tree, self._services.blobs.get)
            except LockageError:
                self._missing.append("the tree of the source is not kept: its files are not known")
        return self._source_tree

    def _crates(self, step: Step, source: Source) -> Iterator[Package]:
        tree = self._tree(source) if step.crates is not None else None
        if step.crates is None or tree is None:
            return
        from lockage.work.crates import crates_of

        for crate in crates_of(self._services, tree, step.crates):
            yield Package(name=crate.name, version=crate.version, file=f"{crate.title}.crate", sha256=crate.sha256)


def _source_files(nodes: Iterable[Node]) -> Iterator[SourceFile]:
    for node in nodes:
        if isinstance(node, FileNode):
            yield SourceFile(path=node.path, sha256=node.blob.digest, size=node.blob.size, executable=node.executable)
        elif isinstance(node, LinkNode):
            yield SourceFile(path=node.path, target=node.target)


def _environment(services: Services, name: str, environment: LockedEnvironment) -> LineageEnvironment:
    host: str | msgspec.UnsetType = msgspec.UNSET
    if isinstance(environment.host, HostBase):
        from lockage.work.on_host import fingerprint_of  # few environments are the host

        found = fingerprint_of(services, environment.root)
        host = "a machine whose fingerprint is not kept" if found is None else found.title
    return LineageEnvironment(
        name=name,
        root=environment.root.tree,
        os=str(environment.base) if environment.pulled is None else f"image sha256:{environment.pulled.digest}",
        architecture=environment.architecture,
        release_date=environment.release_date if isinstance(environment.release_date, str) else "",
        packages=tuple(_package(one.name, one.version, one.path.name, one.sha256) for one in environment.packages),
        python=tuple(_package(one.name, one.version, one.file, one.sha256) for one in environment.python),
        unpinned_host=host,
    )


def _package(name: str, version: str, file: str, sha256: Digest) -> Package:
    return Package(name=name, version=version, file=file, sha256=sha256)

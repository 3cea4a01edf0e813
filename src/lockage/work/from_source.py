"""Dependencies that are built from their sdists: the environment that one is built in, and its wheel.

Invariant: a build is an action of the sandbox like a step's, found in the action cache by what goes into it; so whoever has the same
pins shares the wheel. Nothing of a dependency runs anywhere else. Builds run in the caller's thread: whoever needs the root of a step
may be in the midst of other steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage import __version__
from lockage.base.canonical import InvalidDocument, canonical, canonical_of, decode, plain
from lockage.base.digest import BlobRef, Digest
from lockage.base.errors import LockageError, StepFailed
from lockage.base.path import RelPath
from lockage.base.tree import FileNode, read_tree
from lockage.environment.lock import InvalidLock, Lock, LockedEnvironment, LockedSdist, LockedWheel
from lockage.ports import SourceRead
from lockage.recipe.inference import InferredProject
from lockage.record.event import Phase
from lockage.work.platforms import check_native

if TYPE_CHECKING:
    from lockage.plan.plan import Plan
    from lockage.recipe.model import Recipe
    from lockage.record.artifact import Artifact, StepRun
    from lockage.work.services import Services

__all__ = [
    "DependencyNotBuilt",
    "DependencySource",
    "built_wheel",
    "dependency_source",
    "fetch_crates",
    "remedy",
    "unsteady",
    "with_built",
]


class DependencyNotBuilt(StepFailed):
    """The wheel of a Python package that an environment needs could not be built from its sdist."""

    code = "dependency-not-built"

    def within(self, environment: str) -> DependencyNotBuilt:
        """The same error, saying which environment needs the package; the innermost is believed."""
        if "environment" in self.details:
            return self
        return DependencyNotBuilt(f"environment {environment!r}: {self.message}", hint=self.hint, environment=environment, **self.details)


class DependencySource(msgspec.Struct, frozen=True, kw_only=True):
    """An sdist that was read: its source, and what was told from its files."""

    title: str
    read: SourceRead
    project: InferredProject

    def file(self, services: Services, path: str) -> bytes | None:
        """The bytes of one of its files; None if it has no such file."""
        nodes = read_tree(self.read.tree, services.blobs.get)
        blob = next((node.blob for node in nodes if isinstance(node, FileNode) and node.path == path), None)
        return None if blob is None else services.blobs.get(blob)


def dependency_source(services: Services, name: str, version: str, file: str, archive: BlobRef) -> DependencySource:
    """What a kept sdist holds, and how it is built. Raises :class:`DependencyNotBuilt`."""
    from lockage.recipe.inference import infer

    title = f"{name} {version}"
    read = services.sources.read_sdist(file, archive)
    files = {str(node.path): node.blob for node in read_tree(read.tree, services.blobs.get) if isinstance(node, FileNode)}
    try:
        project = infer(tuple(files), lambda path: services.blobs.get(files[path]) if path in files else None, sdist=True, folder=file)
    except LockageError as error:
        raise DependencyNotBuilt(
            f"{title} has to be built from its sdist, but how cannot be told: {error.message}",
            hint="Require another version of it, or put wheels of it on an index of your own.",
            package=name,
        ) from error
    return DependencySource(title=title, read=read, project=project)


def with_built(services: Services, environment: LockedEnvironment) -> LockedEnvironment:
    """The environment with the wheels of its sdists, which are built if they are not kept. Raises :class:`DependencyNotBuilt`."""
    if not environment.sdists:
        return environment
    return environment.with_wheels([built_wheel(services, sdist, _builder(environment, sdist)) for sdist in environment.sdists])


def fetch_crates(services: Services, environment: LockedEnvironment) -> None:
    """Fetch what the store lacks of the crates that builds of the environment's sdists see. Raises what fetching raises."""
    for sdist in environment.sdists:
        source = dependency_source(services, sdist.name, sdist.version, sdist.file, sdist.ref)
        if source.project.crates is not None:
            from lockage.work.crates import vendored  # only builds of Rust need it

            vendored(services, read_tree(source.read.tree, services.blobs.get), source.project.crates)


def _builder(environment: LockedEnvironment, sdist: LockedSdist) -> LockedEnvironment:
    found = environment.builders.get(sdist.builder)
    if found is None:
        raise InvalidLock(f"lockage.lock: {sdist.name} is built in {sdist.builder!r}, which is none of the environment's `builders`")
    return found


def built_wheel(services: Services, sdist: LockedSdist, builder: LockedEnvironment) -> LockedWheel:
    """The wheel that an sdist makes in its builder, kept from before or built now. Raises :class:`DependencyNotBuilt`."""
    key = _key(sdist, builder)
    known = _remembered(services, key)
    if known is not None:
        return known
    check_native(services, f"{sdist.name} {sdist.version}", builder.architecture)
    if not services.blobs.has(sdist.ref):
        services.python_index.fetch([sdist])
    services.tell(Phase(text=f"building {sdist.name} {sdist.version} from its sdist"))
    source = dependency_source(services, sdist.name, sdist.version, sdist.file, sdist.ref)
    plan = _plan(source, builder)
    artifact = _wheel(services, plan, sdist)
    wheel = LockedWheel(
        name=sdist.name, version=sdist.version, file=RelPath(artifact.name), size=artifact.blob.size, sha256=artifact.blob.digest
    )
    services.memo.put("built-wheel", key, canonical_of(wheel))
    return wheel


def _key(sdist: LockedSdist, builder: LockedEnvironment) -> Digest:
    from lockage.recipe.model import INFERENCE
    from lockage.stabilize.registry import PASSES_VERSION

    given = {"sdist": sdist.sha256, "name": sdist.name, "root": builder.root, "inference": INFERENCE, "passes": PASSES_VERSION}
    image = builder.pulled
    if image is not None:  # several Pythons may lie in one root, and its variables are no part of it
        given |= {"interpreter": image.python, "variables": image.variables}
    return Digest.of(canonical(plain({**given, "lockage": __version__})))


def _remembered(services: Services, key: Digest) -> LockedWheel | None:
    kept = services.memo.get("built-wheel", key)
    try:
        wheel = None if kept is None else decode(kept, LockedWheel)
    except InvalidDocument:
        return None  # another lockage wrote it; a memo counts for nothing
    return wheel if wheel is not None and services.blobs.has(wheel.ref) else None


def _plan(source: DependencySource, builder: LockedEnvironment) -> Plan:
    """The inferred build of an sdist in an environment that was locked for it."""
    from lockage.plan.plan import make_plan
    from lockage.recipe.inference import ENVIRONMENT, infer_recipe

    image = builder.pulled
    recipe: Recipe = infer_recipe(source.project, os=builder.archive) if image is None else infer_recipe(source.project, image=image)
    locked = msgspec.structs.replace(builder, declaration=recipe.environments[ENVIRONMENT].digest)
    return make_plan(recipe, Lock.of({ENVIRONMENT: locked}), source.read.source(recipe.version))


def unsteady(services: Services, environment: LockedEnvironment) -> tuple[LockedSdist, ...]:
    """Those of an environment's sdists whose wheel comes out otherwise when it is built once more; all, if none does."""
    found = []
    for sdist in environment.sdists:
        builder = _builder(environment, sdist)
        first = built_wheel(services, sdist, builder)
        services.tell(Phase(text=f"building {sdist.name} {sdist.version} once more, to compare"))
        source = dependency_source(services, sdist.name, sdist.version, sdist.file, sdist.ref)
        if _wheel(services, _plan(source, builder), sdist, fresh=True).blob != first.ref:
            found.append(sdist)
    return tuple(found) or environment.sdists


def _wheel(services: Services, plan: Plan, sdist: LockedSdist, *, fresh: bool = False) -> Artifact:
    """The stabilized wheel that the plan's only step makes; ``fresh``: whatever is kept of an earlier time."""
    from lockage.work.artifacts import deliver
    from lockage.work.execute import Execution
    from lockage.work.roots import realise

    # Without the environment's name: whoever reads of a failure knows those of the recipe, not that of an inferred build.
    execution = Execution(services, plan, fresh=fresh, root_for=lambda builder: realise(services, builder))
    run = execution.run_here()
    if run.failure is not None:
        raise _not_built(services, plan, run, sdist)
    made = [artifact for artifact in deliver(services, plan, execution.results, remember=not fresh) if artifact.name.endswith(".whl")]
    fitting = [artifact for artifact in made if _is_of(artifact.name, sdist)]
    if len(made) != 1 or not fitting:
        names = ", ".join(artifact.name for artifact in made) or "none"
        raise DependencyNotBuilt(
            f"{sdist.file} should make one wheel of {sdist.name} {sdist.version}; it made {names}",
            hint="Report it to the project, or require another version of it.",
            package=sdist.name,
        )
    return fitting[0]


def _is_of(file: str, sdist: LockedSdist) -> bool:
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename
    from packaging.version import InvalidVersion, Version

    try:
        name, version, _, _ = parse_wheel_filename(file)
        return name == sdist.name and version == Version(sdist.version)
    except (InvalidWheelFilename, InvalidVersion):
        return False


def _not_built(services: Services, plan: Plan, run: StepRun, sdist: LockedSdist) -> DependencyNotBuilt:
    """The error that explains a failed build, with the packages that have what it did not find, and how to name them."""
    from lockage.work.build import not_done, record_run

    _, run_id = record_run(services, plan, {run.step: run}, services.clock.now())
    error = not_done(services, plan, run, run_id)
    return DependencyNotBuilt(
        f"{sdist.name} {sdist.version} could not be built from its sdist: {error.message}",
        hint=remedy(sdist.name, error, run_id, image=plan.steps[0].environment.pulled is not None),
        package=sdist.name,
        run=run_id,
        **{key: value for key, value in error.details.items() if key not in ("environment", "recipe", "added", "kept")},
    )


def remedy(project: str, error: LockageError, run_id: str, *, image: bool) -> str:
    """What to do for the build of a dependency whose step failed, as ``error`` tells: on an ``image`` nothing can be added for it."""
    from lockage.work.build import see_output

    seen = see_output(run_id, str(error.details.get("step")))
    if image:
        what = ", ".join(_lacking(error)) or "what it misses"
        return (
            f"The environment begins with an image, whose digest fixes what it holds: use one that has {what}, require a version of "
            f"{project} that has wheels, or begin the environment with a suite (`os`). {seen}"
        )
    packages = error.details.get("packages")
    listed = ", ".join(f'"{package}"' for package in packages) if isinstance(packages, tuple) else ""
    what = "what it misses" if listed else "OS packages that it misses, if any,"
    named = listed or '"PACKAGE"'
    return f"Name {what} in the recipe's environment: build-packages = {{ {project} = [{named}] }}. {seen}"


def _lacking(error: LockageError) -> tuple[str, ...]:
    """What an error says that a build did not find, and that an environment could have."""
    from lockage.work.diagnose import Lack  # only on the way to an error

    found = error.details.get("missing")
    return tuple(str(one) for one in found if one != Lack.NETWORK) if isinstance(found, tuple) else ()

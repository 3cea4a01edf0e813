"""The Python packages of an environment: wheels, and sdists with what each is built in.

Wheels are taken where there are any that fit. Of a project without, and of those that are declared so, an sdist is chosen: the resolver
is given stand-ins, and as soon as one is chosen whose metadata nobody knows, that is read from the sdist if it says that it is final,
else from the wheel that is built of it in the sandbox. Then all is resolved again; each round knows more, so there is an end.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

import msgspec

from lockage.base.canonical import canonical_of
from lockage.base.digest import Digest
from lockage.base.name import ProjectName
from lockage.base.path import RelPath
from lockage.environment.declaration import PythonLock, PythonRules, Suites
from lockage.environment.errors import Unresolvable
from lockage.environment.lock import Lock, LockedEnvironment, LockedSdist, LockedWheel
from lockage.environment.python import locked_target
from lockage.environment.stand_in import Offer, PackageMetadata, StandIn, metadata_of_wheel, static_metadata
from lockage.record.event import Phase
from lockage.work.from_source import DependencyNotBuilt, built_wheel, dependency_source, remedy
from lockage.work.platforms import check_native

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from lockage.base.instant import Instant
    from lockage.environment.base import LockedImage
    from lockage.environment.declaration import Declaration
    from lockage.environment.python import PythonTarget
    from lockage.environment.stand_in import Resolution
    from lockage.recipe.model import Recipe
    from lockage.work.from_source import DependencySource
    from lockage.work.services import Services

T = TypeVar("T")

__all__ = ["PythonPackages", "SdistCycle", "python_packages"]


class SdistCycle(Unresolvable):
    """A package that has only an sdist is needed to build itself, directly or through others."""

    code = "sdist-cycle"
    hint = "Require a version of one of them that has wheels, or put a wheel of it on an index of your own."


class PythonPackages(msgspec.Struct, frozen=True, kw_only=True):
    """What the Python packages of an environment were resolved to."""

    wheels: tuple[LockedWheel, ...] = ()
    sdists: tuple[LockedSdist, ...] = ()
    builders: dict[str, LockedEnvironment] = {}


def python_packages(
    services: Services,
    name: str,
    declaration: Declaration,
    target: PythonTarget,
    before: LockedEnvironment | None,
    renewed: Collection[str],
    as_of: Instant | None,
    building: tuple[str, ...],
    settle: Callable[[], None],
    image: LockedImage | None = None,
) -> PythonPackages:
    """What another tool's lock file pins, and what the requirements need beside it.

    ``building`` are the projects whose builders this environment is for, the outermost first; ``settle`` is called before another
    environment is locked. ``image`` is what the environment begins with, if that is one, and what builders begin with as well. Raises
    what the index raises, :class:`SdistCycle`, and :class:`lockage.work.from_source.DependencyNotBuilt`.
    """
    pinned: tuple[LockedWheel, ...] = ()
    if isinstance(declaration.python_lock, PythonLock):
        from lockage.work.python_lock import take_over

        services.tell(Phase(text=f"environment {name}: taking over {declaration.python_lock.file}"))
        pinned = take_over(services, declaration.python_lock, target)
    if not declaration.python:
        return PythonPackages(wheels=pinned)
    services.tell(Phase(text=f"environment {name}: resolving Python requirements, {len(declaration.python)} of them declared"))
    return _Resolving(services, name, declaration, target, pinned, before, renewed, as_of, building, settle, image).run()


class _Resolving:
    """One resolution: the offers so far, and the builders that were locked on the way."""

    def __init__(
        self,
        services: Services,
        name: str,
        declaration: Declaration,
        target: PythonTarget,
        pinned: tuple[LockedWheel, ...],
        before: LockedEnvironment | None,
        renewed: Collection[str],
        as_of: Instant | None,
        building: tuple[str, ...],
        settle: Callable[[], None],
        image: LockedImage | None,
    ) -> None:
        self._services = services
        self._name = name
        self._declaration = declaration
        self._rules = declaration.python_rules if isinstance(declaration.python_rules, PythonRules) else PythonRules()
        self._target = target
        self._pinned = pinned
        self._before = before
        self._renewed = renewed
        self._as_of = as_of
        self._building = building
        self._settle = settle
        self._image = image
        self._offers: dict[str, Offer] = {}
        self._sources: dict[tuple[str, str], DependencySource] = {}
        self._builders: dict[tuple[str, str], LockedEnvironment] = {}
        self._locked: dict[Digest, LockedEnvironment] = {}

    def run(self) -> PythonPackages:
        for project in self._rules.from_source:
            self._offer(project)
        while True:
            found = self._resolved()
            if found is None:
                continue
            if self._rules.all_from_source and found.wheels:
                for wheel in found.wheels:
                    self._offer(wheel.name)
                continue
            unknown = [one for one in found.stand_ins if one.metadata is None]
            for one in unknown:
                self._learn(one)
            if not unknown:
                return self._result(found)

    def _resolved(self) -> Resolution | None:
        """A resolution with what is known; None if it failed for want of wheels, and sdists are offered now."""
        before: list[LockedWheel | LockedSdist] = []
        if self._before is not None and self._as_of is None:
            before += (*self._before.python, *self._before.sdists)
        try:
            return self._services.python_index.resolve(
                self._declaration.python,
                self._target,
                constraints=self._rules.constraints,
                offers=tuple(self._offers.values()),
                pinned=self._pinned,
                preferred=before,
                renewed=self._renewed,
                as_of=self._as_of,
            )
        except Unresolvable as error:
            wanting = error.details.get("packages")
            new = [project for project in wanting if project not in self._offers] if isinstance(wanting, tuple) else []
            offered = [self._services.python_index.sdists(project, as_of=self._as_of) for project in new]
            if not any(offer.stand_ins for offer in offered):
                raise
            self._offers |= {offer.name: offer for offer in offered if offer.stand_ins}
            return None

    def _offer(self, project: str) -> None:
        """Build a project from its sdist, whatever wheels there are. Raises Unresolvable if it has none."""
        offer = self._services.python_index.sdists(project, as_of=self._as_of)
        if not offer.stand_ins:
            raise Unresolvable(
                f"environment {self._name!r}: {project} is to be built from source, but no index that was asked has an sdist of it",
                hint="Name the projects that are to be built in `from-source`, without this one.",
                packages=(project,),
            )
        self._offers[project] = offer

    def _learn(self, stand_in: StandIn) -> None:
        """Find out the metadata of a stand-in that was chosen."""
        source = self._source(stand_in)
        metadata = static_metadata(source.file(self._services, "PKG-INFO"))
        if metadata is None:
            sdist, builder = self._sdist(stand_in)
            wheel = self._named(lambda: built_wheel(self._services, sdist, builder))
            metadata = metadata_of_wheel(wheel.file, self._services.blobs.get(wheel.ref))
        self._know(stand_in, metadata)

    def _know(self, stand_in: StandIn, metadata: PackageMetadata) -> None:
        offer = self._offers[stand_in.name]
        known = msgspec.structs.replace(stand_in, metadata=metadata)
        stand_ins = tuple(known if one.version == stand_in.version else one for one in offer.stand_ins)
        self._offers[stand_in.name] = msgspec.structs.replace(offer, stand_ins=stand_ins)

    def _source(self, stand_in: StandIn) -> DependencySource:
        key = (stand_in.name, stand_in.version)
        if key not in self._sources:
            archive = self._services.python_index.keep_sdist(stand_in)
            self._sources[key] = self._named(lambda: dependency_source(self._services, *key, stand_in.file, archive))
        return self._sources[key]

    def _sdist(self, stand_in: StandIn) -> tuple[LockedSdist, LockedEnvironment]:
        """The sdist of a stand-in as it is locked, and what it is built in."""
        from lockage.recipe.model import INFERENCE

        key = (stand_in.name, stand_in.version)
        source = self._source(stand_in)
        if key not in self._builders:
            self._builders[key] = self._builder(stand_in, source)
        archive = self._services.python_index.keep_sdist(stand_in)
        sdist = LockedSdist(
            name=stand_in.name,
            version=stand_in.version,
            file=RelPath(stand_in.file),
            size=archive.size,
            sha256=archive.digest,
            inference=INFERENCE,
            builder=stand_in.name,
        )
        return sdist, self._builders[key]

    def _builder(self, stand_in: StandIn, source: DependencySource) -> LockedEnvironment:
        """The environment that a project is built in, locked: what every build has, what its backend requires and asks for."""
        from lockage.recipe.hooks import BackendFailed, with_requirements
        from lockage.recipe.inference import ENVIRONMENT
        from lockage.work.inferred import asked

        if stand_in.name in self._building:
            chain = " → ".join((*self._building, stand_in.name))
            raise SdistCycle(f"{stand_in.name} has only an sdist, and is needed to build itself: {chain}", packages=(stand_in.name,))
        architecture, machine = self._target.architecture, self._services.architecture
        check_native(
            self._services,
            f"environment {self._name!r}: {source.title}",
            architecture,
            hint=f"Run `lockage lock --platform {architecture}` on an {architecture} machine, and `--platform {machine}` here: each leaves "
            f"the other platform as it is locked. Or require a version of {stand_in.name} that has wheels for {architecture}.",
        )
        recipe = self._recipe(stand_in, source)
        locked = self._lock(stand_in, recipe.environments[ENVIRONMENT])
        lock = Lock.of({ENVIRONMENT: locked})
        try:
            requires = asked(self._services, source.read, source.project, recipe, lock, ENVIRONMENT, None)
        except BackendFailed as error:
            raise DependencyNotBuilt(
                f"environment {self._name!r}: {source.title}: {error.message}",
                hint=remedy(stand_in.name, error, str(error.details.get("run")), image=self._image is not None),
                environment=self._name,
                package=stand_in.name,
                packages=error.details.get("packages"),
                run=error.details.get("run"),
                missing=error.details.get("missing"),
                last_lines=error.details.get("last_lines"),
            ) from error
        recipe = with_requirements(recipe, requires, ENVIRONMENT)
        return self._lock(stand_in, recipe.environments[ENVIRONMENT])

    def _recipe(self, stand_in: StandIn, source: DependencySource) -> Recipe:
        """How a project is built, in an environment that begins with what this one begins with."""
        from lockage.recipe.inference import ENVIRONMENT, infer_recipe

        if self._image is not None:
            return infer_recipe(source.project, image=self._image)
        added = (*_of_python(self._declaration.packages), *self._rules.build_packages.get(ProjectName(stand_in.name), ()))
        recipe = infer_recipe(source.project, os=self._declaration.archive, added=added)
        if isinstance(self._declaration.suites, Suites):
            declared = msgspec.structs.replace(recipe.environments[ENVIRONMENT], suites=self._declaration.suites)
            recipe = msgspec.structs.replace(recipe, environments={ENVIRONMENT: declared})
        return recipe

    def _lock(self, stand_in: StandIn, declaration: Declaration) -> LockedEnvironment:
        """A builder as declared, locked once for all that have the same."""
        known = self._locked.get(declaration.digest)
        if known is not None:
            return known
        self._settle()
        try:
            locked = self._locked_builder(stand_in.name, declaration)
        except SdistCycle:
            raise
        except Unresolvable as error:
            told = f"{stand_in.name} {stand_in.version} has to be built from its sdist, and cannot: {error.message}"
            raise Unresolvable(told, hint=error.hint, **error.details) from error
        theirs = locked_target(locked)
        if theirs.version != self._target.version:
            raise Unresolvable(
                f"{stand_in.name} {stand_in.version} would be built for Python {theirs.version}, and is needed for {self._target.version}",
                hint="Name python3 with its version or suite in the `packages` of the environment.",
                packages=(stand_in.name,),
            )
        self._locked[declaration.digest] = locked
        return locked

    def _locked_builder(self, project: str, declaration: Declaration) -> LockedEnvironment:
        name = f"{self._name}, to build {project}"
        before = self._builder_before(project)
        as_of = self._as_of if declaration.python else None
        building = (*self._building, project)
        if self._image is not None:
            from lockage.work.lock_image import lock_on_image

            return lock_on_image(
                self._services,
                name,
                declaration,
                self._image,
                before,
                architecture=self._target.architecture,
                renewed=self._renewed,
                as_of=as_of,
                building=building,
            )
        from lockage.work.lock import lock_environment

        return lock_environment(
            self._services,
            name,
            declaration,
            before,
            platform=self._target.architecture,
            renewed=self._renewed,
            as_of=as_of,
            building=building,
        )

    def _builder_before(self, project: str) -> LockedEnvironment | None:
        """What the project was built in as it was locked."""
        if self._before is None:
            return None
        name = next((sdist.builder for sdist in self._before.sdists if sdist.name == project), "")
        return self._before.builders.get(name)

    def _named(self, build: Callable[[], T]) -> T:
        try:
            return build()
        except DependencyNotBuilt as error:
            raise error.within(self._name) from error

    def _result(self, found: Resolution) -> PythonPackages:
        """All of it as it is locked; a builder is called after the first of the projects that are built in it."""
        names: dict[Digest, str] = {}
        sdists: list[LockedSdist] = []
        builders: dict[str, LockedEnvironment] = {}
        for stand_in in sorted(found.stand_ins, key=lambda one: one.name):
            sdist, builder = self._sdist(stand_in)
            name = names.setdefault(_content(builder), sdist.name)
            sdists.append(msgspec.structs.replace(sdist, builder=name))
            builders.setdefault(name, builder)
        return PythonPackages(
            wheels=tuple(sorted((*self._pinned, *found.wheels))),
            sdists=tuple(sdists),
            builders=builders,
        )


def _content(builder: LockedEnvironment) -> Digest:
    """Identity of what a builder is made of, whatever it was declared as and whoever told of its packages."""
    nothing = Digest.of(b"")
    return Digest.of(
        canonical_of(msgspec.structs.replace(builder, declaration=nothing, release_date="", release_sha256=nothing, suites=(), added=()))
    )


def _of_python(terms: Sequence[str]) -> tuple[str, ...]:
    """Those of the declared packages that decide which Python there is."""
    return tuple(term for term in terms if re.match(r"python3(?:[ /(]|$)", term) and term != "python3")

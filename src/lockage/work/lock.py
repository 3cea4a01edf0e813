"""Lock: every environment of a recipe resolved, fetched, put together once, and pinned."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from lockage.base.digest import BlobRef, Digest
from lockage.base.errors import LockageError, Usage
from lockage.environment.base import HostBase, ImageBase, OsBase
from lockage.environment.debian import Index, IndexedSuite, index_of, pin, stanza_of
from lockage.environment.debian import resolve as resolve_packages
from lockage.environment.declaration import PythonLock, Suites
from lockage.environment.lock import REALISER, Lock, LockedEnvironment, LockedSuite, RootRef
from lockage.environment.platforms import locked_name
from lockage.recipe.modes import PRELOADED
from lockage.record.event import Phase
from lockage.work.declared_files import keyring_of
from lockage.work.roots import bytes_missing, whole

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from lockage.base.instant import Instant
    from lockage.environment.declaration import Architecture, Declaration
    from lockage.environment.lock import LockedSdist, LockedWheel
    from lockage.recipe.model import Recipe
    from lockage.work.services import Services

__all__ = ["NoSuchPlatform", "PackageNotLocked", "lock_environment", "lock_recipe"]

#: What verification and modes need beside a root: another clock, and the sources of other locales.
INSTRUMENTS = (PRELOADED, "locales")

_UNKNOWN = RootRef(tree=BlobRef.of(b""), metadata=Digest.of(b""))


class PackageNotLocked(Usage):
    """A package was named to be upgraded that no environment of the lock holds."""

    code = "package-not-locked"
    hint = "Name an OS package or a Python project of lockage.lock; `lockage env show` lists them."


class NoSuchPlatform(Usage):
    """A platform was named for which no environment is declared."""

    code = "no-such-platform"
    hint = "Name it in `platforms` of lockage.toml, for all environments in [project] or for one in its own table."


def lock_recipe(
    services: Services,
    recipe: Recipe,
    previous: Lock | None,
    *,
    upgrade: bool = False,
    renewed: Collection[str] = (),
    as_of: Instant | None = None,
    platforms: Collection[Architecture] = (),
) -> Lock:
    """The lock of a recipe; what ``previous`` pins for an unchanged declaration stays, unless ``upgrade``.

    Of a changed declaration everything keeps its version that can. ``renewed`` OS packages and Python projects move to their newest
    version wherever they are locked, and nothing else does that needs not. With ``as_of`` the Python packages are resolved anew from
    what was uploaded before. With ``platforms`` only those are locked, and what is locked for others stays whatever the recipe says now.
    Raises :class:`PackageNotLocked`, :class:`NoSuchPlatform`.
    """
    if as_of is not None and not any(declaration.python for declaration in recipe.environments.values()):
        raise Usage("no environment declares Python requirements, and a date is for nothing else", hint="Lock without --as-of.")
    declared = {name: declaration.platforms_on(services.architecture) for name, declaration in recipe.environments.items()}
    for unknown in sorted(set(platforms).difference(*declared.values())):
        raise NoSuchPlatform(f"no environment is declared for {unknown}", platform=unknown)
    renewed = _as_locked(renewed, previous.environments.values() if previous is not None and not upgrade else ())
    locked: dict[str, LockedEnvironment] = {}
    for name, declaration in recipe.environments.items():
        for platform in declared[name]:
            before = previous.on(platform).environments.get(name) if previous is not None else None
            place = locked_name(name, declared[name], platform)
            if platforms and platform not in platforms:
                locked |= {place: before} if before is not None else {}
                continue
            if before is not None and (upgrade or before.base != declaration.base):
                before = None
            stays = before is not None and not _held(before).intersection(renewed) and (as_of is None or not declaration.python)
            if before is not None and stays and before.declaration == declaration.digest:
                locked[place] = before
                continue
            twin = next(
                (other for other in locked.values() if (other.declaration, other.architecture) == (declaration.digest, platform)), None
            )
            try:
                locked[place] = twin or lock_environment(
                    services, place, declaration, before, platform=platform, renewed=renewed, as_of=as_of
                )
            except LockageError as error:
                error.details.setdefault("environment", place)  # what resolves and fetches knows of one environment only, and not its name
                raise
    return Lock.of(locked)


def _held(environment: LockedEnvironment) -> set[str]:
    """The names of everything that an environment is made of."""
    kinds = (environment.packages, environment.instruments, environment.python, environment.sdists)
    return {item.name for kind in kinds for item in kind}.union(*(_held(builder) for builder in environment.builders.values()))


def _as_locked(names: Collection[str], environments: Collection[LockedEnvironment]) -> frozenset[str]:
    """The names as the lock spells them: Python projects in their normalised form. Raises :class:`PackageNotLocked`."""
    known = {name for environment in environments for name in _held(environment)}
    found = set()
    for name in names:
        spelled = next((one for one in (name, re.sub(r"[-_.]+", "-", name).lower()) if one in known), None)
        if spelled is not None:
            found.add(spelled)
        else:
            from difflib import get_close_matches  # only on the way to an error

            near = get_close_matches(name, sorted(known), 1)
            guess = f"; did you mean {near[0]!r}?" if near else ""
            raise PackageNotLocked(f"no environment of lockage.lock holds {name[:100]!r}{guess}", package=name[:100])
    return frozenset(found)


def lock_environment(
    services: Services,
    name: str,
    declaration: Declaration,
    before: LockedEnvironment | None = None,
    *,
    platform: Architecture | None = None,
    renewed: Collection[str] = (),
    as_of: Instant | None = None,
    building: tuple[str, ...] = (),
) -> LockedEnvironment:
    """Resolve, fetch and put together one environment for a platform, the machine's or another: nothing of it is run.

    Raises what the index, the mirror and the solver raise, and ForeignBuild if it takes a build on another machine.

    ``before`` is what was locked, of the same suite and architecture: but for what is ``renewed`` its versions stay where they can,
    and it is returned if nothing moved. With ``as_of`` no Python package stays, and none counts that was not uploaded before.
    ``building`` are the projects that the environment is to build, each for the sake of the one before it.
    """
    architecture = platform or services.architecture
    if isinstance(declaration.base, HostBase):  # which machine it is, is found when the lock is used
        return LockedEnvironment(declaration=declaration.digest, host=declaration.base, architecture=architecture)
    if isinstance(declaration.image, ImageBase):
        from lockage.work.lock_image import lock_image  # few environments begin with one

        return lock_image(services, name, declaration, declaration.image, before, architecture=architecture, renewed=renewed, as_of=as_of)
    services.tell(Phase(text=f"environment {name}: resolving {declaration.archive}{_beside(declaration)}"))
    suites = _suites(services, declaration, architecture)
    index, preferred = _with_kept(services, index_of(suites), before, renewed)
    with_python = bool(declaration.python) or isinstance(declaration.python_lock, PythonLock)
    terms = declaration.packages if not with_python else ("python3", *declaration.packages)
    first = sorted({package.name for package in before.packages}.intersection(renewed)) if before is not None else []
    packages = resolve_packages(index, terms, architecture, preferred=preferred, first=first)
    pins = (pin(index, name, architecture, preferred=preferred) for name in INSTRUMENTS)
    instruments = tuple(sorted(found for found in pins if found is not None))
    everything = (*packages, *instruments)
    services.tell(Phase(text=f"environment {name}: fetching {len(packages)} OS packages", total=bytes_missing(services, everything)))
    with services.os_packages.arriving(declaration.archive, everything) as arriving:

        def settle() -> None:
            """Have all packages, before others are fetched, or so that once the requirements are mended nothing has to be fetched again."""
            for _ in arriving:
                pass

        wheels: tuple[LockedWheel, ...] = ()
        sdists: tuple[LockedSdist, ...] = ()
        builders: dict[str, LockedEnvironment] = {}
        if with_python:
            from lockage.environment.python import target_of
            from lockage.work.python_packages import python_packages  # only environments with Python packages need it

            try:
                found = python_packages(services, name, declaration, target_of(packages), before, renewed, as_of, building, settle)
                wheels, sdists, builders = found.wheels, found.sdists, found.builders
            except LockageError:
                settle()
                raise
        draft = LockedEnvironment(
            declaration=declaration.digest,
            os=declaration.archive,
            architecture=architecture,
            release_date=str(suites[0].release.date),
            release_sha256=suites[0].release.sha256,
            root=_UNKNOWN,
            packages=packages,
            python=wheels,
            instruments=instruments,
            suites=_told(suites),
            sdists=sdists,
            builders=builders,
            realiser=REALISER if before is None else before.realiser,
        )
        if before is not None and _same(draft, before):
            return before
        services.tell(Phase(text=f"environment {name}: putting the root together", total=bytes_missing(services, everything)))
        root = services.roots.realise(whole(services, draft, name), expect=False, arriving=arriving)
    return msgspec.structs.replace(draft, root=root.ref)


def _suites(services: Services, declaration: Declaration, architecture: Architecture) -> tuple[IndexedSuite, ...]:
    """What a declaration's suites have, the base first."""
    rules = declaration.suites if isinstance(declaration.suites, Suites) else Suites()
    keyring = None if rules.keyring is None else keyring_of(services, rules.keyring)
    found = []
    for name in (declaration.archive.suite, *rules.further):
        base = OsBase(distribution=declaration.archive.distribution, suite=name)
        release, stanzas = services.os_packages.index(
            base, architecture, components=rules.components, stale=name in rules.stale, keyring=keyring
        )
        found.append(IndexedSuite(name=name, release=release, stanzas=stanzas))
    return tuple(found)


def _beside(declaration: Declaration) -> str:
    return "".join(f", {name}" for name in declaration.suites.further) if isinstance(declaration.suites, Suites) else ""


def _told(suites: Sequence[IndexedSuite]) -> tuple[LockedSuite, ...]:
    """What a lock says of suites; nothing where there is one, and that is as it should be."""
    if len(suites) == 1 and not suites[0].release.stale:
        return ()
    return tuple(
        LockedSuite(suite=one.name, release_date=str(one.release.date), release_sha256=one.release.sha256, stale=one.release.stale)
        for one in suites
    )


def _with_kept(
    services: Services, index: Index, before: LockedEnvironment | None, renewed: Collection[str]
) -> tuple[Index, frozenset[str]]:
    """The index, with those locked packages that it has no more but the store keeps, and the sha256 of those that are to stay."""
    if before is None:
        return index, frozenset()
    staying = {package.sha256: package for package in (*before.packages, *before.instruments) if package.name not in renewed}
    listed = {stanza.sha256 for stanza in index.stanzas}
    gone = [package for digest, package in staying.items() if digest not in listed and services.blobs.has(package.ref)]
    return index.beside([stanza_of(package, services.roots.control(package)) for package in gone]), frozenset(staying)


def _same(a: LockedEnvironment, b: LockedEnvironment) -> bool:
    """Whether two environments of one declaration are made of the same; which Release file told of it does not count."""
    kinds = ((a.packages, b.packages), (a.instruments, b.instruments), (a.python, b.python), (a.sdists, b.sdists))
    return a.declaration == b.declaration and a.builders == b.builders and all(sorted(one) == sorted(two) for one, two in kinds)

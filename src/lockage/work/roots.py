"""Roots for execution: what a lock names is fetched if the store has it not, and put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.ports import RootDrift
from lockage.record.event import Phase

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockage.environment.lock import LockedEnvironment, LockedPackage, LockedSdist, LockedWheel
    from lockage.ports import RealisedRoot
    from lockage.work.services import Services

__all__ = ["bytes_missing", "drifted", "fetch_missing", "realise", "whole"]


def fetch_missing(services: Services, environment: LockedEnvironment) -> None:
    """Fetch the locked packages that are not kept yet; asks no mirror and no index if all are. Raises PackageVanished, PackageChanged."""
    _fetch_image(services, environment)
    packages = _missing_packages(services, environment)
    if packages:
        services.os_packages.fetch(environment.archive, packages, as_of=environment.newest_release)
    _fetch_wheels(services, environment)
    for builder in environment.builders.values():
        fetch_missing(services, builder)
    if environment.sdists:
        from lockage.work.from_source import fetch_crates  # few environments have any

        fetch_crates(services, environment)


def whole(services: Services, environment: LockedEnvironment, name: str = "") -> LockedEnvironment:
    """The environment with the wheels of its sdists, which are built if they are not kept; ``name`` is for messages.

    Raises :class:`lockage.work.from_source.DependencyNotBuilt`.
    """
    if not environment.sdists:
        return environment
    from lockage.work.from_source import DependencyNotBuilt, with_built  # few environments have any

    try:
        return with_built(services, environment)
    except DependencyNotBuilt as error:
        raise (error.within(name) if name else error) from error


def _fetch_image(services: Services, environment: LockedEnvironment) -> None:
    if environment.pulled is not None:
        from lockage.work.base_image import fetch_image  # few environments begin with one

        fetch_image(services, environment.pulled)


def _missing_packages(services: Services, environment: LockedEnvironment) -> list[LockedPackage]:
    """The OS packages that are not kept; says so if there are any."""
    packages = [package for package in (*environment.packages, *environment.instruments) if not services.blobs.has(package.ref)]
    if packages:
        services.tell(Phase(text=f"fetching {len(packages)} OS packages", total=bytes_missing(services, packages)))
    return packages


def _fetch_wheels(services: Services, environment: LockedEnvironment) -> None:
    files: list[LockedWheel | LockedSdist] = [*environment.python, *environment.sdists]
    wheels = [file for file in files if not services.blobs.has(file.ref)]
    if wheels:
        what = f"{len(wheels)} wheels" if not environment.sdists else f"{len(wheels)} wheels and sdists"
        services.tell(Phase(text=f"fetching {what}", total=bytes_missing(services, wheels)))
        services.python_index.fetch(wheels)


def bytes_missing(services: Services, files: Iterable[LockedPackage | LockedWheel | LockedSdist]) -> int | None:
    """How many bytes of these are not kept yet; None if all are."""
    return sum(file.size for file in files if not services.blobs.has(file.ref)) or None


def realise(services: Services, environment: LockedEnvironment, name: str = "") -> RealisedRoot:
    """The environment's root, checked against the lock; raises RootDrift, what fetching raises, and what :func:`whole` raises.

    What has to be fetched is unpacked as it comes. ``name`` is for messages.
    """
    complete = whole(services, environment, name)
    _fetch_image(services, complete)
    packages = _missing_packages(services, complete)
    try:
        if not packages:
            _fetch_wheels(services, complete)
            return services.roots.realise(complete)
        with services.os_packages.arriving(environment.archive, packages, as_of=environment.newest_release) as arriving:
            _fetch_wheels(services, complete)
            return services.roots.realise(complete, arriving=arriving)
    except RootDrift as error:
        raise drifted(services, error, environment) from error


def drifted(services: Services, error: RootDrift, environment: LockedEnvironment) -> RootDrift:
    """The same error; where packages were built for the root, it names them: all the others are pinned by their bytes.

    Of several those are named that come out otherwise when they are built once more, if there are any.
    """
    if not environment.sdists or "path" in error.details:  # a kept root that was changed has a path
        return error
    from lockage.work.from_source import unsteady  # only on the way to an error

    suspects = environment.sdists if len(environment.sdists) == 1 else unsteady(services, environment)
    names = tuple(f"{sdist.name} {sdist.version}" for sdist in suspects)
    what = names[0] if len(names) == 1 else f"one or more of {', '.join(names)}"
    where = "" if environment.pulled is None else " of it on a suite"  # whoever verifies an sdist has no image
    return RootDrift(
        f"{what} came out otherwise than when it was locked, built from source: {error.message}",
        hint=f"`lockage verify {suspects[0].file}` tells in what builds{where} differ; `lockage lock --upgrade` pins what this made.",
        built=names,
        **error.details,
    )

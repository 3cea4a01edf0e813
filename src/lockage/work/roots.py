"""Roots for execution: what a lock names is fetched if the store has it not, and put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.record.event import Phase

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockage.environment.lock import LockedEnvironment, LockedPackage, LockedWheel
    from lockage.ports import RealisedRoot
    from lockage.work.services import Services

__all__ = ["bytes_missing", "fetch_missing", "realise"]


def fetch_missing(services: Services, environment: LockedEnvironment) -> None:
    """Fetch the locked packages that are not kept yet; asks no mirror and no index if all are. Raises PackageVanished, PackageChanged."""
    packages = _missing_packages(services, environment)
    if packages:
        services.os_packages.fetch(environment.os, packages, as_of=environment.newest_release)
    _fetch_wheels(services, environment)


def _missing_packages(services: Services, environment: LockedEnvironment) -> list[LockedPackage]:
    """The OS packages that are not kept; says so if there are any."""
    packages = [package for package in (*environment.packages, *environment.instruments) if not services.blobs.has(package.ref)]
    if packages:
        services.tell(Phase(text=f"fetching {len(packages)} OS packages", total=bytes_missing(services, packages)))
    return packages


def _fetch_wheels(services: Services, environment: LockedEnvironment) -> None:
    wheels = [wheel for wheel in environment.python if not services.blobs.has(wheel.ref)]
    if wheels:
        services.tell(Phase(text=f"fetching {len(wheels)} wheels", total=bytes_missing(services, wheels)))
        services.python_index.fetch(wheels)


def bytes_missing(services: Services, files: Iterable[LockedPackage | LockedWheel]) -> int | None:
    """How many bytes of these are not kept yet; None if all are."""
    return sum(file.size for file in files if not services.blobs.has(file.ref)) or None


def realise(services: Services, environment: LockedEnvironment) -> RealisedRoot:
    """The environment's root, checked against the lock; raises RootDrift and what fetching raises.

    What has to be fetched is unpacked as it comes.
    """
    packages = _missing_packages(services, environment)
    if not packages:
        _fetch_wheels(services, environment)
        return services.roots.realise(environment)
    with services.os_packages.arriving(environment.os, packages, as_of=environment.newest_release) as arriving:
        _fetch_wheels(services, environment)
        return services.roots.realise(environment, arriving=arriving)

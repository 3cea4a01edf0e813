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
    packages = [package for package in (*environment.packages, *environment.instruments) if not services.blobs.has(package.ref)]
    if packages:
        services.tell(Phase(text=f"fetching {len(packages)} OS packages", total=bytes_missing(services, packages)))
        services.os_packages.fetch(environment.os, packages, as_of=environment.release_date)
    wheels = [wheel for wheel in environment.python if not services.blobs.has(wheel.ref)]
    if wheels:
        services.tell(Phase(text=f"fetching {len(wheels)} wheels", total=bytes_missing(services, wheels)))
        services.python_index.fetch(wheels)


def bytes_missing(services: Services, files: Iterable[LockedPackage | LockedWheel]) -> int | None:
    """How many bytes of these are not kept yet; None if all are."""
    return sum(file.size for file in files if not services.blobs.has(file.ref)) or None


def realise(services: Services, environment: LockedEnvironment) -> RealisedRoot:
    """The environment's root, checked against the lock; raises RootDrift and what fetching raises."""
    fetch_missing(services, environment)
    return services.roots.realise(environment)

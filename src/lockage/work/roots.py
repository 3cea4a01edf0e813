"""Roots for execution: what a lock names is fetched if the store has it not, and put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lockage.environment.lock import LockedEnvironment
    from lockage.ports import RealisedRoot
    from lockage.work.services import Services

__all__ = ["fetch_missing", "realise"]


def fetch_missing(services: Services, environment: LockedEnvironment) -> None:
    """Fetch the locked packages that are not kept yet; asks no mirror and no index if all are. Raises PackageVanished, PackageChanged."""
    packages = [package for package in (*environment.packages, *environment.instruments) if not services.blobs.has(package.ref)]
    if packages:
        services.os_packages.fetch(environment.os, packages, as_of=environment.release_date)
    wheels = [wheel for wheel in environment.python if not services.blobs.has(wheel.ref)]
    if wheels:
        services.python_index.fetch(wheels)


def realise(services: Services, environment: LockedEnvironment) -> RealisedRoot:
    """The environment's root, checked against the lock; raises RootDrift and what fetching raises."""
    fetch_missing(services, environment)
    return services.roots.realise(environment)

"""What execution needs from outside: what a lock or a recipe names is fetched if the store has it not, and roots are put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.record.event import Phase

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockage.base.digest import BlobRef, Digest
    from lockage.environment.lock import LockedEnvironment
    from lockage.ports import RealisedRoot
    from lockage.recipe.model import FetchInput
    from lockage.work.services import Services

__all__ = ["fetch_inputs", "fetch_missing", "realise"]


def fetch_inputs(services: Services, inputs: Iterable[FetchInput]) -> dict[Digest, BlobRef]:
    """Fetch inputs by sha256, kept in the store; asks no server if all are. Raises InputVanished, InputChanged."""
    wanted = {found.sha256: found for found in inputs}
    kept = {digest: services.blobs.locate(digest) for digest in wanted}
    missing = [wanted[digest] for digest, ref in kept.items() if ref is None]
    if missing:
        services.tell(Phase(text=f"fetching {', '.join(found.name for found in missing)}"))
        kept |= dict(zip([found.sha256 for found in missing], services.downloads.fetch(missing), strict=True))
    return {digest: ref for digest, ref in kept.items() if ref is not None}


def fetch_missing(services: Services, environment: LockedEnvironment) -> None:
    """Fetch the locked packages that are not kept yet; asks no mirror and no index if all are. Raises PackageVanished, PackageChanged."""
    packages = [package for package in (*environment.packages, *environment.instruments) if not services.blobs.has(package.ref)]
    if packages:
        services.os_packages.fetch(environment.os, packages)
    wheels = [wheel for wheel in environment.python if not services.blobs.has(wheel.ref)]
    if wheels:
        services.python_index.fetch(wheels)


def realise(services: Services, environment: LockedEnvironment) -> RealisedRoot:
    """The environment's root, checked against the lock; raises RootDrift and what fetching raises."""
    fetch_missing(services, environment)
    return services.roots.realise(environment)

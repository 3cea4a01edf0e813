"""Platforms: which part of a lock counts on this machine, and what only a machine of another architecture can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.errors import LockageError, Usage
from lockage.environment.declaration import ARCHITECTURES

if TYPE_CHECKING:
    from lockage.environment.declaration import Architecture
    from lockage.environment.lock import Lock
    from lockage.work.services import Services

__all__ = ["ForeignBuild", "check_native", "machine_of", "on_this_machine"]


class ForeignBuild(Usage):
    """A Python package has to be built from its sdist for another architecture than this machine's."""

    code = "foreign-build"
    hint = "Do it on a machine of that architecture, or require a version that has wheels for it."


def machine_of(services: Services, lock: Lock) -> Architecture:
    """The machine's platform. One on which no step can run, and which only reads, is taken for the first that is locked."""
    try:
        return services.architecture
    except LockageError:
        return min((found.architecture for found in lock.complete.environments.values()), default=ARCHITECTURES[0])


def on_this_machine(services: Services, lock: Lock) -> Lock:
    """The lock as it counts here."""
    return lock.on(machine_of(services, lock))


def check_native(services: Services, what: str, architecture: Architecture, *, hint: str | None = None) -> None:
    """Raise :class:`ForeignBuild` if ``what`` cannot be built here, as it is for another architecture."""
    if architecture == services.architecture:
        return
    raise ForeignBuild(
        f"{what} has to be built from its sdist for {architecture}, and this machine is {services.architecture}",
        hint=hint,
        expected=architecture,
        found=services.architecture,
    )

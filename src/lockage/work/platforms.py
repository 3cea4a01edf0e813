"""Platforms: what only a machine of another architecture can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.errors import Usage

if TYPE_CHECKING:
    from lockage.environment.declaration import Architecture
    from lockage.work.services import Services

__all__ = ["ForeignBuild", "check_native"]


class ForeignBuild(Usage):
    """A Python package has to be built from its sdist for another architecture than this machine's."""

    code = "foreign-build"
    hint = "Do it on a machine of that architecture, or require a version that has wheels for it."


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

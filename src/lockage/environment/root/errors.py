"""What can be wrong with packages that are to become a root."""

from __future__ import annotations

from lockage.base.errors import Integrity, Usage

__all__ = ["InvalidPackage", "PackagesCollide", "UnsupportedPackage"]


class InvalidPackage(Integrity):
    """A package's archive is damaged, contradicts its own record, or reaches out of the root."""

    code = "invalid-package"
    hint = "Do not use this package; choose another version in the recipe and run `lockage lock`."


class UnsupportedPackage(Usage):
    """A package is well formed but holds something that no root of this realiser can hold."""

    code = "unsupported-package"
    hint = "Leave the package out of the environment, or choose another version or suite."


class PackagesCollide(Usage):
    """Two packages of one environment bring different things to the same path."""

    code = "packages-collide"
    hint = "Leave one of the two packages out of the environment."

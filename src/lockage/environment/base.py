"""What an environment begins with: a suite of packages, an OCI image, or the host as it is."""

from __future__ import annotations

import re
from typing import TypeAlias

import msgspec

from lockage.base.digest import Digest

__all__ = ["Base", "HostBase", "ImageBase", "OsBase", "archive_of", "the_base"]

_DISTRIBUTION = re.compile("[a-z][a-z0-9]*")
_SUITE = re.compile("[A-Za-z0-9][A-Za-z0-9.-]*")


class OsBase(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The distribution and suite that OS packages come from; its text is ``debian:bookworm``."""

    distribution: str
    suite: str

    def __str__(self) -> str:
        return f"{self.distribution}:{self.suite}"

    @classmethod
    def parse(cls, text: str) -> OsBase:
        """Read ``DISTRIBUTION:SUITE``; raises ValueError."""
        distribution, colon, suite = text.partition(":")
        if not _DISTRIBUTION.fullmatch(distribution) or not colon or not _SUITE.fullmatch(suite):
            raise ValueError(f"not an operating system base (debian:SUITE): {text[:80]!r}")
        return cls(distribution=distribution, suite=suite)


class ImageBase(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An OCI image by the sha256 of its manifest or index; ``place`` says where it is had from, as the recipe writes it."""

    digest: Digest
    place: str

    def __str__(self) -> str:
        return f"image sha256:{self.digest[:12]}"


class HostBase(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The machine as it is: nothing is pinned, and steps are not kept from seeing it.

    ``path`` are folders of it that programs are looked for in before those of the contract's search path.
    """

    path: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "unpinned host"


Base: TypeAlias = OsBase | ImageBase | HostBase


def the_base(*candidates: Base | msgspec.UnsetType) -> Base:
    """The one that is set; raises ValueError if that is not exactly one."""
    (found,) = [one for one in candidates if one is not msgspec.UNSET]
    return found


def archive_of(base: Base) -> OsBase:
    """The base as a suite of packages; raises ValueError for any other, which has no packages of its own to be asked for."""
    if not isinstance(base, OsBase):
        raise ValueError(f"{base} is no suite of packages")
    return base

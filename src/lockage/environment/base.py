"""What an environment begins with: a suite of packages, an OCI image, or the host as it is; and how a lock pins an image."""

from __future__ import annotations

import re
from typing import TypeAlias

import msgspec

from lockage.base.digest import BlobRef, Digest
from lockage.base.path import RelPath

__all__ = ["LAYOUT", "Base", "HostBase", "ImageBase", "Interpreter", "LockedImage", "OsBase", "archive_of", "tagged_place", "the_base"]

_DISTRIBUTION = re.compile("[a-z][a-z0-9]*")
_SUITE = re.compile("[A-Za-z0-9][A-Za-z0-9.-]*")
#: What the place of an image layout on a disk begins with.
LAYOUT = "oci:"
#: What only places of images are compared with is made ready when there is one.
_REGISTRY = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?"
#: distribution-spec 1.1, "Pulling manifests".
_TAG = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
_REPOSITORY = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"


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
    """An OCI image by the sha256 of its manifest or index.

    ``place`` says where it is had from: ``REGISTRY/NAME``, or ``oci:PATH`` for an image layout. Whoever has the bytes will do, so it is no
    part of what is locked; where only the identity counts it is empty.
    """

    digest: Digest
    place: str = ""

    def __str__(self) -> str:
        return f"image sha256:{self.digest[:12]}"

    @property
    def identity(self) -> ImageBase:
        """The same image, wherever it is had from."""
        return ImageBase(digest=self.digest)

    @property
    def name(self) -> str:
        """The last part of where it is had from, for people."""
        return self.place.removeprefix(LAYOUT).rstrip("/").rpartition("/")[2].removesuffix(".tar")

    @classmethod
    def parse(cls, text: str) -> ImageBase:
        """Read ``REGISTRY/NAME@sha256:DIGEST`` or ``oci:PATH@sha256:DIGEST``; a tag before the digest is for people. Raises ValueError."""
        place, at, digest = text.rpartition("@")
        if not at:
            raise ValueError(f"an image is named by its digest: {text[:120]!r}")
        kind, _, value = digest.partition(":")
        if kind != "sha256":
            raise ValueError(f"an image is named by its sha256, not by {digest[:80]!r}")
        found = Digest(value)
        if place.startswith(LAYOUT):
            if place == LAYOUT or "\0" in place:
                raise ValueError("an image layout needs a path, as in oci:PATH@sha256:DIGEST")
            return cls(digest=found, place=place)
        return cls(digest=found, place=tagged_place(place)[0])


def tagged_place(text: str) -> tuple[str, str]:
    """The place and the tag of ``REGISTRY/NAME:TAG`` or ``oci:PATH:TAG``; the tag is empty where there is none. Raises ValueError."""
    head, slash, last = text.removeprefix(LAYOUT).rpartition("/")
    last, colon, tag = last.partition(":")
    place = f"{head}{slash}{last}"
    if colon and not re.fullmatch(_TAG, tag):
        raise ValueError(f"not a tag: {tag[:140]!r}")
    if text.startswith(LAYOUT):
        if not place or "\0" in place:
            raise ValueError("an image layout needs a path, as in oci:PATH")
        return f"{LAYOUT}{place}", tag
    registry, slash, name = place.partition("/")
    if not slash or not (re.fullmatch(_REGISTRY, registry) and ("." in registry or ":" in registry or registry == "localhost")):
        raise ValueError(f"{text[:120]!r} does not begin with a registry, as in registry.example.org/team/name")
    if not re.fullmatch(_REPOSITORY, name):
        raise ValueError(f"not the name of a repository of images: {name[:120]!r}")
    return place, tag


class Interpreter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The Python of an image that packages are installed for.

    ``path`` is absolute, as people call it; ``version`` has a patch level if that is known, ``glibc`` is MAJOR.MINOR. Packages lie in
    ``site`` below ``folder``, and their scripts in its ``bin``.
    """

    path: str
    version: str
    glibc: str
    folder: RelPath
    site: RelPath


class LockedImage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An image for one platform as a lock has it: all that it is made of, by sha256 and size, and never where it is.

    ``index`` is what named the manifest, where the recipe's digest is that of an index. ``name`` is for people.
    ``layers`` are in the order in which they are applied. ``variables`` are what its configuration gives every
    process, without those that the contract fixes.
    """

    name: str
    index: BlobRef | msgspec.UnsetType = msgspec.UNSET
    manifest: BlobRef
    config: BlobRef
    layers: tuple[BlobRef, ...]
    variables: dict[str, str] = {}
    interpreter: Interpreter | msgspec.UnsetType = msgspec.UNSET

    @property
    def digest(self) -> Digest:
        """What the recipe names it by."""
        return (self.manifest if isinstance(self.index, msgspec.UnsetType) else self.index).digest

    @property
    def base(self) -> ImageBase:
        """It as what an environment begins with."""
        return ImageBase(digest=self.digest)

    @property
    def python(self) -> Interpreter | None:
        """Its Python; None if it has none that packages can be for."""
        return None if isinstance(self.interpreter, msgspec.UnsetType) else self.interpreter

    @property
    def parts(self) -> tuple[tuple[str, BlobRef], ...]:
        """Every blob that it consists of, with what it is; one that several layers are is there once."""
        index = () if isinstance(self.index, msgspec.UnsetType) else (("index", self.index),)
        layers = tuple((f"layer {number}", ref) for number, ref in enumerate(self.layers, 1))
        found: dict[BlobRef, str] = {}
        for what, ref in (*index, ("manifest", self.manifest), ("config", self.config), *layers):
            found.setdefault(ref, what)
        return tuple((what, ref) for ref, what in found.items())


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

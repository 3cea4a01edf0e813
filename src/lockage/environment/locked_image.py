"""What a lock says of the image that an environment begins with: all that it is made of, by sha256 and size; never where it is."""

from __future__ import annotations

import msgspec

from lockage.base.digest import BlobRef, Digest
from lockage.base.path import RelPath
from lockage.environment.base import ImageBase

__all__ = ["Interpreter", "LockedImage"]


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
    """An image for one platform: ``index`` is what named the manifest, where the recipe's digest is that of an index.

    ``name`` is for people. ``layers`` are in the order in which they are applied. ``variables`` are what its configuration gives every
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

"""What can be wrong with an image that an environment is to begin with."""

from __future__ import annotations

from lockage.base.errors import Integrity, Usage

__all__ = ["InvalidImage", "UnsupportedImage"]


class InvalidImage(Integrity):
    """A document or a layer of an image is damaged, contradicts another one, or reaches out of the root."""

    code = "invalid-image"
    hint = "Do not use this image: its bytes have the digest that the recipe names, so whoever made it made it so. Name another one."


class UnsupportedImage(Usage):
    """An image is well formed, but no environment can begin with it: it is for another platform, or in a format that is not read."""

    code = "unsupported-image"
    hint = "Name another image, or another digest of the same one, in the recipe."

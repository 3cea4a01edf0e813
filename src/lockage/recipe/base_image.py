"""An environment that begins with an image: by its digest, and with what its other keys may say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from lockage.environment.base import ImageBase
from lockage.recipe.reader import shown

if TYPE_CHECKING:
    from lockage.recipe.reader import Table

__all__ = ["image_of", "interpreter_of"]

_IMAGE = 'an image by its digest, such as "registry.example.org/team/name@sha256:…" or "oci:PATH@sha256:…"'
_DIGEST = "`lockage env image NAME:TAG` prints it with the digest that it has now."
#: Keys that say what of a suite, or of what, is wanted; and what takes their place where an environment begins with an image.
_OF_SUITES = {
    **dict.fromkeys(
        ("packages", "build-packages"),
        "what an image holds is fixed by its digest; use an image that has the packages, or a suite (`os`) instead of the image",
    ),
    **dict.fromkeys(("suites", "components", "allow-stale", "keyring"), "they say where the packages of `os` come from"),
}


def image_of(table: Table) -> ImageBase | None:
    """The image that the table names; None, and a fault, if it may not be that. Other keys that do not go with one are reported."""
    if table.has("os"):
        table.text("os", str, "a suite")
        table.fault("image", "an environment begins with one thing: it has `os` as well", "Leave one of the two out.")
        return None
    for name, why in _OF_SUITES.items():
        if table.has(name):
            table.fault(name, f"does not go with `image`: {why}")
    text = table.raw("image")
    if isinstance(text, str) and "@" not in text:
        table.fault("image", f"{shown(text)} has no digest, and what it names may be another image tomorrow", _DIGEST)
        return None
    return table.text("image", ImageBase.parse, _IMAGE)


def interpreter_of(table: Table) -> str | msgspec.UnsetType:
    """The Python that the packages of an image are for, if it is named. Its faults are reported."""
    found = table.text("interpreter", _interpreter, 'the absolute path of a Python, such as "/opt/python/cp312-cp312/bin/python3"')
    if found is not None and not table.has("image"):
        table.fault("interpreter", "only goes with `image`: of a suite it is /usr/bin/python3")
    return msgspec.UNSET if found is None else found


def _interpreter(text: str) -> str:
    if not re.fullmatch(r"(?:/[^/\0 \n:#!]+){2,}", text) or any(part in (".", "..") for part in text.split("/")):
        raise ValueError(f"not the absolute path of a program: {shown(text)}")
    return text

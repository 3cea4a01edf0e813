"""What a recipe says of files beside it: where its source begins, whose environments it shares, and which tags are its own.

Read before the recipe is parsed, because it decides what is read from the repository. Only what is sound counts here; the parser
reports the rest with file and line.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

import msgspec

from lockage.base.path import RelPath

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PLAIN", "Layout", "climb", "read_layout", "read_root", "read_shares", "read_tag_prefix"]

T = TypeVar("T")

_KEYS = (b"root", b"shares", b"tag-prefix")
_PREFIX = r"[A-Za-z0-9._+-]+(?:/[A-Za-z0-9._+-]+)*/?"


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """``root`` is how many directories above the recipe its source begins; ``shares`` a path from the recipe's directory."""

    root: int = 0
    shares: str | None = None
    tag_prefix: str = ""


PLAIN = Layout()


def read_layout(data: bytes | None) -> Layout:
    """The layout of a lockage.toml; :data:`PLAIN` without one, or if nothing of it can be read."""
    if data is None or not any(key in data for key in _KEYS):
        return PLAIN
    import tomllib  # most recipes name none of these keys

    try:
        project = tomllib.loads(data.decode()).get("project")
    except (ValueError, RecursionError):
        return PLAIN
    if not isinstance(project, dict):
        return PLAIN

    return Layout(
        root=_sound(project.get("root"), read_root) or 0,
        shares=_sound(project.get("shares"), read_shares),
        tag_prefix=_sound(project.get("tag-prefix"), read_tag_prefix) or "",
    )


def _sound(value: object, read: Callable[[str], T]) -> T | None:
    """A value as it is read; None if it cannot be."""
    try:
        return read(value) if isinstance(value, str) else None
    except ValueError:
        return None


def read_root(text: str) -> int:
    """How many directories ``../..`` climbs; raises ValueError for anything else."""
    if not re.fullmatch(r"\.\.(?:/\.\.)*", text):
        raise ValueError(f'expected "..", "../.." and so on: a directory above the recipe\'s, found {text[:80]!r}')
    return text.count("..")


def read_shares(text: str) -> str:
    """A relative path that may climb at its beginning; raises ValueError."""
    climbs = re.match(r"(?:\./)?(?:\.\./)*", text)
    assert climbs is not None
    RelPath(text[climbs.end() :])
    return text


def read_tag_prefix(text: str) -> str:
    """What stands before the version in the project's tags; raises ValueError for what no tag can begin with."""
    if not re.fullmatch(_PREFIX, text) or ".." in text or text[0] in "-./":
        raise ValueError(f"not the beginning of a tag's name (letters, digits, '.', '_', '-', '+', '/'): {text[:80]!r}")
    return text


def climb(folder: RelPath | None, path: str) -> RelPath | None:
    """A relative path followed from a folder of a tree (None: its top), where the top itself is None. Raises ValueError if it leads out."""
    parts = list(folder.parts) if folder else []
    for part in path.split("/"):
        if part == "..":
            if not parts:
                raise ValueError(f"{path} leads out of the repository")
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return RelPath("/".join(parts)) if parts else None

"""Names and links of a file system as a tree has them, and what a tree cannot hold."""

from __future__ import annotations

import os

from lockage.base.path import RelPath
from lockage.ports import SourceUnusable

__all__ = ["link_target", "relative", "unusual"]


def relative(name: bytes) -> RelPath:
    """A name as a path of a tree; raises :class:`SourceUnusable` if it is not UTF-8."""
    try:
        return RelPath(name.decode())
    except ValueError as error:
        shown = name.decode("utf-8", "backslashreplace")
        raise SourceUnusable(
            f"a file name cannot be used, as it is not UTF-8: {shown}", path=shown, hint="Rename the file named."
        ) from error


def link_target(full: bytes, path: str) -> str:
    """Where a link leads; raises :class:`SourceUnusable` if that is not UTF-8, and OSError."""
    try:
        return os.readlink(full).decode()  # noqa: PTH115  # names are bytes that need not be text
    except UnicodeDecodeError as error:
        raise SourceUnusable(f"the target of the link {path} is not UTF-8", path=path) from error


def unusual(path: str) -> SourceUnusable:
    """The error for a socket, pipe or device."""
    return SourceUnusable(
        f"{path} is neither a file, a directory nor a link", path=path, hint="Remove the socket, pipe or device from the source."
    )

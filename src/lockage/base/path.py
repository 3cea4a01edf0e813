"""Relative paths inside trees, archives and sandboxes: never absolute, never climbing, always with forward slashes."""

from __future__ import annotations

from typing import Self

__all__ = ["RelPath", "link_stays_inside"]


_NO_NAMES = frozenset(("", ".", ".."))


class RelPath(str):
    """A normalised relative path of at least one segment, such as ``src/shop/app.py``.

    Raises ValueError for an empty path, an absolute one, empty, ``.`` or ``..`` segments, NUL, or text that UTF-8 cannot hold.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        if not text or "\0" in text or not _NO_NAMES.isdisjoint(text.split("/")):
            raise ValueError(f"not a normalised relative path: {text[:200]!r}")
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError as error:
                raise ValueError(f"not a UTF-8 path: {text[:200]!r}") from error
        return super().__new__(cls, text)

    @property
    def parts(self) -> tuple[str, ...]:
        return tuple(self.split("/"))

    @property
    def name(self) -> str:
        """The last segment."""
        return self.rpartition("/")[2]

    @property
    def parent(self) -> RelPath | None:
        """The directory it is in; None at the top."""
        head = self.rpartition("/")[0]
        return str.__new__(RelPath, head) if head else None

    def joined(self, below: str) -> RelPath:
        """The path ``below`` under this one."""
        return RelPath(f"{self}/{below}")

    def is_under(self, folder: RelPath) -> bool:
        """Whether it is ``folder`` itself or inside it."""
        return self == folder or self.startswith(f"{folder}/")


def link_stays_inside(path: RelPath, target: str) -> bool:
    """Whether a symbolic link at ``path`` leads, by its text alone, to a place in the same tree.

    It may climb only at its beginning and not above the top: after a name, ``..`` would depend on what that name is.
    """
    if not target or target.startswith("/"):
        return False
    parts = [part for part in target.split("/") if part not in ("", ".")]
    climbs = 0
    while climbs < len(parts) and parts[climbs] == "..":
        climbs += 1
    return climbs < len(path.parts) and ".." not in parts[climbs:]

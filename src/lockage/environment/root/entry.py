"""The nodes of a root, before (:class:`Member`) and after (:class:`Entry`) packages are put together.

Invariants: paths are relative to ``/``, UTF-8, and never climb; modes are permission bits only, without setuid and setgid,
which mean nothing where no privilege can be gained; owners are numbers.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from lockage.base.digest import Digest
from lockage.base.path import RelPath
from lockage.environment.root.errors import InvalidPackage, UnsupportedPackage

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Entry", "Kind", "Member", "Package", "directory", "link", "member_path", "normal_mode", "refuse_escaping_link"]


class Kind(StrEnum):
    """What a node is. ``HARDLINK`` occurs only in archives: its target is another member's path."""

    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"
    HARDLINK = "hardlink"


class Member(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One member of a package's archive. ``source`` says where the bytes of a file wait; it is no part of any identity."""

    path: RelPath
    kind: Kind
    mode: int
    uid: int = 0
    gid: int = 0
    target: str = ""
    size: int = 0
    sha256: Digest | None = None
    source: str = ""


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """An unpacked package: ``replaces`` are the packages whose files it may overwrite (Debian policy 7.6.1).

    ``script`` is its postinst, which is never run.
    """

    name: str
    members: tuple[Member, ...]
    replaces: frozenset[str] = frozenset()
    control: str = ""
    script: str = ""


class Entry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One node of a root. Files with the same non-empty ``source`` are one file under several names (hardlinks)."""

    path: RelPath
    kind: Kind
    mode: int
    uid: int = 0
    gid: int = 0
    target: str = ""
    size: int = 0
    sha256: Digest | None = None
    source: str = ""
    package: str = ""


def directory(path: RelPath, mode: int = 0o755) -> Entry:
    """A directory that no package brings."""
    return Entry(path=path, kind=Kind.DIRECTORY, mode=mode)


def link(path: RelPath, target: str) -> Entry:
    """A symbolic link that no package brings."""
    return Entry(path=path, kind=Kind.LINK, mode=0o777, target=target)


def member_path(name: str, package: str) -> RelPath | None:
    """A tar member's or wheel file's name as a path; None for the top itself.

    Raises :class:`InvalidPackage` for absolute names and names that climb, :class:`UnsupportedPackage` for names that are not UTF-8.
    """
    text = name.removeprefix("./").rstrip("/")
    if text in ("", "."):
        return None
    try:
        text.encode()
    except UnicodeEncodeError as error:
        shown = ascii(name)
        raise UnsupportedPackage(f"{package}: a file name is not UTF-8: {shown}", package=package, path=shown) from error
    try:
        return RelPath(text)
    except ValueError as error:
        raise InvalidPackage(
            f"{package}: a member lies outside the root or has an odd name: {name!r}", package=package, path=name
        ) from error


def normal_mode(mode: int, kind: Kind) -> int:
    """Permission bits and the sticky bit; the owner can always read, and search directories, so that a root can be kept and deleted."""
    if kind is Kind.LINK:
        return 0o777
    return mode & 0o1777 | (0o700 if kind is Kind.DIRECTORY else 0o400)


def refuse_escaping_link(path: RelPath, target: str, package: str) -> None:
    """Raises :class:`InvalidPackage` if a relative link climbs above the root; absolute ones stay within it."""
    depth = len(path.parts) - 1
    bad = not target or "\0" in target
    try:
        target.encode()
    except UnicodeEncodeError:
        bad = True
    parts: Iterable[str] = () if target.startswith("/") else target.split("/")
    for part in parts:
        depth += -1 if part == ".." else 0 if part in ("", ".") else 1
        bad = bad or depth < 0
    if bad:
        raise InvalidPackage(
            f"{package}: the link {path} points out of the root: {target!a}", package=package, path=path, target=ascii(target)
        )

"""What people name a source by: a path, a path at a revision, or the address of a repository."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Remote", "joined_address", "parse_remote", "public_address", "revisions_of_path", "split_subdirectory"]

# Compiled where they are used: most sources are folders of this machine.
_URL = r"(?s)(?P<scheme>https|http|ssh|file)://(?P<authority>[^/]*)(?P<path>/.*)"
#: The short form of an ssh address, ``USER@HOST:PATH``.
_SHORT = r"(?s)(?P<head>[A-Za-z0-9._-]+@[A-Za-z0-9._-]+):(?P<path>[^:].*)"


class Remote(msgspec.Struct, frozen=True, kw_only=True):
    """A repository elsewhere: ``address`` is what git is given and may hold credentials; ``revision`` None is its default branch."""

    address: str
    revision: str | None

    @property
    def public(self) -> str:
        """The address without credentials."""
        return public_address(self.address) or "a repository on this machine"

    @property
    def bare(self) -> str:
        """The address as git is given it: without what only its holder may know."""
        found = re.fullmatch(_URL, self.address)
        if found is None:
            return self.address
        return f"{found['scheme']}://{_shown_authority(found)}{found['path']}"

    @property
    def credentials(self) -> tuple[str, str] | None:
        """User and password of an http address, decoded; None if it has none."""
        found = re.fullmatch(_URL, self.address)
        if found is None or not found["scheme"].startswith("http") or "@" not in found["authority"]:
            return None
        user, _, password = found["authority"].rpartition("@")[0].partition(":")
        return _unquoted(user), _unquoted(password)


def parse_remote(locator: str) -> Remote | None:
    """The repository and revision of an address such as ``https://host/shop.git@v1.2``; None if it is none."""
    found = re.fullmatch(_URL, locator) or re.fullmatch(_SHORT, locator)
    if found is None:
        return None
    cut = re.search("[@#]", found["path"])
    at = found.start("path") + cut.start() if cut else len(locator)
    return Remote(address=locator[:at], revision=locator[at + 1 :] or None)


def split_subdirectory(locator: str) -> tuple[str, str | None]:
    """A locator and the directory that it ends in, ``…#subdirectory=services/api`` (as pip has it); None if it names none."""
    head, mark, directory = locator.rpartition("#subdirectory=")
    return (head, directory) if mark else (locator, None)


def joined_address(base: str, url: str) -> str | None:
    """The address of a submodule, relative ones as git has them: to the superproject's own (git-submodule(1), "add").

    None if it may not be used: it climbs above the base's host, is of a kind that git would run a program for, or is a place on
    this machine although the base is not.
    """
    local = base.startswith("file://")
    if url.startswith(("./", "../")):
        found = re.fullmatch(_URL, base.rstrip("/")) or re.fullmatch(_SHORT, base.rstrip("/"))
        if found is None:
            return None
        start = found.start("path")
        parts = [part for part in found["path"].split("/") if part]
        for part in url.split("/"):
            if part == ".." and not parts:
                return None
            if part == "..":
                parts.pop()
            elif part not in ("", "."):
                parts.append(part)
        slash = "/" if found["path"].startswith("/") else ""
        return base[:start] + slash + "/".join(parts) if parts else None
    if local and url.startswith("/"):
        return f"file://{url}"
    if parse_remote(url) is None or (url.startswith("file:") and not local):
        return None
    return url


def public_address(address: str) -> str | None:
    """An address that may be told to others: without credentials, query and fragment; None for a place on one machine only."""
    found = re.fullmatch(_URL, address)
    if found is None:
        return address if re.fullmatch(_SHORT, address) else None
    if found["scheme"] == "file":
        return None
    return f"{found['scheme']}://{_shown_authority(found)}{re.split('[?#]', found['path'])[0]}"


def _unquoted(text: str) -> str:
    """Text whose special characters were written as ``%XX`` (RFC 3986 2.1)."""
    return re.sub(rb"%([0-9A-Fa-f]{2})", lambda found: bytes.fromhex(found[1].decode()), text.encode()).decode(errors="replace")


def _shown_authority(address: re.Match[str]) -> str:
    """Host and port; for ssh also the user, who is part of the place, but no password."""
    user, _, host = address["authority"].rpartition("@")
    login = user.partition(":")[0]
    return f"{login}@{host}" if login and address["scheme"] == "ssh" else host


def revisions_of_path(locator: str) -> Iterator[tuple[str, str]]:
    """Every reading of ``PATH@REVISION`` and ``PATH#REVISION``, shortest path first."""
    for cut in re.finditer("[@#]", locator):
        if cut.start() and locator[cut.end() :]:
            yield locator[: cut.start()], locator[cut.end() :]

"""The common model of every format: what a file lists, and what of it is pinned for an environment."""

from __future__ import annotations

import msgspec

from lockage.base.digest import Digest
from lockage.base.path import RelPath

__all__ = ["Conditions", "Listed", "Listing", "Pin", "digest_of", "file_name", "is_inside", "normalised"]


class Pin(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One package at one version: the wheel's file name if the lock file says it, and every sha256 that its bytes may have."""

    name: str
    version: str
    file: RelPath | None = None
    sha256: tuple[Digest, ...]


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One package that a file lists for what was asked: its wheels by file name, or hashes alone; ``fault`` says why it cannot be had."""

    name: str
    version: str = ""
    wheels: tuple[tuple[str, Digest], ...] = ()
    hashes: tuple[Digest, ...] = ()
    fault: str | None = None


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """What a file lists for what was asked, and the Pythons that it was made for, as a version specifier."""

    packages: tuple[Listed, ...]
    requires_python: str | None = None


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """What markers are judged by: the environment's variables, and the names that ``extra`` may equal."""

    variables: dict[str, str]
    extras: frozenset[str] = frozenset()

    def holds(self, marker: str | None) -> bool:
        """Whether a marker is true (dependency specifiers, "Environment Markers"); none always is. Raises ValueError.

        ``extra`` stands for a set here, which the specification leaves to tools: it equals every name in it.
        """
        if not marker:
            return True
        import re

        from packaging.markers import InvalidMarker, Marker, UndefinedComparison, UndefinedEnvironmentName

        def decided(found: re.Match[str]) -> str:
            equal = (found["name"] in self.extras) == (found["sign"] == "==")
            return "os_name == 'posix'" if equal == (self.variables["os_name"] == "posix") else "os_name != 'posix'"

        text = re.sub(r"\bextra\s*(?P<sign>==|!=)\s*(?P<quote>['\"])(?P<name>[^'\"]*)(?P=quote)", decided, marker)
        try:
            return Marker(text).evaluate(dict(self.variables))
        except (InvalidMarker, UndefinedComparison, UndefinedEnvironmentName) as error:
            raise ValueError(f"marker {marker[:200]!r} cannot be judged: {error}") from error


def normalised(name: str) -> str:
    """A project's name as indexes compare it (names and normalization specification)."""
    import re

    return re.sub(r"[-_.]+", "-", name).lower()


def digest_of(text: str | None) -> Digest | None:
    """The digest of ``sha256:HEX``; None for another algorithm or none."""
    algorithm, _, value = (text or "").partition(":")
    try:
        return Digest(value) if algorithm == "sha256" else None
    except ValueError:
        return None


def file_name(address: str) -> str:
    """The last part of an address or path, without its query or fragment; ``%2B`` is ``+`` again."""
    import re

    last = re.split(r"[?#]", address, maxsplit=1)[0].rpartition("/")[2]
    return re.sub(r"%([0-9A-Fa-f]{2})", lambda code: chr(int(code[1], 16)), last)


def is_inside(folder: str, path: str) -> bool:
    """Whether a path that is relative to a folder of the source leads to a place inside the source."""
    if path.startswith("/") or "://" in path or "\\" in path:
        return False
    depth = 0
    for part in (*folder.split("/"), *path.split("/")):
        depth += -1 if part == ".." else 0 if part in ("", ".") else 1
        if depth < 0:
            return False
    return True

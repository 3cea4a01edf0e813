"""Sdists as a resolver sees them: of a version that is to be built, only its metadata counts, and that may not be known yet.

A resolver is never given a project's code. It is given stand-ins: as long as the metadata of one is not known, it counts as needing
nothing; when it is chosen, its metadata is found out, and requirements are resolved again (docs/adr/0012-sdists.md).
"""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import msgspec

from lockage.base.digest import Digest
from lockage.environment.errors import Unresolvable
from lockage.environment.lock import LockedWheel

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["NotAWheel", "Offer", "PackageMetadata", "Resolution", "StandIn", "metadata_of_wheel", "static_metadata"]


class NotAWheel(Unresolvable):
    """What the build of a dependency made is not a wheel of it: another name or version, or no metadata."""

    code = "not-a-wheel"
    hint = "Report it to the project, or require a version that has wheels."


class PackageMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """What a resolver asks of a version (core metadata): what it requires, the extras that it has, and the Pythons that it accepts."""

    requires: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    requires_python: str | None = None


class StandIn(msgspec.Struct, frozen=True, kw_only=True):
    """A version with an sdist; ``metadata`` is None as long as nobody knows it, ``requires_python`` is what an index says of the file."""

    name: str
    version: str
    file: str
    sha256: Digest | None = None
    requires_python: str | None = None
    metadata: PackageMetadata | None = None


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """The versions of a project that can be built, and those that cannot, as they have no sdist."""

    name: str
    stand_ins: tuple[StandIn, ...] = ()
    others: tuple[str, ...] = ()


class Resolution(msgspec.Struct, frozen=True, kw_only=True):
    """What satisfies requirements together: wheels, sorted, and versions that are to be built."""

    wheels: tuple[LockedWheel, ...] = ()
    stand_ins: tuple[StandIn, ...] = ()


def static_metadata(pkg_info: bytes | None) -> PackageMetadata | None:
    """The metadata in an sdist's PKG-INFO, if it says that a wheel built from it has the same (PEP 643); else None."""
    if pkg_info is None:
        return None
    fields = _fields(pkg_info)
    dynamic = {name.lower() for name in fields.get("dynamic", ())}
    if _number(fields.get("metadata-version", [""])[0]) < (2, 2) or dynamic & {"requires-dist", "provides-extra", "requires-python"}:
        return None
    return _metadata(fields)


def metadata_of_wheel(name: str, data: bytes) -> PackageMetadata:
    """The metadata of a wheel's METADATA; raises :class:`NotAWheel`. ``name`` is the file's, for messages."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            found = [path for path in archive.namelist() if path.endswith(".dist-info/METADATA") and path.count("/") == 1]
            if len(found) != 1:
                raise NotAWheel(f"{name} has {len(found)} METADATA files, not one", file=name)
            return _metadata(_fields(archive.read(found[0])))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError) as error:
        raise NotAWheel(f"{name} cannot be read: {error}", file=name) from error


def _fields(data: bytes) -> dict[str, list[str]]:
    """The headers of a metadata file, by lower-case name; folded lines are joined."""
    found: dict[str, list[str]] = {}
    last: list[str] | None = None
    for line in data.decode("utf-8", "replace").splitlines():
        if not line:
            break
        if line[0] in " \t":
            if last is not None:
                last[-1] += f" {line.strip()}"
            continue
        key, _, value = line.partition(":")
        last = found.setdefault(key.strip().lower(), [])
        last.append(value.strip())
    return found


def _metadata(fields: Mapping[str, list[str]]) -> PackageMetadata:
    return PackageMetadata(
        requires=tuple(fields.get("requires-dist", ())),
        extras=tuple(fields.get("provides-extra", ())),
        requires_python=next(iter(fields.get("requires-python", ())), None),
    )


def _number(text: str) -> tuple[int, ...]:
    """A metadata version; one that is none counts as the oldest."""
    parts = text.split(".")
    return tuple(int(part) for part in parts) if all(part.isdecimal() for part in parts) else (0,)

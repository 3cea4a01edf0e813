"""poetry.lock, format 2.1 (Poetry 2): every package says of which groups it is and under which markers, so nothing is resolved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from lockage.environment.python_lock.errors import InvalidPythonLock
from lockage.environment.python_lock.pin import Conditions, Listed, Listing, digest_of, is_inside

if TYPE_CHECKING:
    from collections.abc import Collection

    from lockage.environment.declaration import PythonLock
    from lockage.environment.python import PythonTarget

__all__ = ["read_poetry"]

#: The group of the project's own dependencies.
_MAIN = "main"


class _File(msgspec.Struct, frozen=True):
    file: str
    hash: str | None = None


class _Source(msgspec.Struct, frozen=True):
    type: str
    url: str = ""


class _Package(msgspec.Struct, frozen=True):
    name: str
    version: str
    groups: tuple[str, ...] = ()
    markers: str | dict[str, str] | None = None
    files: tuple[_File, ...] = ()
    source: _Source | None = None


class _Metadata(msgspec.Struct, frozen=True, rename="kebab"):
    lock_version: str
    python_versions: str = ""


class _Document(msgspec.Struct, frozen=True):
    metadata: _Metadata
    package: tuple[_Package, ...] = ()
    extras: dict[str, Any] = {}  # Any: only the names count


def read_poetry(document: dict[str, Any], lock: PythonLock, target: PythonTarget) -> Listing:
    """The packages of the main group and of those asked for. Raises ValueError, InvalidPythonLock."""
    found = msgspec.convert(document, _Document)
    major, _, minor = found.metadata.lock_version.partition(".")
    if major != "2" or not minor.isdecimal():
        raise ValueError(f"format version {found.metadata.lock_version}; known is 2.1")
    if int(minor) < 1:
        raise InvalidPythonLock(
            f"{lock.file} is of format {found.metadata.lock_version}, which does not say of which group a package is",
            hint="Run `poetry lock` with Poetry 2.0 or newer, and commit the file.",
            file=lock.file,
        )
    groups = {_MAIN, *lock.groups}
    known = {group for package in found.package for group in package.groups}
    for group in lock.groups:
        if group not in known:
            raise InvalidPythonLock.unknown(lock.file, "group", group, known - {_MAIN})
    for extra in lock.extras:
        if extra not in found.extras:
            raise InvalidPythonLock.unknown(lock.file, "extra", extra, found.extras)
    conditions = Conditions(variables=target.markers(), extras=frozenset(lock.extras))
    wanted = [package for package in found.package if _applies(package, groups, conditions)]
    folder = lock.file.rpartition("/")[0]
    packages = (_listed(package) for package in wanted if not _left_out(package, folder))
    return Listing(packages=tuple(packages), requires_python=_python(found.metadata.python_versions))


def _applies(package: _Package, groups: Collection[str], conditions: Conditions) -> bool:
    """Whether one of these groups asks for it; its markers may be one text, or one for each group."""
    asked = [group for group in package.groups if group in groups]
    markers = package.markers
    return any(conditions.holds(markers.get(group) if isinstance(markers, dict) else markers) for group in asked)


def _left_out(package: _Package, folder: str) -> bool:
    """A directory of the source is source, not a package of the environment."""
    return package.source is not None and package.source.type == "directory" and is_inside(folder, package.source.url)


def _listed(package: _Package) -> Listed:
    fault = None
    if package.source is not None and package.source.type != "legacy":  # legacy: an index that is not the default one
        kind = {"git": "a git repository", "url": "an address", "file": "a file", "directory": "a directory outside the source"}
        fault = f"comes from {kind.get(package.source.type, package.source.type)}, not from an index"
    wheels = tuple(
        (file.file, digest) for file in package.files if file.file.endswith(".whl") and (digest := digest_of(file.hash)) is not None
    )
    return Listed(name=package.name, version=package.version, wheels=wheels, fault=fault)


def _python(text: str) -> str | None:
    """Poetry's own constraint as a specifier; None where it has no such form, as the markers say the same."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return str(SpecifierSet(text))
    except InvalidSpecifier:
        return None

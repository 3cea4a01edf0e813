"""pdm.lock, format 4 with inherited metadata (PDM's default): every package says of which groups it is and under which marker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from lockage.environment.python_lock.errors import InvalidPythonLock
from lockage.environment.python_lock.pin import Conditions, Listed, Listing, digest_of, file_name, is_inside

if TYPE_CHECKING:
    from lockage.environment.declaration import PythonLock
    from lockage.environment.python import PythonTarget

__all__ = ["read_pdm"]

#: The group of the project's own dependencies.
_DEFAULT = "default"


class _File(msgspec.Struct, frozen=True):
    hash: str | None = None
    file: str | None = None
    url: str | None = None

    @property
    def name(self) -> str:
        return self.file or file_name(self.url or "")


class _Package(msgspec.Struct, frozen=True):
    name: str
    version: str = ""
    groups: tuple[str, ...] = ()
    marker: str | None = None
    extras: tuple[str, ...] = ()
    files: tuple[_File, ...] = ()
    git: str | None = None
    url: str | None = None
    path: str | None = None


class _Target(msgspec.Struct, frozen=True):
    requires_python: str = ""


class _Metadata(msgspec.Struct, frozen=True):
    lock_version: str
    groups: tuple[str, ...] = ()
    strategy: tuple[str, ...] = ()
    targets: tuple[_Target, ...] = ()


class _Document(msgspec.Struct, frozen=True):
    metadata: _Metadata
    package: tuple[_Package, ...] = ()


def read_pdm(document: dict[str, Any], lock: PythonLock, target: PythonTarget) -> Listing:
    """The packages of the default group and of the groups and extras asked for. Raises ValueError, InvalidPythonLock."""
    found = msgspec.convert(document, _Document)
    metadata = found.metadata
    if not metadata.lock_version.startswith("4."):
        raise ValueError(f"format version {metadata.lock_version}; known is 4")
    if "inherit_metadata" not in metadata.strategy:
        raise InvalidPythonLock(
            f"{lock.file} does not say of which group a package is",
            hint="Run `pdm lock --strategy inherit_metadata`, and commit the file.",
            file=lock.file,
        )
    asked = {_DEFAULT, *lock.groups, *lock.extras}
    for name in (*lock.groups, *lock.extras):
        if name not in metadata.groups:
            raise InvalidPythonLock.unknown(lock.file, "group or extra", name, set(metadata.groups) - {_DEFAULT})
    conditions = Conditions(variables=target.markers())
    folder = lock.file.rpartition("/")[0]
    packages = (
        _listed(package)
        for package in found.package
        if not asked.isdisjoint(package.groups)
        and not package.extras  # the same package is there without its extras as well
        and conditions.holds(package.marker)
        and not (package.path is not None and not _is_file(package.path) and is_inside(folder, package.path))
    )
    ranges = [one.requires_python for one in metadata.targets]
    return Listing(packages=tuple(packages), requires_python=ranges[0] if len(ranges) == 1 else None)


def _is_file(path: str) -> bool:
    return path.endswith((".whl", ".tar.gz", ".zip"))


def _listed(package: _Package) -> Listed:
    fault = None
    if package.git is not None or package.url is not None or package.path is not None:
        kind = "a git repository" if package.git else "an address" if package.url else "a file or a directory outside the source"
        fault = f"comes from {kind}, not from an index"
    wheels = tuple(
        (file.name, digest) for file in package.files if file.name.endswith(".whl") and (digest := digest_of(file.hash)) is not None
    )
    return Listed(name=package.name, version=package.version, wheels=wheels, fault=fault)

"""pylock.toml (PyPA specification, "pylock.toml"; PEP 751), read and judged by the reference implementation."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from lockage.base.digest import Digest
from lockage.environment.python_lock.errors import InvalidPythonLock
from lockage.environment.python_lock.pin import Listed, Listing, is_inside

if TYPE_CHECKING:
    from packaging.pylock import Package, Pylock

    from lockage.environment.declaration import PythonLock
    from lockage.environment.python import PythonTarget

__all__ = ["read_pylock"]


def read_pylock(document: dict[str, Any], lock: PythonLock, target: PythonTarget) -> Listing:
    """The packages whose markers hold; no groups asked for are the file's default groups. Raises ValueError, InvalidPythonLock."""
    from packaging.pylock import Pylock, PylockSelectError, PylockValidationError

    try:
        found = Pylock.from_dict(document)
        _must_be_asked_rightly(found, lock)
        # Whether the file is for this environment at all; packages are looked at one by one, so that every fault is found.
        whole = dataclasses.replace(found, packages=[], requires_python=None)
        list(whole.select(environment=_variables(target), tags=()))
    except (PylockValidationError, PylockSelectError) as error:
        raise ValueError(str(error)) from error
    folder = lock.file.rpartition("/")[0]
    names: dict[str, str | frozenset[str]] = {
        **target.markers(),
        "extras": frozenset(lock.extras),
        "dependency_groups": frozenset(lock.groups or found.default_groups or ()),
    }
    packages = tuple(
        _listed(package, target)
        for package in found.packages
        if (package.marker is None or package.marker.evaluate(names, context="lock_file")) and not _left_out(package, folder)
    )
    return Listing(packages=packages, requires_python=str(found.requires_python) if found.requires_python else None)


def _variables(target: PythonTarget) -> Any:  # Any: packaging's Environment is a TypedDict with these keys
    return target.markers()


def _must_be_asked_rightly(found: Pylock, lock: PythonLock) -> None:
    for what, names, known in (("group", lock.groups, found.dependency_groups), ("extra", lock.extras, found.extras)):
        for name in names:
            if name not in (known or ()):
                raise InvalidPythonLock.unknown(lock.file, what, name, known or ())


def _left_out(package: Package, folder: str) -> bool:
    """A directory of the source is source, not a package of the environment."""
    return package.directory is not None and is_inside(folder, package.directory.path)


def _listed(package: Package, target: PythonTarget) -> Listed:
    fault = None
    if package.requires_python and not package.requires_python.contains(target.full, prereleases=True):
        fault = f"is for Python {package.requires_python}"
    elsewhere = {"a git repository": package.vcs, "a directory outside the source": package.directory, "a file": package.archive}
    for kind, there in elsewhere.items():
        if there is not None:
            fault = f"comes from {kind}, not from an index"
    wheels = tuple((wheel.filename, Digest(wheel.hashes["sha256"])) for wheel in package.wheels or () if "sha256" in wheel.hashes)
    return Listed(name=package.name, version=str(package.version or ""), wheels=wheels, fault=fault)

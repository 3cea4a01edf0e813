"""From a lock file's bytes to the pins of an environment: the packages asked for, and of each the wheel that fits best."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import msgspec

from lockage.base.path import RelPath
from lockage.environment.python import best_wheel
from lockage.environment.python_lock.errors import InvalidPythonLock, UnusablePins
from lockage.environment.python_lock.kind import LockKind, kind_of
from lockage.environment.python_lock.pin import Pin, normalised

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockage.environment.declaration import PythonLock
    from lockage.environment.python import PythonTarget
    from lockage.environment.python_lock.pin import Listed, Listing

__all__ = ["pins_of"]


def pins_of(lock: PythonLock, data: bytes, target: PythonTarget) -> tuple[Pin, ...]:
    """The pins of a lock file for an environment, sorted by name. Raises :class:`InvalidPythonLock`, :class:`UnusablePins`."""
    try:
        listing = _listing(lock, data, target)
    except msgspec.ValidationError as error:
        raise InvalidPythonLock(f"{lock.file} is not of the form that its tool writes: {error}", file=lock.file) from error
    except ValueError as error:
        raise InvalidPythonLock(f"{lock.file}: {error}", file=lock.file) from error
    _must_fit(lock, listing, target)
    found: dict[str, Pin] = {}
    faults: dict[str, str] = {}
    for listed in listing.packages:
        name = normalised(listed.name)
        pin = _pin(listed, name, target)
        if isinstance(pin, str):
            faults[name] = f"{listed.name} {listed.version}".strip() + f" {pin}"
        elif found.setdefault(name, pin) != pin:
            faults[name] = f"{listed.name} is listed at two versions, {found[name].version} and {pin.version}"
    if faults:
        lines = [faults[name] for name in sorted(faults)]
        raise UnusablePins(
            f"{lock.file}: {len(lines)} {'package' if len(lines) == 1 else 'packages'} cannot be taken over for Python {target.version} on "
            f"{target.architecture} with glibc {target.glibc}:\n" + "\n".join(f"  {line}" for line in lines),
            file=lock.file,
            packages=tuple(sorted(faults)),
        )
    return tuple(sorted(found.values(), key=lambda pin: pin.name))


def _listing(lock: PythonLock, data: bytes, target: PythonTarget) -> Listing:
    kind = kind_of(lock.file)
    if kind is LockKind.REQUIREMENTS:
        from lockage.environment.python_lock.requirements import read_requirements

        return read_requirements(data, lock, target)
    document = _toml(lock, data)
    if kind is LockKind.UV:
        from lockage.environment.python_lock.uv import read_uv as read
    elif kind is LockKind.POETRY:
        from lockage.environment.python_lock.poetry import read_poetry as read
    elif kind is LockKind.PDM:
        from lockage.environment.python_lock.pdm import read_pdm as read
    else:
        from lockage.environment.python_lock.pylock import read_pylock as read
    return read(document, lock, target)


def _toml(lock: PythonLock, data: bytes) -> dict[str, Any]:  # Any: every format reads it into its own types
    try:
        return tomllib.loads(data.decode())
    except RecursionError as error:
        raise InvalidPythonLock(f"{lock.file} is not TOML: it is nested too deeply", file=lock.file) from error
    except ValueError as error:
        raise InvalidPythonLock(f"{lock.file} is not TOML: {error}", file=lock.file) from error


def _must_fit(lock: PythonLock, listing: Listing, target: PythonTarget) -> None:
    if not listing.requires_python:
        return
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        fits = SpecifierSet(listing.requires_python).contains(target.full, prereleases=True)
    except InvalidSpecifier as error:
        raise InvalidPythonLock(f"{lock.file}: {error}", file=lock.file) from error
    if not fits:
        raise InvalidPythonLock(
            f"{lock.file} was made for Python {listing.requires_python}, but the environment has {target.full}",
            hint="Choose an `os` whose Python it was made for (docs/inference.md lists them), or lock for this one as well.",
            file=lock.file,
            expected=listing.requires_python,
            found=target.full,
        )


def _pin(listed: Listed, name: str, target: PythonTarget) -> Pin | str:
    """The pin, or why there is none."""
    if listed.fault is not None:
        return listed.fault
    if listed.hashes:
        return Pin(name=name, version=listed.version, sha256=tuple(sorted(listed.hashes)))
    if not listed.wheels:
        return "has no wheel in it, and source distributions are not built while locking"
    best = best_wheel(list(_names(listed.wheels)), target)
    if best is None:
        return f"has no wheel that fits; it has {', '.join(_names(listed.wheels[:3]))}{' …' if len(listed.wheels) > 3 else ''}"
    if normalised(best.partition("-")[0]) != name:
        return f"has a wheel that is named like one of another package: {best}"
    digests = {digest for file, digest in listed.wheels if file == best}
    return Pin(name=name, version=listed.version, file=RelPath(best), sha256=tuple(sorted(digests)))


def _names(wheels: Iterable[tuple[str, object]]) -> Iterable[str]:
    return (file for file, _ in wheels)

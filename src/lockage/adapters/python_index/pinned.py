"""Which file of an index a pin means: the one it names, or of those with a pinned sha256 the one that fits best."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.environment.python import best_wheel
from lockage.ports import PackageChanged, PackageVanished, Unresolvable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockage.adapters.python_index.simple import IndexFile
    from lockage.environment.python import PythonTarget
    from lockage.environment.python_lock import Pin

__all__ = ["changed", "pinned_file"]


def pinned_file(files: Sequence[IndexFile], pin: Pin, target: PythonTarget) -> IndexFile:
    """The file to be had; an index that says no sha256 is believed until the bytes are there.

    Raises PackageVanished, PackageChanged, Unresolvable.
    """
    named = [file for file in files if (file.name == pin.file if pin.file else _is_wheel_of(file.name, pin))]
    if not named:
        raise PackageVanished(
            f"{pin.name} {pin.version}: {pin.file or 'a wheel of it'} is neither in the store nor on the index any more",
            package=pin.name,
            file=pin.file,
        )
    right = [file for file in named if file.sha256 is None or file.sha256 in pin.sha256]
    if not right:
        raise changed(pin, f"{named[0].name} on the index has sha256 {named[0].sha256}")
    said = [file for file in right if file.sha256 is not None] or right
    best = best_wheel([file.name for file in said], target)
    if best is None:
        raise Unresolvable(
            f"{pin.name} {pin.version} has no wheel with a pinned sha256 for Python {target.version} on {target.architecture} "
            f"with glibc {target.glibc}, and source distributions are not built while locking",
            hint="Pin a version that has wheels, or put wheels of it on an index of your own and pin their sha256.",
            packages=(pin.name,),
        )
    return next(file for file in said if file.name == best)


def changed(pin: Pin, found: str) -> PackageChanged:
    """The error for bytes that a pin does not allow."""
    expected = ", ".join(pin.sha256[:3]) + (" …" if len(pin.sha256) > 3 else "")
    return PackageChanged(
        f"{found}, which {pin.name} {pin.version} is not pinned to: expected {expected}",
        package=pin.name,
        expected=", ".join(pin.sha256),
    )


def _is_wheel_of(file: str, pin: Pin) -> bool:
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename
    from packaging.version import InvalidVersion, Version

    try:
        name, version, _, _ = parse_wheel_filename(file)
        return name == pin.name and version == Version(pin.version)
    except (InvalidWheelFilename, InvalidVersion):
        return False

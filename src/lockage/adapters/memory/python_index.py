"""A Python index of wheels that a test gives; resolution is by name and version only, without dependencies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.digest import BlobRef
from lockage.base.path import RelPath
from lockage.environment.lock import LockedWheel
from lockage.environment.python import best_wheel
from lockage.ports import NoUploadTimes, PackageChanged, PackageVanished, Unresolvable

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from lockage.base.instant import Instant
    from lockage.environment.python import PythonTarget
    from lockage.environment.python_lock import Pin
    from lockage.ports import Blobs

__all__ = ["MemoryPythonIndex"]


class MemoryPythonIndex:
    """Implements :class:`lockage.ports.PythonIndex`. ``files`` may be changed by a test; names that are no wheels are sdists.

    ``uploaded`` says when files were, for those of which it is known.
    """

    def __init__(self, blobs: Blobs, files: dict[str, bytes] | None = None) -> None:
        self._blobs = blobs
        self.files = dict(files or {})
        self.uploaded: dict[str, Instant] = {}

    def resolve(
        self,
        requirements: Sequence[str],
        target: PythonTarget,
        *,
        pinned: Sequence[LockedWheel] = (),
        preferred: Sequence[LockedWheel] = (),
        renewed: Collection[str] = (),
        as_of: Instant | None = None,
    ) -> tuple[LockedWheel, ...]:
        versions = {wheel.name: wheel.version for wheel in pinned}
        liked = {wheel.name: wheel for wheel in preferred if wheel.name not in renewed}
        chosen = (wheel for text in requirements for wheel in self._chosen(text, target, versions, liked, as_of))
        found = {self._rather(wheel, liked.get(wheel.name)) for wheel in chosen}
        self.fetch(tuple(found))
        return tuple(sorted(wheel for wheel in found if wheel.name not in versions))

    def take(self, pins: Sequence[Pin], target: PythonTarget) -> tuple[LockedWheel, ...]:
        return tuple(sorted(self._taken(pin, target) for pin in pins))

    def _taken(self, pin: Pin, target: PythonTarget) -> LockedWheel:
        kept = next((ref for digest in pin.sha256 if (ref := self._blobs.locate(digest)) is not None), None) if pin.file else None
        if pin.file is not None and kept is not None:
            return LockedWheel(name=pin.name, version=pin.version, file=pin.file, size=kept.size, sha256=kept.digest)
        fitting = [file for file in self._of_version(pin) if pin.file in (None, file)]
        if not fitting:
            raise PackageVanished(f"{pin.name} {pin.version} is neither in the store nor on the index any more", package=pin.name)
        right = [file for file in fitting if BlobRef.of(self.files[file]).digest in pin.sha256]
        if not right:
            raise PackageChanged(f"{pin.name} {pin.version} has other bytes on the index than are pinned", package=pin.name)
        best = best_wheel(right, target)
        if best is None:
            raise Unresolvable(f"{pin.name} {pin.version}: no wheel of it fits", packages=(pin.name,))
        ref = self._blobs.put(self.files[best])
        return LockedWheel(name=pin.name, version=pin.version, file=RelPath(best), size=ref.size, sha256=ref.digest)

    def _of_version(self, pin: Pin) -> list[str]:
        from packaging.utils import parse_wheel_filename
        from packaging.version import Version

        parsed = {file: parse_wheel_filename(file) for file in self.files if file.endswith(".whl")}
        return [file for file, (name, version, _, _) in parsed.items() if name == pin.name and version == Version(pin.version)]

    def fetch(self, wheels: Sequence[LockedWheel]) -> None:
        for wheel in wheels:
            if self._blobs.has(wheel.ref):
                continue
            data = self.files.get(wheel.file)
            if data is None:
                raise PackageVanished(f"{wheel.file} is neither in the store nor on the index any more", file=wheel.file)
            if BlobRef.of(data) != wheel.ref:
                raise PackageChanged(f"{wheel.file} has other bytes than the lock pins", file=wheel.file, expected=wheel.sha256)
            self._blobs.put(data)

    def _rather(self, wheel: LockedWheel, before: LockedWheel | None) -> LockedWheel:
        """The wheel of the same version that was there before, if it can be had."""
        if before is None or before.version != wheel.version:
            return wheel
        data = self.files.get(before.file)
        return before if self._blobs.has(before.ref) or (data is not None and BlobRef.of(data) == before.ref) else wheel

    def _chosen(
        self, text: str, target: PythonTarget, versions: Mapping[str, str], liked: Mapping[str, LockedWheel], as_of: Instant | None
    ) -> tuple[LockedWheel, ...]:
        from packaging.requirements import InvalidRequirement, Requirement
        from packaging.utils import canonicalize_name, parse_wheel_filename

        try:
            wanted = Requirement(text)
        except InvalidRequirement as error:
            raise Unresolvable(f"not a Python requirement: {text!r}") from error
        if wanted.url is not None:
            raise Unresolvable(f"{wanted.name} is required from an address", requirement=wanted.name)
        if wanted.marker is not None and not wanted.marker.evaluate(dict(target.markers())):
            return ()
        name = canonicalize_name(wanted.name)
        parsed = {file: parse_wheel_filename(file) for file in self.files if file.endswith(".whl")}
        fitting = {
            file: version
            for file, (project, version, _, _) in parsed.items()
            if project == name
            and versions.get(name, str(version)) == str(version)
            and wanted.specifier.contains(version)
            and best_wheel([file], target)
        }
        if as_of is not None:
            if fitting and not any(file in self.uploaded for file in fitting):
                raise NoUploadTimes(f"{name}: nobody says when its files were uploaded", package=name)
            fitting = {file: version for file, version in fitting.items() if file in self.uploaded and self.uploaded[file] < as_of}
        if not fitting:
            raise Unresolvable(f"{name}: no wheel of it fits", packages=(name,))
        before = liked[name].version if name in liked else None
        newest = max(fitting.values(), key=lambda version: (str(version) == before, version))
        file = best_wheel([file for file, version in fitting.items() if version == newest], target)
        assert file is not None
        ref = self._blobs.put(self.files[file])
        return (LockedWheel(name=name, version=str(newest), file=RelPath(file), size=ref.size, sha256=ref.digest),)

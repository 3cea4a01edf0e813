"""A Python index of wheels that a test gives; resolution is by name and version only, without dependencies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.digest import BlobRef
from lockage.base.path import RelPath
from lockage.environment.lock import LockedWheel
from lockage.environment.python import best_wheel
from lockage.ports import PackageChanged, PackageVanished, Unresolvable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockage.environment.python import PythonTarget
    from lockage.ports import Blobs

__all__ = ["MemoryPythonIndex"]


class MemoryPythonIndex:
    """Implements :class:`lockage.ports.PythonIndex`. ``files`` may be changed by a test; names that are no wheels are sdists."""

    def __init__(self, blobs: Blobs, files: dict[str, bytes] | None = None) -> None:
        self._blobs = blobs
        self.files = dict(files or {})

    def resolve(self, requirements: Sequence[str], target: PythonTarget) -> tuple[LockedWheel, ...]:
        return tuple(sorted({wheel for text in requirements for wheel in self._chosen(text, target)}))

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

    def _chosen(self, text: str, target: PythonTarget) -> tuple[LockedWheel, ...]:
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
            if project == name and wanted.specifier.contains(version) and best_wheel([file], target)
        }
        if not fitting:
            raise Unresolvable(f"{name}: no wheel of it fits", packages=(name,))
        newest = max(fitting.values())
        file = best_wheel([file for file, version in fitting.items() if version == newest], target)
        assert file is not None
        ref = self._blobs.put(self.files[file])
        return (LockedWheel(name=name, version=str(newest), file=RelPath(file), size=ref.size, sha256=ref.digest),)

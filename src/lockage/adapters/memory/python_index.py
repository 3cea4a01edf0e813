"""A Python index of files that a test gives; resolution is by name and version only: of dependencies it knows those of stand-ins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.digest import BlobRef
from lockage.base.path import RelPath
from lockage.environment.lock import LockedSdist, LockedWheel
from lockage.environment.python import best_wheel
from lockage.environment.stand_in import Offer, Resolution, StandIn
from lockage.ports import NoUploadTimes, PackageChanged, PackageVanished, Unresolvable

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet

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
        constraints: Sequence[str] = (),
        offers: Sequence[Offer] = (),
        pinned: Sequence[LockedWheel] = (),
        preferred: Sequence[LockedWheel | LockedSdist] = (),
        renewed: Collection[str] = (),
        as_of: Instant | None = None,
    ) -> Resolution:
        versions = {wheel.name: wheel.version for wheel in pinned}
        liked = {wheel.name: wheel for wheel in preferred if wheel.name not in renewed}
        offered = {offer.name: offer for offer in offers}
        wheels: set[LockedWheel] = set()
        stand_ins: dict[str, StandIn] = {}
        waiting = list(requirements)
        while waiting:
            text = waiting.pop()
            name = _name_of(text)
            limits = [limit for limit in constraints if _name_of(limit) == name]
            if name in offered:
                stand_in = _built([text, *limits], target, offered[name], liked.get(name))
                if stand_in is not None and name not in stand_ins:
                    stand_ins[name] = stand_in
                    waiting += stand_in.metadata.requires if stand_in.metadata is not None else ()
            else:
                wheels.update(
                    self._rather(wheel, liked.get(wheel.name)) for wheel in self._chosen([text, *limits], target, versions, liked, as_of)
                )
        self.fetch(tuple(wheels))
        return Resolution(
            wheels=tuple(sorted(wheel for wheel in wheels if wheel.name not in versions)),
            stand_ins=tuple(stand_ins[name] for name in sorted(stand_ins)),
        )

    def sdists(self, name: str, *, as_of: Instant | None = None) -> Offer:
        from packaging.utils import parse_sdist_filename, parse_wheel_filename

        found: dict[str, StandIn] = {}
        versions: set[str] = set()
        for file in sorted(self.files):
            project, version = parse_wheel_filename(file)[:2] if file.endswith(".whl") else parse_sdist_filename(file)
            if project != name:
                continue
            if as_of is not None and file not in self.uploaded:
                raise NoUploadTimes(f"{name}: nobody says when its files were uploaded", package=name)
            if as_of is not None and self.uploaded[file] >= as_of:
                continue
            versions.add(str(version))
            if not file.endswith(".whl"):
                found[str(version)] = StandIn(name=name, version=str(version), file=file, sha256=BlobRef.of(self.files[file]).digest)
        return Offer(name=name, stand_ins=tuple(found.values()), others=tuple(sorted(versions - found.keys())))

    def keep_sdist(self, stand_in: StandIn) -> BlobRef:
        data = self.files.get(stand_in.file)
        if data is None:
            raise PackageVanished(f"{stand_in.file} is not on the index any more", file=stand_in.file)
        if stand_in.sha256 not in (None, BlobRef.of(data).digest):
            raise PackageChanged(f"{stand_in.file} has other bytes than the index said", file=stand_in.file)
        return self._blobs.put(data)

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

    def fetch(self, files: Sequence[LockedWheel | LockedSdist]) -> None:
        for wheel in files:
            if self._blobs.has(wheel.ref):
                continue
            data = self.files.get(wheel.file)
            if data is None:
                raise PackageVanished(f"{wheel.file} is neither in the store nor on the index any more", file=wheel.file)
            if BlobRef.of(data) != wheel.ref:
                raise PackageChanged(f"{wheel.file} has other bytes than the lock pins", file=wheel.file, expected=wheel.sha256)
            self._blobs.put(data)

    def _rather(self, wheel: LockedWheel, before: LockedWheel | LockedSdist | None) -> LockedWheel:
        """The wheel of the same version that was there before, if it can be had."""
        if not isinstance(before, LockedWheel) or before.version != wheel.version:
            return wheel
        data = self.files.get(before.file)
        return before if self._blobs.has(before.ref) or (data is not None and BlobRef.of(data) == before.ref) else wheel

    def _chosen(
        self,
        texts: Sequence[str],
        target: PythonTarget,
        versions: Mapping[str, str],
        liked: Mapping[str, LockedWheel | LockedSdist],
        as_of: Instant | None,
    ) -> tuple[LockedWheel, ...]:
        from packaging.utils import parse_wheel_filename

        name = _name_of(texts[0])
        wanted = _wanted(texts, target)
        if wanted is None:
            return ()
        parsed = {file: parse_wheel_filename(file) for file in self.files if file.endswith(".whl")}
        fitting = {
            file: version
            for file, (project, version, _, _) in parsed.items()
            if project == name
            and versions.get(name, str(version)) == str(version)
            and all(one.contains(version) for one in wanted)
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


def _requirement(text: str) -> Requirement:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        return Requirement(text)
    except InvalidRequirement as error:
        raise Unresolvable(f"not a Python requirement: {text!r}") from error


def _name_of(text: str) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(_requirement(text).name)


def _wanted(texts: Sequence[str], target: PythonTarget) -> list[SpecifierSet] | None:
    """The version limits of a requirement and its constraints; None if it does not count for the target."""
    wanted, *limits = (_requirement(text) for text in texts)
    if wanted.url is not None:
        raise Unresolvable(f"{wanted.name} is required from an address", requirement=wanted.name)
    if wanted.marker is not None and not wanted.marker.evaluate(dict(target.markers())):
        return None
    return [wanted.specifier, *(limit.specifier for limit in limits)]


def _built(texts: Sequence[str], target: PythonTarget, offer: Offer, before: LockedWheel | LockedSdist | None) -> StandIn | None:
    """The newest of the stand-ins that fits; the version that was there before, if that does."""
    from packaging.version import Version

    wanted = _wanted(texts, target)
    if wanted is None:
        return None
    fitting = [one for one in offer.stand_ins if all(limit.contains(one.version) for limit in wanted)]
    if not fitting:
        raise Unresolvable(f"{offer.name}: no version that fits has an sdist", packages=(offer.name,))
    return max(fitting, key=lambda one: (before is not None and one.version == before.version, Version(one.version)))

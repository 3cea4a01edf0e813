"""Files to be downloaded: where each is, which may be known only when an index was asked, and what must hold of its bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.adapters.python_index.pinned import changed
from lockage.base.path import RelPath
from lockage.environment.lock import LockedWheel
from lockage.ports import PackageChanged, PackageVanished

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockage.adapters.python_index.simple import IndexFile
    from lockage.adapters.python_index.uv import Candidate, Pinned
    from lockage.base.digest import BlobRef, Digest
    from lockage.environment.lock import LockedSdist
    from lockage.environment.python_lock import Pin
    from lockage.environment.stand_in import StandIn

__all__ = ["FetchJob", "Job", "ResolvedJob", "SdistJob", "TakeJob"]


class Job:
    """A file to be downloaded, where it is, and what must hold of it."""

    def __init__(self, name: str, file: str, sha256: Digest | None, size: int | None) -> None:
        self.name = name
        self.file = file
        self.address = ""
        self._sha256 = sha256
        self._size = size

    def locate(self) -> str:
        return self.address

    def check(self, found: BlobRef) -> None:
        """Raises PackageChanged."""
        if self._sha256 not in (None, found.digest) or self._size not in (None, found.size):
            size = "" if self._size is None else f", {self._size} bytes"
            raise PackageChanged(
                f"{self.file} as the index gave it is not what was expected: "
                f"expected sha256 {self._sha256}{size}, found {found.digest}, {found.size} bytes",
                package=self.name,
                file=self.file,
                expected=self._sha256,
                found=found.digest,
            )


class ResolvedJob(Job):
    """A wheel that uv found, at the address that it gave."""

    def __init__(self, package: Pinned, wheel: Candidate) -> None:
        super().__init__(package.name, wheel.file, wheel.sha256, None)
        self.address = wheel.address


class FetchJob(Job):
    """A locked file, wherever an index has it now."""

    def __init__(self, wheel: LockedWheel | LockedSdist, locate: Callable[[], str]) -> None:
        super().__init__(wheel.name, wheel.file, wheel.sha256, wheel.size)
        self._locate = locate

    def locate(self) -> str:
        return self._locate()


class SdistJob(Job):
    """The sdist of a stand-in: an index names it again when it is wanted."""

    def __init__(self, stand_in: StandIn, files: Callable[[], list[IndexFile]]) -> None:
        super().__init__(stand_in.name, stand_in.file, stand_in.sha256, None)
        self._files = files

    def locate(self) -> str:
        named = [file for file in self._files() if file.name == self.file]
        right = [file for file in named if self._sha256 is None or file.sha256 in (None, self._sha256)]
        if not right:
            raise PackageVanished(f"{self.file} is not on the index any more", package=self.name, file=self.file)
        return right[0].address


class TakeJob(Job):
    """The wheel of a pin: which file it is may be known only when the index was asked."""

    def __init__(self, pin: Pin, find: Callable[[], IndexFile]) -> None:
        super().__init__(pin.name, pin.file or f"{pin.name}-{pin.version}", None, None)
        self._pin = pin
        self._find = find

    def locate(self) -> str:
        found = self._find()
        self.file = found.name
        return found.address

    def check(self, found: BlobRef) -> None:
        if found.digest not in self._pin.sha256:
            raise changed(self._pin, f"{self.file} as the index gave it has sha256 {found.digest}")

    def wheel(self, ref: BlobRef) -> LockedWheel:
        return LockedWheel(name=self.name, version=self._pin.version, file=RelPath(self.file), size=ref.size, sha256=ref.digest)

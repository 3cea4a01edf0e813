"""Roots that are digests only: what the packages are, not what is in them."""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

from lockage.adapters.memory.packages import control_of
from lockage.base.canonical import canonical
from lockage.base.digest import BlobRef, Digest
from lockage.base.path import RelPath
from lockage.environment.image.received import ReceivedLayer
from lockage.environment.lock import RootRef
from lockage.environment.root import Entry, Kind, Member
from lockage.ports import RealisedRoot, RootDrift
from lockage.ports.storage import Audit, Swept

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from lockage.base.instant import Instant
    from lockage.environment.base import LockedImage
    from lockage.environment.lock import LockedEnvironment, LockedPackage
    from lockage.ports import Blobs, RootLayer
    from lockage.ports.storage import Damage, Heard

__all__ = ["MemoryRoots"]


class MemoryRoots:
    """Implements :class:`lockage.ports.Roots` without files: its folders do not exist. It reads every package once, as a real one does.

    ``damaged`` is what the next audit finds.
    """

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._made: set[bytes] = set()
        self.damaged: list[Damage] = []

    def realise(self, environment: LockedEnvironment, *, expect: bool = True, arriving: Iterable[LockedPackage] = ()) -> RealisedRoot:
        for _ in arriving:
            pass
        image = environment.pulled
        if image is None:
            packages = self._read("os", (package.ref for package in environment.packages))
        else:
            packages = self._read("image", image.layers) + canonical([str(layer) for layer in image.layers])
        layers = [("", Path(f"/memory/os/{Digest.of(packages)}"))]
        wheels = b""
        if environment.python:
            wheels = self._read("python", (wheel.ref for wheel in environment.python))
            layers.append((_place_of(environment), Path(f"/memory/python/{Digest.of(packages + wheels)}")))
        identity = packages + wheels
        ref = RootRef(tree=BlobRef.of(b"tree" + identity), metadata=Digest.of(b"metadata" + identity))
        if expect and ref != environment.root:
            raise RootDrift(
                f"the locked packages make another root than the lock pins: expected {environment.root.tree}, found {ref.tree}",
                expected=str(environment.root.tree),
                found=str(ref.tree),
            )
        return RealisedRoot(ref=ref, layers=tuple(layers))

    def instruments(self, environment: LockedEnvironment) -> Path | None:
        if not environment.instruments:
            return None
        return Path(f"/memory/instruments/{Digest.of(self._read('instruments', (package.ref for package in environment.instruments)))}")

    def layers(self, environment: LockedEnvironment) -> Sequence[RootLayer]:
        """Layers with a file for every package, whose bytes are the package's; of an image with the files that it has, but no whiteouts."""
        self.realise(environment)
        found: list[RootLayer] = []
        if environment.pulled is not None:
            found.append(_ImageLayer([self._blobs.get(ref) for ref in environment.pulled.layers]))
        else:
            found.append(_MemoryLayer(self._blobs, "", [(package.name, package.ref) for package in environment.packages]))
        wheels = [(wheel.name, wheel.ref) for wheel in environment.python]
        return found if not wheels else [*found, _MemoryLayer(self._blobs, _place_of(environment), wheels)]

    def received(self, image: LockedImage) -> tuple[ReceivedLayer, ...]:
        """Each with what the root has of it, and a device that the root has not; layers are packed with gzip or not at all."""
        found = []
        for number, ref in enumerate(image.layers, 1):
            data = self._blobs.get(ref)
            plain = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
            members = [
                Member(path=entry.path, kind=entry.kind, mode=entry.mode, target=entry.target, size=entry.size, sha256=entry.sha256)
                for entry, _ in _members(plain)
            ]
            device = Member(path=RelPath(f"device-{number}"), kind=Kind.FILE, mode=stat.S_IFCHR | 0o666)
            found.append(ReceivedLayer(diff_id=Digest.of(plain), members=(*members, device)))
        return tuple(found)

    def _read(self, kind: str, refs: Iterable[BlobRef]) -> bytes:
        listed = sorted(refs)
        key = canonical([kind, *(str(ref) for ref in listed)])
        if key not in self._made:
            for ref in listed:
                self._blobs.get(ref)
            self._made.add(key)
        return key

    def control(self, package: LockedPackage) -> str:
        data = self._blobs.get(package.ref)
        made_up = f"Package: {package.name}\nVersion: {package.version}\nArchitecture: {package.architecture}\n"
        return control_of(data) if data.startswith(b"!<arch>") else made_up

    def audit(self, heard: Heard, environment: LockedEnvironment | None = None) -> Audit:  # noqa: ARG002 (a test says what is damaged)
        heard(0)
        damaged, self.damaged = tuple(self.damaged), []
        return Audit(count=len(self._made), size=0, damaged=damaged)

    def sweep(self, needed: Iterable[LockedEnvironment], before: Instant, *, dry: bool = False) -> Swept:  # noqa: ARG002 (layers in memory are nothing)
        return Swept()


def _place_of(environment: LockedEnvironment) -> str:
    python = environment.pulled.python if environment.pulled is not None else None
    return "usr/local" if python is None else str(python.folder)


class _MemoryLayer:
    def __init__(self, blobs: Blobs, place: str, items: Sequence[tuple[str, BlobRef]]) -> None:
        self._blobs = blobs
        self.place = place
        above = place or "os"
        self.entries = [
            Entry(path=RelPath(f"{above}/{name}"), kind=Kind.FILE, mode=0o644, size=ref.size, sha256=ref.digest) for name, ref in items
        ]

    def read(self, entry: Entry) -> bytes:
        assert entry.sha256 is not None
        return self._blobs.get(BlobRef(entry.sha256, entry.size))


class _ImageLayer:
    place = ""

    def __init__(self, layers: Sequence[bytes]) -> None:
        found = {entry.path: (entry, data) for layer in layers for entry, data in _members(layer)}
        self.entries = [entry for entry, _ in found.values()]
        self._data = {path: data for path, (_, data) in found.items()}

    def read(self, entry: Entry) -> bytes:
        return self._data[entry.path]


def _members(layer: bytes) -> Iterator[tuple[Entry, bytes]]:
    """What a root can have of an image's layer that a test made, with the bytes of files."""
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        for info in tar:
            name = info.name.removeprefix("./").strip("/.")
            kind = Kind.DIRECTORY if info.isdir() else Kind.LINK if info.issym() else Kind.FILE if info.isreg() else None
            if not name or kind is None:
                continue
            stream = tar.extractfile(info) if kind is Kind.FILE else None
            data = b"" if stream is None else stream.read()
            digest = None if stream is None else Digest.of(data)
            yield Entry(path=RelPath(name), kind=kind, mode=info.mode, target=info.linkname, size=info.size, sha256=digest), data

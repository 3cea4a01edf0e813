"""Every port at once, in memory: a whole store for tests of the use cases."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from lockage.adapters.memory.base_images import MemoryBaseImages
from lockage.adapters.memory.clock import FixedClock
from lockage.adapters.memory.downloads import MemoryDownloads
from lockage.adapters.memory.executor import MemoryExecutor
from lockage.adapters.memory.folders import MemoryFolders
from lockage.adapters.memory.image_layouts import MemoryImageLayouts
from lockage.adapters.memory.latches import MemoryLatches
from lockage.adapters.memory.ledger import MemoryLedger
from lockage.adapters.memory.os_packages import MemoryOsPackages
from lockage.adapters.memory.pins import MemoryPins
from lockage.adapters.memory.python_index import MemoryPythonIndex
from lockage.adapters.memory.roots import MemoryRoots
from lockage.adapters.memory.runs import MemoryRuns
from lockage.adapters.memory.signer import MemoryKeys
from lockage.adapters.memory.sources import MemorySources
from lockage.adapters.memory.storage import MemoryStorage
from lockage.adapters.memory.store import MemoryActionCache, MemoryBlobs, MemoryMemo
from lockage.adapters.memory.surroundings import MemorySurroundings
from lockage.adapters.memory.survey import MemorySurvey
from lockage.adapters.memory.workers import MemoryWorkers
from lockage.base.digest import BlobRef, Digest
from lockage.base.name import PrincipalName
from lockage.environment.debian import Release, Stanza
from lockage.schedule.job import Capacity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from lockage.adapters.memory.executor import Workspace
    from lockage.environment.declaration import Architecture
    from lockage.environment.lock import LockedEnvironment
    from lockage.ports import RealisedRoot
    from lockage.record.event import Event
    from lockage.variation import World

__all__ = ["MemoryServices"]

_PACKAGES = {"dash": "0.5.12-2", "libc6": "2.36-9", "python3": "3.11.2-1+b1", "libfaketime": "0.9.10-2.1", "locales": "2.36-9"}


class MemoryServices:
    """Implements :class:`lockage.work.services.Services`: ``commands`` is what steps can run, ``told`` what was told of progress.

    ``seed`` decides in which order steps end, ``ledger`` may be one with a defect; ``origin`` is what the next new ledger is called.
    """

    def __init__(
        self,
        commands: dict[str, Callable[[Workspace], int]] | None = None,
        *,
        jobs: int = 2,
        seed: int = 0,
        ledger: MemoryLedger | None = None,
        origin: str = "lockage.test/1",
    ) -> None:
        self.commands = commands if commands is not None else {}
        self.place = "memory"
        self.blobs = MemoryBlobs()
        self.cache = MemoryActionCache()
        self.memo = MemoryMemo()
        self.clock = FixedClock()
        self.executor = MemoryExecutor(self.blobs, self.commands)
        self.roots = MemoryRoots(self.blobs)
        self.survey = MemorySurvey()
        self.workers = MemoryWorkers(seed)
        self.latches = MemoryLatches()
        self.runs = MemoryRuns()
        self.os_packages = MemoryOsPackages(self.blobs)
        self.python_index = MemoryPythonIndex(self.blobs)
        self.downloads = MemoryDownloads(self.blobs)
        self.crate_registry: str | None = None
        self.sources = MemorySources(self.blobs)
        self.storage = MemoryStorage(self.blobs)
        self.folders = MemoryFolders(self.blobs)
        self.image_layouts = MemoryImageLayouts()
        self.base_images = MemoryBaseImages(self.blobs)
        self.surroundings = MemorySurroundings()
        self.ledger = ledger if ledger is not None else MemoryLedger()
        self.keys = MemoryKeys()
        self.pins = MemoryPins()
        self.principal = PrincipalName("alice")
        self.architecture: Architecture = "amd64"
        self.capacity = Capacity(cpus=4, memory=16 << 30, jobs=jobs)
        self.host = {"kernel": "none"}
        self.told: list[Event] = []
        self.tell: Callable[[Event], None] = self.told.append
        self.origin = origin
        self.place = "memory"
        self.unavailable: tuple[str, ...] = ()
        for name, version in _PACKAGES.items():
            self.publish(name, version)

    def publish(self, name: str, version: str, data: bytes | None = None, *, architecture: Architecture = "amd64") -> None:
        """Put an OS package into the suite bookworm."""
        other = f" for {architecture}" if architecture != "amd64" else ""
        data = f"the package {name} {version}{other}".encode() if data is None else data
        ref, path = BlobRef.of(data), f"pool/main/{name[0]}/{name}/{name}_{version}_{architecture}.deb"
        release, stanzas = self.os_packages.suites.get(("bookworm", architecture), (self._release(), []))
        depends = "libc6" if name == "python3" else ""
        stanzas.append(Stanza(name, version, architecture, path, ref.size, ref.digest, depends=depends))
        self.os_packages.suites["bookworm", architecture] = (release, stanzas)
        self.os_packages.pool[path] = data

    def _release(self) -> Release:
        return Release(
            suite="stable",
            codename="bookworm",
            origin="Debian",
            date=self.clock.now(),
            valid_until=None,
            acquire_by_hash=True,
            files={},
            sha256=Digest.of(b"the Release file"),
        )

    def new_origin(self) -> str:
        return self.origin

    def new_seed(self) -> str:
        return "seed"

    @contextmanager
    def varied_roots(self, world: World) -> Iterator[Callable[[LockedEnvironment], RealisedRoot]]:  # noqa: ARG002 (roots in memory have no order)
        yield self.roots.realise

    def unavailable_axes(self, environments: Iterable[LockedEnvironment]) -> dict[str, str]:  # noqa: ARG002 (a test says which)
        return dict.fromkeys(self.unavailable, "not in memory")

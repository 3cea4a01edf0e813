"""The only reader of configuration and process environment; picks an adapter for every port.

Invariants: nothing is made before it is used, so that a command pays only for what it needs; private keys live outside the
store; every setting is an environment variable of :data:`SETTINGS` and has a default. What a build with nothing to do does not use
is made in modules that it does not import: packages, execution.
"""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from lockage.portable import user_id
from lockage.wiring import host
from lockage.wiring.places import Places
from lockage.wiring.settings import SETTINGS, InvalidSetting, Setting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

    from lockage import ports
    from lockage.adapters.action_cache_local import LocalActionCache
    from lockage.adapters.blobs_local import LocalBlobs
    from lockage.adapters.source_directory import DirectorySource
    from lockage.adapters.source_git import GitSource
    from lockage.adapters.source_sdist import SdistSource
    from lockage.adapters.store_deferred import DeferredBlobs
    from lockage.base.name import PrincipalName
    from lockage.base.tree import Tree
    from lockage.environment.declaration import Architecture
    from lockage.environment.lock import LockedEnvironment
    from lockage.packs import Packs
    from lockage.ports import RealisedRoot
    from lockage.ports.host import HostSurvey
    from lockage.ports.images import BaseImages, ImageLayouts
    from lockage.schedule.job import Capacity
    from lockage.variation import World

__all__ = ["SETTINGS", "InvalidSetting", "Setting", "Wiring"]


class Wiring(Places):
    """The services of one store on this machine (:class:`lockage.work.services.Services`), each made when first used."""

    # The store

    @cached_property
    def blobs(self) -> ports.Blobs:
        return self._blobs

    @cached_property
    def _blobs(self) -> DeferredBlobs:
        from lockage.adapters.store_deferred import DeferredBlobs

        return DeferredBlobs(self._kept_blobs)

    @cached_property
    def _kept_blobs(self) -> LocalBlobs:
        from lockage.adapters.blobs_local import LocalBlobs

        return LocalBlobs(self.store / "blobs", lost=self._blob_lost, begin=self._begin)

    @cached_property
    def _kept_results(self) -> LocalActionCache:
        from lockage.adapters.action_cache_local import LocalActionCache

        return LocalActionCache(self.store / "actions", begin=self._begin)

    @property
    def packs(self) -> dict[str, Packs]:
        """The packs of the store, by the folder that they lie in."""
        return {"blobs": self._kept_blobs.packs, "actions": self._kept_results.packs}

    def _blob_lost(self) -> None:
        """A remembered source promises that its files are kept; when a blob is found to be lost, sources are read anew."""
        from lockage.adapters.memo_local import LocalMemo
        from lockage.adapters.source_directory import DIRECTORY_MEMO
        from lockage.adapters.source_git import OBJECTS_MEMO, TREE_MEMO
        from lockage.adapters.source_sdist import SDIST_MEMO
        from lockage.echo.echo import ECHO_MEMO

        memo = LocalMemo(self.store / "memo")
        for kind in (TREE_MEMO, OBJECTS_MEMO, SDIST_MEMO, DIRECTORY_MEMO, ECHO_MEMO):
            memo.forget(kind)

    @cached_property
    def cache(self) -> ports.ActionCache:
        from lockage.adapters.store_deferred import DeferredActionCache

        return DeferredActionCache(self._kept_results, self._blobs)

    @cached_property
    def memo(self) -> ports.Memo:
        from lockage.adapters.memo_local import LocalMemo

        return LocalMemo(self.store / "memo")

    @cached_property
    def storage(self) -> ports.Storage:
        from lockage.adapters.store_local import StoreFolder

        return StoreFolder(self.store)

    @cached_property
    def runs(self) -> ports.Runs:
        from lockage.adapters.runs_local import LocalRuns

        return LocalRuns(self.store / "runs")

    @cached_property
    def folders(self) -> ports.Folders:
        from lockage.adapters.folders_local import LocalFolders

        return LocalFolders(self.blobs)

    @cached_property
    def image_layouts(self) -> ImageLayouts:
        from lockage.adapters.image_layouts_local import LocalImageLayouts

        return LocalImageLayouts()

    @cached_property
    def base_images(self) -> BaseImages:
        from lockage.wiring.packages import base_images

        home = self._settings_home
        return base_images(self.blobs, self._temporary / "images", environ=self._environ, home=home, moved=self._moved)

    @cached_property
    def surroundings(self) -> ports.Surroundings:
        from lockage.adapters.source_git.surroundings import GitSurroundings

        return GitSurroundings(self._environ)

    @cached_property
    def clock(self) -> ports.Clock:
        from lockage.adapters.clock_system import SystemClock

        return SystemClock()

    @property
    def _temporary(self) -> Path:
        from lockage.durable import unwritable

        folder = self.store / "cache"
        with unwritable(folder):
            folder.mkdir(parents=True, exist_ok=True)
        return folder

    # The host

    @cached_property
    def architecture(self) -> Architecture:
        """Debian's name of the architecture; raises what :func:`lockage.wiring.host.architecture` raises."""
        return host.architecture()

    @cached_property
    def host(self) -> dict[str, str]:
        return host.facts(self.store, self._bwrap)

    @cached_property
    def host_cpus(self) -> tuple[int, ...]:
        return host.cpus()

    @cached_property
    def capacity(self) -> Capacity:
        from lockage.schedule.job import Capacity
        from lockage.wiring.limits import cpu_quota

        most = len(self.host_cpus)
        cpus = self._number("LOCKAGE_CPUS") or min(most, cpu_quota() or most)
        if cpus > most:
            raise InvalidSetting(f"LOCKAGE_CPUS is {cpus}; this process may use {most} CPUs")
        return Capacity(cpus=cpus, host_cpus=most, memory=self._memory(), jobs=self._jobs or self._number("LOCKAGE_JOBS") or cpus)

    def _memory(self) -> int:
        """Bytes that steps may declare together."""
        text = self._environ.get("LOCKAGE_MEMORY", "")
        if not text:
            from lockage.wiring.limits import memory_limit

            return min(host.memory(), memory_limit() or host.memory())
        from lockage.recipe.quantity import SIZE_FORM, size

        try:
            found = int(text) if text.isdecimal() else size(text)
        except ValueError:
            found = 0
        if found < 1:
            raise InvalidSetting(f"LOCKAGE_MEMORY is {text[:60]!r}; it takes {SIZE_FORM}")
        return found

    @property
    def terminal_kind(self) -> str:
        """What programs call the terminal that the user sees."""
        return self._environ.get("TERM", "dumb")

    def _bwrap(self) -> Path:
        from lockage.wiring.execution import bwrap

        return bwrap(self._environ)

    # Outside services

    @cached_property
    def sources(self) -> ports.Sources:
        return self._sources(self._directories)

    @property
    def sources_at_a_look(self) -> ports.Sources:
        """The same without plain directories, which must be read to tell whether they are as they were. Those raise SourceUnusable."""

        def none() -> DirectorySource:
            from lockage.ports import SourceUnusable

            raise SourceUnusable("it is a plain directory")

        return self._sources(none)

    def _sources(self, directories: Callable[[], DirectorySource]) -> ports.Sources:
        from lockage.adapters.source_router import SourceRouter

        return SourceRouter(repositories=self._repositories, archives=self._archives, directories=directories, here=Path.cwd())

    def _repositories(self) -> GitSource:
        from lockage.adapters.source_git import GitSource

        def snapshot(folder: Path, names: Iterable[bytes]) -> Tree:
            return self._directories().snapshot(folder, names)

        return GitSource(self.blobs, self.memo, clones=self.store / "clones", environment=self._environ, snapshot=snapshot)

    def _archives(self) -> SdistSource:
        from lockage.adapters.source_sdist import SdistSource

        return SdistSource(self.blobs, self.memo)

    def _directories(self) -> DirectorySource:
        from lockage.adapters.source_directory import DirectorySource

        return DirectorySource(self.blobs, self.memo, self.clock)

    def _moved(self, size: int) -> None:
        from lockage.record.event import Fetched

        self.tell(Fetched(size=size))

    @property
    def crate_registry(self) -> str | None:
        text = self._environ.get("LOCKAGE_CRATES", "").strip()
        if text and not text.startswith(("https://", "http://", "file:///")):
            raise InvalidSetting(f"LOCKAGE_CRATES is not an address that begins with https, http or file: {text[:120]!r}")
        return text or None

    @cached_property
    def os_packages(self) -> ports.OsPackages:
        from lockage.wiring.packages import os_packages

        cache = self._temporary / "debian"
        home = self._settings_home
        return os_packages(self.blobs, self.memo, self.clock, cache, environ=self._environ, home=home, moved=self._moved)

    @cached_property
    def python_index(self) -> ports.PythonIndex:
        from lockage.wiring.packages import python_index

        home = self._settings_home
        return python_index(self.blobs, self.memo, self._temporary / "uv", environ=self._environ, home=home, moved=self._moved)

    @cached_property
    def downloads(self) -> ports.Downloads:
        from lockage.wiring.packages import downloads

        return downloads(self.blobs, self._temporary / "fetch", environ=self._environ, home=lambda: self.user_home)

    # The sandbox

    @cached_property
    def workers(self) -> ports.Workers:
        from lockage.adapters.workers_local import LoopWorkers

        return LoopWorkers()

    @cached_property
    def latches(self) -> ports.Latches:
        from lockage.adapters.latches_local import LocalLatches

        return LocalLatches(self.store / "latches")

    @cached_property
    def executor(self) -> ports.Executor:
        host.only_linux()
        from lockage.adapters.executor_router import ExecutorRouter

        self._scratch.mkdir(exist_ok=True)
        return ExecutorRouter(sandbox=self._sandboxed, host=self._unsandboxed)

    def _sandboxed(self) -> ports.Executor:
        from lockage.adapters.sandbox_bwrap import BwrapExecutor

        return BwrapExecutor(self.blobs, self._bwrap(), self._scratch, host_cpus=self.host_cpus)

    def _unsandboxed(self) -> ports.Executor:
        from lockage.adapters.sandbox_host import HostExecutor

        return HostExecutor(self.blobs, self._temporary / "host", host_cpus=self.host_cpus)

    @cached_property
    def survey(self) -> HostSurvey:
        host.only_linux()
        from lockage.adapters.host_survey import LocalSurvey

        return LocalSurvey()

    @property
    def _scratch(self) -> Path:
        return self._temporary / "sandbox"

    @cached_property
    def roots(self) -> ports.Roots:
        host.only_linux()
        from lockage.adapters.roots_local import LocalRoots

        return LocalRoots(self.blobs, self.store / "roots", workers=len(self.host_cpus), clock=self.clock)

    def varied_roots(self, world: World) -> AbstractContextManager[Callable[[LockedEnvironment], RealisedRoot]]:
        from lockage.wiring.execution import varied_roots

        return varied_roots(self.roots, world, self._temporary)

    def unavailable_axes(self, environments: Iterable[LockedEnvironment]) -> dict[str, str]:
        from lockage.wiring.execution import unavailable_axes

        return unavailable_axes(self.roots, environments, self._scratch, self.host_cpus)

    # The ledger and those who sign

    @cached_property
    def ledger(self) -> ports.Ledger:
        from lockage.adapters.ledger_sql import SqlLedger

        return SqlLedger(self.store / "ledger.db")

    @cached_property
    def keys(self) -> ports.Keys:
        from lockage.adapters.signer_file import FileKeys

        return FileKeys(self.keys_folder / "keys", store=self.store)

    @cached_property
    def pins(self) -> ports.Pins:
        from lockage.adapters.pins_local import LocalPins

        return LocalPins(self.keys_folder / "trust")

    @cached_property
    def principal(self) -> PrincipalName:
        import getpass

        from lockage.base.name import PrincipalName

        text = self._environ.get("LOCKAGE_PRINCIPAL")
        try:
            return PrincipalName(text or getpass.getuser())
        except (ValueError, KeyError, OSError, ImportError) as error:  # ImportError: Windows without USERNAME, up to Python 3.12
            if text:
                raise InvalidSetting(f"LOCKAGE_PRINCIPAL: {error}") from error
            number = user_id()
            return PrincipalName("user" if number is None else f"uid-{number}")

    def new_origin(self) -> str:
        return f"lockage.local/{os.urandom(8).hex()}"

    def new_seed(self) -> str:
        return os.urandom(4).hex()

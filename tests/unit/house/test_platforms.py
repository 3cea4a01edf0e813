"""macOS and Windows: every command that needs no sandbox works; those that need one end with a clear error.

A process in which what those platforms lack is taken away stands in for them. What only a real machine can show is checked by
hand (docs/company.md).
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

#: What only whoever runs steps may import, which is done on Linux alone.
LINUX_ONLY = ("lockage.adapters.sandbox_bwrap", "lockage.adapters.sandbox_host", "lockage.adapters.roots_local", "lockage.running")

#: Makes a process look like another platform to what is imported from here on. Everything of others is imported before, as
#: that was installed for the platform at hand.
PRETEND = """
import json, os, signal, sys
import asyncio, concurrent.futures, ctypes, getpass, http.client, http.server, importlib.metadata, lzma, multiprocessing, netrc
import platform, pkgutil, queue, select, shutil, socket, sqlite3, ssl, subprocess, tarfile, tempfile, tomllib, urllib.request, zipfile
import click, msgspec, packaging.requirements, packaging.tags, rich.console
import cryptography.hazmat.primitives.asymmetric.ed25519, cryptography.hazmat.primitives.serialization
import fcntl

kind = sys.argv.pop(1)
blocked = ["resource", "pwd", "grp", "termios", "tty", "pty"]
lacking = ["O_PATH", "memfd_create", "MFD_CLOEXEC", "sched_getaffinity", "sched_setaffinity", "pidfd_open", "prlimit", "sync", "splice"]
if kind == "win32":
    blocked.append("fcntl")
    lacking += ["O_DIRECTORY", "O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK", "fchmod", "fchown", "chown", "geteuid", "getuid", "getgid", "uname"]
    lacking += ["sysconf", "killpg", "setsid", "wait4", "posix_spawn", "getpriority", "setpriority", "fork", "mkfifo", "statvfs"]
    del signal.SIGHUP

    class msvcrt:  # over what is there: a lock that nobody waits for
        LK_NBLCK = 2

        @staticmethod
        def locking(descriptor, mode, count, flock=fcntl.flock, flags=fcntl.LOCK_EX | fcntl.LOCK_NB):
            assert (mode, count) == (2, 1)
            flock(descriptor, flags)

    sys.modules["msvcrt"] = msvcrt
    real = os.open

    def opening(path, flags, mode=0o777, *, dir_fd=None):
        if os.path.isdir(path):
            raise PermissionError(13, "Windows opens no folders", str(path))
        return real(path, flags, mode, dir_fd=dir_fd)

    os.open = opening
else:
    lacking += ["posix_fadvise"]
    fcntl.F_FULLFSYNC = 51
for name in blocked:
    sys.modules[name] = None
for name in lacking:
    if hasattr(os, name):
        delattr(os, name)
sys.platform = kind
"""
EVERY_MODULE = """
import lockage, pathlib
here = pathlib.Path(lockage.__file__).parent
for file in sorted(here.rglob("*.py")):
    parts = file.relative_to(here.parent).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    if parts[-1] != "__main__" and not name.startswith(tuple(sys.argv[1:])):
        __import__(name)
print(len([name for name in sys.modules if name.startswith("lockage.")]))
"""
#: Several commands in one process: [status, what was printed] of each, as JSON.
COMMANDS = """
import contextlib, io
from lockage.cli.app import run
answers = []
for command in json.loads(sys.argv[1]):
    shown = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
        status = run(command)
    answers.append([status, shown.buffer.getvalue().decode()])
print(json.dumps(answers))
"""

Answer = tuple[int, str]


class Platform:
    """The program on one platform."""

    def __init__(self, kind: str, environ: dict[str, str], folder: Path) -> None:
        self.kind = kind
        self.environ = environ
        self.folder = folder

    def python(self, code: str, *arguments: str) -> str:
        command = [sys.executable, "-P", "-c", PRETEND + code, self.kind, *arguments]
        done = subprocess.run(command, env=self.environ, cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def __call__(self, *commands: list[str]) -> list[Answer]:
        return [(status, text) for status, text in json.loads(self.python(COMMANDS, json.dumps(commands)))]


@pytest.fixture(params=["darwin", "win32"])
def platform(request: pytest.FixtureRequest, environ: dict[str, str], tmp_path: Path) -> Platform:
    return Platform(request.param, environ, tmp_path)


@pytest.mark.slow
def test_every_module_but_the_sandboxs_can_be_imported(platform: Platform) -> None:
    assert int(platform.python(EVERY_MODULE, *LINUX_ONLY)) > 150


@pytest.mark.slow
def test_what_needs_no_sandbox_works(platform: Platform, project: Path, environ: dict[str, str], tmp_path: Path) -> None:
    """A store made on Linux, read and promoted in on another platform; and a store that is begun there."""
    for arguments in (["build", str(project), "--out", str(tmp_path / "out")], ["test", str(project)], ["release", str(project)]):
        subprocess.run(
            [sys.executable, "-P", "-m", "lockage", *arguments], env=environ, cwd=tmp_path, check=True, stdout=subprocess.DEVNULL
        )
    (tmp_path / "other.txt").write_text("other\n")
    pull = ["pull", "dev", "--project", "shop", "--into", "pulled"]
    commands = {
        "promoted": (["promote", "shop", "--to", "dev"], 0),
        "status": (["status"], 0),
        "history": (["history", "dev"], 0),
        "pulled": (pull, 0),
        "pulled again": (pull, 0),
        "differs": (["diff", "out/out.txt", "other.txt"], 4),
        "refused": (["why-not", "shop", "staging"], 5),
        "ledger": (["ledger", "verify"], 0),
        "log": (["ledger", "log"], 0),
        "policies": (["policy", "list"], 0),
        "keys": (["key", "list"], 0),
        "evidence": (["evidence", "list", "shop"], 0),
        "logs": (["logs"], 0),
        "release": (["release", str(project)], 2),
    }
    answers = dict(zip(commands, platform(*(command for command, _ in commands.values())), strict=True))
    assert {name: answer[0] for name, answer in answers.items()} == {name: status for name, (_, status) in commands.items()}, answers
    assert all("shop" in answers[name][1] for name in ("status", "history", "log"))
    assert "different" in answers["differs"][1]
    assert "platform-unsupported" in answers["release"][1]
    (delivered,) = (path for path in (tmp_path / "pulled").iterdir() if path.suffix == ".txt")
    assert delivered.read_bytes() == (tmp_path / "out" / "out.txt").read_bytes()

    platform.environ = {**environ, "LOCKAGE_HOME": str(tmp_path / "new" / "store"), "LOCKAGE_KEYS": str(tmp_path / "new" / "keys")}
    (tmp_path / "dev.toml").write_text('channel = "dev"\n[[gates]]\ngate = "source-clean"\n')
    begun = platform(["policy", "apply", "dev.toml"], ["ledger", "verify"], ["key", "list"])
    assert [status for status, _ in begun] == [0, 0, 0], begun


@pytest.mark.slow
def test_what_needs_a_sandbox_says_which_platform_it_needs(platform: Platform, project: Path) -> None:
    (project / "src" / "a.txt").write_text("changed\n")
    commands = [[command, str(project), "--json"] for command in ("build", "test", "verify")]
    answers = platform(*commands)
    (project / "lockage.lock").unlink()
    answers += platform(["lock", str(project), "--json"])
    (project / "lockage.toml").unlink()
    answers += platform(["init", str(project), "--json"])
    for status, text in answers:
        error = json.JSONDecoder().raw_decode(text)[0]["error"]
        assert (status, error["code"]) == (2, "platform-unsupported"), text
        assert {"darwin": "macOS", "win32": "Windows"}[platform.kind] in error["message"]
        assert "Linux" in error["hint"]

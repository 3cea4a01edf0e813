"""What companies have: private indexes, checkouts and homes that cannot be written, containers, hosts without apt, signals."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lockage.adapters.debian_mirror.discovery import discover_mirrors, discover_proxies

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from tests.e2e.conftest import Store

pytestmark = [pytest.mark.sandbox, pytest.mark.network]

USER, PASSWORD = "reader", "s3cret/word-of-the-index"
#: In a user namespace, make the folder $1 read-only and run the rest there.
READ_ONLY = 'mount --bind "$1" "$1"; mount -o remount,ro,bind "$1"; cd "$1"; shift; exec "$@"'


def apart(script: str, *arguments: str | Path) -> list[str]:
    """A command in namespaces of its own, in which the script may mount."""
    return ["unshare", "-rm", "--propagation", "private", "sh", "-euc", script, "sh", *map(str, arguments)]


# A private index

#: Everything that a step could tell of the machine's secrets becomes an artifact.
USE = """
[step.use]
environment = "build"
run = "(env; cat /proc/*/environ /proc/*/cmdline; python3 -c 'import alpha; print(alpha.version)') > said.txt"
outputs = ["said.txt"]
artifacts = ["said.txt"]
"""


def test_a_private_index_leaves_no_trace_of_its_password(shop: Store, tmp_path: Path, loopback: ModuleType) -> None:
    said = ""
    with loopback.Site(user=USER, password=PASSWORD) as site:
        site.serve_wheels(loopback.wheel("alpha", "1.0"))
        text = (shop.work / "lockage.toml").read_text()
        (shop.work / "lockage.toml").write_text(text[: text.index("[step.")].replace('["build", "setuptools >= 77"]', '["alpha"]') + USE)
        shop.commit("from the company's index")
        for settings, code in (
            ({"LOCKAGE_PYTHON_INDEX": site.address("/simple", user="nobody", password=PASSWORD)}, 10),
            (
                {"UV_DEFAULT_INDEX": f"ours={site.address('/simple')}", "UV_INDEX_OURS_USERNAME": USER, "UV_INDEX_OURS_PASSWORD": PASSWORD},
                0,
            ),
        ):
            done = shop("lock", "--json", expect=code, **settings)
            said += done.stdout + done.stderr
        shop.commit("locked")
        lock = (shop.work / "lockage.lock").read_text()
        wheel = loopback.wheel("alpha", "1.0")[0]
        assert wheel in lock
        assert "127.0.0.1" not in lock
        done = shop("build", "--json", "--out", tmp_path / "out", expect=0, **settings)
        said += done.stdout + done.stderr
        assert site.exposed == []
    assert "1.0" in (tmp_path / "out" / "said.txt").read_text()
    for command in (["logs"], ["ledger", "log", "--json"]):
        done = shop(*command, expect=0)
        said += done.stdout + done.stderr
    assert not any(form in said.encode() for form in loopback.forms(PASSWORD))
    assert loopback.leaks(PASSWORD, shop.home, shop.keys, shop.work, tmp_path / "out") == []


# What cannot be written


def test_a_checkout_that_cannot_be_written_is_built_elsewhere(shop: Store, tmp_path: Path) -> None:
    os.utime(shop.work / "README.md")  # so that git would like to refresh its index
    index = (shop.work / ".git" / "index").read_bytes()
    error = shop.run(apart(READ_ONLY, shop.work, *shop.command("build", "--json"))).error
    assert (error["code"], error["exit_code"]) == ("folder-unwritable", 8)
    assert "--out" in error["hint"]
    done = shop.run(apart(READ_ONLY, shop.work, *shop.command("build", "--json", "--out", tmp_path / "out")))
    assert done.code == 0, done
    assert done.json["source"]["origin"]["commit"] == shop.git("rev-parse", "HEAD")
    assert list((tmp_path / "out").glob("*.whl"))
    done = shop.run(apart(READ_ONLY, shop.work, *shop.command("lock", "--json", "--out", tmp_path / "elsewhere")))
    assert done.code == 0, done
    assert (tmp_path / "elsewhere" / "lockage.lock").is_file()
    assert (shop.work / ".git" / "index").read_bytes() == index


def test_the_checkout_of_lockage_itself_may_be_read_only(cli: Store) -> None:
    here = Path(__file__).parents[2]
    subprocess.run([here / "bin" / "setup", "run"], check=True)
    done = cli.run(apart(READ_ONLY, here, here / "bin" / "lockage", "--version"))
    assert (done.code, done.stderr) == (0, "")


def test_a_home_that_is_missing_or_cannot_be_written_names_the_setting(cli: Store) -> None:
    bare = ["env", "-u", "HOME", "-u", "LOCKAGE_HOME", "-u", "LOCKAGE_KEYS", "-u", "XDG_DATA_HOME", "-u", "XDG_CONFIG_HOME"]
    command = cli.command("build", "--json", cli.work)
    error = cli.run(["unshare", "--user", "--map-user=4242", *bare, *command]).error  # no such user on this machine
    assert (error["code"], error["exit_code"]) == ("invalid-setting", 2)
    assert "LOCKAGE_HOME" in error["hint"]
    assert "HOME" in error["message"]
    mount = 'mount -t tmpfs -o ro tmpfs "$1"; shift; exec "$@"'
    error = cli.run(apart(mount, "/mnt", *bare, "HOME=/mnt", *command)).error
    assert (error["code"], error["exit_code"]) == ("store-unwritable", 8)
    assert "read-only" in error["message"]
    assert "LOCKAGE_HOME" in error["hint"]


# Containers

#: What Docker's default profile does to a process without capabilities: no unshare, no new namespaces, no mounts.
SECCOMP = """
import ctypes, errno, os, struct, sys
numbers = {"x86_64": (165, 166, 272, 155, 308, 56, 435), "aarch64": (40, 39, 97, 41, 268, 220, 435)}[os.uname().machine]
*forbidden, clone, clone3 = numbers
LOAD, EQUAL, SET, ANSWER = 0x20, 0x15, 0x45, 0x06
ALLOW, REFUSE, UNKNOWN = 0x7FFF0000, 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS
lines = [(LOAD, 0, 0, 0)]
for number in forbidden:
    lines += [(EQUAL, 0, 1, number), (ANSWER, 0, 0, REFUSE)]
lines += [(EQUAL, 0, 1, clone3), (ANSWER, 0, 0, UNKNOWN)]
lines += [(EQUAL, 0, 3, clone), (LOAD, 0, 0, 16), (SET, 0, 1, 0x7E020000), (ANSWER, 0, 0, REFUSE), (ANSWER, 0, 0, ALLOW)]
code = b"".join(struct.pack("HBBI", *line) for line in lines)
program = ctypes.create_string_buffer(code)
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(Program(len(lines), ctypes.addressof(program))), 0, 0) == 0, ctypes.get_errno()
os.execv(sys.argv[1], sys.argv[1:])
"""
MASKED = """
mount -t tmpfs -o ro tmpfs /proc/tty
mount --bind /proc/sys /proc/sys
mount -o remount,ro,bind /proc/sys
exec "$@"
"""


@pytest.mark.parametrize("kind", ["masked", "filtered"])
def test_a_container_without_the_needed_options_is_told_them(shop: Store, kind: str) -> None:
    shutil.rmtree(shop.home / "actions")
    before = shop.kept()
    command = shop.command("build", "--json")
    inside = apart(MASKED, *command) if kind == "masked" else [sys.executable, "-c", SECCOMP, *command]
    error = shop.run(inside).error
    assert (error["code"], error["exit_code"]) == ("sandbox-unavailable", 8)
    named = {
        "masked": "parts of this container's are masked (/proc/tty, /proc/sys",
        "filtered": "a seccomp filter, as container runtimes set one",
    }
    assert named[kind] in error["message"]
    assert "procMount: Unmasked" in error["hint"] or "systempaths=unconfined" in error["hint"]
    after = shop.kept()
    assert (after.size, after.checkpoint) == (before.size, before.checkpoint)


# A host without apt and dpkg


def test_a_host_that_is_not_debian_needs_one_setting(shop: Store) -> None:
    mirror = discover_mirrors(Path("/etc/apt"), os.environ.get("LOCKAGE_DEBIAN_MIRROR"))[0].uri
    proxies = discover_proxies(Path("/etc/apt"), os.environ)
    elsewhere = 'for folder in /etc/apt /var/lib/dpkg; do [ ! -d $folder ] || mount -t tmpfs tmpfs $folder; done; exec "$@"'
    command = shop.command("lock", "--upgrade", "--json")
    error = shop.run(apart(elsewhere, *command)).error
    assert (error["code"], error["exit_code"]) == ("mirror-unconfigured", 2)
    assert "LOCKAGE_DEBIAN_MIRROR" in error["hint"]
    shop.settings.update(LOCKAGE_DEBIAN_MIRROR=mirror, no_proxy=proxies["no"])
    shop.settings.update({f"{kind}_proxy": proxies[kind] for kind in ("http", "https") if kind in proxies})
    done = shop.run(apart(elsewhere, *command))
    assert done.code == 0, done
    shop.commit("locked elsewhere")
    done = shop.run(apart(elsewhere, *shop.command("build", "--json")))
    assert done.code == 0, done


# Signals

STEPS = """
[step.long]
{kind}
environment = "build"
run = "echo begun > out.txt; exec sleep 98765.25"
outputs = ["out.txt"]
"""


def _running() -> list[str]:
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes()
        except OSError:
            continue
        if b"sleep\x0098765.25" in words or b"lockage-uv-" in words:
            found.append(words.decode())
    return found


def _until(condition: Callable[[], object], process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("command", "number"),
    [
        ("build", signal.SIGHUP),
        ("test", signal.SIGTERM),
        ("verify", signal.SIGTERM),
        ("lock: mirror", signal.SIGTERM),
        ("lock: index", signal.SIGHUP),
    ],
)
def test_a_signal_ends_every_long_command_and_leaves_nothing(shop: Store, tmp_path: Path, command: str, number: signal.Signals) -> None:
    word, _, where = command.partition(": ")
    before = shop.ledger_head()
    (tmp_path / "tmp").mkdir()
    with ExitStack() as held, socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and says nothing
        nowhere = f"http://127.0.0.1:{silent.getsockname()[1]}"
        settings = {"TMPDIR": str(tmp_path / "tmp")}
        if where == "mirror":
            settings["LOCKAGE_DEBIAN_MIRROR"] = nowhere
        elif where == "index":
            settings |= {"LOCKAGE_PYTHON_INDEX": f"{nowhere}/simple", "PIP_FIND_LINKS": ""}
        else:
            shop.recipe(STEPS.format(kind='kind = "test"' if word == "test" else 'artifacts = ["out.txt"]'))
        arguments = [word, "--upgrade"] if word == "lock" else [word]
        process = shop.start(*arguments, **settings)
        try:
            if word == "lock":
                silent.settimeout(60)
                held.enter_context(silent.accept()[0])
            else:
                _until(_running, process)
            process.send_signal(number)
            _, told = process.communicate(timeout=30)
        finally:
            process.kill()
            process.wait()
    assert process.returncode == 128 + number, told
    assert "terminated; nothing half-written was left behind" in told
    assert _running() == []
    assert shop.ledger_head() == before
    assert list((tmp_path / "tmp").iterdir()) == []
    assert list((shop.home / "blobs" / "tmp").glob("*/*")) == []
    assert not (shop.work / "dist").exists()

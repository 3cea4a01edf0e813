"""Bad input: a host without room, network or user namespaces. Each is named with its remedy; with the remedy, it works."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Done, Store

pytestmark = [pytest.mark.sandbox, pytest.mark.network]

#: Nothing listens on this port of the loopback.
NOWHERE = "http://127.0.0.1:9"


# A full disk

FULL = """
import importlib.util, os, shutil, sys
from pathlib import Path
conftest, home, keys, work = sys.argv[1:5]
spec = importlib.util.spec_from_file_location("conftest", conftest)
conftest = importlib.util.module_from_spec(spec)
sys.modules["conftest"] = conftest
spec.loader.exec_module(conftest)
store = conftest.Store(Path(home), Path(keys), Path(work))
ballast = store.home / "ballast"

def fill(room):
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 20))
        except OSError:
            pass
        try:
            while True:
                file.write(bytes(512))
        except OSError:
            pass
        file.truncate(max(0, file.tell() - room))

def refused(done, room):
    error = done.error
    assert (error["code"], error["exit_code"]) == ("store-unwritable", 8), (room, error)
    assert str(store.home) in error["message"] and "full" in error["message"], error
    assert "LOCKAGE_HOME" in error["hint"]

words = 0
seen = set()
for command in (["build"], ["test"], ["release"], ["promote", "shop", "--to", "dev"]):
    for room in (0, 4 << 10, 16 << 10, 48 << 10, 128 << 10, 400 << 10):
        if command == ["build"]:
            words += 1
            (store.work / "README.md").write_text(f"words {words}\\n")
            store.commit()
        before = store.ledger_head(), store.whole_blobs()
        fill(room)
        done = store(*command, "--json")
        seen.add((command[0], done.code == 0))
        if done.code:
            refused(done, room)
            ballast.unlink()
            assert store.ledger_head() == before[0], (command, room)
            assert before[1] <= store.whole_blobs()
            store("ledger", "verify", expect=0)
        else:
            ballast.unlink()
    store(*command, "--json", expect=0)
    store("ledger", "verify", expect=0)
for command in ("build", "release", "promote"):
    assert (command, False) in seen, seen
fill(0)
out = store("pull", "dev", "--into", store.home / "out", "--json")
assert (out.error["code"], out.code) == ("folder-unwritable", 8), out
assert not (store.home / "out").exists()
store("status", expect=0)
ballast.unlink()
store("pull", "dev", "--into", store.home / "out", expect=0)
assert list((store.home / "blobs" / "tmp").glob("*/*")) == []
"""


def test_a_full_disk_is_named_and_nothing_is_lost(shop: Store, tmp_path: Path) -> None:
    mount = 'mount -t tmpfs -o size=400m,mode=700 tmpfs "$1"; cp -a "$2/." "$1"; shift 2; exec "$@"'
    home = tmp_path / "small"
    home.mkdir()
    shop.recipe(
        """
[step.good]
environment = "build"
inputs = ["README.md"]
run = "mkdir out && cp README.md out/good.txt"
outputs = ["out"]
artifacts = ["out/*.txt"]
"""
    )
    conftest = Path(__file__).with_name("conftest.py")
    inner = [sys.executable, "-c", FULL, str(conftest), str(home), str(shop.keys), str(shop.work)]
    done = shop.run(["unshare", "-rm", "sh", "-euc", mount, "sh", str(home), str(shop.home), *inner])
    assert done.code == 0, done.stderr


def test_a_store_that_can_only_be_read_is_verified(shop: Store, tmp_path: Path) -> None:
    home = tmp_path / "copy"  # with files of its own: their inodes are other ones than when they were made
    subprocess.run(["cp", "-a", shop.home, home], check=True)
    (home / "roots").unlink()  # a link to those that other tests share
    subprocess.run(["cp", "-a", (shop.home / "roots").resolve(), home / "roots"], check=True)

    def read_only(*arguments: str) -> Done:
        mount = 'mount --bind "$1" "$1"; mount -o remount,ro,bind "$1"; shift; exec "$@"'
        return shop.run(["unshare", "-rm", "sh", "-euc", mount, "sh", str(home), *shop.command(*arguments)], LOCKAGE_HOME=str(home))

    done = read_only("env", "verify", "--json")
    assert (done.code, done.json["whole"]) == (0, True), done
    assert read_only("show", "--json").code == 0
    program = next((home / "roots" / "os").glob("*/root/usr/bin/env"))
    program.chmod(0o755)
    program.write_bytes(b"EVIL")
    done = read_only("env", "verify", "--json")
    assert (done.code, done.json["whole"]) == (6, False), done
    assert "usr/bin/env" in done.stdout


def test_a_store_that_may_not_be_written_is_named(cli: Store) -> None:
    cli.home.write_text("a file, not a folder")
    error = cli("policy", "list", "--json", expect=8).error
    assert error["code"] in ("store-unwritable", "store-unreadable")
    assert str(cli.home) in error["message"]


# No network


def test_a_mirror_that_does_not_answer_is_named(cli: Store) -> None:
    (cli.work / "lockage.toml").write_text(
        '[project]\nname = "tiny"\nversion = "1"\n[environment.build]\nos = "debian:bookworm"\n'
        '[step.one]\nenvironment = "build"\nrun = "mkdir out"\noutputs = ["out"]\nartifacts = ["out/*"]\n'
    )
    error = cli("lock", "--json", expect=10, LOCKAGE_DEBIAN_MIRROR=f"{NOWHERE}/debian").error
    assert error["code"] == "service-unreachable"
    assert "127.0.0.1:9" in error["message"]
    assert not (cli.work / "lockage.lock").exists()
    for setting in ("not an address", "ftp://127.0.0.1/debian"):
        error = cli("lock", "--json", expect=2, LOCKAGE_DEBIAN_MIRROR=setting).error
        assert "LOCKAGE_DEBIAN_MIRROR" in error["message"] + error["hint"]


def test_an_index_that_does_not_answer_is_named(shop: Store) -> None:
    lock = (shop.work / "lockage.lock").read_bytes()
    recipe = shop.work / "lockage.toml"
    recipe.write_text(recipe.read_text().replace('"build", ', '"build", "idna", '))
    before = shop.kept()
    error = shop("lock", "--json", expect=10, LOCKAGE_PYTHON_INDEX=f"{NOWHERE}/simple", PIP_FIND_LINKS="").error
    assert error["code"] == "service-unreachable"
    assert "127.0.0.1:9" in error["message"]
    assert (shop.work / "lockage.lock").read_bytes() == lock
    assert shop.ledger_head()[0] == before.size


def test_what_is_locked_and_kept_needs_no_network_and_what_is_not_says_so(shop: Store) -> None:
    shop.settings.update(LOCKAGE_DEBIAN_MIRROR=f"{NOWHERE}/debian", LOCKAGE_PYTHON_INDEX=f"{NOWHERE}/simple", PIP_FIND_LINKS="")
    shutil.rmtree(shop.home / "actions")
    shutil.rmtree(shop.home / "memo")
    shop("build", "--json", expect=0)
    lock = json.loads((shop.work / "lockage.lock").read_text())["environments"]["build"]
    for kind, name in (("packages", "libexpat1"), ("python", "packaging")):
        pinned = next(item for item in lock[kind] if item["name"] == name)
        kept = shop.blob(pinned["sha256"])
        kept.rename(shop.work.with_name(name))
        shutil.rmtree(shop.home / "actions", ignore_errors=True)
        error = shop("build", "--json", expect=10).error
        assert error["code"] == "service-unreachable"
        assert "127.0.0.1:9" in error["message"]
        shop.work.with_name(name).rename(kept)


# No user namespaces

BWRAP = {
    "no-namespaces": "bwrap: No permissions to create new namespace, likely because the kernel does not allow non-privileged ones.",
    "apparmor": "bwrap: setting up uid map: Permission denied",
    "loopback": "bwrap: loopback: Failed RTM_NEWADDR: Operation not permitted",
    "container": "bwrap: Can't mount proc on /newroot/proc: Operation not permitted",
}


@pytest.mark.parametrize("case", BWRAP)
def test_a_host_that_forbids_the_sandbox_is_explained(shop: Store, tmp_path: Path, case: str) -> None:
    program = tmp_path / "bwrap"
    program.write_text(f'#!/bin/sh\necho "{BWRAP[case]}" >&2\nexit 1\n')
    program.chmod(0o755)
    shutil.rmtree(shop.home / "actions")
    before = shop.kept()
    error = shop("build", "--json", expect=8, LOCKAGE_BWRAP=str(program)).error
    assert error["code"] == "sandbox-unavailable"
    assert BWRAP[case] in error["message"] + str(error["details"])
    assert "docs/sandbox.md" in error["hint"]
    after = shop.kept()
    assert (after.size, after.checkpoint) == (before.size, before.checkpoint)
    assert not (shop.work / "dist").exists()
    shop("build", "--json", expect=0)


def test_a_sandbox_program_that_dies_and_leaves_a_process_is_not_waited_for(shop: Store, tmp_path: Path) -> None:
    """So does bubblewrap when it is killed after it has made its child and before it has told of it."""
    program = tmp_path / "bwrap"
    left = tmp_path / "left"
    program.write_text(f"#!/bin/sh\nsleep 1000 3>&- 4>&- 5>&- &\necho $! >> {left}\nkill -KILL $$\n")
    program.chmod(0o755)
    shutil.rmtree(shop.home / "actions")
    done = shop.run(["timeout", "60", *shop.command("build", "--json", "--jobs", "1")], LOCKAGE_BWRAP=str(program))
    assert done.error["code"] == "sandbox-unavailable"
    for pid in left.read_text().split():
        state = Path("/proc") / pid / "stat"
        assert not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z"  # dead, and its new parent has not looked


def test_a_kernel_setting_that_forbids_the_sandbox_is_named(shop: Store) -> None:
    shutil.rmtree(shop.home / "actions")
    forbid = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"'
    done = shop.run(["unshare", "-r", "sh", "-euc", forbid, "sh", *shop.command("build", "--json")])
    assert done.code == 8, done
    assert done.error["code"] == "sandbox-unavailable"
    assert "max_user_namespaces" in done.error["message"]
    assert "sysctl -w user.max_user_namespaces" in done.error["hint"]
    shop("build", "--json", expect=0)


@pytest.mark.parametrize("program", ["nowhere", "folder", "text"])
def test_a_sandbox_program_that_is_none_is_named(shop: Store, tmp_path: Path, program: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_text("not a program")
    shutil.rmtree(shop.home / "actions")
    error = shop("build", "--json", expect=2, LOCKAGE_BWRAP=str(tmp_path / program)).error
    assert error["code"] == "invalid-setting"
    assert "LOCKAGE_BWRAP" in error["message"]
    assert str(tmp_path / program) in error["message"]

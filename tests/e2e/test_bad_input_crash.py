"""Bad input: a process killed, or interrupted, at each durable step in turn. What was is still there, and the next run goes through."""

from __future__ import annotations

import json
import shutil
import signal
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Done, Store

pytestmark = [pytest.mark.sandbox, pytest.mark.network]

#: The program, sent a signal by itself before its n-th durable step.
DRIVER = """
import os, sys
from lockage import durable
stop_at, number = int(sys.argv.pop(1)), int(sys.argv.pop(1))
count = 0
def reached(step):
    global count
    count += 1
    if count == stop_at:
        os.kill(os.getpid(), number)
durable.reached = reached
from lockage.cli import main
main()
"""

STEPS = """
[step.good]
environment = "build"
inputs = ["README.md"]
run = "mkdir out && cp README.md out/good.txt"
outputs = ["out"]
artifacts = ["out/*.txt"]

[step.unit]
kind = "test"
environment = "build"
inputs = ["README.md"]
run = "true"
"""
#: How many tests share the steps of one command.
SHARDS = 4


def stopped(store: Store, stop_at: int, *arguments: str, number: signal.Signals = signal.SIGKILL) -> bool:
    """Run the program to its n-th durable step; False if it came to its end before."""
    done = store.run([sys.executable, "-P", "-c", DRIVER, str(stop_at), str(int(number)), *arguments])
    if done.code == 0:
        return False
    assert done.code == (-9 if number is signal.SIGKILL else 130), done
    assert "Traceback" not in done.stderr, done
    return True


def commit_words(store: Store, words: str) -> None:
    (store.work / "README.md").write_text(f"{words}\n")
    store.commit(words)


def whole(store: Store, size: int, *grown: int) -> None:
    """The ledger has its old size or one of the grown ones, and every blob is what its name says."""
    assert store.ledger_head()[0] in (size, *(size + more for more in grown))
    store.whole_blobs()


@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_build_stopped_at_any_step_is_built_by_the_next(shop: Store, shard: int, number: signal.Signals) -> None:
    shop.recipe(STEPS)
    stop_at = shard + 1
    while True:
        commit_words(shop, f"build {stop_at}")
        size = shop.ledger_head()[0]
        ended = not stopped(shop, stop_at, "build", number=number)
        whole(shop, size, 1)
        built = shop("build", "--json", expect=0).json
        assert (shop.work / "dist" / "good.txt").read_text() == f"build {stop_at}\n"
        assert len(built["artifacts"]) == 1
        assert shop.ledger_head()[0] in (size + 1, size + 2)  # twice if it was stopped before it could remember the first
        if ended:
            break
        stop_at += SHARDS if number is signal.SIGKILL else 3 * SHARDS
    assert stop_at > 30
    shop("ledger", "verify", expect=0)
    assert list((shop.home / "blobs" / "tmp").glob("*/*")) == []


def test_a_release_stopped_at_any_step_is_closed_once_by_the_next(shop: Store) -> None:
    shop.recipe(STEPS)
    stop_at = 0
    ended = False
    while not ended:
        stop_at += 1
        commit_words(shop, f"release {stop_at}")
        shop("build", expect=0)
        size = shop.ledger_head()[0]
        ended = not stopped(shop, stop_at, "release")
        whole(shop, size, 1)
        recorded = shop.ledger_head()[0] == size + 1
        closed = shop("release", "--json", expect=0).json
        assert closed["release"] == f"shop@1.2.0-{stop_at}"
        assert closed["new"] is not recorded
        assert shop.ledger_head()[0] == size + 1
    assert stop_at > 8
    assert len(shop("status", "--json", expect=0).json["projects"][0]["releases"]) == stop_at
    shop("ledger", "verify", expect=0)


def _two_releases(store: Store) -> None:
    store.recipe(STEPS)
    for words in ("one", "two"):
        commit_words(store, words)
        store("test", expect=0)
        store("release", expect=0)


@pytest.mark.parametrize("command", ["promote", "rollback"])
def test_a_promotion_stopped_at_any_step_leaves_the_state_before_or_after(shop: Store, command: str) -> None:
    _two_releases(shop)
    generation = 0
    if command == "rollback":
        for release in ("shop@1.2.0-1", "shop@1.2.0-2"):
            shop("promote", release, "--to", "dev", expect=0)
        generation = 2
    stop_at = 0
    ended = False
    while not ended:
        stop_at += 1
        release = f"shop@1.2.0-{1 + (stop_at + 1) % 2}"
        arguments = ("promote", release, "--to", "dev") if command == "promote" else ("rollback", "dev", "--to", release)
        before = shop.kept()
        ended = not stopped(shop, stop_at, *arguments)
        after = shop.kept()
        head = after.heads["shop", "dev"]
        assert head in (before.heads["shop", "dev"], (release, generation + 1))
        assert before.blobs <= after.blobs
        if head[1] == generation:
            assert not ended
            shop(*arguments, expect=0)
        generation += 1
        assert shop.kept().heads["shop", "dev"] == (release, generation)
        if stop_at % 5 == 0 or ended:
            shop("ledger", "verify", expect=0)
            shop("pull", "dev", "--into", "../out", expect=0)
    assert stop_at > 12


def test_a_store_whose_beginning_was_stopped_is_begun_by_the_next(cli: Store) -> None:
    stop_at = 0
    ended = False
    while not ended:
        stop_at += 1
        ended = not stopped(cli, stop_at, "policy", "list")
        cli.whole_blobs()
        assert len(cli("policy", "list", "--json", expect=0).json["policies"]) == 3
        for folder in (cli.home, cli.keys):
            shutil.rmtree(folder)
    assert stop_at > 17


def test_a_reader_of_what_a_killed_process_left_sees_only_whole_things(shop: Store) -> None:
    """Files that are not durable by themselves may be cut off: they count as absent."""
    for folder in ("memo", "actions", "runs"):
        for path in (shop.home / folder).rglob("*"):
            if path.is_file():
                mode, cut = path.stat().st_mode, path.read_bytes()[:-7]
                path.unlink()  # other copies of the store share it
                path.write_bytes(cut)
                path.chmod(mode)
    built: Done = shop("build", "--json", expect=0)
    assert json.loads(built.stdout)["artifacts"]
    shop("logs", expect=0)

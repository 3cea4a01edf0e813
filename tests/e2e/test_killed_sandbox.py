"""kill -9 of the real program with the real sandbox, at changes spread over a build: nothing lives on, and the next build is the same."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.crash.watch import KILL, Change, Ended, watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.conftest import Store

pytestmark = [pytest.mark.sandbox, pytest.mark.network]

STEPS = """
[step.good]
environment = "build"
inputs = ["README.md"]
run = "mkdir out && for n in 1 2 3; do cp README.md out/$n.txt; sleep 0.05; done; : {mark}"
outputs = ["out"]
artifacts = ["out/*.txt"]
"""
#: While the first runs, the sandbox of the second is made, as there is one job. Nothing is made early before a step has been executed.
EARLY = """
[step.zeroth]
environment = "build"
inputs = []
run = "mkdir zeroth; : {mark}"
outputs = ["zeroth"]
[step.first]
environment = "build"
inputs = []
run = "sleep 1000; : {mark}-first"
outputs = ["first"]
[step.second]
environment = "build"
inputs = ["README.md"]
run = "mkdir second; : {mark}-second"
outputs = ["second"]
"""
#: How many of a build's changes are the last.
KILLS = 4


def _living(mark: str) -> list[str]:
    """The processes that have the mark on their command lines, and are no zombies."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if mark in words and int(folder.name) != os.getpid():
            found.append(words)
    return found


def _watched(store: Store, tmp_path: Path, stop_at: int | None) -> Ended:
    """A build, killed before a change of the store or the results."""

    def run() -> int:
        os.chdir(store.work)
        command = store.command("build", "--json")
        os.execve(command[0], command, store.environment())

    def decide(change: Change) -> int:
        return KILL if change.number == stop_at else 0

    return watch(run, [store.home, store.work / "dist"], decide, tmp_path)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGKILL, -9)], ids=str
)
def test_a_sandbox_that_was_made_early_ends_with_lockage(shop: Store, number: signal.Signals, code: int) -> None:
    mark = f"mark-{os.getpid()}-{time.monotonic_ns()}"
    shop.recipe(EARLY.replace("{mark}", mark))
    process = shop.start("build", "--jobs", "1", "--json")
    try:
        # bubblewrap and its child: it has asked to die with its parent by then, before which a kill cannot be told to it
        _until(lambda: len(_living(f"{mark}-first")) > 1 and len(_living(f"{mark}-second")) > 1)
        time.sleep(0.5)
    finally:
        process.send_signal(number)
        _, words = process.communicate(timeout=60)
    assert process.returncode == code, words
    _until(lambda: not _living(mark))
    shop.recipe(EARLY.replace("{mark}", mark).replace("sleep 1000", "mkdir first"))
    shop("build", "--jobs", "1", "--json", expect=0)
    assert [path for path in shop.home.glob("*/tmp/*") if path.parent.parent.name != "roots"] == []


def test_a_sandbox_that_was_made_early_is_not_left_when_a_step_fails(shop: Store) -> None:
    mark = f"mark-{os.getpid()}-{time.monotonic_ns()}"
    shop.recipe(EARLY.replace("{mark}", mark).replace("sleep 1000", "sleep 0.5; exit 3"))
    assert shop("build", "--jobs", "1", "--json", expect=9).error["details"]["step"] == "first"
    assert _living(mark) == []


def _until(holds: Callable[[], bool]) -> None:
    """Wait until it holds, for a minute at most."""
    until = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_killed_build_leaves_no_process_no_mount_and_no_folder(shop: Store, tmp_path: Path) -> None:
    mark = f"mark-{os.getpid()}-{time.monotonic_ns()}"
    shop.recipe(STEPS.replace("{mark}", mark))
    (shop.work / "dist").mkdir(exist_ok=True)
    assert _watched(shop, tmp_path, None).code == 0
    (shop.work / "README.md").write_text("again\n")  # with everything there that only the first needs to make
    shop.commit()
    whole = _watched(shop, tmp_path, None)
    assert whole.code == 0, whole
    mounts = Path("/proc/self/mountinfo").read_text()
    for place in range(KILLS):
        (shop.work / "README.md").write_text(f"kill {place}\n")
        shop.commit()
        killed = _watched(shop, tmp_path, 1 + (whole.changes - 20) * place // KILLS)
        assert killed.code == -9, killed
        until = time.monotonic() + 10
        while _living(mark) and time.monotonic() < until:
            time.sleep(0.02)
        assert _living(mark) == []
        assert Path("/proc/self/mountinfo").read_text() == mounts
        shop.whole_blobs()
        shop("build", "--json", expect=0)
        assert {path.name: path.read_text() for path in (shop.work / "dist").glob("*.txt")} == {
            f"{number}.txt": f"kill {place}\n" for number in (1, 2, 3)
        }
    (shop.work / "README.md").write_text("the last\n")
    shop.commit()
    shop("build", "--json", expect=0)
    left = [path for path in shop.home.rglob("*") if path.name.startswith("workspace-") or path.suffix == ".partial"]
    left += [path for path in shop.home.glob("*/tmp/*") if path.parent.parent.name != "roots"]
    assert left == []
    shop("store", "check", expect=0)

"""Bad input: steps that fail, hang, write or fork without end, or do not make what they promise; and the interrupted build."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Store

pytestmark = [pytest.mark.sandbox, pytest.mark.network]

GOOD = """
[step.good]
environment = "build"
inputs = ["README.md"]
run = "mkdir out && echo good > out/good.txt"
outputs = ["out"]
artifacts = ["out/*.txt"]
"""


#: Goes on where the kernel refuses a fork: it does for an ordinary user, and a shell would end there.
FORKS = """python3 -c 'import os, time
while True:
    try:
        os.fork() or time.sleep(1000)
    except OSError:
        time.sleep(0.1)'"""


def bad_step(run: str, more: str = "") -> str:
    return f"""{GOOD}
[step.bad]
environment = "build"
needs = ["good"]
run = '''{run}'''
outputs = ["made"]
artifacts = ["made/*"]
{more}
"""


def processes_of(store: Store) -> list[str]:
    """Command lines of processes that have the store's path among their arguments or environment, other than ours."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                words = (folder / "cmdline").read_bytes() + b"\0" + (folder / "environ").read_bytes()
            except OSError:
                continue
            if str(store.home).encode() in words:
                found.append(words.partition(b"\0\0")[0].decode(errors="replace"))
    return found


CASES = {
    "fails": ("echo to the log; echo more >&2; exit 3", "", "exit-code", "exited with 3"),
    "makes-nothing": ("true", "", "output-missing", "made"),
    "makes-nothing-that-is-wanted": ("mkdir made", "", "", "made/*"),
    "hangs": ("sleep 1000 & sleep 1000", 'timeout = "2 s"', "timeout", "2 s"),
    "ignores-signals": ("trap '' TERM INT HUP; while :; do sleep 1; done", 'timeout = "2 s"', "timeout", "2 s"),
    "logs-without-end": ("yes a line for the log", "", "log-limit", "64.0 MiB"),
    "fills-the-disk": ("yes > made", 'disk = "8 MiB"', "disk-limit", "8.0 MiB"),
    "forks-without-end": (FORKS, "processes = 64", "processes-limit", "64"),
    "takes-all-memory": ("python3 -c 'a = [bytearray(1 << 20) for _ in range(4096)]'", 'memory = "64 MiB"', "memory-limit", "64.0 MiB"),
    "takes-all-memory-in-many-processes": (
        "python3 -c 'import os, time; os.fork(); os.fork(); a = [bytearray(1 << 20) for _ in range(48)]; time.sleep(60)'",
        'memory = "64 MiB"',
        "memory-limit",
        "64.0 MiB",
    ),
    "fills-the-temporary-folder": ("yes > /tmp/x", 'disk = "8 MiB"', "disk-limit", "8.0 MiB"),
    "promises-more-than-there-is": ("mkdir made && truncate -s 1T made/a", 'disk = "8 MiB"', "disk-limit", "8.0 MiB"),
    "hides-from-its-time": (
        "mkdir made; (setsid sh -c 'trap \"\" TERM HUP; sleep 1000' &); sleep 1000",
        'timeout = "2 s"',
        "timeout",
        "2 s",
    ),
    "links-out-of-the-tree": ("mkdir made && ln -s /etc/passwd made/a", "", "output-unsafe-link", "/etc/passwd"),
    "makes-a-pipe": ("mkdir made && mkfifo made/a", "", "output-special-file", "made/a"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_bad_step_is_ended_and_explained(shop: Store, case: str) -> None:
    run, more, reason, named = CASES[case]
    shop.recipe(bad_step(run, more))
    before = shop.kept()
    error = shop("build", "--json", expect=9).error
    if reason:
        assert error["code"] == "step-not-done"
        assert error["details"]["step"] == "bad"
        assert error["details"]["reason"] == reason
    assert "'bad'" in error["message"]
    _the_limit_is_told(error, shop.work / "lockage.toml", more)
    assert named in error["message"]
    assert "lockage logs" in error["hint"] or not reason
    after = shop.kept()
    assert (after.size, after.checkpoint, after.projects) == (before.size, before.checkpoint, before.projects)
    assert before.blobs <= after.blobs
    assert not (shop.work / "dist").exists()
    assert processes_of(shop) == []
    # What was done is kept: mended, only the mended step runs.
    shop.recipe(bad_step("mkdir made && echo fine > made/fine.txt"))
    mended = shop("build", "--json", expect=0).json
    assert [step["cached"] for step in mended["steps"]] == [True, False]
    assert sorted(path.name for path in (shop.work / "dist").iterdir() if path.suffix == ".txt") == ["fine.txt", "good.txt"]


def _the_limit_is_told(error: dict[str, Any], recipe: Path, more: str) -> None:
    """A limit is told by the key that raises it and the line where that stands."""
    details, limited = (
        error["details"],
        error["details"].get("reason", "").endswith("-limit") or error["details"].get("reason") == "timeout",
    )
    assert ("limit" in details) is limited
    if not limited:
        return
    assert details["reached"] >= details["allowed"] > 0
    if details["limit"] == "log":
        assert "into a file" in error["hint"]
        return
    assert more.startswith(f"{details['limit']} = ")
    line = recipe.read_text().splitlines().index(more) + 1
    assert f"raise `{details['limit']}` of step 'bad' in lockage.toml:{line}, which is" in error["hint"]


def test_the_log_of_a_failed_step_can_be_read(shop: Store) -> None:
    shop.recipe(bad_step("echo to the log; exit 3"))
    error = shop("build", "--json", expect=9).error
    assert error["details"]["last_lines"] == ["to the log"]
    command = error["hint"].partition("`lockage ")[2].partition("`")[0]
    assert "to the log" in shop(*command.split(), expect=0).stdout


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_an_interrupted_build_leaves_no_process_and_nothing_half_written(shop: Store, number: signal.Signals, code: int) -> None:
    shop.recipe(bad_step("echo started; trap '' TERM INT; sleep 1000 & mkdir made; while :; do sleep 1; done"))
    before = shop.kept()
    process = shop.start("build", "--jobs", "2")
    until = time.monotonic() + 60
    while not any("sleep 1000" in words for words in _below(process.pid)):
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.05)
    process.send_signal(number)
    asked = time.monotonic()
    _, words = process.communicate(timeout=60)
    assert time.monotonic() - asked < 10
    assert process.returncode == code, words
    if code > 0:
        assert "Traceback" not in words
        assert "nothing half-written was left behind" in words
    until = time.monotonic() + 5
    while processes_of(shop) and time.monotonic() < until:
        time.sleep(0.05)
    assert processes_of(shop) == []
    after = shop.kept()
    assert (after.size, after.checkpoint) == (before.size, before.checkpoint)
    assert before.blobs <= after.blobs
    assert not (shop.work / "dist").exists()
    shop.recipe(bad_step("mkdir made && echo fine > made/fine.txt"))
    shop("build", "--json", expect=0)
    assert list((shop.home / "blobs" / "tmp").glob("*/*")) == []


def _below(pid: int) -> list[str]:
    """The command lines of a process's descendants."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found, wanted = [], [pid]
    while wanted:
        parent = wanted.pop()
        for child in [child for child, above in parents.items() if above == parent]:
            wanted.append(child)
            try:
                found.append((Path("/proc") / str(child) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
            except OSError:
                continue
    return found

"""How bubblewrap's process is started: its descriptors, umask and folder, and that nothing of ours changes."""

from __future__ import annotations

import json
import os
import sys
import threading

import pytest

from lockage.adapters.sandbox_bwrap.spawn import Request, Spawner

SAYS = """
import json, os
open_ones = sorted(int(name) for name in os.listdir("/proc/self/fd"))
found = {"umask": os.umask(0), "folder": os.getcwd(), "group": os.getpgid(0) == os.getpid(), "environ": open("/proc/self/environ").read()}
found["open"] = [number for number in open_ones if os.path.exists(f"/proc/self/fd/{number}")]
found["read"] = [os.pread(number, 100, 0).decode() for number in range(int(os.sys.argv[1]))]
os.write(int(os.sys.argv[2]), json.dumps(found).encode())
"""


@pytest.fixture
def spawner() -> Spawner:
    return Spawner()


def said(spawner: Spawner, *, umask: int, count: int = 3) -> dict[str, object]:
    """What a process tells of itself that was started with so many files, and another one to tell by."""
    files = [os.memfd_create(f"{number}") for number in range(count)]
    for number, file in enumerate(files):
        os.write(file, str(number).encode())
    answer = os.memfd_create("answer")
    try:
        command = ("python", "-IS", "-c", SAYS, str(count), str(count))
        request = Request(sys.executable, command, [*reversed(files), answer], umask=umask, personality=0)
        process = spawner.start(request)
        assert os.waitpid(process, 0)[1] == 0
        found: dict[str, object] = json.loads(os.pread(answer, 1 << 16, 0))
        return found
    finally:
        for file in (*files, answer):
            os.close(file)


@pytest.mark.parametrize("umask", [0o022, 0o027])
def test_a_process_gets_what_is_asked_for_and_nothing_else(spawner: Spawner, umask: int) -> None:
    before = os.umask(0o022)
    try:
        found = said(spawner, umask=umask)
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)
    assert found["umask"] == umask
    assert found["folder"] == "/"
    assert found["group"]
    assert found["environ"] == ""
    assert found["open"] == [0, 1, 2, 3]


def test_descriptors_may_have_the_numbers_of_others(spawner: Spawner) -> None:
    """So many files that the numbers of some are those that others are to have."""
    found = said(spawner, umask=0o022, count=60)
    assert found["read"] == [str(number) for number in reversed(range(60))]


def test_a_umask_that_changes_meanwhile_is_noticed(spawner: Spawner) -> None:
    before = os.umask(0o022)
    try:
        assert said(spawner, umask=0o022)["umask"] == 0o022
        os.umask(0o077)
        assert said(spawner, umask=0o022)["umask"] == 0o022
        assert os.umask(0o077) == 0o077
    finally:
        os.umask(before)


def test_several_threads_spawn_at_once(spawner: Spawner) -> None:
    found: list[object] = []

    def work(umask: int) -> None:
        found.append(said(spawner, umask=umask)["umask"])

    threads = [threading.Thread(target=work, args=(umask,)) for umask in (0o22, 0o27) * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found, key=str) == [0o22] * 3 + [0o27] * 3

"""Control groups: a folder that looks like cgroup2, and the kernel's own where this host lets us make a group."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from lockage.adapters.sandbox_bwrap.measure import ceiling, explain_kill, measured
from lockage.recipe.model import Resources
from lockage.record.result import Exceeded
from lockage.running.cgroup import Group, Groups, Totals
from lockage.running.ended import Ended
from lockage.running.log import Log
from lockage.running.watch import Watch
from lockage.variation import CONTRACT

FILES = {
    "memory.max": "max\n",
    "memory.swap.max": "max\n",
    "memory.oom.group": "0\n",
    "pids.max": "max\n",
    "cpu.max": "max 100000\n",
    "cgroup.procs": "",
    "memory.stat": "anon 1048576\nfile 4096\nkernel 77\n",
    "memory.peak": "9000000\n",
    "memory.events": "low 0\nhigh 0\nmax 3\noom 1\noom_kill 2\noom_group_kill 1\n",
    "pids.current": "5\n",
    "pids.peak": "17\n",
    "pids.events": "max 4\n",
    "cpu.stat": "usage_usec 3500000\nuser_usec 2500400\nsystem_usec 999600\nnr_periods 0\n",
    "io.stat": "254:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n254:16 rbytes=100 wbytes=1 rios=1 wios=1 dbytes=0 dios=0\n",
}


def look_alike(folder: Path, *, controllers: str = "cpu io memory pids", handed_on: str = "cpu io memory pids") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cgroup.controllers").write_text(f"{controllers}\n")
    (folder / "cgroup.subtree_control").write_text(f"{handed_on}\n")
    (folder / "cgroup.procs").write_text("")
    return folder


def group(folder: Path, **changed: str | None) -> Group:
    folder.mkdir(parents=True)
    for name, text in {**FILES, **{key.replace("__", "."): value for key, value in changed.items()}}.items():
        if text is not None:
            (folder / name).write_text(text)
    return Group(folder)


def test_limits_are_the_kernels(tmp_path: Path) -> None:
    one = group(tmp_path / "g")
    one.limit(memory=1 << 30, processes=64, cpus=3)
    one.add(4711)
    assert {name: (tmp_path / "g" / name).read_text() for name in ("memory.max", "memory.swap.max", "pids.max", "cpu.max")} == {
        "memory.max": str(1 << 30),
        "memory.swap.max": "0",
        "pids.max": "64",
        "cpu.max": "300000 100000",
    }
    assert (tmp_path / "g" / "memory.oom.group").read_text() == "1"
    assert (tmp_path / "g" / "cgroup.procs").read_text() == "4711"


def test_what_the_kernel_counted_is_read(tmp_path: Path) -> None:
    one = group(tmp_path / "g")
    assert one.now() == (1 << 20, 5)
    assert one.totals() == Totals(
        user_ms=2500,
        system_ms=1000,
        peak_charged=9_000_000,
        disk_read_bytes=4196,
        disk_written_bytes=8193,
        peak_processes=17,
        killed_for_memory=2,
        refused_forks=4,
    )


def test_what_an_older_kernel_or_a_smaller_delegation_lacks_is_not_known(tmp_path: Path) -> None:
    one = group(tmp_path / "g", memory__peak=None, pids__peak=None, io__stat=None, cpu__max=None, memory__swap__max=None)
    one.limit(memory=1, processes=1, cpus=1)
    found = one.totals()
    assert (found.peak_charged, found.peak_processes, found.disk_read_bytes, found.disk_written_bytes) == (None,) * 4
    assert not (tmp_path / "g" / "memory.swap.max").exists(), "nothing is made that the kernel has not"


def test_the_nearest_group_that_hands_on_what_is_needed_is_taken(tmp_path: Path) -> None:
    look_alike(tmp_path)
    look_alike(tmp_path / "user")
    look_alike(tmp_path / "user" / "terminal", handed_on="")
    made = Groups(tmp_path, "/user/terminal").make()
    assert made is not None
    assert [path.name for path in (tmp_path / "user").iterdir() if path.name.startswith("lockage-")] == [f"lockage-{os.getpid()}-0"]
    made.remove()
    assert not list((tmp_path / "user").glob("lockage-*"))


@pytest.mark.parametrize("handed_on", ["", "memory", "cpu pids"])
def test_without_memory_and_processes_there_is_no_group(tmp_path: Path, handed_on: str) -> None:
    look_alike(tmp_path, controllers=handed_on, handed_on=handed_on)
    assert Groups(tmp_path, "/").make() is None


def test_nothing_above_the_mount_is_looked_at(tmp_path: Path) -> None:
    look_alike(tmp_path)
    look_alike(tmp_path / "mount", controllers="", handed_on="")
    assert Groups(tmp_path / "mount", "/").make() is None


def test_a_group_that_is_ours_alone_is_handed_on(tmp_path: Path) -> None:
    own = look_alike(tmp_path / "scope", handed_on="")
    (own / "cgroup.procs").write_text(f"{os.getpid()}\n")
    assert Groups(tmp_path, "/scope").make() is not None
    assert (own / "cgroup.subtree_control").read_text() == "+cpu +io +memory +pids"
    assert (own / f"lockage-self-{os.getpid()}" / "cgroup.procs").read_text() == str(os.getpid())


def test_a_group_that_others_are_in_is_left_alone(tmp_path: Path) -> None:
    own = look_alike(tmp_path / "scope", handed_on="")
    (own / "cgroup.procs").write_text(f"1\n{os.getpid()}\n")
    assert Groups(tmp_path, "/scope").make() is None
    assert (own / "cgroup.subtree_control").read_text() == "\n"


def test_groups_of_processes_that_are_gone_are_removed(tmp_path: Path) -> None:
    look_alike(tmp_path)
    for name in ("lockage-4194999-0", "lockage-self-4194999", f"lockage-{os.getppid()}-0", "somebody-elses"):
        (tmp_path / name).mkdir()
    Groups(tmp_path, "/").make()
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == sorted(
        [f"lockage-{os.getpid()}-0", f"lockage-{os.getppid()}-0", "somebody-elses"]
    )


MOUNTS = "24 1 0:21 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n25 1 0:22 / /proc rw - proc proc rw\n"


@pytest.mark.parametrize(
    ("mounts", "groups", "found"),
    [
        (MOUNTS, "1:cpu:/\n0::/user.slice/x\n", True),
        ("25 1 0:22 / /proc rw - proc proc rw\n", "0::/\n", False),
        (MOUNTS, "1:cpu:/\n", False),
        (MOUNTS, "0::/../other\n", False),
    ],
)
def test_where_groups_are_is_read_from_proc(tmp_path: Path, mounts: str, groups: str, found: bool) -> None:
    (tmp_path / "mountinfo").write_text(mounts)
    (tmp_path / "cgroup").write_text(groups)
    assert (Groups.of_this_process(tmp_path) is not None) is found
    assert Groups.of_this_process(tmp_path / "nowhere") is None


ENDED = Ended(exit_code=1, user_ms=10, system_ms=20, largest=30, read_bytes=40, written_bytes=50, disk_read_bytes=60, disk_written_bytes=70)


def watched(**limits: int) -> Watch:
    return Watch(Resources(**limits), Log(Path("nowhere")), lambda: None)


def test_the_kernels_count_comes_before_what_was_seen() -> None:
    watch = watched()
    watch.peak, watch.most, watch.last = 100, 4, 9
    seen = measured(ENDED, 1.5, watch, None, CONTRACT)
    assert (seen.wall_ms, seen.user_ms, seen.peak_memory, seen.processes, seen.peak_processes) == (1500, 10, 100, 8, 3)
    assert (seen.disk_read_bytes, seen.peak_charged, seen.source) == (60, 0, "rusage+proc")
    counted = measured(ENDED, 1.5, watch, Totals(user_ms=11, peak_charged=200, disk_read_bytes=0, peak_processes=6), CONTRACT)
    assert (counted.user_ms, counted.system_ms, counted.peak_charged, counted.peak_processes) == (11, 20, 200, 5)
    assert (counted.disk_read_bytes, counted.disk_written_bytes, counted.source) == (0, 70, "cgroup2+proc")


def test_what_the_kernel_killed_for_memory_is_the_memory_limit_and_not_an_exit_code() -> None:
    watch, limits = watched(memory=1 << 20, disk=2 << 20), Resources(memory=1 << 20, disk=2 << 20)
    explain_kill(watch, limits, 137, Totals(killed_for_memory=1, peak_charged=5 << 20), None)
    assert (watch.reason, watch.exceeded) == ("memory-limit", Exceeded(limit="memory", allowed=1 << 20, reached=5 << 20))
    assert "1.0 MiB" in watch.message
    assert "259.0 MiB" in watch.message
    assert ceiling(limits) == 259 << 20


def test_forks_that_the_kernel_refused_are_the_limit_of_processes() -> None:
    watch = watched(processes=7)
    explain_kill(watch, Resources(processes=7), 1, Totals(refused_forks=3), None)
    assert (watch.reason, watch.exceeded) == ("processes-limit", Exceeded(limit="processes", allowed=7, reached=7))


@pytest.mark.parametrize(
    ("code", "before", "reason"), [(137, -1, "host-memory"), (None, -1, "host-memory"), (1, -1, None), (137, 1 << 60, None)]
)
def test_a_host_without_memory_is_told_from_a_step_that_kills_itself(code: int | None, before: int, reason: str | None) -> None:
    watch = watched()
    explain_kill(watch, Resources(), code, None, before)
    assert watch.reason == reason


def _real() -> Path | None:
    """A new group of this kernel; None where this process may make none."""
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    mount = next((Path(line.split()[4]) for line in mounts if " - cgroup2 " in line), None)
    folder = None if mount is None else mount / f"lockage-test-{os.getpid()}-{time.monotonic_ns()}"
    try:
        if folder is not None:
            folder.mkdir()
    except OSError:
        return None
    return folder


def test_a_process_is_counted_by_the_kernel_and_its_group_goes_with_it() -> None:
    folder = _real()
    if folder is None:
        pytest.skip("this process may make no control group")
    one = Group(folder)
    try:
        one.limit(memory=1 << 30, processes=64, cpus=1)
        process = subprocess.Popen(["/bin/sh", "-c", "read line; i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"], stdin=subprocess.PIPE)
        one.add(process.pid)
        process.communicate(b"go\n")
        user = one.totals().user_ms
        assert user is not None
        assert user > 0
    finally:
        one.remove()
    assert not folder.exists()

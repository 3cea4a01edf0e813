"""What steps may take together: of the machine, of its control group, and by settings."""

from pathlib import Path

import pytest

from lockage.wiring import InvalidSetting, Wiring, host
from lockage.wiring.limits import cpu_quota, memory_limit

GIB = 1 << 30


def groups(tmp_path: Path, process: str, files: dict[str, str]) -> tuple[Path, Path]:
    """A folder of control groups, and the file that says in which the process is."""
    (tmp_path / "cgroup").write_text(process)
    for name, text in files.items():
        path = tmp_path / "groups" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return tmp_path / "groups", tmp_path / "cgroup"


@pytest.mark.parametrize(
    ("process", "files", "memory", "cpus"),
    [
        ("0::/\n", {"memory.max": "max", "cpu.max": "max 100000"}, None, None),
        ("0::/\n", {"memory.max": str(3 * GIB), "cpu.max": "250000 100000"}, 3 * GIB, 3),
        (
            "0::/a/b\n",
            {"a/b/memory.max": "max", "a/memory.max": "1000", "a/b/cpu.max": "50000 100000", "a/cpu.max": "800000 100000"},
            1000,
            1,
        ),
        ("0::/docker/id\n", {"memory.max": "2000", "cpu.max": "200000 100000"}, 2000, 2),
        (
            "4:memory:/x\n3:cpu,cpuacct:/\n0::/\n",
            {"memory/x/memory.limit_in_bytes": "4000", "memory/memory.limit_in_bytes": "9000"},
            4000,
            None,
        ),
        ("4:memory:/\n", {"memory/memory.limit_in_bytes": "9223372036854771712"}, None, None),
        ("3:cpu,cpuacct:/\n", {"cpu,cpuacct/cpu.cfs_quota_us": "150000", "cpu,cpuacct/cpu.cfs_period_us": "100000"}, None, 2),
        ("3:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None, None),
        ("0::/../..\n", {"memory.max": "5000"}, 5000, None),
        ("4:memory:/\n0::/a\n", {"unified/a/cpu.max": "100000 100000", "memory/memory.limit_in_bytes": "7"}, 7, 1),
        ("nonsense\n\n", {"memory.max": "x"}, None, None),
    ],
    ids=[
        "none",
        "own",
        "an-ancestor",
        "a-container",
        "v1-memory",
        "v1-unlimited",
        "v1-cpu",
        "v1-no-quota",
        "outside",
        "hybrid",
        "nonsense",
    ],
)
def test_limits_are_the_least_of_all_groups(
    tmp_path: Path, process: str, files: dict[str, str], memory: int | None, cpus: int | None
) -> None:
    top, file = groups(tmp_path, process, files)
    assert memory_limit(top, file) == memory
    assert cpu_quota(top, file) == cpus


def test_a_machine_without_groups_has_no_limits(tmp_path: Path) -> None:
    assert memory_limit(tmp_path, tmp_path / "nothing") is None
    assert cpu_quota(tmp_path, tmp_path / "nothing") is None


def test_settings_say_how_much_steps_may_declare_together() -> None:
    capacity = Wiring({"LOCKAGE_CPUS": "1", "LOCKAGE_MEMORY": "6 GiB"}).capacity
    assert (capacity.cpus, capacity.memory, capacity.jobs) == (1, 6 * GIB, 1)
    assert capacity.most_cpus == len(host.cpus())
    assert Wiring({"LOCKAGE_MEMORY": "1000"}).capacity.memory == 1000
    assert Wiring({"LOCKAGE_CPUS": "1", "LOCKAGE_JOBS": "7"}).capacity.jobs == 7
    assert 0 < Wiring({}).capacity.memory <= host.memory()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("LOCKAGE_CPUS", "100000", "this process may use"),
        ("LOCKAGE_CPUS", "0", "a whole number from 1"),
        ("LOCKAGE_MEMORY", "0", "a size such as"),
        ("LOCKAGE_MEMORY", "much", "a size such as"),
        ("LOCKAGE_MEMORY", "-1 GiB", "a size such as"),
    ],
)
def test_settings_that_make_no_sense_are_named(name: str, text: str, said: str) -> None:
    with pytest.raises(InvalidSetting, match=f"{name} is .*{said}"):
        _ = Wiring({name: text}).capacity

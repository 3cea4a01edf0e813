"""What a run records of its machine, from files of /proc that a test writes."""

import platform
from pathlib import Path

import pytest

from lockage import __version__
from lockage.wiring import host

MOUNTS = """\
20 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 20 0:30 / /home rw - btrfs /dev/sdb rw
31 30 0:31 / /home/a\\040b rw master:1 - xfs /dev/sdc rw
32 20 0:32 / /srv rw - ext4 /dev/sdd rw
33 32 0:33 / /srv rw - overlay overlay rw
a line that is none
"""


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "mountinfo").write_text(MOUNTS)
    monkeypatch.setattr(host, "_PROC", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("folder", "kind"),
    [("/elsewhere", "ext4"), ("/home/store", "btrfs"), ("/home/a b/store", "xfs"), ("/srv/store", "overlay"), ("/srvice", "ext4")],
)
def test_the_file_system_of_a_folder(proc: Path, folder: str, kind: str) -> None:
    assert host._file_system(Path(folder)) == kind
    (proc / "self" / "mountinfo").unlink()
    assert host._file_system(Path(folder)) is None


@pytest.mark.parametrize(
    ("groups", "kind"),
    [("0::/user.slice\n", "v2"), ("4:memory:/x\n1:name=systemd:/\n", "v1"), ("4:memory:/x\n0::/y\n", "v1 and v2"), ("", "none")],
)
def test_control_groups(proc: Path, groups: str, kind: str) -> None:
    (proc / "self" / "cgroup").write_text(groups)
    assert host._control_groups() == kind


def test_everything_that_is_known_is_told(proc: Path) -> None:
    (proc / "cpuinfo").write_text("processor\t: 0\nmodel name\t: A CPU\nflags\t\t: fpu vme\nprocessor\t: 1\nmodel name\t: Another\n")
    program = proc / "bwrap"
    program.write_text("#!/bin/sh\necho bubblewrap 0.11.0\n")
    program.chmod(0o755)
    found = host.facts(Path("/home/store"), lambda: program)
    assert {name: found[name] for name in ("cpu", "cpu-features", "sandbox", "store-file-system", "lockage", "python")} == {
        "cpu": "A CPU",
        "cpu-features": "fpu vme",
        "sandbox": "bubblewrap 0.11.0",
        "store-file-system": "btrfs",
        "lockage": __version__,
        "python": platform.python_version(),
    }
    assert {"kernel", "machine", "system", "cpus", "memory", "control-groups"} < set(found)


def test_what_cannot_be_found_out_is_left_out(proc: Path) -> None:
    (proc / "self" / "mountinfo").unlink()
    found = host.facts(Path("/home/store"), lambda: proc / "absent")
    assert {"cpu", "sandbox", "store-file-system"}.isdisjoint(found)

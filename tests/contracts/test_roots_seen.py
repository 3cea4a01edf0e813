"""What a sweep saw is remembered, and sees no less than the sweep itself."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.contracts.test_roots import BASE, PYTHON, WHEEL, Bench
from tests.contracts.test_roots_shared import TOOL, layer

from lockage.adapters.blobs_local import LocalBlobs
from lockage.adapters.memory.clock import FixedClock
from lockage.adapters.roots_local import LocalRoots, doubted
from lockage.adapters.roots_local.seen import as_seen, keep_seen
from lockage.adapters.roots_local.sweep import walked
from lockage.ports import RootDrift

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: When nothing that is written now is young any more.
LATER = "2200-01-01T00:00:00Z"


@pytest.fixture
def sweeps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The layers that were swept."""
    swept: list[str] = []

    def told(folder: Path) -> list[tuple[str, os.stat_result]]:
        swept.append(folder.parent.parent.name)
        return walked(folder)

    monkeypatch.setattr(doubted, "walked", told)
    return swept


@pytest.fixture
def old(tmp_path: Path) -> Bench:
    """Roots of a day on which everything is old."""
    blobs = LocalBlobs(tmp_path / "blobs")
    return Bench(LocalRoots(blobs, tmp_path / "roots", clock=FixedClock(LATER)), blobs)


def test_what_was_seen_once_is_not_swept_again(old: Bench, sweeps: list[str]) -> None:
    environment = old.environment(wheels=(WHEEL,))
    made = old.roots.realise(environment, expect=False)
    assert old.roots.realise(environment, expect=False) == made
    assert sweeps == ["os", "python"]
    assert old.roots.realise(environment, expect=False) == made
    assert sweeps == ["os", "python"]


def test_what_is_young_is_not_remembered(tmp_path: Path, sweeps: list[str]) -> None:
    """It could change once more within the same tick."""
    blobs = LocalBlobs(tmp_path / "blobs")
    bench = Bench(LocalRoots(blobs, tmp_path / "roots", clock=FixedClock("2001-01-01T00:00:00Z")), blobs)
    environment = bench.environment()
    for _ in range(3):
        bench.roots.realise(environment, expect=False)
    assert sweeps == ["os", "os"]
    assert not list((tmp_path / "roots").glob("os/*/seen"))


def _added_at_the_top(root: Path) -> None:
    (root / "added").write_bytes(b"")


def _added_deep(root: Path) -> None:
    (root / "usr/bin/added").symlink_to("python3")


def _removed(root: Path) -> None:
    (root / "usr/bin/python3.11").unlink()


def _renamed(root: Path) -> None:
    (root / "usr/bin/python3.11").rename(root / "usr/bin/python3.12")


def _mode(root: Path) -> None:
    (root / "usr/bin/python3.11").chmod(0o777)


def _folder_mode(root: Path) -> None:
    (root / "usr/bin").chmod(0o777)


def _written_with_its_time(root: Path) -> None:
    (root / "usr/bin/python3.11").write_bytes(b"FLE")
    os.utime(root / "usr/bin/python3.11", (315532800, 315532800))


def _replaced_with_its_time(root: Path) -> None:
    """Also the folder has the time it had."""
    file, folder = root / "usr/bin/python3.11", (root / "usr/bin").stat()
    file.rename(root / "etc/aside")
    file.write_bytes(b"FLE")
    file.chmod(0o755)
    (root / "etc/aside").unlink()
    for path in (file, root / "usr/bin", root / "etc"):
        os.utime(path, ns=(folder.st_atime_ns, folder.st_mtime_ns))


@pytest.mark.parametrize(
    "damage", [_added_at_the_top, _added_deep, _removed, _renamed, _mode, _written_with_its_time, _replaced_with_its_time]
)
def test_damage_is_found_in_a_layer_that_was_seen(old: Bench, damage: Callable[[Path], None]) -> None:
    environment = old.environment()
    layer(old, environment)
    root = layer(old, environment)
    assert as_seen(root.parent, (root.parent / "stamp").read_text())
    damage(root)
    with pytest.raises(RootDrift):
        old.roots.realise(environment, expect=False)
    assert (layer(old, environment) / "usr/bin/python3.11").read_bytes() == b"ELF"


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: data[:-1],
        lambda data: data.replace(b"usr", b"rsu"),
        lambda data: data[:70] + bytes(8) + data[78:],
        lambda data: b"x" + data,
    ],
)
def test_a_damaged_memory_counts_for_nothing(old: Bench, sweeps: list[str], change: Callable[[bytes], bytes]) -> None:
    environment = old.environment()
    layer(old, environment)
    root = layer(old, environment)
    seen = root.parent / "seen"
    good = seen.read_bytes()
    seen.write_bytes(change(good))
    layer(old, environment)
    assert sweeps == ["os", "os"]
    assert seen.read_bytes() == good


def test_a_layer_whose_files_got_more_names_is_swept_once_more(old: Bench, sweeps: list[str]) -> None:
    first, second = old.environment((BASE, PYTHON)), old.environment((BASE, PYTHON, TOOL))
    for _ in range(2):
        old.roots.realise(first, expect=False)
    old.roots.realise(second, expect=False)
    sweeps.clear()
    for _ in range(3):
        old.roots.realise(first, expect=False)
    assert sweeps == ["os"]


def test_a_copy_is_not_what_was_seen(old: Bench, tmp_path: Path, sweeps: list[str]) -> None:
    environment = old.environment()
    old.roots.realise(environment, expect=False)
    before = old.roots.realise(environment, expect=False)
    (tmp_path / "roots").rename(tmp_path / "old")
    subprocess.run(["cp", "-a", tmp_path / "old", tmp_path / "roots"], check=True)
    sweeps.clear()
    assert old.roots.realise(environment, expect=False) == before
    assert sweeps != []
    assert not (tmp_path / "roots/damaged").exists()


def test_names_of_any_bytes_are_seen(old: Bench, tmp_path: Path) -> None:
    """A layer's folder is what it is, whoever put it there."""
    root = tmp_path / "home/root"
    root.mkdir(parents=True)
    for name in (b"\xff\xfe", b"line\nbreak", "\N{SNOWMAN}".encode()):
        (root / os.fsdecode(name)).write_bytes(name)
    keep_seen(tmp_path / "home", "0" * 64, [(".", root.stat()), *walked(root)], FixedClock(LATER).now())
    assert as_seen(tmp_path / "home", "0" * 64)
    assert not as_seen(tmp_path / "home", "1" * 64)
    (root / "one more").touch()
    assert not as_seen(tmp_path / "home", "0" * 64)

"""Layers that share files, against the odds: copies, full disks, kills, no hard links, audits beside builds."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.contracts.test_roots import BASE, PYTHON, WHEEL, Bench
from tests.contracts.test_roots import bench as bench  # a fixture
from tests.contracts.test_roots import local as local  # a fixture
from tests.contracts.test_roots_shared import LATER, TOOL, inode, layer
from tests.contracts.test_roots_shared import hashed as hashed  # a fixture

from lockage.adapters.memory.packages import TarNode, make_deb
from lockage.adapters.roots_local import LocalRoots
from lockage.adapters.roots_local.kept_packages import KeptPackages, _write_times
from lockage.adapters.roots_local.sweep import Hashes
from lockage.base import digest
from lockage.ports import RootDrift, StoreUnwritable

if TYPE_CHECKING:
    from pathlib import Path


def times(folder: Path) -> set[int]:
    return {path.lstat().st_mtime_ns for path in (folder, *folder.rglob("*"))}


def test_a_copy_that_keeps_no_times_has_them_again(local: Bench, tmp_path: Path) -> None:
    first, second = local.environment((BASE, PYTHON), (WHEEL,)), local.environment((BASE, PYTHON, TOOL), (WHEEL,))
    expected = times(layer(local, first))
    local.roots.realise(first, expect=False)
    (tmp_path / "roots").rename(tmp_path / "old")
    subprocess.run(["cp", "-r", "--preserve=mode", tmp_path / "old", tmp_path / "roots"], check=True)
    assert times(tmp_path / "roots/os").isdisjoint(expected)
    for environment in (second, first):  # made of packages that were copied, and copied itself
        for _, folder in local.roots.realise(environment, expect=False).layers:
            assert times(folder) == expected
    assert local.roots.audit(lambda _: None).damaged == ()


@pytest.mark.parametrize("refused", [errno.EMLINK, errno.EPERM, errno.EACCES, errno.EXDEV, errno.EOPNOTSUPP, errno.ENOSYS])
def test_where_a_file_can_have_no_more_names_layers_have_copies(
    local: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hashed: list[str], refused: int
) -> None:
    two = make_deb("two", [TarNode(name="./opt/a", data=b"a"), TarNode(name="./opt/b", kind="1", target="./opt/a")])
    environment = local.environment((BASE, PYTHON, two))
    link = os.link

    def limited(source: str, path: str, **more: Any) -> None:  # Any: as os.link
        if "/spool/" in source or "/packages/" in source:
            raise OSError(refused, os.strerror(refused))
        link(source, path, **more)

    expected = LocalRoots(local.blobs, tmp_path / "elsewhere").realise(environment, expect=False)
    monkeypatch.setattr(os, "link", limited)
    found = local.roots.realise(environment, expect=False)
    assert found.ref == expected.ref
    folder = found.layers[0][1]
    assert times(folder) == times(expected.layers[0][1])
    assert inode(folder / "opt/a") == inode(folder / "opt/b"), "as in every other root"
    layer(local, local.environment((BASE, PYTHON)))
    layer(local, environment)
    assert hashed == []
    (folder / "opt/a").write_bytes(b"b")
    with pytest.raises(RootDrift, match="opt/a"):
        layer(local, environment)
    assert local.roots.audit(lambda _: None).damaged == ()


def test_a_full_disk_while_files_get_their_names_leaves_the_others_as_they_were(
    local: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = local.environment((BASE, PYTHON)), local.environment((BASE, PYTHON, TOOL))
    kept = local.roots.realise(first, expect=False)
    link, left = os.link, iter(range(3))

    def full(source: str, path: str, **more: Any) -> None:  # Any: as os.link
        if next(left, None) is None:
            raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))
        link(source, path, **more)

    with monkeypatch.context() as patched:
        patched.setattr(os, "link", full)
        with pytest.raises(StoreUnwritable):
            layer(local, second)
    assert list((tmp_path / "roots/tmp").iterdir()) == []
    assert local.roots.realise(first, expect=False) == kept
    assert (layer(local, second) / "usr/bin/tool").read_bytes() == b"tool" * 100
    assert local.roots.audit(lambda _: None).damaged == ()


def test_one_that_is_killed_while_it_links_leaves_the_package_to_who_waits(local: Bench, tmp_path: Path) -> None:
    first = local.environment((BASE, PYTHON))
    layer(local, first)
    environments = [local.environment((BASE, PYTHON, TOOL)), local.environment((BASE, PYTHON, TOOL), (WHEEL,))]
    code = (
        "import os, signal, sys, time; from pathlib import Path; from lockage.base.canonical import decode\n"
        "from lockage.environment.lock import LockedEnvironment; from lockage.adapters.roots_local import LocalRoots\n"
        "from lockage.adapters.blobs_local import LocalBlobs; home = Path(sys.argv[1]); link, left = os.link, int(sys.argv[3])\n"
        "def some(*arguments, **more):\n"
        "    global left; left -= 1\n"
        "    if left == 0:\n"
        "        print(flush=True); sys.stdin.readline(); os.kill(os.getpid(), signal.SIGKILL)\n"
        "    link(*arguments, **more)\n"
        "os.link = some\n"
        "environment = decode((home / sys.argv[2]).read_bytes(), LockedEnvironment)\n"
        "LocalRoots(LocalBlobs(home / 'blobs'), home / 'roots').realise(environment, expect=False)\n"
    )

    def start(number: int, links: int) -> subprocess.Popen[bytes]:
        (tmp_path / f"{number}").write_bytes(msgspec.json.encode(environments[number], enc_hook=str))
        command = [sys.executable, "-c", code, str(tmp_path), f"{number}", f"{links}"]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    with start(0, 3) as killed:
        assert killed.stdout is not None
        killed.stdout.readline()  # it holds the locks, in the middle of its links
        with start(1, 0) as waiting:
            killed.communicate(b"\n")
            assert waiting.wait() == 0
    assert killed.returncode == -signal.SIGKILL
    for environment in (first, *environments):
        fresh = LocalRoots(local.blobs, tmp_path / "elsewhere").realise(environment, expect=False)
        assert local.roots.realise(environment, expect=False).ref == fresh.ref
    assert local.roots.audit(lambda _: None).damaged == ()
    assert list((tmp_path / "roots/tmp").iterdir()) == []


def test_inodes_may_have_any_number(tmp_path: Path) -> None:
    known = {(1 << 64) - 1: 5, 1 << 63: -1, 0: 1 << 62}
    (tmp_path / "one").mkdir()
    _write_times(tmp_path / "one", known)
    assert KeptPackages(tmp_path).known_in([tmp_path / "one"]) == known


def test_what_others_put_beside_packages_is_theirs(local: Bench, tmp_path: Path) -> None:
    layer(local, local.environment((BASE, PYTHON)))
    (tmp_path / "roots/packages" / ("Z" * 64)).mkdir()
    (tmp_path / "roots/packages/note").touch()
    assert local.roots.audit(lambda _: None).damaged == ()
    del local.roots
    assert LocalRoots(local.blobs, tmp_path / "roots").sweep([], LATER).count == 1
    assert (tmp_path / "roots/packages" / ("Z" * 64)).exists()


@pytest.mark.parametrize("what", ["layer", "package"])
def test_an_audit_leaves_what_was_made_anew_while_it_looked(
    local: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    environment = local.environment((TOOL,))
    home = layer(local, environment).parent
    looked_at = home if what == "layer" else tmp_path / "roots/packages" / local.package(TOOL, "p0").sha256
    damaged = looked_at / ("root/usr/bin/tool" if what == "layer" else "1")
    data = damaged.read_bytes()
    damaged.unlink()
    damaged.write_bytes(b"x" * len(data))
    damaged.chmod(0o755)
    of = Hashes.of

    def healed(self: Hashes, path: Path, state: os.stat_result) -> digest.Digest:
        found = of(self, path, state)
        if path == damaged:
            shutil.copytree(looked_at, tmp_path / "good", symlinks=True)
            looked_at.rename(tmp_path / "bad")
            (tmp_path / "good").rename(looked_at)
            damaged.write_bytes(data)
        return found

    monkeypatch.setattr(Hashes, "of", healed)
    assert local.roots.audit(lambda _: None).damaged == ()
    assert damaged.read_bytes() == data


def test_an_inode_that_is_another_file_now_is_hashed_again(tmp_path: Path) -> None:
    hashes, file = Hashes(), tmp_path / "file"
    file.write_bytes(b"one")
    assert hashes.of(file, file.stat()) == digest.Digest.of(b"one")
    before = file.stat().st_ctime_ns
    while file.stat().st_ctime_ns == before:
        file.write_bytes(b"two")
    assert hashes.of(file, file.stat()) == digest.Digest.of(b"two")

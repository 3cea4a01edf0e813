"""Environments that have packages in common: the same roots as without one another, and each package unpacked once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.contracts.test_roots import BASE, PYTHON, WHEEL, Bench
from tests.contracts.test_roots import bench as bench  # a fixture
from tests.contracts.test_roots import local as local  # a fixture

from lockage.adapters.blobs_local import LocalBlobs
from lockage.adapters.memory.packages import TarNode, make_deb
from lockage.adapters.memory.roots import MemoryRoots
from lockage.adapters.memory.store import MemoryBlobs
from lockage.adapters.roots_local import LocalRoots
from lockage.adapters.roots_local.sweep import Hashes
from lockage.adapters.store_local import StoreFolder
from lockage.base import digest
from lockage.base.instant import Instant
from lockage.ports import RootDrift

if TYPE_CHECKING:
    import hashlib
    from collections.abc import Iterator
    from pathlib import Path

    from lockage.environment.lock import LockedEnvironment

TOOL = make_deb("tool", [TarNode(name="./usr/bin/tool", data=b"tool" * 100, mode=0o755), TarNode(name="./usr/share/tool", kind="5")])
LATER = Instant(1 << 33)


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are hashed to find out whether they are what they were."""
    found: list[str] = []
    of = Hashes.of

    def noted(self: Hashes, path: Path, state: os.stat_result) -> digest.Digest:
        found.append(path.name)
        return of(self, path, state)

    monkeypatch.setattr(Hashes, "of", noted)
    return found


def layer(bench: Bench, environment: LockedEnvironment) -> Path:
    """The OS layer, put together or found."""
    return bench.roots.realise(environment, expect=False).layers[0][1]


def inode(path: Path) -> int:
    return path.stat().st_ino


# Every adapter


def test_an_environment_is_the_same_beside_others(bench: Bench, tmp_path: Path) -> None:
    alone = bench.environment((BASE, PYTHON, TOOL), (WHEEL,))
    expected = bench.roots.realise(alone, expect=False).ref
    blobs = MemoryBlobs()
    other = Bench(LocalRoots(blobs, tmp_path / "other") if isinstance(bench.roots, LocalRoots) else MemoryRoots(blobs), blobs)
    for packages in ((BASE,), (TOOL, BASE), (BASE, PYTHON)):
        other.roots.realise(other.environment(packages), expect=False)
    assert other.roots.realise(other.environment((BASE, PYTHON, TOOL), (WHEEL,)), expect=False).ref == expected


# Folders


def test_what_was_unpacked_is_not_unpacked_again(tmp_path: Path) -> None:
    blobs = MemoryBlobs()
    bench = Bench(LocalRoots(blobs, tmp_path / "roots"), blobs)
    first = layer(bench, bench.environment((BASE, PYTHON)))
    wheels = bench.roots.realise(bench.environment((BASE, PYTHON), (WHEEL,)), expect=False).layers[1][1]
    second = bench.environment((BASE, PYTHON, TOOL), (WHEEL,))
    only = MemoryBlobs()
    only.put(TOOL)
    (_, system), (_, python) = LocalRoots(only, tmp_path / "roots").realise(second, expect=False).layers
    assert inode(system / "usr/bin/python3.11") == inode(first / "usr/bin/python3.11")
    assert inode(python / "bin/shop") == inode(wheels / "bin/shop")
    assert (system / "usr/bin/gunzip").stat().st_mtime == (first / "usr/bin/tool").parent.stat().st_mtime
    assert inode(system / "etc/passwd") != inode(first / "etc/passwd"), "what no package brings is each layer's own"


def test_each_byte_is_hashed_once(local: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marks = [os.urandom(70_000) for _ in range(3)]
    debs = [make_deb(f"p{n}", [TarNode(name=f"./opt/{n}", data=mark)], compression="") for n, mark in enumerate(marks)]
    seen: list[bytes] = []

    class Counting:
        def __init__(self, data: bytes = b"") -> None:
            self._state: hashlib._Hash = real(data)
            seen.append(bytes(data))

        def update(self, data: bytes) -> None:
            seen.append(bytes(data))
            self._state.update(data)

        def hexdigest(self) -> str:
            return self._state.hexdigest()

        def digest(self) -> bytes:
            return self._state.digest()

    two = [local.environment(debs[:2]), local.environment(debs[1:])]
    real = digest.hashlib.sha256  # type: ignore[attr-defined]  # its own import
    blobs = MemoryBlobs()
    for deb in debs:
        blobs.put(deb)
    roots = LocalRoots(blobs, tmp_path / "counted")
    monkeypatch.setattr(digest.hashlib, "sha256", Counting)  # type: ignore[attr-defined]  # its own import
    for environment in two:
        roots.realise(environment, expect=False)
        roots.realise(environment, expect=False)
    assert [sum(1 for part in seen if part == mark) for mark in marks] == [1, 1, 1]


def test_a_second_environment_leaves_the_first_as_it_was_stamped(local: Bench, hashed: list[str]) -> None:
    first, second = local.environment((BASE, PYTHON)), local.environment((BASE, PYTHON, TOOL))
    for environment in (first, second, first, second):
        layer(local, environment)
    assert hashed == []


@pytest.mark.parametrize("quietly", [False, True])
def test_what_is_written_to_a_shared_file_is_found_in_every_layer(local: Bench, tmp_path: Path, quietly: bool) -> None:
    both = [local.environment((BASE, PYTHON)), local.environment((BASE, PYTHON, TOOL))]
    file = layer(local, both[0]) / "usr/bin/python3.11"
    other = layer(local, both[1]) / "usr/bin/python3.11"
    file.write_bytes(b"FLE" if quietly else b"longer than before")
    if quietly:
        os.utime(file, (315532800, 315532800))
    assert other.read_bytes() == file.read_bytes()
    for environment in both:
        with pytest.raises(RootDrift, match=r"usr/bin/python3\.11"):
            layer(local, environment)
    for environment in both:
        assert (layer(local, environment) / "usr/bin/python3.11").read_bytes() == b"ELF"
    assert local.roots.audit(lambda _: None).damaged == ()
    assert list((tmp_path / "roots/damaged").glob("packages-*")), "it was set aside and unpacked anew"


@pytest.mark.parametrize("damage", ["changed", "missing", "added", "mode", "described", "torn"])
def test_a_damaged_package_is_unpacked_again(local: Bench, tmp_path: Path, damage: str) -> None:
    package = local.package(PYTHON, "p1")
    layer(local, local.environment((BASE, PYTHON)))
    kept = tmp_path / "roots/packages" / package.sha256
    (file,) = (path for path in kept.iterdir() if path.name.isdecimal() and path.read_bytes() == b"ELF")
    if damage == "changed":
        file.write_bytes(b"FLE")
    elif damage == "missing":
        file.unlink()
    elif damage == "added":
        (kept / "999").write_bytes(b"")
    elif damage == "mode":
        file.chmod(0o777)
    elif damage == "described":
        (kept / "package").write_bytes(b"0" * 64)
    else:
        (kept / "times").write_bytes(b"torn")
    second = layer(local, local.environment((BASE, PYTHON, TOOL)))
    assert (second / "usr/bin/python3.11").read_bytes() == b"ELF"
    assert (second / "usr/bin/python3.11").stat().st_mode & 0o777 == 0o755
    assert local.roots.audit(lambda _: None, local.environment((BASE, PYTHON, TOOL))).damaged == ()


def test_an_audit_tells_of_a_package_whose_layers_are_whole(local: Bench, tmp_path: Path) -> None:
    package = local.package(TOOL, "p0")
    home = layer(local, local.environment((TOOL,)))
    kept = tmp_path / "roots/packages" / package.sha256
    (kept / "1").unlink()
    (found,) = local.roots.audit(lambda _: None).damaged
    assert (found.name, found.what) == (f"packages/{package.sha256}", "usr/bin/tool is missing")
    assert not kept.exists()
    assert (home / "usr/bin/tool").read_bytes() == b"tool" * 100
    assert layer(local, local.environment((TOOL,))) == home


def test_an_audit_hashes_a_file_of_many_names_once(local: Bench, hashed: list[str]) -> None:
    packages = (make_deb("one", [TarNode(name="./opt/one", data=b"one" * 1000)]),)
    layer(local, local.environment(packages))
    first = local.roots.audit(lambda _: None).size
    layer(local, local.environment((*packages, TOOL)))
    heard: list[int] = []
    assert local.roots.audit(heard.append).size < 2 * first
    assert sum(heard) == local.roots.audit(lambda _: None).size
    assert hashed.count("one") > 0


def test_a_copy_of_a_store_shares_as_before(local: Bench, tmp_path: Path, hashed: list[str]) -> None:
    both = [local.environment((BASE, PYTHON)), local.environment((BASE, PYTHON, TOOL))]
    for environment in both:
        layer(local, environment)
    (tmp_path / "roots").rename(tmp_path / "old")
    subprocess.run(["cp", "-a", tmp_path / "old", tmp_path / "roots"], check=True)
    files = {layer(local, environment) / "usr/bin/python3.11" for environment in both}
    assert len({inode(file) for file in files}) == 1
    hashed.clear()
    for environment in (*both, local.environment((BASE, TOOL))):
        layer(local, environment)
    assert hashed == []
    assert not (tmp_path / "roots/damaged").exists()


def test_a_copy_that_knows_no_hard_links_is_good_as_well(local: Bench, tmp_path: Path) -> None:
    environment = local.environment((BASE, PYTHON))
    layer(local, environment)
    (tmp_path / "roots").rename(tmp_path / "old")
    subprocess.run(["cp", "-r", "--preserve=mode,timestamps", tmp_path / "old", tmp_path / "roots"], check=True)
    assert (layer(local, environment) / "usr/bin/python3.11").stat().st_nlink == 1
    layer(local, local.environment((BASE, PYTHON, TOOL)))
    assert local.roots.audit(lambda _: None).damaged == ()


def test_layers_do_not_need_the_packages_that_they_were_made_of(local: Bench, tmp_path: Path) -> None:
    environment = local.environment((BASE, PYTHON))
    home = layer(local, environment)
    shutil.rmtree(tmp_path / "roots/packages")
    assert layer(local, environment) == home
    layer(local, local.environment((BASE, PYTHON, TOOL)))
    assert local.roots.audit(lambda _: None).damaged == ()


def test_a_layer_of_a_store_that_kept_no_packages_is_used_as_it_is(local: Bench, tmp_path: Path, hashed: list[str]) -> None:
    environment = local.environment((BASE, PYTHON))
    home = layer(local, environment)
    old = tmp_path / "copied"
    shutil.copytree(home, old, symlinks=True)
    shutil.rmtree(home)
    old.rename(home)
    shutil.rmtree(tmp_path / "roots/packages")
    (home.parent / "packages").unlink()
    layer(local, environment)
    hashed.clear()
    layer(local, environment)
    layer(local, local.environment((BASE, PYTHON, TOOL)))
    layer(local, environment)
    assert hashed == []


def test_a_sweep_deletes_the_packages_that_no_layer_is_of(local: Bench, tmp_path: Path, hashed: list[str]) -> None:
    data = os.urandom(50_000)
    large = make_deb("large", [TarNode(name="./opt/large", data=data)])
    needed, gone = local.environment((BASE, PYTHON)), local.environment((BASE, large))
    for environment in (needed, gone):
        layer(local, environment)
    packages = tmp_path / "roots/packages"
    assert len(list(packages.iterdir())) == 3
    store = StoreFolder(tmp_path)
    (before,) = (kind for kind in store.kinds() if kind.kind == "roots")
    sweeper = LocalRoots(local.blobs, tmp_path / "roots")
    del local.roots
    assert sweeper.sweep([needed], Instant(1)).count == 0
    said = sweeper.sweep([needed], LATER, dry=True)
    assert len(list(packages.iterdir())) == 3
    assert sweeper.sweep([needed], LATER) == said
    assert said.count == 1
    assert 50_000 < said.size < 100_000, "a file of two names is freed once"
    (after,) = (kind for kind in store.kinds() if kind.kind == "roots")
    assert (before.count - after.count, before.size - after.size) == (1, said.size)
    assert len(list(packages.iterdir())) == 2
    sweeper.realise(needed, expect=False)
    sweeper.realise(local.environment((BASE, PYTHON, TOOL)), expect=False)
    assert hashed == [], "the layers that stay are known to be what they were"


def test_no_package_is_swept_while_a_layer_is_made(local: Bench, tmp_path: Path) -> None:
    layer(local, local.environment((BASE, PYTHON)))
    del local.roots
    sweeper = LocalRoots(local.blobs, tmp_path / "roots")
    maker = LocalRoots(local.blobs, tmp_path / "roots")
    swept = []

    def arriving() -> Iterator[object]:
        swept.append(sweeper.sweep([], LATER).count)
        yield from ()

    made = maker.realise(local.environment((BASE, PYTHON, TOOL)), expect=False, arriving=arriving())  # type: ignore[arg-type]  # of none
    assert swept == [1]
    assert (made.layers[0][1] / "usr/bin/python3.11").read_bytes() == b"ELF"


def test_processes_at_once_make_layers_of_the_same_packages(local: Bench, tmp_path: Path, hashed: list[str]) -> None:
    environments = [local.environment((BASE, PYTHON, TOOL)), local.environment((BASE, PYTHON)), local.environment((BASE, TOOL))]
    code = (
        "import sys; from pathlib import Path; from lockage.base.canonical import decode\n"
        "from lockage.environment.lock import LockedEnvironment; from lockage.adapters.roots_local import LocalRoots\n"
        "from lockage.adapters.blobs_local import LocalBlobs; home = Path(sys.argv[1])\n"
        "environment = decode((home / sys.argv[2]).read_bytes(), LockedEnvironment)\n"
        "print(LocalRoots(LocalBlobs(home / 'blobs'), home / 'roots').realise(environment, expect=False))\n"
    )
    running = []
    for number, environment in enumerate(environments):
        (tmp_path / f"{number}").write_bytes(msgspec.json.encode(environment, enc_hook=str))
        running += [subprocess.Popen([sys.executable, "-c", code, tmp_path, f"{number}"], stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [child.wait() for child in running] == [0] * 6
    assert list((tmp_path / "roots/tmp").iterdir()) == []
    for environment in environments:
        layer(local, environment)
    assert hashed == []
    assert local.roots.audit(lambda _: None).damaged == ()
    assert len({inode(layer(local, environment) / "usr/bin/gunzip") for environment in environments}) == 1


@pytest.mark.parametrize("step", range(1, 8))
def test_a_killed_process_leaves_packages_that_are_whole(local: Bench, tmp_path: Path, run_killed: object, step: int) -> None:
    layer(local, local.environment((BASE,)))
    environment = local.environment((BASE, PYTHON, TOOL), (WHEEL,))
    (tmp_path / "environment").write_bytes(msgspec.json.encode(environment, enc_hook=str))
    code = (
        "from lockage.base.canonical import decode\n"
        "from lockage.environment.lock import LockedEnvironment; from lockage.adapters.roots_local import LocalRoots\n"
        "from lockage.adapters.blobs_local import LocalBlobs\n"
        "environment = decode((home / 'environment').read_bytes(), LockedEnvironment)\n"
        "LocalRoots(LocalBlobs(home / 'blobs'), home / 'roots').realise(environment, expect=False)\n"
    )
    assert callable(run_killed)
    assert run_killed(code, step, tmp_path) == -9
    assert local.roots.audit(lambda _: None).damaged == ()
    layer(local, local.environment((BASE,)))
    fresh = LocalRoots(LocalBlobs(tmp_path / "blobs"), tmp_path / "elsewhere").realise(environment, expect=False)
    assert local.roots.realise(environment, expect=False).ref == fresh.ref
    assert local.roots.audit(lambda _: None).damaged == ()
    assert list((tmp_path / "roots/tmp").iterdir()) == []

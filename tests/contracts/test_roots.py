"""The contract of Roots, over the fake and over real folders with tiny packages."""

import os
import resource
import stat
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import pytest

from lockage import durable
from lockage.adapters.blobs_local import LocalBlobs
from lockage.adapters.memory.packages import TarNode, make_deb, make_wheel
from lockage.adapters.memory.roots import MemoryRoots
from lockage.adapters.memory.store import MemoryBlobs
from lockage.adapters.roots_local import LocalRoots
from lockage.adapters.roots_local.copy import copy_root, remove_root
from lockage.adapters.roots_local.sweep import Kept
from lockage.base.canonical import canonical, canonical_of, decode, plain
from lockage.base.digest import BlobRef, Digest
from lockage.base.path import RelPath
from lockage.environment.base import OsBase
from lockage.environment.lock import LockedEnvironment, LockedPackage, LockedWheel, RootRef
from lockage.environment.python import NoPython
from lockage.environment.root import InvalidPackage, Kind, PackagesCollide, UnsupportedPackage, stacked
from lockage.hashing import files as hashing_files
from lockage.ports import BlobCorrupt, BlobMissing, Blobs, RootDrift, Roots, StoreUnwritable

UNKNOWN = RootRef(tree=BlobRef.of(b""), metadata=Digest.of(b""))

BASE = make_deb(
    "base-files",
    [
        TarNode(name="./", kind="5", mode=0o755),
        TarNode(name="./tmp/", kind="5", mode=0o1777),
        TarNode(name="./bin/", kind="5", mode=0o755),
        TarNode(name="./bin/gunzip", data=b"#!/bin/sh\n", mode=0o755),
        TarNode(name="./bin/uncompress", kind="1", target="./bin/gunzip", mode=0o755),
        TarNode(name="./usr/share/base-files/profile", data=b"umask 022\n"),
    ],
)
PYTHON = make_deb(
    "python3-minimal",
    [
        TarNode(name="./usr/bin/python3", kind="2", target="python3.11", mode=0o777),
        TarNode(name="./usr/bin/python3.11", data=b"ELF", mode=0o4755),
        TarNode(name="./usr/share/ca-certificates/mozilla/F\u0151.crt", data=b"B"),
        TarNode(name="./usr/share/ca-certificates/mozilla/A.crt", data=b"A\n"),
    ],
)
WHEEL = make_wheel(
    "shop", {"shop/__init__.py": b"def main(): pass\n", "shop-1.dist-info/entry_points.txt": b"[console_scripts]\nshop = shop:main\n"}
)


class Bench:
    """A store with packages in it, and the roots under test."""

    def __init__(self, roots: Roots, blobs: Blobs) -> None:
        self.roots = roots
        self.blobs = blobs

    def package(self, data: bytes, name: str) -> LockedPackage:
        ref = self.blobs.put(data)
        return LockedPackage(
            name=name, version="1", architecture="amd64", path=RelPath(f"pool/{name}_1_amd64.deb"), size=ref.size, sha256=ref.digest
        )

    def wheel(self, data: bytes, name: str) -> LockedWheel:
        ref = self.blobs.put(data)
        return LockedWheel(name=name, version="1", file=RelPath(f"{name}-1-py3-none-any.whl"), size=ref.size, sha256=ref.digest)

    def environment(
        self, packages: Iterable[bytes] = (BASE, PYTHON), wheels: Iterable[bytes] = (), instruments: Iterable[bytes] = ()
    ) -> LockedEnvironment:
        return LockedEnvironment(
            declaration=Digest.of(b""),
            os=OsBase(distribution="debian", suite="bookworm"),
            architecture="amd64",
            release_date="",
            release_sha256=Digest.of(b""),
            root=UNKNOWN,
            packages=tuple(self.package(data, f"p{number}") for number, data in enumerate(packages)),
            python=tuple(self.wheel(data, "shop") for data in wheels),
            instruments=tuple(self.package(data, f"i{number}") for number, data in enumerate(instruments)),
        )


@pytest.fixture(params=["memory", "local"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    blobs = MemoryBlobs()
    roots: Roots = MemoryRoots(blobs) if request.param == "memory" else LocalRoots(blobs, tmp_path / "roots")
    return Bench(roots, blobs)


@pytest.fixture
def local(tmp_path: Path) -> Bench:
    blobs = LocalBlobs(tmp_path / "blobs")
    return Bench(LocalRoots(blobs, tmp_path / "roots"), blobs)


# Every adapter


def test_equal_packages_make_the_same_root_whatever_their_order(bench: Bench) -> None:
    there = bench.environment((BASE, PYTHON), (WHEEL,))
    back = msgspec.structs.replace(there, packages=there.packages[::-1])
    first = bench.roots.realise(there, expect=False)
    assert bench.roots.realise(back, expect=False) == first
    assert [place for place, _ in first.layers] == ["", "usr/local"]


def test_the_layers_of_a_root_are_looked_into(bench: Bench) -> None:
    environment = bench.environment((BASE, PYTHON), (WHEEL,))
    environment = msgspec.structs.replace(environment, root=bench.roots.realise(environment, expect=False).ref)
    system, python = bench.roots.layers(environment)
    assert (system.place, python.place) == ("", "usr/local")
    assert all(entry.path.is_under(RelPath("usr/local")) for entry in python.entries)
    for layer in (system, python):
        files = [entry for entry in layer.entries if entry.kind is Kind.FILE]
        assert files
        assert all(BlobRef.of(layer.read(entry)) == BlobRef(entry.sha256 or Digest(""), entry.size) for entry in files)
    merged = stacked((layer.place, layer.entries) for layer in (system, python))
    assert len({entry.path for entry in merged}) == len(merged)


def test_a_file_of_a_layer_that_was_changed_is_drift(local: Bench) -> None:
    environment = local.environment()
    environment = msgspec.structs.replace(environment, root=local.roots.realise(environment, expect=False).ref)
    (layer,) = local.roots.layers(environment)
    entry = next(entry for entry in layer.entries if entry.kind is Kind.FILE)
    ((_, folder),) = local.roots.realise(environment).layers
    (folder / entry.path).chmod(0o644)
    (folder / entry.path).write_bytes(b"other")
    with pytest.raises(RootDrift, match="has other bytes"):
        layer.read(entry)
    (folder / entry.path).unlink()
    with pytest.raises(RootDrift, match="No such file"):
        layer.read(entry)


def test_packages_may_arrive_while_the_root_is_put_together(tmp_path: Path, bench: Bench) -> None:
    environment = bench.environment((BASE, PYTHON), (WHEEL,), (make_deb("other", []),))
    expected = bench.roots.realise(environment, expect=False).ref
    elsewhere = MemoryBlobs()
    roots: Roots = MemoryRoots(elsewhere) if isinstance(bench.roots, MemoryRoots) else LocalRoots(elsewhere, tmp_path / "others")
    elsewhere.put(WHEEL)

    def arriving() -> Iterator[LockedPackage]:
        for package in (*environment.instruments, *environment.packages[::-1]):
            elsewhere.put(bench.blobs.get(package.ref))
            yield package

    assert roots.realise(environment, expect=False, arriving=arriving()).ref == expected
    rest = iter(environment.packages)
    assert roots.realise(environment, expect=False, arriving=rest).ref == expected
    assert list(rest) == [], "all of it is taken, though the root was there"


def test_what_does_not_arrive_is_told_and_nothing_stays(tmp_path: Path, bench: Bench) -> None:
    environment = bench.environment()

    def arriving() -> Iterator[LockedPackage]:
        yield environment.packages[0]
        raise BlobMissing("it never came")

    with pytest.raises(BlobMissing, match="never came"):
        bench.roots.realise(environment, expect=False, arriving=arriving())
    assert list((tmp_path / "roots").glob("tmp/*")) == []
    bench.roots.realise(environment, expect=False)


def test_the_control_paragraph_of_a_kept_package(bench: Bench) -> None:
    deb = make_deb("tool", [], version="1:2", control={"Depends": "libc6 (>= 2)"})
    control = bench.roots.control(bench.package(deb, "tool"))
    assert {"Package: tool", "Version: 1:2", "Architecture: amd64", "Depends: libc6 (>= 2)"} <= set(control.splitlines())
    gone = bench.package(make_deb("gone", []), "gone")
    with pytest.raises(BlobMissing):
        bench.roots.control(msgspec.structs.replace(gone, sha256=Digest.of(b"something else")))


def test_a_root_is_what_its_packages_are(bench: Bench) -> None:
    refs = {
        bench.roots.realise(environment, expect=False).ref.tree
        for environment in (
            bench.environment((BASE,)),
            bench.environment((BASE, PYTHON)),
            bench.environment((BASE, PYTHON), (WHEEL,)),
        )
    }
    assert len(refs) == 3


def test_without_wheels_there_is_one_layer(bench: Bench) -> None:
    assert [place for place, _ in bench.roots.realise(bench.environment(), expect=False).layers] == [""]


def test_the_root_that_the_lock_pins_is_accepted(bench: Bench) -> None:
    environment = bench.environment()
    made = bench.roots.realise(environment, expect=False)
    assert bench.roots.realise(msgspec.structs.replace(environment, root=made.ref)) == made


def test_another_root_than_the_locks_is_drift_with_both_values(bench: Bench) -> None:
    environment = bench.environment()
    made = bench.roots.realise(environment, expect=False)
    with pytest.raises(RootDrift) as caught:
        bench.roots.realise(environment)
    assert str(UNKNOWN.tree) in caught.value.message
    assert str(made.ref.tree) in caught.value.message


def test_a_package_that_is_not_kept_is_named(bench: Bench) -> None:
    environment = bench.environment()
    absent = msgspec.structs.replace(environment.packages[0], sha256=Digest.of(b"absent"))
    with pytest.raises(BlobMissing, match=Digest.of(b"absent")):
        bench.roots.realise(msgspec.structs.replace(environment, packages=(absent,)), expect=False)


@pytest.mark.parametrize("which", ["packages", "python"])
def test_a_changed_byte_in_a_kept_package_is_found(bench: Bench, which: str) -> None:
    environment = bench.environment((BASE, PYTHON), (WHEEL,))
    digest = getattr(environment, which)[0].sha256
    assert isinstance(bench.blobs, MemoryBlobs)
    data = bytearray(bench.blobs.data[digest])
    data[len(data) // 2] ^= 1
    bench.blobs.data[digest] = bytes(data)
    with pytest.raises(BlobCorrupt, match=digest):
        bench.roots.realise(environment, expect=False)


def test_instruments_are_beside_the_root(bench: Bench) -> None:
    plain = bench.environment()
    assert bench.roots.instruments(plain) is None
    fake_time = make_deb("libfaketime", [TarNode(name="./usr/lib/faketime.so", data=b"x")])
    equipped = bench.environment(instruments=(fake_time,))
    folder = bench.roots.instruments(equipped)
    assert folder is not None
    assert folder == bench.roots.instruments(equipped)
    assert bench.roots.realise(equipped, expect=False) == bench.roots.realise(plain, expect=False)


# Folders


def _layer(bench: Bench, environment: LockedEnvironment, place: str = "") -> Path:
    return dict(bench.roots.realise(environment, expect=False).layers)[place]


def test_a_layer_is_as_the_rules_say(local: Bench) -> None:
    root = _layer(local, local.environment())
    assert (root / "bin").readlink() == Path("usr/bin")
    assert stat.S_IMODE((root / "tmp").stat().st_mode) == 0o1777
    assert stat.S_IMODE((root / "usr/bin/python3.11").stat().st_mode) == 0o755
    assert (root / "usr/bin/gunzip").stat().st_ino == (root / "usr/bin/uncompress").stat().st_ino
    assert (root / "etc/ssl/certs/ca-certificates.crt").read_bytes() == b"A\nB\n"
    assert (root / "etc/profile").read_text() == "umask 022\n"
    assert {entry.lstat().st_mtime for entry in root.rglob("*")} == {315532800}


def test_wheels_lie_over_usr_local(local: Bench) -> None:
    layer = _layer(local, local.environment(wheels=(WHEEL,)), "usr/local")
    assert (layer / "lib/python3.11/dist-packages/shop/__init__.py").is_file()
    assert os.access(layer / "bin/shop", os.X_OK)
    assert (layer / "man").readlink() == Path("share/man")


def test_the_digests_do_not_depend_on_the_umask(local: Bench, tmp_path: Path) -> None:
    environment = local.environment(wheels=(WHEEL,))
    before = os.umask(0o077)
    try:
        other = LocalRoots(local.blobs, tmp_path / "other").realise(environment, expect=False)
    finally:
        os.umask(before)
    assert other.ref == local.roots.realise(environment, expect=False).ref
    assert stat.S_IMODE((other.layers[0][1] / "usr/share").stat().st_mode) == 0o755


@pytest.mark.parametrize("damage", ["changed", "added", "removed", "mode", "relinked", "same-size-and-time"])
def test_a_damaged_root_is_found_once_and_then_made_anew(local: Bench, damage: str) -> None:
    environment = local.environment()
    root = _layer(local, environment)
    file = root / "usr/bin/python3.11"
    name = "usr/bin/python3.11"
    if damage == "changed":
        file.write_bytes(b"longer than before")
    elif damage == "added":
        (root / "etc/added").write_bytes(b"")
        name = "etc/added"
    elif damage == "removed":
        file.unlink()
    elif damage == "mode":
        file.chmod(0o777)
    elif damage == "relinked":
        (root / "usr/bin/python3").unlink()
        (root / "usr/bin/python3").symlink_to("python4")
        name = "usr/bin/python3"
    else:
        file.write_bytes(b"FLE")
        os.utime(file, (315532800, 315532800))
    with pytest.raises(RootDrift, match=name):
        local.roots.realise(environment, expect=False)
    assert (_layer(local, environment) / "usr/bin/python3.11").read_bytes() == b"ELF"


def test_a_root_restored_from_a_copy_is_still_good(local: Bench, tmp_path: Path) -> None:
    environment = local.environment()
    before = local.roots.realise(environment, expect=False)
    (tmp_path / "roots").rename(tmp_path / "old")
    subprocess.run(["cp", "-a", tmp_path / "old", tmp_path / "roots"], check=True)
    assert local.roots.realise(environment, expect=False) == before
    assert not (tmp_path / "roots/damaged").exists()


def test_a_cached_layer_that_was_changed_with_its_manifest_is_not_the_locks(local: Bench, tmp_path: Path) -> None:
    """What docs/ci.md says of caches: layers may be restored from anywhere, but without what is remembered of their identity."""
    environment = local.environment()
    pinned = msgspec.structs.replace(environment, root=local.roots.realise(environment, expect=False).ref)
    home = _layer(local, environment).parent
    program = home / "root" / "usr/bin/python3.11"
    program.write_bytes(b"EVIL")
    forged = [
        msgspec.structs.replace(kept, size=4, sha256=Digest.of(b"EVIL")) if kept.path == "usr/bin/python3.11" else kept
        for kept in decode((home / "manifest").read_bytes(), list[Kept])
    ]
    (home / "manifest").write_bytes(canonical(plain(forged)))
    (tmp_path / "cached").mkdir()
    subprocess.run(["cp", "-a", tmp_path / "roots/os", tmp_path / "cached/os"], check=True)
    with pytest.raises(RootDrift, match="another tree digest than the lock pins"):
        LocalRoots(local.blobs, tmp_path / "cached").realise(pinned)


@pytest.mark.parametrize("many", [1, 1 << 30], ids=["hashed by helpers", "hashed here"])
def test_an_audit_of_an_environment_looks_at_its_layers(local: Bench, monkeypatch: pytest.MonkeyPatch, many: int) -> None:
    monkeypatch.setattr(hashing_files, "_MANY", many)
    monkeypatch.setattr(hashing_files, "_cores", lambda: 2)
    ours = local.environment(instruments=[make_deb("instrument", [TarNode(name="./usr/lib/clock.so", data=b"clock")])])
    other = local.environment(packages=[BASE])
    for environment in (ours, other):
        local.roots.realise(environment, expect=False)
    local.roots.instruments(ours)
    assert local.roots.audit(lambda _: None, ours).count == 2
    foreign = _layer(local, other) / "bin/gunzip"
    foreign.unlink()  # only this layer's: what is written to a file is written to it in every layer
    foreign.write_bytes(b"changed")
    assert local.roots.audit(lambda _: None, ours).damaged == ()
    assert local.roots.audit(lambda _: None, local.environment(wheels=[WHEEL])).count == 1, "what is not kept is not looked at"
    (found,) = local.roots.audit(lambda _: None, other).damaged
    assert "bin/gunzip" in found.what


def test_after_an_audit_what_is_remembered_of_a_root_is_computed_again_and_written_where_it_differs(local: Bench, tmp_path: Path) -> None:
    ours = local.environment()
    true = local.roots.realise(ours, expect=False).ref
    (known,) = (tmp_path / "roots/refs").iterdir()
    forged = msgspec.structs.replace(true, metadata=Digest.of(b"forged"))
    known.write_bytes(canonical_of(forged))
    assert local.roots.realise(ours, expect=False).ref == forged
    local.roots.audit(lambda _: None, ours)
    assert local.roots.realise(ours, expect=False).ref == true
    assert decode(known.read_bytes(), RootRef) == true
    before = known.stat()
    local.roots.audit(lambda _: None, ours)
    local.roots.realise(ours, expect=False)
    assert known.stat() == before, "nothing is written where nothing differs"


def test_two_processes_at_once_make_one_root(local: Bench, tmp_path: Path) -> None:
    environment = local.environment(wheels=(WHEEL,))
    (tmp_path / "environment").write_bytes(msgspec.json.encode(environment, enc_hook=str))
    code = (
        "import sys, msgspec; from pathlib import Path; from lockage.base.canonical import decode\n"
        "from lockage.environment.lock import LockedEnvironment; from lockage.adapters.roots_local import LocalRoots\n"
        "from lockage.adapters.blobs_local import LocalBlobs; home = Path(sys.argv[1])\n"
        "environment = decode((home / 'environment').read_bytes(), LockedEnvironment)\n"
        "print(LocalRoots(LocalBlobs(home / 'blobs'), home / 'roots').realise(environment, expect=False))\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    printed = {child.communicate()[0] for child in running}
    assert [child.returncode for child in running] == [0, 0, 0]
    assert len(printed) == 1
    assert len(list((tmp_path / "roots/os").iterdir())) == 1
    assert list((tmp_path / "roots/tmp").iterdir()) == []


@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_a_killed_process_leaves_nothing_that_counts(local: Bench, tmp_path: Path, run_killed: object, step: int) -> None:
    environment = local.environment(wheels=(WHEEL,))
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
    fresh = LocalRoots(local.blobs, tmp_path / "elsewhere").realise(environment, expect=False)
    assert local.roots.realise(environment, expect=False).ref == fresh.ref
    assert list((tmp_path / "roots/tmp").iterdir()) == []


def test_copies_list_in_the_order_asked_for_and_are_equal(local: Bench, tmp_path: Path) -> None:
    root = local.roots.realise(local.environment(wheels=(WHEEL,)), expect=False)
    for order in ("sorted", "reversed"):
        copied = copy_root(root, tmp_path / order, order)
        assert copied.ref == root.ref
        for (place, source), (other, target) in zip(root.layers, copied.layers, strict=True):
            assert place == other
            assert _facts(target) == _facts(source)
        assert (copied.layers[0][1] / "usr/bin/gunzip").stat().st_nlink == 2
        remove_root(tmp_path / order)
        remove_root(tmp_path / order)
        assert not (tmp_path / order).exists()


def _facts(folder: Path) -> dict[str, tuple[int, float, bytes]]:
    return {
        str(path.relative_to(folder)): (
            path.lstat().st_mode,
            path.lstat().st_mtime,
            str(path.readlink()).encode() if path.is_symlink() else path.read_bytes() if path.is_file() else b"",
        )
        for path in folder.rglob("*")
    }


def test_a_folder_that_cannot_be_written_is_named(local: Bench, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreUnwritable, match="file"):
        LocalRoots(local.blobs, tmp_path / "file").realise(local.environment(), expect=False)


def _only(bench: Bench, *nodes: TarNode) -> LockedEnvironment:
    return bench.environment((make_deb("odd", nodes),))


@pytest.mark.parametrize("name", ["../escaped", "/absolute", "a/../../b", "a//b", "./../x"])
def test_members_that_climb_are_refused(local: Bench, name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidPackage):
        local.roots.realise(_only(local, TarNode(name=name, data=b"x")), expect=False)
    assert not list(tmp_path.glob("roots/os/*"))


@pytest.mark.parametrize(
    "nodes",
    [
        (TarNode(name="etc/link", kind="2", target="../../x"),),
        (TarNode(name="usr/a", kind="1", target="../../x"),),
        (TarNode(name="usr/a", kind="1", target="usr/absent"),),
        (TarNode(name="bin", data=b"x"),),
        (TarNode(name="a", data=b"1"), TarNode(name="a", data=b"2")),
    ],
    ids=["climbing-link", "climbing-hardlink", "hardlink-to-nothing", "file-at-alias", "two-members"],
)
def test_contradictory_packages_are_refused(local: Bench, nodes: tuple[TarNode, ...]) -> None:
    with pytest.raises(InvalidPackage, match=r"odd|p0"):
        local.roots.realise(_only(local, *nodes), expect=False)


@pytest.mark.parametrize(
    "node",
    [
        TarNode(name="dev/null", kind="3"),
        TarNode(name="run/pipe", kind="6"),
        TarNode(name="usr/local/bin/x", data=b""),
        TarNode(name="usr/\udcff", data=b""),
    ],
    ids=["device", "pipe", "file-in-usr-local", "not-utf-8"],
)
def test_what_no_root_can_hold_is_refused(local: Bench, node: TarNode) -> None:
    with pytest.raises(UnsupportedPackage):
        local.roots.realise(_only(local, node), expect=False)


def test_a_compression_that_is_not_known_is_refused_by_name(local: Bench) -> None:
    data = make_deb("new", [], compression="br")
    with pytest.raises(UnsupportedPackage, match=r"data\.tar\.br"):
        local.roots.realise(local.environment((data,)), expect=False)


@pytest.mark.parametrize("compression", ["xz", "gz", "zst", ""])
def test_compressions_give_the_same_root(local: Bench, compression: str) -> None:
    nodes = [TarNode(name="etc/a", data=b"content")]
    root = _layer(local, local.environment((make_deb("a", nodes, compression=compression),)))
    assert (root / "etc/a").read_bytes() == b"content"


@pytest.mark.parametrize("cut", [4, 40, 100, 300, 500])
def test_a_cut_package_is_refused(local: Bench, cut: int) -> None:
    with pytest.raises(InvalidPackage, match="p0_1_amd64"):
        local.roots.realise(local.environment((BASE[:cut],)), expect=False)


def test_damage_within_compressed_data_is_refused(local: Bench) -> None:
    data = bytearray(make_deb("big", [TarNode(name="a", data=os.urandom(300_000))]))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(InvalidPackage, match="p0_1_amd64"):
        local.roots.realise(local.environment((bytes(data),)), expect=False)


def test_colliding_wheels_are_both_named(local: Bench) -> None:
    environment = local.environment()
    wheels = tuple(local.wheel(make_wheel(name, {"common.py": name.encode()}), name) for name in ("one", "two"))
    with pytest.raises(PackagesCollide, match=r"one-1-.*two-1-.*common\.py"):
        local.roots.realise(msgspec.structs.replace(environment, python=wheels), expect=False)


def test_wheels_without_a_python_are_refused(local: Bench) -> None:
    with pytest.raises(NoPython):
        local.roots.realise(local.environment((BASE,), (WHEEL,)), expect=False)


def test_an_interrupt_leaves_nothing(local: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(step: str) -> None:
        if step == "layer-unpacked":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(durable, "reached", interrupt)
        with pytest.raises(KeyboardInterrupt):
            local.roots.realise(local.environment(), expect=False)
    assert not list(tmp_path.glob("roots/tmp/*")) + list(tmp_path.glob("roots/os/*"))
    local.roots.realise(local.environment(), expect=False)


def test_a_full_disk_is_named_and_leaves_nothing(local: Bench, tmp_path: Path) -> None:
    environment = local.environment((make_deb("big", [TarNode(name="a", data=bytes(3 << 20))]),))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
    try:
        with pytest.raises(StoreUnwritable, match="roots"):
            local.roots.realise(environment, expect=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.glob("roots/tmp/*")) + list(tmp_path.glob("roots/os/*"))
    local.roots.realise(environment, expect=False)

"""The contract of Roots for environments that begin with an image, over the fake and over real folders; and what only folders show."""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
from typing import TYPE_CHECKING

import msgspec
import pytest

from lockage.adapters.memory.images import MadeImage, make_image
from lockage.adapters.memory.packages import TarNode, make_tar, make_wheel
from lockage.adapters.memory.roots import MemoryRoots
from lockage.adapters.memory.store import MemoryBlobs
from lockage.adapters.roots_local import LocalRoots
from lockage.base.digest import BlobRef, Digest
from lockage.base.path import RelPath
from lockage.environment.base import Interpreter, LockedImage
from lockage.environment.image import changes, layer_tar
from lockage.environment.image.errors import InvalidImage
from lockage.environment.lock import LockedEnvironment, LockedWheel, RootRef
from lockage.environment.python import NoPython
from lockage.environment.root import Kind, UnsupportedPackage, node_rows, stacked
from lockage.environment.root.layered import layered
from lockage.ports import BlobMissing, RootDrift
from lockage.stabilize.stream import pack

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lockage.ports import Roots

UNKNOWN = RootRef(tree=BlobRef.of(b""), metadata=Digest.of(b""))
PYTHON = Interpreter(
    path="/opt/python/cp312/bin/python3",
    version="3.12.4",
    glibc="2.28",
    folder=RelPath("opt/_internal/cpython"),
    site=RelPath("lib/python3.12/site-packages"),
)
SITE = "opt/_internal/cpython/lib/python3.12/site-packages"
LAYERS = (
    [
        TarNode(name="./", kind="5", mode=0o755),
        TarNode(name="etc/", kind="5", mode=0o755),
        TarNode(name="etc/old", data=b"old"),
        TarNode(name="usr/bin/su", data=b"su", mode=0o4755, uid=12, gid=34),
        TarNode(name="usr/bin/two", kind="1", target="usr/bin/su"),
        TarNode(name="lib", kind="2", target="usr/lib"),
        TarNode(name="dev/null", kind="3"),
        TarNode(name="run/pipe", kind="6"),
    ],
    [
        TarNode(name="etc/.wh.old"),
        TarNode(name="lib/libz.so", data=b"z"),
        TarNode(name="opt/python/cp312", kind="2", target="../_internal/cpython"),
        TarNode(name="opt/_internal/cpython/bin/python3.12", data=b"ELF", mode=0o755),
        TarNode(name=f"{SITE}/shop/__init__.py", data=b"old"),
        TarNode(name=f"{SITE}/shop/gone.py", data=b"gone"),
        TarNode(name=f"{SITE}/shop/more/deep.py", data=b"deep"),
        TarNode(name=f"{SITE}/shop/__pycache__/gone.cpython-312.pyc", data=b"code"),
        TarNode(
            name=f"{SITE}/Shop-0.9.dist-info/RECORD", data=b"shop/__init__.py,,\nshop/gone.py,,\nshop/more/deep.py,,\n../../../bin/shop,,\n"
        ),
        TarNode(name="opt/_internal/cpython/bin/shop", data=b"#!/old", mode=0o755),
        TarNode(name=f"{SITE}/pip/__init__.py", data=b"pip"),
        TarNode(name=f"{SITE}/pip-24.dist-info/RECORD", data=b"pip/__init__.py,,\n"),
    ],
)
WHEEL = make_wheel(
    "shop", {"shop/__init__.py": b"def main(): pass\n", "shop-1.dist-info/entry_points.txt": b"[console_scripts]\nshop = shop:main\n"}
)


class Bench:
    """A store with images in it, and the roots under test."""

    def __init__(self, roots: Roots, blobs: MemoryBlobs) -> None:
        self.roots = roots
        self.blobs = blobs

    def image(self, made: MadeImage) -> LockedImage:
        for data in made.blobs.values():
            self.blobs.put(data)
        return LockedImage(name="base", manifest=made.manifest, config=made.config, layers=made.layers, interpreter=PYTHON)

    def environment(
        self, layers: Sequence[Sequence[TarNode]] = LAYERS, wheels: Sequence[bytes] = (), packed: str = "gz"
    ) -> LockedEnvironment:
        refs = [self.blobs.put(data) for data in wheels]
        return LockedEnvironment(
            declaration=Digest.of(b""),
            image=self.image(make_image(layers, compression=packed)),
            architecture="amd64",
            root=UNKNOWN,
            packages=(),
            python=tuple(
                LockedWheel(name="shop", version="1", file=RelPath("shop-1-py3-none-any.whl"), size=ref.size, sha256=ref.digest)
                for ref in refs
            ),
        )

    def pinned(self, environment: LockedEnvironment) -> LockedEnvironment:
        return msgspec.structs.replace(environment, root=self.roots.realise(environment, expect=False).ref)

    def files(self, environment: LockedEnvironment) -> dict[str, tuple[str, int, bytes]]:
        """Every path of the root: what it is, its mode, and what is in it."""
        layers = self.roots.layers(self.pinned(environment))
        by = {entry.path: layer for layer in layers for entry in layer.entries}
        merged = stacked((layer.place, layer.entries) for layer in layers)
        return {
            str(entry.path): (
                str(entry.kind),
                entry.mode,
                by[entry.path].read(entry) if entry.kind.value == "file" else entry.target.encode(),
            )
            for entry in merged
        }


@pytest.fixture(params=["memory", "local"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    blobs = MemoryBlobs()
    return Bench(MemoryRoots(blobs) if request.param == "memory" else LocalRoots(blobs, tmp_path / "roots"), blobs)


@pytest.fixture
def local(tmp_path: Path) -> Bench:
    blobs = MemoryBlobs()
    return Bench(LocalRoots(blobs, tmp_path / "roots"), blobs)


# Every adapter


def test_the_python_layer_lies_over_the_folder_of_the_interpreter(bench: Bench) -> None:
    root = bench.roots.realise(bench.environment(wheels=[WHEEL]), expect=False)
    assert [place for place, _ in root.layers] == ["", "opt/_internal/cpython"]
    layers = bench.roots.layers(bench.pinned(bench.environment(wheels=[WHEEL])))
    assert [layer.place for layer in layers] == ["", "opt/_internal/cpython"]
    assert all(entry.path.is_under(RelPath("opt/_internal/cpython")) for entry in layers[1].entries)


def test_what_an_image_has_is_read_from_its_layer(bench: Bench) -> None:
    (layer,) = bench.roots.layers(bench.pinned(bench.environment()))
    entries = {str(entry.path): entry for entry in layer.entries}
    program = entries["opt/_internal/cpython/bin/python3.12"]
    assert (program.kind, program.mode, program.size, layer.read(program)) == (Kind.FILE, 0o755, 3, b"ELF")
    assert (entries["opt/python/cp312"].kind, entries["opt/python/cp312"].target) == (Kind.LINK, "../_internal/cpython")


def test_the_order_of_layers_counts(bench: Bench) -> None:
    one = bench.roots.realise(bench.environment(), expect=False)
    other = bench.roots.realise(bench.environment((LAYERS[1], LAYERS[0])), expect=False)
    assert one.ref != other.ref


def test_another_root_than_the_locks_is_drift(bench: Bench) -> None:
    with pytest.raises(RootDrift):
        bench.roots.realise(bench.environment())


def test_a_layer_that_is_not_kept_is_named(bench: Bench) -> None:
    environment = bench.environment()
    assert environment.pulled is not None
    gone = msgspec.structs.replace(environment.pulled, layers=(BlobRef.of(b"never kept"),))
    with pytest.raises(BlobMissing):
        bench.roots.realise(msgspec.structs.replace(environment, image=gone), expect=False)


# Real folders


def test_what_a_root_of_an_image_holds(local: Bench) -> None:
    files = local.files(local.environment())
    assert files["usr/bin/su"] == files["usr/bin/two"] == ("file", 0o755, b"su")
    assert files["lib"] == ("link", 0o777, b"usr/lib")
    assert files["usr/lib/libz.so"] == ("file", 0o644, b"z")
    assert files["etc/passwd"][0] == "file"
    assert {"dev/null", "run/pipe", "etc/old", "etc/.wh.old"}.isdisjoint(files)
    (layer,) = local.roots.layers(local.pinned(local.environment()))
    (owner,) = ((entry.uid, entry.gid) for entry in layer.entries if entry.path == "usr/bin/two")
    assert owner == (12, 34)


@pytest.mark.parametrize("packed", ["", "zst"])
def test_how_a_layer_is_packed_is_no_part_of_the_root(local: Bench, packed: str) -> None:
    first = local.roots.realise(local.environment(), expect=False)
    assert local.roots.realise(local.environment(packed=packed), expect=False).ref == first.ref


def test_wheels_lie_where_the_interpreter_looks_and_what_else_is_there_stays(local: Bench) -> None:
    files = local.files(local.environment(wheels=[WHEEL]))
    assert files[f"{SITE}/shop/__init__.py"][2] == b"def main(): pass\n"
    assert files["opt/_internal/cpython/bin/shop"][2].startswith(b"#!/opt/python/cp312/bin/python3\n")
    assert files["opt/_internal/cpython/bin/python3.12"] == ("file", 0o755, b"ELF")
    assert files[f"{SITE}/pip/__init__.py"][2] == b"pip"


def test_a_wheel_takes_the_place_of_what_the_image_has_of_its_project(local: Bench) -> None:
    files = local.files(local.environment(wheels=[WHEEL]))
    assert {path for path in files if "shop" in path.lower()} == {
        f"{SITE}/shop",
        f"{SITE}/shop/__init__.py",
        f"{SITE}/shop-1.dist-info",
        *(f"{SITE}/shop-1.dist-info/{name}" for name in ("INSTALLER", "METADATA", "RECORD", "WHEEL", "entry_points.txt")),
        "opt/_internal/cpython/bin/shop",
    }


def test_without_a_python_there_are_no_wheels(local: Bench) -> None:
    environment = local.environment(wheels=[WHEEL])
    assert environment.pulled is not None
    bare = msgspec.structs.replace(environment.pulled, interpreter=msgspec.UNSET)
    with pytest.raises(NoPython):
        local.roots.realise(msgspec.structs.replace(environment, image=bare), expect=False)


@pytest.mark.parametrize(
    ("node", "said"),
    [
        (TarNode(name="../etc/passwd", data=b"x"), "outside the root"),
        (TarNode(name="/etc/passwd", data=b"x"), "outside the root"),
        (TarNode(name="a/../../b", data=b"x"), "outside the root"),
        (TarNode(name="a", kind="2", target="../../etc"), "points out of the root"),
        (TarNode(name="a", kind="1", target="../../etc/passwd"), "outside the root"),
        (TarNode(name="a", kind="1", target="none"), "hardlink to none"),
    ],
)
def test_layers_named_by_their_defect(local: Bench, node: TarNode, said: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidImage, match=said):
        local.roots.realise(local.environment([[TarNode(name="b", data=b"x"), node]]), expect=False)
    assert not list((tmp_path / "roots/os").glob("*"))


def test_a_name_that_is_not_utf8_cannot_be_held(local: Bench) -> None:
    with pytest.raises(UnsupportedPackage, match="not UTF-8"):
        local.roots.realise(local.environment([[TarNode(name="\udcff", data=b"x")]]), expect=False)


@pytest.mark.parametrize("cut", [10, 60])
@pytest.mark.parametrize("packed", ["", "gz", "zst"])
def test_a_layer_that_is_cut_short_or_damaged(local: Bench, packed: str, cut: int) -> None:
    made = make_image([[TarNode(name="a", data=bytes(range(256)) * 40)]], compression=packed)
    (layer,) = made.layers
    short = local.blobs.put(made.blobs[layer.digest][:-cut] if packed else made.blobs[layer.digest][: 600 + cut])
    environment = local.environment()
    assert environment.pulled is not None
    image = msgspec.structs.replace(environment.pulled, layers=(short,))
    with pytest.raises(InvalidImage, match=r"damaged|ends within"):
        local.roots.realise(msgspec.structs.replace(environment, image=image), expect=False)


@pytest.mark.parametrize("packed", ["gz", ""])
def test_a_layers_archive_is_known_by_its_bytes_whatever_it_is_packed_with(bench: Bench, packed: str) -> None:
    image = bench.environment(packed=packed).pulled
    assert image is not None
    assert [layer.diff_id for layer in bench.roots.received(image)] == [Digest.of(make_tar(nodes)) for nodes in LAYERS]


def test_a_layer_that_is_not_kept_cannot_be_looked_into(bench: Bench) -> None:
    image = bench.environment().pulled
    assert image is not None
    del bench.blobs.data[image.layers[0].digest]
    with pytest.raises(BlobMissing):
        bench.roots.received(image)


# Layers as they were received, from folders


def test_what_a_root_drops_is_told_of_a_layer(local: Bench) -> None:
    image = local.environment().pulled
    assert image is not None
    members = {str(member.path): member for layer in local.roots.received(image) for member in layer.members}
    assert members["usr/bin/su"].mode == 0o4755
    assert stat.S_ISCHR(members["dev/null"].mode)
    assert stat.S_ISFIFO(members["run/pipe"].mode)
    assert members["usr/bin/su"].sha256 == Digest.of(b"su")


def test_a_file_with_capabilities_counts_as_setuid(local: Bench) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, kind in (("ping", tarfile.REGTYPE), ("folder", tarfile.DIRTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.pax_headers = kind, 0o755, {"SCHILY.xattr.security.capability": "\1\0\0\2"}
            tar.addfile(info)
    ref = local.blobs.put(out.getvalue())
    (layer,) = local.roots.received(LockedImage(name="x", manifest=ref, config=ref, layers=(ref,)))
    assert [(str(member.path), oct(member.mode)) for member in layer.members] == [("ping", "0o4755"), ("folder", "0o755")]
    assert layer.diff_id == ref.digest


def test_a_layer_and_what_is_otherwise_unpacked_are_the_root(local: Bench) -> None:
    environment = local.pinned(local.environment(wheels=[WHEEL]))
    assert environment.pulled is not None
    layers = local.roots.layers(environment)
    owners = {entry.path: layer for layer in layers for entry in layer.entries}
    after = stacked((layer.place, layer.entries) for layer in layers)
    before = layered(layer.members for layer in local.roots.received(environment.pulled)).values()
    above = changes(before, after)
    assert {str(entry.path) for entry in above if entry.path.name.startswith(".wh.")} == {
        "dev/.wh.null",
        "run/.wh.pipe",
        f"{SITE}/.wh.Shop-0.9.dist-info",
        f"{SITE}/shop/.wh.__pycache__",
        f"{SITE}/shop/.wh.gone.py",
        f"{SITE}/shop/.wh.more",
    }
    ref = local.blobs.put(b"".join(layer_tar(above, lambda entry: owners[entry.path].read(entry) if entry.size else b"")))
    both = msgspec.structs.replace(environment.pulled, layers=(*environment.pulled.layers, ref))
    assert node_rows(layered(layer.members for layer in local.roots.received(both)).values()) == node_rows(after)


def test_what_python_packages_bring_is_the_same_layer_on_another_base(local: Bench) -> None:
    archives = []
    for layers in (LAYERS, (*LAYERS, [TarNode(name="usr/share/more", data=b"more"), TarNode(name=f"{SITE}/other.py", data=b"other")])):
        system, python = local.roots.layers(local.pinned(local.environment(layers, wheels=[WHEEL])))
        above = changes(system.entries, stacked([("", system.entries), (python.place, python.entries)]))
        archives.append(b"".join(layer_tar(above, lambda entry, layer=python: layer.read(entry) if entry.size else b"")))  # type: ignore[misc]  # a default binds the loop's layer
    assert archives[0] == archives[1]


@pytest.mark.parametrize("packed", ["gz", "zst", ""])
def test_what_follows_the_end_of_an_archive_is_part_of_it(local: Bench, packed: str) -> None:
    plain = make_tar(LAYERS[0]) + bytes(5 * 10240) + b"more"
    data = {"gz": gzip.compress, "zst": lambda data: pack("zstd", data), "": bytes}[packed](plain)
    ref = local.blobs.put(data)
    (layer,) = local.roots.received(LockedImage(name="x", manifest=ref, config=ref, layers=(ref,)))
    assert layer.diff_id == Digest.of(plain)


def test_a_damaged_layer_is_not_looked_into(local: Bench) -> None:
    ref = local.blobs.put(make_tar(LAYERS[0], "gz")[:-20])
    with pytest.raises(InvalidImage, match="layer 1 of x is damaged"):
        local.roots.received(LockedImage(name="x", manifest=ref, config=ref, layers=(ref,)))

"""Packages unpacked by processes: the same as without them, whatever becomes of the processes."""

from __future__ import annotations

import errno
import os
import signal
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lockage.adapters.memory.packages import TarNode, make_deb
from lockage.adapters.memory.store import MemoryBlobs
from lockage.adapters.roots_local import unpackers
from lockage.adapters.roots_local.spool import FileSpool
from lockage.adapters.roots_local.unpack import Sources, unpack_debs
from lockage.base.path import RelPath
from lockage.environment.lock import LockedPackage
from lockage.environment.root import InvalidPackage, Kind, Package, UnsupportedPackage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockage.base.digest import Digest
    from lockage.ports import Blobs

DEBS = {
    f"package-{number}": make_deb(
        f"package-{number}",
        [
            TarNode(name=f"./usr/share/{number}/", kind="5", mode=0o755),
            TarNode(name=f"./usr/share/{number}/text", data=b"%d\n" % number * 1000),
            TarNode(name=f"./usr/share/{number}/same", kind="1", target=f"./usr/share/{number}/text"),
            TarNode(name=f"./usr/share/{number}/link", kind="2", target="text"),
        ],
    )
    for number in range(6)
}


class Files(MemoryBlobs):
    """Opens blobs as files, whose descriptors can be handed over."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def open(self, ref):  # type: ignore[no-untyped-def]  # as in the port
        path = self.folder / ref.digest
        path.write_bytes(self.get(ref))
        return path.open("rb")


@pytest.fixture(params=["in memory", "files"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    return MemoryBlobs() if request.param == "in memory" else Files(tmp_path)


def locked(blobs: Blobs, debs: dict[str, bytes]) -> list[LockedPackage]:
    refs = {name: blobs.put(data) for name, data in debs.items()}
    return [
        LockedPackage(name=name, version="1", architecture="amd64", path=RelPath(f"pool/{name}.deb"), size=ref.size, sha256=ref.digest)
        for name, ref in refs.items()
    ]


def given(apart: unpackers.Unpackers, blobs: Blobs, package: LockedPackage) -> Package | None:
    with blobs.open(package.ref) as stream:
        return apart.unpack(stream, package.path.name, package.name, package.sha256)


def read(packages: dict[Digest, Package], spool: FileSpool) -> dict[Digest, tuple[object, ...]]:
    return {
        key: (package.name, package.control, *((m.path, m.kind, m.mode, m.sha256, _bytes(m.source, spool)) for m in package.members))
        for key, package in packages.items()
    }


def _bytes(source: str, spool: FileSpool) -> bytes | None:
    return (spool.folder / source).read_bytes() if source else None


def test_the_same_comes_out(tmp_path: Path, blobs: Blobs) -> None:
    packages = locked(blobs, DEBS)
    here, apart = FileSpool(tmp_path / "here"), FileSpool(tmp_path / "apart")
    expected = unpack_debs(packages, Sources(blobs), here)
    found = unpack_debs(packages, Sources(blobs), apart, worth_a_process=0)
    assert read(found, apart) == read(expected, here)
    assert all(m.source.startswith(f"{key}/") for key, package in found.items() for m in package.members if m.kind is Kind.FILE)


BAD = {
    "damaged": (make_deb("damaged", [TarNode(name="./a", data=b"a" * 100000)])[:-200], InvalidPackage),
    "climbing": (make_deb("climbing", [TarNode(name="./../a", data=b"a")]), InvalidPackage),
    "device": (make_deb("device", [TarNode(name="./dev", kind="3")]), UnsupportedPackage),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_with_a_package_is_said_as_without_them(tmp_path: Path, blobs: Blobs, name: str) -> None:
    data, kind = BAD[name]
    packages = locked(blobs, {**DEBS, name: data})
    with pytest.raises(kind) as expected:
        unpack_debs(packages, Sources(blobs), FileSpool(tmp_path / "here"))
    with pytest.raises(kind) as found:
        unpack_debs(packages, Sources(blobs), FileSpool(tmp_path / "apart"), worth_a_process=0)
    assert (found.value.message, found.value.hint, found.value.details) == (
        expected.value.message,
        expected.value.hint,
        expected.value.details,
    )


def test_what_the_system_refuses_is_an_error_of_the_system(tmp_path: Path) -> None:
    blobs = MemoryBlobs()
    (package,) = locked(blobs, {"package-0": DEBS["package-0"]})
    spool = FileSpool(tmp_path / "spool")
    apart = unpackers.Unpackers(spool)
    try:
        given(apart, blobs, package)
        (tmp_path / "spool").rename(tmp_path / "elsewhere")
        with pytest.raises(OSError) as found:
            given(apart, blobs, package)
    finally:
        apart.close()
    assert found.value.errno == errno.ENOENT


def test_a_process_that_dies_is_no_fault_of_the_package(tmp_path: Path, blobs: Blobs) -> None:
    packages = locked(blobs, DEBS)
    spool = FileSpool(tmp_path / "spool")
    apart = unpackers.Unpackers(spool)
    try:
        first = given(apart, blobs, packages[0])
        assert first is not None
        os.kill(apart._idle[0]._child.pid, signal.SIGKILL)
        assert given(apart, blobs, packages[1]) is None
        assert given(apart, blobs, packages[1]) is not None, "by another process"
    finally:
        apart.close()


def test_where_no_process_can_be_started_the_work_is_done_here(tmp_path: Path, blobs: Blobs) -> None:
    packages = locked(blobs, DEBS)
    spool = FileSpool(tmp_path / "spool")
    found = unpack_debs(packages, Sources(blobs), spool, worth_a_process=0, interpreter="/missing")
    assert {key: package.name for key, package in found.items()} == {p.sha256: p.name for p in packages}


def test_when_it_is_stopped_no_process_is_left(tmp_path: Path, blobs: Blobs) -> None:
    packages = locked(blobs, DEBS)
    before = _children()

    def arriving() -> Iterator[LockedPackage]:
        yield packages[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        unpack_debs(packages, Sources(blobs), FileSpool(tmp_path / "spool"), arriving(), worth_a_process=0)
    assert _children() == before


def _children() -> set[str]:
    found: set[str] = set()
    for task in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that ended meanwhile
            found.update((task / "children").read_text().split())
    return found


def test_after_it_was_stopped_nothing_is_begun(tmp_path: Path) -> None:
    apart = unpackers.Unpackers(FileSpool(tmp_path / "spool"))
    apart.kill()
    with pytest.raises(InterruptedError):
        apart.unpack(BytesIO(), "a.deb", "a", "a")

"""The contract of the port ``OsPackages``, over the fake and over a mirror in a folder; then what only a mirror can do wrong."""

import gzip
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from lockage.adapters.debian_mirror import DebianMirror, Mirror
from lockage.adapters.memory import FixedClock, MemoryBlobs, MemoryMemo
from lockage.adapters.memory.os_packages import MemoryOsPackages
from lockage.adapters.memory.signed_archive import SignedArchive, SigningKey
from lockage.adapters.openpgp import Keyring
from lockage.base.digest import Digest
from lockage.base.instant import Instant
from lockage.environment.base import OsBase
from lockage.environment.debian import Index, PackagedFile, Release, parse_packages, resolve
from lockage.environment.errors import InvalidIndex
from lockage.environment.lock import LockedPackage
from lockage.ports import (
    MirrorUnconfigured,
    OsPackages,
    PackageChanged,
    PackageVanished,
    ServiceUnreachable,
    StoreUnwritable,
    UntrustedRelease,
)

T0 = Instant.parse("2026-01-01T00:00:00Z")
DAY = 86400
BASE = OsBase.parse("debian:bookworm")


#: Of each architecture, and of those for all.
CONTENTS = {
    "amd64": b"bin/sh                        shells/b\nusr/include/a/a.h             libdevel/a\nusr/share/doc/a/copyright    libdevel/a\n",
    "all": b"usr/bin/tool                  utils/a,contrib/utils/b\n",
}


class World:
    """One implementation of the port with packages ``a`` (which needs ``b``) and ``b`` in bookworm."""

    def __init__(self, packages: OsPackages, blobs: MemoryBlobs, put: Callable[[str, bytes | None], None]) -> None:
        self.packages = packages
        self.blobs = blobs
        self.put = put

    def lock(self) -> tuple[LockedPackage, ...]:
        return resolve(Index(self.packages.index(BASE, "amd64")[1]), ["a"], "amd64")


class MirrorWorld:
    """A signed archive in a folder and an adapter over it."""

    def __init__(self, folder: Path, *, key: SigningKey | None = None) -> None:
        self.key = SigningKey(created=T0) if key is None else key
        self.archive = SignedArchive(folder / "mirror", self.key)
        self.archive.add("a", "1.0", Depends="b (>= 2)")
        self.archive.add("b", "2.0")
        self.archive.add("c", "3.0", component="contrib")
        self.archive.add("a", "1.1", Architecture="arm64")
        self.archive.contents = CONTENTS
        self.archive.publish("bookworm", T0)
        self.blobs, self.memo, self.clock = MemoryBlobs(), MemoryMemo(), FixedClock()
        self.cache = folder / "cache"

    def adapter(self, *mirrors: Mirror, trusted: bytes | None = None, stale: str = "") -> DebianMirror:
        return DebianMirror(
            self.blobs,
            self.memo,
            self.clock,
            self.cache,
            mirrors=lambda _: mirrors or (Mirror(self.archive.uri),),
            verify=Keyring([self.key.public if trusted is None else trusted]).verify,
            verify_alone=Keyring().verify,
            allow_stale=frozenset(stale.split()),
            pause=lambda _: None,
        )

    def put(self, path: str, data: bytes | None) -> None:
        if data is None:
            (self.archive.folder / path).unlink()
        else:
            self.archive.write(path, data)


def mirror_world(folder: Path) -> World:
    world = MirrorWorld(folder)
    return World(world.adapter(), world.blobs, world.put)


def fake_world(folder: Path) -> World:
    world = MirrorWorld(folder)  # only to make the stanzas and the pool
    blobs = MemoryBlobs()
    fake = MemoryOsPackages(blobs)
    stanzas, contrib, other = (
        parse_packages([(world.archive.folder / f"dists/bookworm/{part}/Packages").read_bytes()])
        for part in ("main/binary-amd64", "contrib/binary-amd64", "main/binary-arm64")
    )
    release = Release(
        suite="stable",
        codename="bookworm",
        origin="Debian",
        date=T0,
        valid_until=None,
        acquire_by_hash=True,
        files={},
        sha256=Digest("0" * 64),
    )
    fake.suites["bookworm", "amd64"] = release, stanzas
    fake.suites["bookworm", "arm64"] = release, other
    fake.components["bookworm", "amd64", "contrib"] = contrib
    fake.contents = CONTENTS
    fake.pool = {stanza.path: (world.archive.folder / stanza.path).read_bytes() for stanza in (*stanzas, *other)}

    def put(path: str, data: bytes | None) -> None:
        if data is None:
            del fake.pool[path]
        else:
            fake.pool[path] = data

    return World(fake, blobs, put)


@pytest.fixture(params=[fake_world, mirror_world], ids=["memory", "debian_mirror"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    found: World = request.param(tmp_path)
    return found


def test_the_index_has_the_release_and_every_stanza(world: World) -> None:
    release, stanzas = world.packages.index(BASE, "amd64")
    assert (release.codename, release.date) == ("bookworm", T0)
    assert [(stanza.name, stanza.version, stanza.depends) for stanza in stanzas] == [("a", "1.0", "b (>= 2)"), ("b", "2.0", "")]


def test_each_architecture_has_its_own_index_of_one_release(world: World) -> None:
    release, stanzas = world.packages.index(BASE, "arm64")
    assert release == world.packages.index(BASE, "amd64")[0]
    assert [(stanza.name, stanza.version, stanza.architecture) for stanza in stanzas] == [("a", "1.1", "arm64")]
    packages = resolve(Index(stanzas), ["a"], "arm64")
    world.packages.fetch(BASE, packages)
    assert [world.blobs.get(package.ref) for package in packages] == [b"the package a 1.1"]


def test_components_are_read_where_they_are_asked_for(world: World) -> None:
    def names(*components: str) -> list[str]:
        return [stanza.name for stanza in world.packages.index(BASE, "amd64", components=components)[1]]

    assert (names("main"), names("contrib"), names("main", "contrib")) == (["a", "b"], ["c"], ["a", "b", "c"])
    with pytest.raises(MirrorUnconfigured, match="bookworm has no packages for amd64 in non-free"):
        names("main", "non-free")


def test_packages_are_fetched_whole(world: World) -> None:
    packages = world.lock()
    world.packages.fetch(BASE, packages)
    assert [world.blobs.get(package.ref) for package in packages] == [b"the package a 1.0", b"the package b 2.0"]


def test_what_is_kept_is_not_fetched(world: World) -> None:
    packages = world.lock()
    world.packages.fetch(BASE, packages)
    for package in packages:
        world.put(package.path, None)
    world.packages.fetch(BASE, packages)


def test_a_package_is_given_once_it_is_kept_and_what_is_kept_as_well(world: World) -> None:
    packages = world.lock()
    world.packages.fetch(BASE, packages[:1])
    with world.packages.arriving(BASE, packages) as arriving:
        given = []
        for package in arriving:
            assert world.blobs.has(package.ref)
            given.append(package)
    assert sorted(given) == sorted(packages)


def test_who_waits_for_a_package_that_cannot_be_had_is_told(world: World) -> None:
    packages = world.lock()
    world.put(packages[1].path, b"the package b 2.1")
    with pytest.raises(PackageChanged), world.packages.arriving(BASE, packages) as arriving:
        list(arriving)
    assert not world.blobs.has(packages[1].ref)


def test_nobody_has_to_wait_to_the_end(world: World) -> None:
    with world.packages.arriving(BASE, world.lock()):
        pass
    world.packages.fetch(BASE, world.lock())


def test_a_changed_package_is_named_with_both_values_and_not_kept(world: World) -> None:
    packages = world.lock()
    world.put(packages[1].path, b"the package b 2.1")
    with pytest.raises(PackageChanged) as caught:
        world.packages.fetch(BASE, packages)
    assert caught.value.details["package"] == "b"
    assert packages[1].sha256 in str(caught.value.details["expected"])
    assert Digest.of(b"the package b 2.1") in str(caught.value.details["found"])
    assert not world.blobs.has(packages[1].ref)


@pytest.mark.parametrize("data", [b"", b"the package b 2", b"the package b 2.0 and more"], ids=["empty", "shorter", "longer"])
def test_a_package_of_another_size_counts_as_changed(world: World, data: bytes) -> None:
    packages = world.lock()
    world.put(packages[1].path, data)
    with pytest.raises(PackageChanged):
        world.packages.fetch(BASE, packages)


def test_a_package_that_is_gone_is_named(world: World) -> None:
    packages = world.lock()
    world.put(packages[0].path, None)
    with pytest.raises(PackageVanished) as caught:
        world.packages.fetch(BASE, packages)
    assert caught.value.details["package"] == "a"


@pytest.mark.parametrize(("suite", "architecture"), [("nosuch", "amd64"), ("bookworm", "riscv64")])
def test_a_suite_or_architecture_that_is_not_there(world: World, suite: str, architecture: str) -> None:
    with pytest.raises(MirrorUnconfigured):
        world.packages.index(OsBase.parse(f"debian:{suite}"), architecture)


def test_files_are_found_by_how_their_paths_end(world: World) -> None:
    found = world.packages.files(BASE, "amd64", ["/a.h", "/nosuch.h"])
    assert found == (PackagedFile("usr/include/a/a.h", "libdevel", "a"),)
    assert world.packages.files(BASE, "amd64", ["bin/tool"]) == ()
    assert world.packages.files(BASE, "all", ["bin/tool"]) == (
        PackagedFile("usr/bin/tool", "utils", "a"),
        PackagedFile("usr/bin/tool", "utils", "b"),
    )


def test_what_no_build_asks_for_is_not_found(world: World) -> None:
    assert world.packages.files(BASE, "amd64", ["/copyright", "/h"]) == ()


def test_files_of_a_suite_that_is_not_there(world: World) -> None:
    with pytest.raises(MirrorUnconfigured):
        world.packages.files(OsBase.parse("debian:nosuch"), "amd64", ["/a.h"])


# Only a mirror can do these.


@pytest.fixture
def mirror(tmp_path: Path) -> MirrorWorld:
    return MirrorWorld(tmp_path)


def why(adapter: DebianMirror, base: OsBase = BASE) -> str:
    with pytest.raises(UntrustedRelease) as caught:
        adapter.index(base, "amd64")
    assert caught.value.hint
    return str(caught.value.details["reason"])


def edit(mirror: MirrorWorld, path: str, old: bytes, new: bytes) -> None:
    file = mirror.archive.folder / path
    data = file.read_bytes()
    assert old in data
    file.write_bytes(data.replace(old, new, 1))


def test_an_altered_release_file(mirror: MirrorWorld) -> None:
    edit(mirror, "dists/bookworm/InRelease", b"Suite: stable", b"Suite: testing")
    assert why(mirror.adapter()) == "altered"


def test_a_release_file_signed_by_a_stranger(mirror: MirrorWorld) -> None:
    assert why(mirror.adapter(trusted=SigningKey(2, created=T0).public)) == "unknown-key"


def test_a_release_file_past_its_valid_until(mirror: MirrorWorld) -> None:
    mirror.archive.publish("bookworm", T0, valid_until=Instant(T0 + 7 * DAY))
    mirror.clock.advance(7 * DAY)
    with pytest.raises(UntrustedRelease, match="valid until 2026-01-08T00:00:00Z") as caught:
        mirror.adapter().index(BASE, "amd64")
    assert "LOCKAGE_ALLOW_STALE_SUITES" in caught.value.hint
    for name in ("bookworm", "stable"):
        assert mirror.adapter(stale=name).index(BASE, "amd64")[0].codename == "bookworm"


def test_a_stale_release_file_that_is_allowed_says_that_it_is(mirror: MirrorWorld) -> None:
    mirror.archive.publish("bookworm", T0, valid_until=Instant(T0 + 7 * DAY))
    assert not mirror.adapter().index(BASE, "amd64", stale=True)[0].stale, "it is not stale yet"
    mirror.clock.advance(7 * DAY)
    assert mirror.adapter().index(BASE, "amd64", stale=True)[0].stale
    assert mirror.adapter(stale="bookworm").index(BASE, "amd64")[0].stale
    assert why(mirror.adapter()) == "stale", "allowing it once allows it once"


def test_a_keyring_that_is_named_alone_says_who_may_sign(mirror: MirrorWorld) -> None:
    stranger = SigningKey(2, created=T0)
    adapter = mirror.adapter()
    with pytest.raises(UntrustedRelease) as caught:
        adapter.index(BASE, "amd64", keyring=stranger.public)
    assert caught.value.details["reason"] == "unknown-key", "the archive's own key counts no more"
    mirror.archive.key = stranger
    mirror.archive.publish("bookworm", T0, origin="Vendor")
    assert why(mirror.adapter()) == "unknown-key"
    assert mirror.adapter().index(BASE, "amd64", keyring=stranger.public)[0].origin == "Vendor"


def test_another_distribution_is_signed_by_keys_of_its_own(mirror: MirrorWorld) -> None:
    noble = OsBase.parse("ubuntu:noble")
    mirror.archive.publish("noble", T0, origin="Ubuntu")
    assert why(mirror.adapter(), noble) == "unknown-key", "Debian's keys do not vouch for it"
    named = Mirror(mirror.archive.uri, frozenset(["noble"]), (mirror.key.public,))
    assert mirror.adapter(named).index(noble, "amd64")[0].origin == "Ubuntu"
    mirror.archive.publish("noble", T0, origin="Debian")
    assert why(mirror.adapter(named), noble) == "other-archive"


def test_a_release_file_that_was_rolled_back(mirror: MirrorWorld) -> None:
    mirror.clock.advance(9 * DAY)
    mirror.archive.publish("bookworm", Instant(T0 + 2 * DAY))
    mirror.adapter().index(BASE, "amd64")
    mirror.archive.publish("bookworm", Instant(T0 + DAY))
    assert why(mirror.adapter()) == "rolled-back"
    assert mirror.adapter(stale="bookworm").index(BASE, "amd64")[0].date == T0 + DAY
    assert why(mirror.adapter()) == "rolled-back", "allowing it once does not lower what was seen"


def test_a_release_file_from_the_future(mirror: MirrorWorld) -> None:
    mirror.archive.publish("bookworm", Instant(T0 + DAY))
    assert why(mirror.adapter(stale="bookworm")) == "future-signature"


def test_the_release_file_of_another_suite(mirror: MirrorWorld) -> None:
    data = (mirror.archive.folder / "dists/bookworm/InRelease").read_bytes()
    mirror.archive.write("dists/trixie/InRelease", data)
    mirror.archive.write("dists/stable/InRelease", data)
    assert why(mirror.adapter(), OsBase.parse("debian:trixie")) == "other-suite"


def test_a_key_of_the_machine_speaks_only_for_the_debian_archive(mirror: MirrorWorld) -> None:
    stranger = SigningKey(2, created=T0).public
    named = Mirror(mirror.archive.uri, keys=(mirror.key.public,))
    assert mirror.adapter(named, trusted=stranger).index(BASE, "amd64")[0].origin == "Debian"
    mirror.archive.publish("bookworm", T0, origin="Vendor")
    assert why(mirror.adapter(named, trusted=stranger)) == "other-archive"


@pytest.mark.parametrize("by_hash", [True, False])
def test_an_index_that_is_not_the_one_signed(mirror: MirrorWorld, by_hash: bool) -> None:
    mirror.archive.publish("bookworm", T0, by_hash=by_hash)
    for path in (mirror.archive.folder / "dists/bookworm/main").rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert why(mirror.adapter()) == "hash-mismatch"


def test_an_index_that_is_missing(mirror: MirrorWorld) -> None:
    for path in (mirror.archive.folder / "dists/bookworm/main").rglob("*"):
        if path.is_file():
            path.unlink()
    assert why(mirror.adapter()) == "missing-index"


def test_an_index_that_is_signed_but_unreadable(mirror: MirrorWorld) -> None:
    mirror.archive.add("c", Size="many")
    mirror.archive._packages[-1] = msgspec.structs.replace(mirror.archive._packages[-1], stanza="Package: c\n")
    mirror.archive.publish("bookworm", T0)
    with pytest.raises(InvalidIndex):
        mirror.adapter().index(BASE, "amd64")


def test_an_index_is_parsed_once(mirror: MirrorWorld) -> None:
    first = mirror.adapter().index(BASE, "amd64")
    for path in (mirror.archive.folder / "dists/bookworm/main").rglob("*"):
        if path.is_file():
            path.unlink()
    assert mirror.adapter().index(BASE, "amd64") == first


def test_a_damaged_memo_is_made_anew(mirror: MirrorWorld) -> None:
    first = mirror.adapter().index(BASE, "amd64")
    mirror.memo.values = {key: value[:-1] for key, value in mirror.memo.values.items()}
    assert mirror.adapter().index(BASE, "amd64") == first


def test_the_next_mirror_is_asked_where_the_first_fails(mirror: MirrorWorld, tmp_path: Path) -> None:
    good, absent = Mirror(mirror.archive.uri), Mirror((tmp_path / "absent").as_uri())
    away = Mirror("http://127.0.0.1:9/debian")
    adapter = mirror.adapter(absent, away, good)
    packages = resolve(Index(adapter.index(BASE, "amd64")[1]), ["a"], "amd64")
    adapter.fetch(BASE, packages)
    assert all(mirror.blobs.has(package.ref) for package in packages)


def test_a_mirror_that_the_machine_uses_for_the_suite_is_asked_first(mirror: MirrorWorld) -> None:
    edit(mirror, "dists/bookworm/InRelease", b"Suite: stable", b"Suite: testing")
    other = Mirror("http://127.0.0.1:9/debian", frozenset({"bookworm"}))
    with pytest.raises(ServiceUnreachable):
        mirror.adapter(Mirror(mirror.archive.uri), other).index(BASE, "amd64")


def test_no_network(mirror: MirrorWorld) -> None:
    adapter = mirror.adapter(Mirror("http://127.0.0.1:9/debian"))
    package = resolve(Index(mirror.adapter().index(BASE, "amd64")[1]), ["b"], "amd64")
    for attempt in (lambda: adapter.index(BASE, "amd64"), lambda: adapter.fetch(BASE, package)):
        with pytest.raises(ServiceUnreachable) as caught:
            attempt()
        assert (caught.value.exit_code, "LOCKAGE_DEBIAN_MIRROR" in caught.value.hint) == (10, True)


def test_the_whole_ones_are_kept_if_one_cannot_be_had(mirror: MirrorWorld) -> None:
    adapter = mirror.adapter()
    packages = resolve(Index(adapter.index(BASE, "amd64")[1]), ["a"], "amd64")
    mirror.put(packages[1].path, None)
    for _ in range(2):
        with pytest.raises(PackageVanished):
            adapter.fetch(BASE, packages)
    assert not mirror.blobs.has(packages[1].ref)


def test_a_large_package_goes_through_a_file(mirror: MirrorWorld) -> None:
    mirror.archive.add("large", data=bytes(17 << 20))
    mirror.archive.publish("bookworm", T0)
    adapter = mirror.adapter()
    (package,) = resolve(Index(adapter.index(BASE, "amd64")[1]), ["large"], "amd64")
    adapter.fetch(BASE, [package])
    assert mirror.blobs.has(package.ref)


def test_a_cache_that_cannot_be_written(mirror: MirrorWorld) -> None:
    mirror.cache.write_bytes(b"a file where the folder should be")
    with pytest.raises(StoreUnwritable):
        mirror.adapter().index(BASE, "amd64")


def test_an_index_of_files_is_asked_for_once_a_week_and_serves_when_nobody_answers(mirror: MirrorWorld) -> None:
    assert mirror.adapter().files(BASE, "amd64", ["/a.h"])
    for path in (mirror.archive.folder / "dists/bookworm").rglob("*"):
        if path.is_file():
            path.unlink()
    assert mirror.adapter().files(BASE, "amd64", ["/a.h"]), "another process, soon afterwards, asks nobody"
    mirror.clock.advance(30 * DAY)
    assert mirror.adapter().files(BASE, "amd64", ["/a.h"]), "later it asks, and what is kept is better than nothing"
    with pytest.raises(MirrorUnconfigured):
        mirror.adapter().files(BASE, "arm64", ["/a.h"])


def test_a_new_index_of_files_takes_the_place_of_the_old_one(mirror: MirrorWorld) -> None:
    assert not mirror.adapter().files(BASE, "amd64", ["/b.h"])
    mirror.archive.contents = {"amd64": b"usr/include/b.h libdevel/b\n"}
    mirror.clock.advance(8 * DAY)
    mirror.archive.publish("bookworm", mirror.clock.now())
    assert [file.package for file in mirror.adapter().files(BASE, "amd64", ["/b.h"])] == ["b"]


def test_an_index_of_files_that_the_release_does_not_vouch_for_is_refused(mirror: MirrorWorld) -> None:
    for path in (mirror.archive.folder / "dists/bookworm/main").rglob("*"):
        if path.is_file() and path.read_bytes()[:2] == b"\x1f\x8b":
            path.write_bytes(gzip.compress(b"usr/include/a/a.h libdevel/evil\n"))
    with pytest.raises(UntrustedRelease):
        mirror.adapter().files(BASE, "amd64", ["/a.h"])
    assert mirror.memo.get("debian-contents-1", "bookworm amd64") is None

"""lockage.lock: equal locks have equal bytes, and a lock that was read is the bytes that were read."""

import msgspec
import pytest

from lockage.base.digest import BlobRef, Digest
from lockage.base.path import RelPath
from lockage.environment.base import HostBase, OsBase
from lockage.environment.lock import InvalidLock, Lock, LockedEnvironment, LockedPackage, LockedSdist, RootRef


def locked(*names: str) -> Lock:
    packages = tuple(
        LockedPackage(
            name=name, version="1", architecture="amd64", path=RelPath(f"pool/{name}.deb"), size=1, sha256=Digest.of(name.encode())
        )
        for name in names
    )
    environment = LockedEnvironment(
        declaration=Digest.of(b"declaration"),
        os=OsBase.parse("debian:bookworm"),
        architecture="amd64",
        release_date="2026-11-23",
        release_sha256=Digest.of(b"release"),
        root=RootRef(tree=BlobRef.of(b""), metadata=Digest.of(b"")),
        packages=packages,
    )
    return Lock.of({"build": environment})


def test_equal_locks_have_equal_bytes_whatever_order_their_packages_came_in() -> None:
    assert locked("a", "b").encode() == locked("b", "a").encode()


def test_each_package_stands_on_a_line_of_its_own() -> None:
    one, two = locked("a").encode().splitlines(), locked("a", "b").encode().splitlines()
    assert len(two) == len(one) + 1


def test_reading_what_was_written_gives_the_same_lock_and_bytes() -> None:
    lock = locked("a", "b")
    assert Lock.decode(lock.encode()) == lock
    assert Lock.decode(lock.encode()).encode() == lock.encode()


def test_the_digest_is_that_of_the_bytes_that_were_read() -> None:
    other = b" " + locked("a").encode()  # laid out by another hand
    assert Lock.decode(other) == locked("a")
    assert Lock.decode(other).digest == Digest.of(other)


def test_a_changed_lock_does_not_keep_the_bytes_of_the_one_it_was_made_from() -> None:
    read = Lock.decode(b" " + locked("a").encode())
    assert msgspec.structs.replace(read, environments=locked("b").environments).encode() == locked("b").encode()


def sourced(*names: str) -> Lock:
    """A lock of an environment for which these projects are built in one builder."""
    environment = locked("a").environments["build"]
    sdists = tuple(
        LockedSdist(
            name=name, version="1", file=RelPath(f"{name}-1.tar.gz"), size=1, sha256=Digest.of(name.encode()), inference=1, builder="x"
        )
        for name in names
    )
    builders = {"x": locked("gcc").environments["build"]}
    return Lock(environments={"build": msgspec.structs.replace(environment, sdists=sdists, builders=builders if names else {})})


def test_sdists_and_what_they_are_built_in_are_written_and_read() -> None:
    lock = sourced("x", "y")
    assert lock.encode() == sourced("y", "x").encode()
    assert msgspec.structs.replace(Lock.decode(lock.encode())).encode() == lock.encode()
    assert len(lock.encode().splitlines()) == len(sourced("x").encode().splitlines()) + 1


def test_a_lock_without_sdists_is_as_it_always_was() -> None:
    assert sourced() == locked("a")
    assert b"sdists" not in locked("a").encode()
    assert b"builders" not in locked("a").encode()


@pytest.mark.parametrize("depth", [60, 5000])
def test_a_lock_of_builders_without_end_is_refused(depth: int) -> None:
    whole = msgspec.json.encode(msgspec.json.decode(locked("a").encode())["environments"]["build"])
    nested = (whole[:-1] + b', "builders": {"x": ') * depth + whole + b"}}" * depth
    with pytest.raises(InvalidLock):
        Lock.decode(b'{"lock": 1, "realiser": 1, "environments": {"a": ' + nested + b"}}")


def test_a_host_is_no_place_to_build_for_a_root() -> None:
    built = sourced("x")
    host = LockedEnvironment(declaration=Digest.of(b""), host=HostBase(), architecture="amd64")
    lock = Lock.of({"build": msgspec.structs.replace(built.environments["build"], builders={"x": host})})
    with pytest.raises(InvalidLock, match="'build, to build x' is a host, on which nothing is built for a root"):
        Lock.decode(lock.encode())


def test_the_realiser_of_a_lock_is_the_newest_of_all_environments_and_builders() -> None:
    environment = sourced("x").environments["build"]
    newer = {"x": msgspec.structs.replace(environment.builders["x"], realiser=2)}
    lock = Lock.of({"build": msgspec.structs.replace(environment, builders=newer)})
    assert lock.realiser == 2
    assert Lock.decode(lock.encode()) == lock
    with pytest.raises(InvalidLock, match="'build, to build x' has 2"):
        Lock.decode(lock.encode().replace(b'"realiser": 2', b'"realiser": 1', 1))

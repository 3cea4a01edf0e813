"""Where environments stand in a lock that holds several platforms, and how one of these sees it."""

import msgspec
import pytest

from lockage.base.digest import BlobRef, Digest
from lockage.environment.base import OsBase
from lockage.environment.declaration import ARCHITECTURES, Architecture
from lockage.environment.lock import LOCK_VERSION, SEVERAL_PLATFORMS, InvalidLock, Lock, LockedEnvironment, RootRef
from lockage.environment.platforms import has_several, locked_name, misnamed, of_platform, platforms_of, preferring, split_name


def locked(architecture: Architecture) -> LockedEnvironment:
    return LockedEnvironment(
        declaration=Digest.of(b"declaration"),
        os=OsBase.parse("debian:bookworm"),
        architecture=architecture,
        release_date="2026-11-23",
        release_sha256=Digest.of(b"release"),
        root=RootRef(tree=BlobRef.of(architecture.encode()), metadata=Digest.of(b"")),
        packages=(),
    )


AMD, ARM = locked("amd64"), locked("arm64")
MIXED = {"build@amd64": AMD, "build@arm64": ARM, "board": ARM, "test": AMD}


@pytest.mark.parametrize(("declared", "place"), [(("arm64",), "build"), (ARCHITECTURES, "build@arm64")])
def test_a_platform_is_named_only_where_there_are_several(declared: tuple[Architecture, ...], place: str) -> None:
    assert locked_name("build", declared, "arm64") == place
    assert split_name(place) == ("build", "arm64" if "@" in place else None)


def test_what_looks_like_a_platform_and_is_none_is_part_of_the_name() -> None:
    assert split_name("build@vax") == ("build@vax", None)
    assert not has_several(["build@vax", "build"])


def test_what_each_platform_has() -> None:
    assert of_platform(MIXED, "amd64") == {"build": AMD, "test": AMD}
    assert of_platform(MIXED, "arm64") == {"build": ARM, "board": ARM}
    assert platforms_of(MIXED, "build") == ARCHITECTURES
    assert (platforms_of(MIXED, "board"), platforms_of(MIXED, "gone")) == (("arm64",), ())
    assert preferring(MIXED, "amd64") == {"build": AMD, "test": AMD, "board": ARM}
    assert preferring(MIXED, "arm64") == {"build": ARM, "test": AMD, "board": ARM}


def test_a_view_is_of_the_file_that_it_was_read_from() -> None:
    read = Lock.decode(b" " + Lock.of(MIXED).encode())
    view = read.on("arm64")
    assert view.environments == {"build": ARM, "board": ARM}
    assert (view.platform, read.platform) == ("arm64", None)
    assert (view.encode(), view.digest) == (read.encode(), read.digest)
    assert view.complete == read
    assert view.on("amd64") == read.on("amd64")


def test_a_lock_of_one_platform_each_keeps_the_format_that_it_had() -> None:
    plain, several = Lock.of({"build": AMD, "board": ARM}), Lock.of(MIXED)
    assert (plain.lock, several.lock) == (LOCK_VERSION, SEVERAL_PLATFORMS) == (1, 2)
    assert Lock.decode(several.encode()) == several


def test_one_more_platform_adds_lines_and_changes_two() -> None:
    before = Lock.of({"build": AMD}).encode().decode().splitlines()
    after = Lock.of({"build@amd64": AMD, "build@arm64": ARM}).encode().decode().splitlines()
    assert [line for line in before if line not in after] == [' "lock": 1,', '  "build": {']


@pytest.mark.parametrize(
    ("environments", "said"),
    [
        ({"build@arm64": AMD}, "environment 'build@arm64' is one of amd64"),
        ({"build@arm64": ARM, "build": AMD}, "environment 'build' stands there for one platform and for several"),
    ],
)
def test_an_environment_that_stands_in_the_wrong_place(environments: dict[str, LockedEnvironment], said: str) -> None:
    assert misnamed(environments, several=True) == said
    with pytest.raises(InvalidLock, match=said):
        Lock.decode(Lock.of(environments).encode())


@pytest.mark.parametrize(("environments", "number"), [({"build": AMD}, 2), (MIXED, 1)])
def test_the_format_says_whether_there_are_several_platforms(environments: dict[str, LockedEnvironment], number: int) -> None:
    wrong = msgspec.structs.replace(Lock.of(environments), lock=number)
    with pytest.raises(InvalidLock, match="its format is that of a lock of"):
        Lock.decode(wrong.encode())

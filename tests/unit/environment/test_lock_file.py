"""The bytes of lockage.lock over random locks, and bad locks named by their defect."""

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockage.base.digest import BlobRef, Digest
from lockage.base.path import RelPath
from lockage.environment.base import Interpreter, LockedImage, OsBase
from lockage.environment.declaration import Declaration
from lockage.environment.lock import (
    LOCK_VERSION,
    REALISER,
    InvalidLock,
    Lock,
    LockedEnvironment,
    LockedPackage,
    LockedSuite,
    LockedWheel,
    RootRef,
)

#: Written once; a lock of somebody's has such bytes.
WITH_AN_IMAGE = Path(__file__).parents[2] / "golden/locks/lockage/image.lock"

digests = st.binary(max_size=3).map(Digest.of)
texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=8)
paths = st.text("abc._-+~é\"'\\{}[], ", min_size=1, max_size=12).filter(lambda text: text not in (".", "..")).map(RelPath)
packages = st.builds(
    LockedPackage, name=texts, version=texts, architecture=st.just("amd64"), path=paths, size=st.integers(0, 1 << 40), sha256=digests
)
wheels = st.builds(LockedWheel, name=texts, version=texts, file=paths, size=st.integers(0, 1 << 40), sha256=digests)


def key(item: LockedPackage | LockedWheel) -> tuple[str, str, str]:
    return (item.name, item.version, item.sha256)


environments = st.builds(
    LockedEnvironment,
    declaration=digests,
    os=st.builds(OsBase, distribution=st.just("debian"), suite=texts),
    architecture=st.sampled_from(["amd64", "arm64"]),
    release_date=texts,
    release_sha256=digests,
    root=st.builds(RootRef, tree=st.binary(max_size=3).map(BlobRef.of), metadata=digests),
    packages=st.lists(packages, max_size=5, unique_by=key).map(lambda found: tuple(sorted(found, key=key))),
    python=st.lists(wheels, max_size=3, unique_by=key).map(lambda found: tuple(sorted(found, key=key))),
    instruments=st.lists(packages, max_size=2, unique_by=key).map(lambda found: tuple(sorted(found, key=key))),
    added=st.lists(texts, max_size=2).map(tuple),
    suites=st.lists(st.builds(LockedSuite, suite=texts, release_date=texts, release_sha256=digests, stale=st.booleans()), max_size=2).map(
        tuple
    ),
    realiser=st.integers(1, REALISER),
)
locks = st.dictionaries(texts, environments, max_size=3).map(Lock.of)


@given(locks)
@settings(max_examples=25, deadline=None)
def test_what_was_written_is_read_as_it_was(lock: Lock) -> None:
    data = lock.encode()
    read = Lock.decode(data)
    assert read == lock
    assert msgspec.structs.replace(read).encode() == data
    assert read.digest == lock.digest == Digest.of(data)


def test_a_lock_to_which_nothing_was_added_is_as_it_always_was() -> None:
    environment = msgspec.structs.replace(good_environment(), added=("b-dev", "c-dev"))
    lock = Lock.of({"build": environment})
    assert b'\n   "added": ["b-dev", "c-dev"]\n' in lock.encode()
    assert Lock.decode(lock.encode()) == lock
    assert b"added" not in Lock.of({"build": msgspec.structs.replace(environment, added=())}).encode()


def test_the_bytes_of_a_lock_with_an_image_never_change() -> None:
    image = LockedImage(
        name="manylinux_2_28_x86_64",
        index=BlobRef.of(b"index"),
        manifest=BlobRef.of(b"manifest"),
        config=BlobRef.of(b"config"),
        layers=(BlobRef.of(b"upper, though it sorts first"), BlobRef.of(b"lower")),
        variables={"PATH": "/opt/python/cp312-cp312/bin:/usr/bin", "AUDITWHEEL_PLAT": "manylinux_2_28_x86_64"},
        interpreter=Interpreter(
            path="/opt/python/cp312-cp312/bin/python3",
            version="3.12.4",
            glibc="2.28",
            folder=RelPath("opt/_internal/cpython-3.12.4"),
            site=RelPath("lib/python3.12/site-packages"),
        ),
    )
    environment = LockedEnvironment(
        declaration=Digest.of(b"declared"),
        image=image,
        architecture="amd64",
        root=RootRef(tree=BlobRef.of(b"tree"), metadata=Digest.of(b"metadata")),
        packages=(),
        realiser=2,
    )
    lock = Lock.of({"build": environment})
    assert lock.encode() == WITH_AN_IMAGE.read_bytes()
    assert Lock.decode(lock.encode()) == lock
    bare = msgspec.structs.replace(image, index=msgspec.UNSET, interpreter=msgspec.UNSET)
    short = Lock.of({"build": msgspec.structs.replace(environment, image=bare)})
    assert Lock.decode(short.encode()) == short
    assert image.digest == BlobRef.of(b"index").digest
    assert bare.digest == BlobRef.of(b"manifest").digest


@given(locks, st.randoms(use_true_random=False))
@settings(max_examples=15, deadline=None)
def test_no_order_in_which_things_were_found_shows(lock: Lock, random: st.DataObject) -> None:
    def shuffled(environment: LockedEnvironment) -> LockedEnvironment:
        found = {kind: list(getattr(environment, kind)) for kind in ("packages", "python", "instruments")}
        for items in found.values():
            random.shuffle(items)  # type: ignore[attr-defined] # hypothesis gives a random.Random
        return msgspec.structs.replace(environment, **{kind: tuple(items) for kind, items in found.items()})

    other = Lock.of({name: shuffled(lock.environments[name]) for name in reversed(lock.environments)})
    assert other.encode() == lock.encode()


@given(locks)
@settings(max_examples=15, deadline=None)
def test_every_package_is_one_line_of_plain_json(lock: Lock) -> None:
    text = lock.encode().decode()
    everything = [item for environment in lock.environments.values() for item in (*environment.packages, *environment.python)]
    lines = [line.strip().rstrip(",") for line in text.split("\n")]
    for item in everything:
        assert json.dumps(msgspec.to_builtins(item, enc_hook=str), ensure_ascii=False) in lines
    json.loads(text)
    assert text.endswith("}\n")


@pytest.fixture
def good() -> Lock:
    return Lock.of({"build": good_environment()})


def good_environment() -> LockedEnvironment:
    return LockedEnvironment(
        declaration=Declaration(os=OsBase.parse("debian:bookworm")).digest,
        os=OsBase.parse("debian:bookworm"),
        architecture="amd64",
        release_date="2026-11-01T00:00:00Z",
        release_sha256=Digest.of(b""),
        root=RootRef(tree=BlobRef.of(b""), metadata=Digest.of(b"")),
        packages=(
            LockedPackage(name="dash", version="1", architecture="amd64", path=RelPath("pool/dash.deb"), size=1, sha256=Digest.of(b"")),
        ),
    )


Defect = Callable[[bytes], bytes]
DEFECTS: dict[str, tuple[Defect, str]] = {
    "empty": (lambda _: b"", "truncated|empty"),
    "not JSON": (lambda _: b"lock: 1\n", "JSON"),
    "cut short": (lambda data: data[: len(data) // 2], "truncated|JSON"),
    "not UTF-8": (lambda data: data.replace(b"dash", b"d\xffsh"), "utf-8|UTF-8"),
    "a list": (lambda _: b"[]", "object"),
    "of the future": (lambda data: data.replace(b'"lock": 1', b'"lock": 3'), "format 3"),
    "of a future realiser": (lambda data: data.replace(b'"realiser": 1', b'"realiser": %d' % (REALISER + 1)), f"realiser {REALISER + 1}"),
    "of an environment with a newer realiser": (
        lambda data: data.replace(b'"architecture": "amd64",\n   "rel', b'"architecture": "amd64", "realiser": 2,\n   "rel'),
        "environment 'build' has 2",
    ),
    "of no realiser": (lambda data: data.replace(b'"realiser": 1', b'"realiser": 0'), "realiser 0"),
    "an unknown key": (lambda data: data.replace(b'"lock": 1', b'"lock": 1, "mirror": "x"'), "unknown field `mirror`"),
    "an unknown key of a package": (lambda data: data.replace(b'"size": 1', b'"size": 1, "host": "x"'), r"`host`.*packages"),
    "no environments": (lambda _: b'{"lock": 1}', "environments"),
    "an environment that begins with nothing": (
        lambda data: data.replace(b'"os": {"distribution": "debian", "suite": "bookworm"},\n', b""),
        "environment 'build' begins with none of os, image and host",
    ),
    "an environment that begins with two things": (
        lambda data: data.replace(b'"architecture"', b'"host": {}, "architecture"', 1),
        "environment 'build' begins with more than one",
    ),
    "a digest too short": (lambda data: data.replace(Digest.of(b"").encode(), b"abc"), "environments"),
    "a path that climbs": (lambda data: data.replace(b"pool/dash.deb", b"../../etc/shadow"), r"packages.*path"),
    "an address for a path": (lambda data: data.replace(b"pool/dash.deb", b"http://mirror.example/dash.deb"), r"packages.*path"),
    "a size of text": (lambda data: data.replace(b'"size": 1', b'"size": "1"'), r"packages.*size"),
    "another architecture": (lambda data: data.replace(b'"architecture": "amd64",\n', b'"architecture": "vax",\n'), "vax|architecture"),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_bad_lock_is_named_by_its_defect(good: Lock, defect: str) -> None:
    spoil, says = DEFECTS[defect]
    bad = spoil(good.encode())
    assert bad != good.encode()
    with pytest.raises(InvalidLock, match=says) as caught:
        Lock.decode(bad)
    assert caught.value.hint.endswith(".")


def test_numbers_of_today_are_read(good: Lock) -> None:
    assert (LOCK_VERSION, good.lock, good.realiser) == (1, 1, 1)
    assert Lock.decode(good.encode()) == good


@pytest.mark.parametrize("realiser", range(1, REALISER + 1))
def test_the_realiser_of_an_environment_is_told_by_the_lock(good: Lock, realiser: int) -> None:
    newer = msgspec.structs.replace(good.environments["build"], realiser=realiser)
    lock = Lock.of({"build": good.environments["build"], "newer": newer})
    assert (lock.realiser, Lock.decode(lock.encode())) == (realiser, lock)
    assert lock.encode().count(b'"realiser"') == (1 if realiser == 1 else 2)


@pytest.mark.parametrize("text", ["\0", '\0"quoted"', "\\u0000", "\n", "{}"])
def test_no_text_upsets_the_layout(good: Lock, text: str) -> None:
    odd = Lock.of({text: msgspec.structs.replace(good.environments["build"], release_date=text)})
    assert Lock.decode(odd.encode()) == odd

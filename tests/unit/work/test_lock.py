"""Locking again, over fakes: what moves, what stays, and what is said of it."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from lockage.adapters.memory.packages import make_deb, make_wheel
from lockage.adapters.memory.services import MemoryServices
from lockage.base.digest import BlobRef, Digest
from lockage.base.errors import Usage
from lockage.base.instant import Instant
from lockage.environment.debian import Stanza
from lockage.environment.lock import Lock
from lockage.plan.fit import LockMismatch
from lockage.work.declared_files import KeyringMissing
from lockage.work.diff_environments import changed_environments
from lockage.work.lock import PackageNotLocked
from lockage.work.prepare import LockMissing, lock_project

HERE = Path("/here")
RECIPE = b"""
[project]
name = "shop"
version = "1.0"
[environment.build]
os = "debian:bookworm"
packages = ["tool", "dash"]
python = ["typing_extensions", "black"]
[environment.other]
os = "debian:bookworm"
packages = ["dash"]
[step.a]
environment = "build"
run = ["constant", "x"]
outputs = ["x"]
artifacts = ["x"]
"""
#: Everything that a new day brings.
NEWER = {"dash": "0.5.13-1", "libc6": "2.36-10", "tool": "2", "helper": "2", "locales": "2.36-10"}


@pytest.fixture
def services(services: MemoryServices) -> MemoryServices:
    """A store with `tool`, which needs a helper of its own version, a Debian package `black`, and two Python projects."""
    publish(services, "tool", "1", "helper (= 1)")
    publish(services, "helper", "1")
    publish(services, "black", "1")
    put_wheels(services, "1")
    services.sources.add("shop", {"lockage.toml": RECIPE})
    return services


def publish(services: MemoryServices, name: str, version: str, depends: str = "") -> None:
    data = make_deb(name, [], version=version, control={"Depends": depends} if depends else {})
    ref, path = BlobRef.of(data), f"pool/{name}_{version}_amd64.deb"
    services.os_packages.suites["bookworm", "amd64"][1].append(Stanza(name, version, "amd64", path, ref.size, ref.digest, depends=depends))
    services.os_packages.pool[path] = data


def put_wheels(services: MemoryServices, version: str) -> None:
    for name in ("typing_extensions", "black"):
        services.python_index.files[f"{name}-{version}-py3-none-any.whl"] = make_wheel(name, {f"{name}.py": b""}, version=version)


def lock(services: MemoryServices, *renewed: str, upgrade: bool = False, as_of: Instant | None = None) -> Lock:
    return lock_project(services, "shop", folder=HERE, upgrade=upgrade, check=False, renewed=renewed, as_of=as_of)[0]


def a_new_day(services: MemoryServices, *, vanished: bool) -> None:
    """Newer versions of everything; with ``vanished`` the mirror has no older ones any more, only the store."""
    release, stanzas = services.os_packages.suites["bookworm", "amd64"]
    later = msgspec.structs.replace(release, sha256=Digest.of(b"a later Release file"))
    services.os_packages.suites["bookworm", "amd64"] = (later, [one for one in stanzas if not vanished or one.name not in NEWER])
    if vanished:
        services.os_packages.pool.clear()
    for name, version in NEWER.items():
        publish(services, name, version, f"helper (= {version})" if name == "tool" else "")
    put_wheels(services, "2")


def versions(found: Lock, name: str = "build") -> Mapping[str, str]:
    environment = found.environments[name]
    packages = {item.name: item.version for item in (*environment.packages, *environment.instruments)}
    return packages | {item.name: item.version for item in environment.python}


def moved(before: Lock, after: Lock) -> dict[str, set[str]]:
    found = changed_environments(before, after)
    return {change.a.partition(" ")[0]: {item.name for item in change.difference.items} for change in found}


@pytest.mark.parametrize("vanished", [False, True], ids=["old versions listed", "old versions only in the store"])
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tool", {"build": {"tool", "helper"}}),
        ("helper", {"build": {"tool", "helper"}}),
        ("dash", {"build": {"dash"}, "other": {"dash"}}),
        ("locales", {"build": {"locales"}, "other": {"locales"}}),
        ("typing-extensions", {"build": {"typing-extensions"}}),
        ("Typing_Extensions", {"build": {"typing-extensions"}}),
        ("black", {"build": {"black"}}),
    ],
)
def test_only_what_a_renewed_package_needs_moves(
    services: MemoryServices, name: str, expected: Mapping[str, set[str]], *, vanished: bool
) -> None:
    before = lock(services)
    a_new_day(services, vanished=vanished)
    after = lock(services, name)
    assert moved(before, after) == expected
    assert lock(services, name).encode() == after.encode(), "locking twice gives the same bytes"
    assert lock(services).encode() == after.encode()


def test_a_renewed_package_goes_as_far_as_an_upgrade_would_take_it(services: MemoryServices) -> None:
    before = lock(services)
    a_new_day(services, vanished=False)
    assert versions(lock(services, "helper"))["tool"] == "2"
    assert {name for name, version in versions(before).items() if versions(lock(services, upgrade=True))[name] != version} == {
        *NEWER,
        "black",
        "typing-extensions",
    }


def test_what_neither_mirror_nor_store_has_moves(services: MemoryServices) -> None:
    before = lock(services)
    a_new_day(services, vanished=True)
    (dash,) = (package for package in before.environments["other"].packages if package.name == "dash")
    services.blobs.data.pop(dash.sha256)
    assert moved(before, lock(services, "tool")) == {"build": {"tool", "helper", "dash"}}


def test_nothing_newer_changes_no_byte(services: MemoryServices) -> None:
    before = lock(services)
    release, stanzas = services.os_packages.suites["bookworm", "amd64"]
    services.os_packages.suites["bookworm", "amd64"] = (msgspec.structs.replace(release, sha256=Digest.of(b"later")), stanzas)
    assert lock(services, "tool", "black").encode() == before.encode()


def test_a_changed_declaration_moves_no_more_than_it_must(services: MemoryServices) -> None:
    before = lock(services)
    a_new_day(services, vanished=True)
    services.sources.add("shop", {"lockage.toml": RECIPE.replace(b'"tool", "dash"', b'"tool", "dash", "libfaketime"')})
    assert moved(before, lock(services)) == {"build": {"libfaketime"}}


def test_another_architecture_starts_anew(services: MemoryServices) -> None:
    before = lock(services)
    a_new_day(services, vanished=False)
    there = {name: msgspec.structs.replace(one, architecture="arm64") for name, one in before.environments.items()}
    services.folders.write(HERE, "lockage.lock", Lock.of(there).encode())
    assert versions(lock(services))["dash"] == "0.5.13-1"


@pytest.mark.parametrize(("name", "guess"), [("dahs", "'dash'"), ("typing-extension", "'typing-extensions'"), ("zzz", None)])
def test_a_name_that_nothing_locks_is_refused_with_the_nearest(services: MemoryServices, name: str, guess: str | None) -> None:
    before = lock(services)
    with pytest.raises(PackageNotLocked) as caught:
        lock(services, "dash", name)
    assert name in caught.value.message
    assert (guess in caught.value.message) if guess else ("did you mean" not in caught.value.message)
    assert services.folders.read(HERE, "lockage.lock") == before.encode()


def test_nothing_is_upgraded_where_nothing_is_locked(services: MemoryServices) -> None:
    with pytest.raises(LockMissing):
        lock(services, "dash")
    assert services.folders.data == {}


# Of a date

FIRST, SECOND = Instant.parse("2026-01-01T00:00:00Z"), Instant.parse("2026-02-01T00:00:00Z")


def test_a_date_is_for_python_packages_and_moves_them_both_ways(services: MemoryServices) -> None:
    a_new_day(services, vanished=False)
    for file in services.python_index.files:
        services.python_index.uploaded[file] = FIRST if "-1-" in file else SECOND
    newest = lock(services)
    publish(services, "dash", "0.5.14-1")
    wheels = {"typing-extensions", "black"}
    old = lock(services, as_of=SECOND)
    assert moved(newest, old) == {"build": wheels}
    assert lock(services, as_of=SECOND).encode() == lock(services).encode() == old.encode()
    assert lock(services, as_of=Instant(SECOND + 1)).encode() == newest.encode()
    assert moved(newest, lock(services, upgrade=True, as_of=SECOND)) == {"build": wheels | {"dash"}, "other": {"dash"}}


def test_a_date_without_python_requirements_is_refused(services: MemoryServices) -> None:
    services.sources.add("shop", {"lockage.toml": RECIPE.replace(b'python = ["typing_extensions", "black"]', b"")})
    with pytest.raises(Usage, match="no environment declares Python requirements"):
        lock(services, as_of=FIRST)


SUITES = RECIPE.replace(b'packages = ["tool"', b'suites = ["extra"]\nallow-stale = ["extra"]\npackages = ["newcomer", "tool"')


def further(services: MemoryServices, *, stale: bool = False) -> None:
    """One more suite, with a newer `tool` and a package that the base has not."""
    release, _ = services.os_packages.suites["bookworm", "amd64"]
    other = msgspec.structs.replace(release, codename="extra", suite="", sha256=Digest.of(b"extra"), stale=stale)
    services.os_packages.suites["extra", "amd64"] = (other, [])
    for name, version in (("tool", "9"), ("newcomer", "1")):
        publish(services, name, version)
        services.os_packages.suites["extra", "amd64"][1].append(services.os_packages.suites["bookworm", "amd64"][1].pop())


@pytest.mark.parametrize("stale", [False, True])
def test_a_lock_says_which_suites_its_packages_came_from_and_which_were_stale(services: MemoryServices, *, stale: bool) -> None:
    further(services, stale=stale)
    services.sources.add("shop", {"lockage.toml": SUITES})
    found = lock(services)
    assert {name: versions(found)[name] for name in ("tool", "newcomer")} == {"tool": "1", "newcomer": "1"}
    assert [(suite.suite, suite.stale) for suite in found.environments["build"].suites] == [("bookworm", False), ("extra", stale)]
    assert found.environments["other"].suites == ()
    assert Lock.decode(found.encode()).environments == found.environments
    assert lock(services).encode() == found.encode()


def test_a_declared_suite_that_the_lock_has_not_is_named(services: MemoryServices) -> None:
    before = lock(services)
    services.sources.add("shop", {"lockage.toml": SUITES})
    services.folders.write(HERE, "lockage.lock", before.encode())
    with pytest.raises(LockMismatch) as caught:
        lock_project(services, "shop", folder=HERE, upgrade=False, check=True)
    assert "suites are bookworm, extra, locked are bookworm" in caught.value.details["differences"]  # type: ignore[operator] # a tuple of texts


def test_a_keyring_that_is_no_file_of_the_source(services: MemoryServices) -> None:
    services.sources.add("shop", {"lockage.toml": RECIPE.replace(b"python = ", b'keyring = "k.asc"\npython = ')})
    with pytest.raises(KeyringMissing, match="trusts the keyring"):
        lock(services)


def test_another_keyring_is_another_declaration(services: MemoryServices) -> None:
    recipe = RECIPE.replace(b"python = ", b'keyring = "k.asc"\npython = ')
    found = []
    for key in (b"one", b"two"):
        services.sources.add("shop", {"lockage.toml": recipe, "k.asc": key})
        found.append(lock(services).environments["build"].declaration)
    assert found[0] != found[1]

"""Whether a lock fits a recipe: on one platform, on all, and what is said where it does not."""

from collections.abc import Mapping

import msgspec
import pytest

from lockage.base.digest import BlobRef, Digest
from lockage.base.instant import Instant
from lockage.base.name import EnvironmentName, ProjectName, StepName, Version
from lockage.base.path import RelPath
from lockage.environment.base import OsBase
from lockage.environment.declaration import ARCHITECTURES, Architecture, Declaration
from lockage.environment.lock import Lock, LockedEnvironment, RootRef
from lockage.plan.fit import LockMismatch, PlatformNotLocked, check_platforms, misfit
from lockage.plan.plan import check_lock, make_plan
from lockage.recipe.model import Recipe, Step, VersionFrom
from lockage.record.source import CommitOrigin, Source

PLAIN = Declaration(os=OsBase(distribution="debian", suite="bookworm"), packages=("dash",))
BOTH = msgspec.structs.replace(PLAIN, platforms=ARCHITECTURES)
ARM = msgspec.structs.replace(PLAIN, platforms=("arm64",))
SOURCE = Source(tree=BlobRef.of(b""), date=Instant(1_700_000_000), version=Version("1.0"), origin=CommitOrigin(commit="0" * 40))


def recipe(**environments: Declaration) -> Recipe:
    steps = tuple(
        Step(name=StepName(name), environment=EnvironmentName(name), run=("make",), outputs=(RelPath(f"out-{name}"),))
        for name in environments
    )
    return Recipe(
        project=ProjectName("shop"),
        version=VersionFrom(rule="literal", literal=Version("1.0")),
        environments={EnvironmentName(name): declaration for name, declaration in environments.items()},
        steps=steps,
    )


def locked(architecture: Architecture = "amd64", declaration: Declaration = PLAIN) -> LockedEnvironment:
    return LockedEnvironment(
        declaration=declaration.digest,
        os=declaration.os,
        architecture=architecture,
        release_date="2026-11-01",
        release_sha256=Digest.of(b"Release"),
        root=RootRef(tree=BlobRef.of(architecture.encode()), metadata=Digest.of(b"")),
        packages=(),
    )


ONE = Lock.of({"build": locked()})
TWO = Lock.of({"build@amd64": locked(), "build@arm64": locked("arm64")})
CHANGED = msgspec.structs.replace(PLAIN, python=("hatchling",))


def test_an_environment_that_is_not_locked_is_named() -> None:
    for lock in (Lock.of({}), Lock.of({}).on("amd64")):
        with pytest.raises(LockMismatch, match=r"'build' is declared in the recipe but not in lockage\.lock"):
            check_lock(recipe(build=PLAIN), lock)


def test_a_changed_declaration_names_both_digests() -> None:
    for lock in (ONE, ONE.on("amd64")):
        with pytest.raises(LockMismatch, match=r"'build' was changed in the recipe since it was locked$") as caught:
            make_plan(recipe(build=CHANGED), lock, SOURCE)
        assert caught.value.details == {
            "environment": "build",
            "differences": ("package dash: not locked by that name", "requirement hatchling: not locked"),
            "expected": PLAIN.digest,
            "found": CHANGED.digest,
        }
        assert "lockage lock" in caught.value.hint


def test_variables_and_platforms_are_no_part_of_what_is_locked() -> None:
    check_lock(recipe(build=msgspec.structs.replace(PLAIN, variables={"A": "1"})), ONE)
    check_lock(recipe(build=BOTH), ONE.on("amd64"))
    assert PLAIN.digest == BOTH.digest == ARM.digest


def test_a_platform_sees_what_is_locked_for_it_and_is_told_what_else_there_is() -> None:
    for lock, declaration in ((ONE, PLAIN), (ONE, BOTH)):
        with pytest.raises(PlatformNotLocked, match="'build' is not locked for arm64; it is for amd64") as caught:
            check_lock(recipe(build=declaration), lock.on("arm64"))
        assert (caught.value.details["expected"], caught.value.details["found"]) == ("arm64", ("amd64",))
        assert ("Name the platform" in caught.value.hint) == (declaration is PLAIN)
    for platform in ARCHITECTURES:
        check_lock(recipe(build=BOTH), TWO.on(platform))
        assert isinstance(misfit("gone", BOTH, TWO.on(platform)), LockMismatch)


def test_a_step_is_planned_in_the_environment_of_the_locks_platform() -> None:
    for platform in ARCHITECTURES:
        (planned,) = make_plan(recipe(build=BOTH), TWO.on(platform), SOURCE).steps
        assert planned.environment.architecture == platform
        assert dict(planned.variables)["_PYTHON_HOST_PLATFORM"] == {"amd64": "linux-x86_64", "arm64": "linux-aarch64"}[platform]
    assert make_plan(recipe(build=BOTH), TWO.on("arm64"), SOURCE).lock_digest == TWO.digest


def test_what_is_declared_for_another_platform_only_stops_only_its_own_steps() -> None:
    lock = Lock.of({"build": locked(), "board": locked("arm64")}).on("amd64")
    found = recipe(build=PLAIN, board=ARM)
    check_lock(found, lock)
    assert [planned.name for planned in make_plan(found, lock, SOURCE, only=[StepName("build")]).steps] == ["build"]
    with pytest.raises(PlatformNotLocked, match="'board' is not locked for amd64; it is for arm64"):
        make_plan(found, lock, SOURCE)


STALE = {"build@amd64": locked(), "build@arm64": locked("arm64", CHANGED)}


@pytest.mark.parametrize(
    ("declaration", "environments", "machine", "said"),
    [
        (BOTH, TWO.environments, "amd64", None),
        (BOTH, TWO.environments, "arm64", None),
        (BOTH, ONE.environments, "amd64", "not locked for arm64; it is for amd64"),
        (BOTH, STALE, "amd64", "changed in the recipe since it was locked for arm64"),
        (PLAIN, ONE.environments, "amd64", None),
        (PLAIN, ONE.environments, "arm64", "not locked for arm64; it is for amd64"),
        (PLAIN, STALE, "amd64", None),
        (ARM, {"build": locked("arm64")}, "amd64", None),
        (ARM, ONE.environments, "amd64", "not locked for arm64"),
    ],
)
def test_every_declared_platform_counts(
    declaration: Declaration, environments: Mapping[str, LockedEnvironment], machine: Architecture, said: str | None
) -> None:
    lock = Lock.of(dict(environments))
    if said is None:
        check_platforms(recipe(build=declaration), lock, machine)
        return
    with pytest.raises((LockMismatch, PlatformNotLocked), match=said):
        check_platforms(recipe(build=declaration), lock, machine)


def test_only_the_platforms_that_are_named() -> None:
    lock = Lock.of(STALE)
    check_platforms(recipe(build=BOTH), lock, "amd64", ["amd64"])
    with pytest.raises(LockMismatch) as caught:
        check_platforms(recipe(build=BOTH), lock, "amd64", ["arm64"])
    assert caught.value.details["platform"] == "arm64"

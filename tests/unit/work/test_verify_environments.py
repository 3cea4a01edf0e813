"""What a lock names, held against what is kept; over fakes."""

from collections.abc import Callable, Mapping

import msgspec
import pytest

from lockage.adapters.memory.packages import make_wheel
from lockage.adapters.memory.services import MemoryServices
from lockage.base.digest import BlobRef, Digest
from lockage.base.errors import ExitCode
from lockage.environment.lock import LockedEnvironment, RootRef
from lockage.ports.storage import Damage
from lockage.recipe.parse import parse_recipe
from lockage.work.lock import lock_recipe
from lockage.work.verify_environments import EnvironmentCheck, Flaw, RootState, verify_environments

RECIPE = b"""
[project]
name = "shop"
version = "1.0"
[environment.build]
os = "debian:bookworm"
packages = ["dash"]
python = ["tool"]
[environment.other]
os = "debian:bookworm"
packages = ["dash"]
[step.a]
environment = "build"
run = ["constant", "x"]
outputs = ["x"]
artifacts = ["x"]
"""
Environments = Mapping[str, LockedEnvironment]


@pytest.fixture
def environments(services: MemoryServices) -> Environments:
    services.python_index.files["tool-1-py3-none-any.whl"] = make_wheel("tool", {})
    return lock_recipe(services, parse_recipe(RECIPE), None).environments


def digest_of(environment: LockedEnvironment, name: str) -> Digest:
    return next(item.sha256 for kind in (environment.packages, environment.instruments) for item in kind if item.name == name)


def verified(services: MemoryServices, environments: Environments) -> dict[str, EnvironmentCheck]:
    return {check.name: check for check in verify_environments(services, environments)}


def test_what_is_whole_is_counted_and_its_root_is_the_locks(services: MemoryServices, environments: Environments) -> None:
    services.os_packages.pool.clear()
    services.python_index.files.clear()  # nothing is fetched
    found = verified(services, environments)
    build = environments["build"]
    refs = [item.ref for item in (*build.packages, *build.instruments)] + [wheel.ref for wheel in build.python]
    assert (found["build"].count, found["build"].size) == (len(refs), sum(ref.size for ref in refs))
    assert {check.root for check in found.values()} == {RootState.WHOLE}
    assert {check.exit_code for check in found.values()} == {ExitCode.DONE}


def spoil(services: MemoryServices, digest: Digest) -> None:
    services.blobs.data[digest] = b"other bytes"


def lose(services: MemoryServices, digest: Digest) -> None:
    del services.blobs.data[digest]


@pytest.mark.parametrize(
    ("harm", "flaw", "exit_code"), [(lose, Flaw.MISSING, ExitCode.DRIFT), (spoil, Flaw.DAMAGED, ExitCode.INTEGRITY)], ids=["lost", "spoilt"]
)
def test_a_package_is_named_in_every_environment_that_needs_it(
    services: MemoryServices, environments: Environments, harm: Callable[[MemoryServices, Digest], None], flaw: Flaw, exit_code: ExitCode
) -> None:
    harm(services, digest_of(environments["build"], "dash"))
    for check in verified(services, environments).values():
        (found,) = check.unsound
        assert (found.kind, found.name, found.flaw) == ("package", "dash 0.5.12-2", flaw)
        assert "lockage env fetch" in found.remedy
        assert (check.root, check.exit_code) == (RootState.UNKNOWN, exit_code)


def test_a_missing_wheel_concerns_its_environment_only(services: MemoryServices, environments: Environments) -> None:
    lose(services, environments["build"].python[0].sha256)
    found = verified(services, environments)
    assert [(item.kind, item.name) for item in found["build"].unsound] == [("wheel", "tool 1")]
    assert found["other"].exit_code is ExitCode.DONE


def test_a_root_does_not_need_instruments(services: MemoryServices, environments: Environments) -> None:
    lose(services, digest_of(environments["build"], "libfaketime"))
    found = verified(services, environments)["build"]
    assert [item.kind for item in found.unsound] == ["instrument"]
    assert (found.root, found.exit_code) == (RootState.WHOLE, ExitCode.DRIFT)


def test_another_root_than_the_locks_is_told_with_both(services: MemoryServices, environments: Environments) -> None:
    other = RootRef(tree=BlobRef.of(b"another tree"), metadata=environments["other"].root.metadata)
    found = verified(services, {"other": msgspec.structs.replace(environments["other"], root=other)})["other"]
    (drift,) = found.unsound
    assert (drift.kind, drift.flaw, found.root, found.exit_code) == ("root", Flaw.DRIFT, RootState.OTHER, ExitCode.DRIFT)
    assert str(other.tree) in drift.what
    assert str(environments["other"].root.tree) in drift.what


def test_a_damaged_layer_is_told_and_weighs_more_than_what_is_missing(services: MemoryServices, environments: Environments) -> None:
    services.roots.damaged = [Damage(name="os/0", what="bin/sh is missing", aside="/aside")]
    lose(services, digest_of(environments["build"], "libfaketime"))
    found = verified(services, environments)
    assert [(item.kind, item.flaw, item.aside) for item in found["build"].unsound] == [
        ("instrument", Flaw.MISSING, None),
        ("layer", Flaw.DAMAGED, "/aside"),
    ]
    assert (found["build"].root, found["build"].exit_code) == (RootState.WHOLE, ExitCode.INTEGRITY)

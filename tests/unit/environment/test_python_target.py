"""Targets: tags against packaging's own reading, markers, suites, and the target that locked packages make."""

import pytest
from packaging.markers import Marker
from packaging.tags import parse_tag

from lockage.base.digest import Digest
from lockage.base.path import RelPath
from lockage.environment.lock import LockedPackage
from lockage.environment.python import SUITES, NoFittingSuite, NoPython, PythonTarget, best_wheel, choose_suite, target_of

BOOKWORM = PythonTarget(version="3.11", full_version="3.11.2", glibc="2.36", architecture="amd64")


def _package(name: str, version: str, architecture: str = "amd64") -> LockedPackage:
    return LockedPackage(
        name=name, version=version, architecture=architecture, path=RelPath(f"pool/{name}.deb"), size=1, sha256=Digest.of(name.encode())
    )


def _fits(tag: str, target: PythonTarget) -> bool:
    return not parse_tag(tag).isdisjoint(target.tags())


@pytest.mark.parametrize(
    ("tag", "fits"),
    [
        ("cp311-cp311-manylinux_2_36_x86_64", True),
        ("cp311-cp311-manylinux_2_37_x86_64", False),
        ("cp311-cp311-manylinux2014_x86_64", True),
        ("cp311-cp311-manylinux2010_x86_64", True),
        ("cp311-cp311-manylinux1_x86_64", True),
        ("cp38-abi3-manylinux_2_5_x86_64", True),
        ("cp312-abi3-manylinux2014_x86_64", False),
        ("cp311-cp311-linux_x86_64", False),
        ("cp311-cp311-musllinux_1_2_x86_64", False),
        ("cp311-cp311-manylinux2014_aarch64", False),
        ("py3-none-any", True),
        ("py2.py3-none-any", True),
        ("py2-none-any", False),
        ("py3-none-manylinux_2_17_x86_64", True),
        ("cp310-cp310-manylinux2014_x86_64", False),
    ],
)
def test_a_tag_fits_if_the_suite_can_run_it(tag: str, fits: bool) -> None:
    assert _fits(tag, BOOKWORM) is fits


def test_arm_has_manylinux_names_from_2014_on() -> None:
    target = PythonTarget(version="3.13", glibc="2.41", architecture="arm64")
    assert _fits("cp313-cp313-manylinux2014_aarch64", target)
    assert _fits("cp313-cp313-manylinux_2_41_aarch64", target)
    assert not any(tag.platform.startswith(("manylinux1_", "manylinux2010_", "manylinux_2_16_")) for tag in target.tags())


def test_platforms_are_in_the_order_of_pep_600() -> None:
    platforms = list(BOOKWORM.platforms())
    assert platforms[0] == "manylinux_2_36_x86_64"
    at = platforms.index("manylinux_2_17_x86_64")
    assert platforms[at : at + 3] == ["manylinux_2_17_x86_64", "manylinux2014_x86_64", "manylinux_2_16_x86_64"]
    assert platforms[-1] == "manylinux1_x86_64"


def test_the_best_wheel_is_the_most_specific_then_the_newest_build() -> None:
    files = [
        "x-1-py3-none-any.whl",
        "x-1-cp311-cp311-manylinux2014_x86_64.whl",
        "x-1-cp311-cp311-manylinux_2_34_x86_64.whl",
        "x-1-9-cp311-cp311-manylinux_2_34_x86_64.whl",
        "x-1-10-cp311-cp311-manylinux_2_34_x86_64.whl",
        "x-1-cp311-cp311-win_amd64.whl",
        "x-1.tar.gz",
        "not a wheel.whl",
    ]
    assert best_wheel(files, BOOKWORM) == "x-1-10-cp311-cp311-manylinux_2_34_x86_64.whl"
    assert best_wheel(list(reversed(files)), BOOKWORM) == "x-1-10-cp311-cp311-manylinux_2_34_x86_64.whl"
    assert best_wheel(files[-3:], BOOKWORM) is None


@pytest.mark.parametrize(
    ("marker", "holds"),
    [
        ("sys_platform == 'linux' and os_name == 'posix'", True),
        ("python_version < '3.11'", False),
        ("python_full_version >= '3.11.2'", True),
        ("platform_machine == 'x86_64' and platform_python_implementation == 'CPython'", True),
        ("implementation_name == 'pypy'", False),
    ],
)
def test_markers(marker: str, holds: bool) -> None:
    assert Marker(marker).evaluate(dict(BOOKWORM.markers())) is holds


@pytest.mark.parametrize(
    ("requires", "suite"),
    [
        (None, "bookworm"),
        ("", "bookworm"),
        (">=3.8", "bookworm"),
        (">=3.11.9", "bookworm"),
        (">=3.6.*", "bookworm"),
        (">=3.12", "trixie"),
        (">=3.12,<4", "trixie"),
        (">=3.14", "forky"),
        ("==3.13.*", "trixie"),
    ],
)
def test_the_first_suite_whose_python_satisfies_is_chosen(requires: str | None, suite: str) -> None:
    assert str(choose_suite(requires)) == f"debian:{suite}"


@pytest.mark.parametrize("requires", ["<3", "==3.12.*", ">=3.99", "three"])
def test_no_suite_fits(requires: str) -> None:
    with pytest.raises(NoFittingSuite, match="requires-python"):
        choose_suite(requires)


def test_suites_give_targets() -> None:
    assert [(suite.name, suite.python, suite.glibc) for suite in SUITES][:2] == [("bookworm", "3.11", "2.36"), ("trixie", "3.13", "2.41")]
    assert all(suite.target("amd64").tags() for suite in SUITES)


def test_the_target_of_locked_packages_is_what_they_carry() -> None:
    packages = [_package("python3", "3.11.2-1+b1"), _package("libc6", "2.36-9+deb12u14"), _package("python3.11", "3.11.9-1")]
    assert target_of(packages) == BOOKWORM
    arm = target_of([_package("python3", "1:3.13.5-1", "arm64"), _package("libc6", "2.41-12", "arm64")])
    assert (arm.version, arm.glibc, arm.machine, arm.full) == ("3.13", "2.41", "aarch64", "3.13.5")


@pytest.mark.parametrize("missing", ["python3", "libc6"])
def test_packages_without_python_or_libc_make_no_target(missing: str) -> None:
    packages = [package for package in (_package("python3", "3.11.2-1"), _package("libc6", "2.36-9")) if package.name != missing]
    with pytest.raises(NoPython, match=missing):
        target_of(packages)


def test_an_architecture_without_wheels_is_refused() -> None:
    with pytest.raises(NoPython, match="riscv64"):
        target_of([_package("python3", "3.11.2-1"), _package("libc6", "2.36-9", "riscv64")])

"""Several Pythons, and wheels that can be published: the recipe that is inferred for what is wanted."""

import subprocess
from pathlib import Path

import msgspec
import pytest

from lockage.environment.python import SUITES, NoFittingSuite
from lockage.recipe.inference import InferredProject, infer, infer_recipe
from lockage.recipe.model import Recipe, Step
from lockage.recipe.parse import parse_recipe
from lockage.recipe.render import render
from lockage.recipe.wanted import Wanted
from lockage.recipe.wheels import REPAIR_TOOLS, build_environments, wanted_recipe

PYPROJECT = """
[build-system]
requires = ["setuptools >= 77"]
build-backend = "setuptools.build_meta"
[project]
name = "shop"
version = "1.0"
requires-python = "{requires}"
"""


def project(*, sdist: bool = False, requires: str = ">=3.9") -> InferredProject:
    files = {"pyproject.toml": PYPROJECT.format(requires=requires).encode(), "shop.c": b""}
    return infer(tuple(files), files.get, sdist=sdist)


def wanted(*pythons: str, publishable: bool = False, sdist: bool = False) -> Recipe:
    return wanted_recipe(project(sdist=sdist), Wanted(pythons=pythons, publishable=publishable))


def described(step: Step) -> tuple[str, str, tuple[str, ...], tuple[str, ...]]:
    return str(step.name), str(step.environment), tuple(map(str, step.needs)), step.artifacts


@pytest.mark.parametrize("sdist", [False, True])
@pytest.mark.parametrize("pythons", [(), ("3.11",), ("3.13",), ("3.11", "3.13", "3.14"), ("3.14", "3.13")], ids=str)
@pytest.mark.parametrize("publishable", [False, True])
def test_the_recipe_can_be_written_down(pythons: tuple[str, ...], publishable: bool, sdist: bool) -> None:
    """Parsing also proves that needs, outputs and artifacts fit together."""
    recipe = wanted(*pythons, publishable=publishable, sdist=sdist)
    assert recipe.inferred
    assert parse_recipe(render(recipe).encode()) == msgspec.structs.replace(recipe, inferred=False)


def test_nothing_wanted_and_the_default_python_are_what_is_inferred_anyway() -> None:
    assert wanted() == wanted("3.11") == infer_recipe(project())
    assert wanted("3.11", "3.11") == infer_recipe(project())


def test_one_other_python_is_another_suite_and_nothing_else() -> None:
    recipe = wanted("3.13")
    assert str(recipe.environments["build"].os) == "debian:trixie"
    assert recipe.steps == infer_recipe(project()).steps


def test_a_repair_follows_the_wheel_and_changes_nothing_of_its_build() -> None:
    plain, recipe = infer_recipe(project()), wanted(publishable=True)
    assert recipe.environments["build"] == plain.environments["build"]
    assert [described(step) for step in recipe.steps] == [
        ("sdist", "build", (), ("dist/*.tar.gz",)),
        ("wheel", "build", ("sdist",), ()),
        ("repair", "repair", ("wheel",), ("repaired/*.whl",)),
    ]
    assert msgspec.structs.replace(recipe.steps[1], artifacts=plain.steps[1].artifacts) == plain.steps[1]
    repair, build = recipe.environments["repair"], recipe.environments["build"]
    assert repair.python == REPAIR_TOOLS
    assert (repair.os, repair.packages) == (build.os, build.packages), "what a wheel was linked with must be there"


def test_every_python_has_its_environment_and_steps_from_the_lowest_up() -> None:
    recipe = wanted("3.13", "3.11", publishable=True)
    assert {name: str(found.os) for name, found in recipe.environments.items()} == {
        "build-py311": "debian:bookworm",
        "build-py313": "debian:trixie",
        "repair-py311": "debian:bookworm",
        "repair-py313": "debian:trixie",
    }
    assert [described(step) for step in recipe.steps] == [
        ("sdist", "build-py311", (), ("dist/*.tar.gz",)),
        ("wheel-py311", "build-py311", ("sdist",), ()),
        ("repair-py311", "repair-py311", ("wheel-py311",), ("repaired/*.whl",)),
        ("wheel-py313", "build-py313", ("sdist", "wheel-py311"), ()),
        ("repair-py313", "repair-py313", ("wheel-py313", "repair-py311"), ("repaired-py313/*.whl",)),
    ]
    assert build_environments(recipe) == ("build-py311", "build-py313")
    lowest = next(step for step in recipe.steps if step.name == "wheel-py311")
    assert lowest.run == infer_recipe(project()).steps[1].run, "a second Python does not build the first one's wheel anew"


def test_an_sdist_needs_no_step_of_its_own() -> None:
    recipe = wanted("3.11", "3.13", sdist=True)
    assert [described(step)[:3] for step in recipe.steps] == [
        ("wheel-py311", "build-py311", ()),
        ("wheel-py313", "build-py313", ("wheel-py311",)),
    ]
    assert all(step.inputs == ("**",) for step in recipe.steps)


@pytest.mark.parametrize("version", ["3.12", "3.1", "2.7", "3", "", "3.11.2", "cp311", "three"])
def test_a_python_that_no_suite_has_is_named_with_those_that_there_are(version: str) -> None:
    with pytest.raises(NoFittingSuite) as caught:
        wanted("3.11", version)
    assert repr(version) in caught.value.message
    assert all(f"{suite.python} ({suite.name})" in caught.value.message for suite in SUITES)


def test_a_python_that_the_project_excludes_is_not_built_for() -> None:
    with pytest.raises(NoFittingSuite, match=r"Python 3\.11 does not satisfy the project's requires-python '>=3\.12'"):
        wanted_recipe(project(requires=">=3.12"), Wanted(pythons=("3.11", "3.13")))


# What the shell lines do, run by a shell


def run_lines(step: Step, upto: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a step's lines up to one that begins with ``upto``, then say so."""
    lines = step.run[2].split("\n")
    stop = next(number for number, line in enumerate(lines) if line.startswith(upto))
    script = "\n".join([*lines[:stop], "echo goes on"])
    return subprocess.run(["/bin/sh", "-euc", script], cwd=folder, capture_output=True, text=True, check=True)


@pytest.mark.parametrize(
    ("made", "served"),
    [
        ("shop-1.0-py3-none-any.whl", True),
        ("shop-1.0-py2.py3-none-any.whl", True),
        ("shop-1.0-py3-none-linux_x86_64.whl", True),
        ("shop-1.0-cp311-abi3-linux_x86_64.whl", True),
        ("shop-1.0-cp38-abi3-manylinux_2_17_x86_64.whl", True),
        ("shop-1.0-cp311-cp311-linux_x86_64.whl", False),
        ("shop-1.0-cp311-none-any.whl", False),
    ],
)
def test_a_wheel_that_serves_a_later_python_is_handed_on(made: str, served: bool, tmp_path: Path) -> None:
    recipe = wanted("3.11", "3.13", sdist=True)
    (tmp_path / "wheelhouse").mkdir()
    (tmp_path / "wheelhouse" / made).write_bytes(b"made")
    done = run_lines(recipe.steps[1], "mkdir", tmp_path)
    assert done.stdout == ("" if served else "goes on\n")
    assert not (tmp_path / "wheelhouse").exists(), "the backend must not see it"
    handed_on = tmp_path / "wheelhouse-py313" / made
    assert handed_on.exists() is served


@pytest.fixture
def tool(tmp_path: Path) -> dict[str, str]:
    """A python3 that stands for auditwheel: it writes the wheel that it is given under another name."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "python3").write_text('#!/bin/sh\ntest "$*" = "-P -m auditwheel repair --wheel-dir $6 $7"\ncp "$7" "$6/fixed.whl"\n')
    (programs / "python3").chmod(0o755)
    return {"PATH": f"{programs}:/usr/bin:/bin"}


@pytest.mark.parametrize(
    ("made", "delivered"),
    [
        ("shop-1.0-cp311-cp311-linux_x86_64.whl", "fixed.whl"),
        ("shop-1.0-cp311-abi3-linux_aarch64.whl", "fixed.whl"),
        ("shop-1.0-py3-none-any.whl", "shop-1.0-py3-none-any.whl"),
        ("shop-1.0-cp311-cp311-manylinux_2_28_x86_64.whl", "shop-1.0-cp311-cp311-manylinux_2_28_x86_64.whl"),
    ],
)
def test_only_a_plain_linux_tag_is_repaired(made: str, delivered: str, tmp_path: Path, tool: dict[str, str]) -> None:
    step = wanted(publishable=True).steps[-1]
    (tmp_path / "wheelhouse").mkdir()
    (tmp_path / "wheelhouse" / made).write_bytes(b"made")
    subprocess.run(step.run, cwd=tmp_path, env=tool, check=True)
    assert [path.name for path in (tmp_path / "repaired").iterdir()] == [delivered]


def test_a_repair_that_fails_fails_the_step(tmp_path: Path, tool: dict[str, str]) -> None:
    (tmp_path / "bin" / "python3").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "wheelhouse").mkdir()
    (tmp_path / "wheelhouse" / "shop-1.0-cp311-cp311-linux_x86_64.whl").write_bytes(b"made")
    assert subprocess.run(wanted(publishable=True).steps[-1].run, cwd=tmp_path, env=tool, check=False).returncode == 1

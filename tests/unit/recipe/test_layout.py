"""What a recipe says of the files beside it, before and while it is parsed."""

from __future__ import annotations

import pytest

from lockage.base.path import RelPath
from lockage.recipe.fault import InvalidRecipe
from lockage.recipe.layout import PLAIN, Layout, climb, read_layout
from lockage.recipe.parse import SharedFile, parse_recipe

ENVIRONMENTS = b"""
[environment.build]
os = "debian:bookworm"
packages = ["gcc"]
[environment.docs]
os = "debian:bookworm"
"""
STEP = """
[step.a]
environment = "build"
inputs = ["api/**"]
run = "true"
outputs = ["x"]
"""


def recipe(project: str, rest: str = STEP) -> bytes:
    return f'[project]\nname = "api"\n{project}\n{rest}'.encode()


def faults(data: bytes, shared: bytes | None = None) -> list[str]:
    with pytest.raises(InvalidRecipe) as caught:
        parse_recipe(data, shared=None if shared is None else SharedFile("../environments.toml", shared))
    return [str(fault) for fault in caught.value.faults]


def test_a_layout_is_read_without_the_rest() -> None:
    assert read_layout(None) is PLAIN
    assert read_layout(recipe("")) is PLAIN
    found = read_layout(recipe('root = "../.."\nshares = "../environments.toml"\ntag-prefix = "api/v"\n', "[step.a]\nrun = 1"))
    assert found == Layout(root=2, shares="../environments.toml", tag_prefix="api/v")


@pytest.mark.parametrize(
    "line",
    [
        'root = ""', 'root = "."', 'root = "../x"', 'root = "/"', "root = 1", 'root = "../"',
        'shares = "/etc/x"', 'shares = ".."', 'shares = "a/../b"', 'shares = ""', "shares = []", 'shares = "a//b"', 'shares = "...//a"',
        'tag-prefix = ""', 'tag-prefix = "-x"', 'tag-prefix = "a b"', 'tag-prefix = "a*"', 'tag-prefix = "a..b"', "tag-prefix = true",
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_layout_counts_for_nothing_and_is_a_fault_with_its_line(line: str) -> None:
    assert read_layout(recipe(line)) == PLAIN
    key = line.partition(" ")[0]
    found = faults(recipe(line), ENVIRONMENTS)
    assert len(found) == 1
    assert found[0].startswith(f"lockage.toml:3: project.{key}: ")


def test_a_path_is_followed_from_a_folder() -> None:
    assert climb(RelPath("services/api"), "../../environments.toml") == "environments.toml"
    assert climb(RelPath("services/api"), "../..") is None
    assert climb(None, "./a/b") == "a/b"
    with pytest.raises(ValueError, match="leads out"):
        climb(RelPath("api"), "../../x")


def test_a_recipe_has_the_shared_environments_that_its_steps_name() -> None:
    found = parse_recipe(recipe('shares = "../environments.toml"'), shared=SharedFile("../environments.toml", ENVIRONMENTS))
    assert list(found.environments) == ["build"]
    alone = parse_recipe(recipe("", ENVIRONMENTS.decode().partition("[environment.docs]")[0] + STEP))
    assert found == alone, "where an environment is declared is no part of it"


def test_a_fault_is_named_with_the_file_that_it_is_in() -> None:
    bad = b'[environment.build]\nos = "debian:bookworm"\npackages = ["g cc"]\n[step.x]\nrun = "true"\n'
    found = faults(recipe('shares = "../environments.toml"\nnmae = 1'), bad)
    assert found[0].startswith("../environments.toml:3: environment.build.packages[0]: ")
    assert found[1].startswith("../environments.toml:4: step: unknown key")
    assert found[2].startswith("lockage.toml:4: project.nmae: unknown key")
    assert faults(recipe(""), b"[environment")[0].startswith("../environments.toml:1: not TOML")
    assert faults(recipe(""), b"")[0].startswith("../environments.toml:1: a file of shared environments holds")


def test_one_environment_is_declared_in_one_file() -> None:
    (found,) = faults(
        recipe('shares = "../environments.toml"', ENVIRONMENTS.decode() + STEP), b'[environment.build]\nos = "debian:trixie"\n'
    )
    assert "is declared in ../environments.toml as well" in found


def test_a_step_below_a_root_says_what_it_sees() -> None:
    (found,) = faults(recipe('root = ".."', STEP.replace('inputs = ["api/**"]\n', "")), ENVIRONMENTS)
    assert found.endswith("step.a: a step of a recipe with `root` must say its `inputs`")
    parse_recipe(recipe('root = ".."'), shared=SharedFile("x", ENVIRONMENTS))

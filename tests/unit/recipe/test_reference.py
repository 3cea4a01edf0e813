"""docs/recipe.md says what the parser does: its example is a recipe, and its tables have exactly the keys there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lockage.base.path import RelPath
from lockage.environment.declaration import Declaration, PythonLock
from lockage.recipe.glob import check_pattern
from lockage.recipe.model import Recipe, Resources, Step
from lockage.recipe.modes import Mode
from lockage.recipe.parse import parse_recipe
from lockage.recipe.quantity import duration, size
from lockage.recipe.variables import OWNED

if TYPE_CHECKING:
    import msgspec

PAGE = (Path(__file__).parents[3] / "docs/recipe.md").read_text()


def section(heading: str) -> str:
    return PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def keys(heading: str) -> set[str]:
    return set(re.findall(r"^\| `([a-z-]+)` \|", section(heading), re.MULTILINE))


def fields(kind: type[msgspec.Struct]) -> set[str]:
    return {name.replace("_", "-") for name in kind.__struct_fields__}


def test_the_example_is_a_recipe() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", section("A whole example"), re.DOTALL)
    found = parse_recipe(example.encode())
    assert isinstance(found, Recipe)
    assert RelPath("dist") in found.steps[0].outputs


def test_the_example_of_publishing_is_a_recipe() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", section("Publishing"), re.DOTALL)
    assert [str(step.name) for step in parse_recipe(example.encode()).steps if step.artifacts] == ["repair-py311", "repair-py313"]


def test_the_example_of_scheduling_is_a_recipe() -> None:
    page = (Path(__file__).parents[3] / "docs/scheduling.md").read_text()
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    head = '[project]\nname = "x"\nversion = "1"\n[environment.build]\nos = "debian:bookworm"\n'
    (step,) = parse_recipe((head + example).encode()).steps
    assert (step.exclusive, step.pools) == (("probe",), {"licence": 1})


def test_every_key_has_its_line() -> None:
    assert keys("`[project]`") == {"name", "version", "tag-prefix", "shares", "root", "platforms"}
    suites = {"components", "allow-stale", "keyring"}
    rules = {"constraints", "from-source", "build-packages"}
    assert keys("`[environment.NAME]`") == (fields(Declaration) - {"python-rules"}) | {"path"} | suites | rules | (
        fields(PythonLock) - {"file", "sha256"}
    )
    assert keys("`[step.NAME]`") == (fields(Step) - {"name", "resources", "unset"}) | fields(Resources)


def test_the_defaults_are_those_of_the_code() -> None:
    defaults = dict(re.findall(r"^\| `([a-z]+)` \| [a-z]+ \| `\"?([^`\"]+)\"?` \|", section("`[step.NAME]`"), re.MULTILINE))
    resources = Resources()
    assert (size(defaults["memory"]), size(defaults["disk"])) == (resources.memory, resources.disk)
    assert duration(defaults["timeout"]) == resources.timeout
    assert (int(defaults["cpus"]), int(defaults["processes"])) == (resources.cpus, resources.processes)


def test_every_variable_of_the_contract_is_named() -> None:
    assert {name for name in OWNED if f"`{name}`" not in section("Variables")} == set()


def test_every_mode_is_named() -> None:
    assert {mode for mode in Mode if f'`"{mode}"`' not in section("`[step.NAME]`")} == set()


@pytest.mark.parametrize("pattern", re.findall(r"^\| `([^`!]+)` \|", section("Patterns"), re.MULTILINE))
def test_every_pattern_of_the_table_is_one(pattern: str) -> None:
    check_pattern(pattern)

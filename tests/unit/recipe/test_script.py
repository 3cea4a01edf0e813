"""Recipes made by a script: the page's example, the same faults as a file, and a file that is the same recipe."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lockage.recipe
from lockage.recipe import Project, project
from lockage.recipe.fault import InvalidRecipe
from lockage.recipe.parse import parse_recipe

PAGE = (Path(__file__).parents[3] / "docs/recipe-api.md").read_text()


def faults(made: Project) -> list[str]:
    with pytest.raises(InvalidRecipe) as caught:
        _ = made.recipe
    return [re.sub(r"^test_script\.py:\d+: ", "", str(fault)) for fault in caught.value.faults]


def test_the_example_of_the_page(tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    script = tmp_path / "recipe.py"
    script.write_text(example)
    done = [subprocess.run([sys.executable, script], capture_output=True, check=True).stdout for _ in range(2)]
    assert done[0] == done[1]
    assert done[0].startswith(b"# Made by recipe.py: ")
    found = parse_recipe(done[0])
    assert [step.name for step in found.steps] == ["prices-de", "prices-fr", "weights-de", "wheel"]
    assert found.steps[-1].needs == ("prices-de", "prices-fr", "weights-de")


def test_every_call_of_the_page_is_there() -> None:
    for name in re.findall(r"^\| `(?:Project\.)?([a-z]+)", PAGE, re.MULTILINE):
        assert hasattr(Project, name) or hasattr(lockage.recipe, name)


def test_a_recipe_without_faults_has_everything() -> None:
    made = project("shop", version="tag")
    flag = made.flag("new-checkout")
    data = made.fetch("data", url="https://a.example/x.bin", sha256="0" * 64, executable=True)
    build = made.environment("build", os="debian:bookworm", packages=["gcc"], variables={"A": "b"})
    one = made.step(
        "one", environment=build, run="make", inputs=[], outputs=["one"], fetch=[data], memory="1 GiB", stabilize={"off": ["png"]}
    )
    made.step(
        "two", kind="test", environment=build, run=["make", "test"], needs=[one], flags=[flag], variables={"B": "c", "ARFLAGS": False}
    )
    assert parse_recipe(made.toml().encode()) == made.recipe
    assert made.recipe.steps[0].resources.memory == 1 << 30
    assert made.recipe.steps[1].unset == ("ARFLAGS",)


def test_an_environment_begins_with_an_image() -> None:
    made = project("shop", version="tag")
    image = f"registry.example.org/pypa/manylinux@sha256:{'0' * 64}"
    build = made.environment("build", image=image, python=["build"], interpreter="/opt/python/cp312-cp312/bin/python3")
    made.step("one", environment=build, run="make", outputs=["one"])
    assert f'image = "{image}"' in made.toml()
    assert parse_recipe(made.toml().encode()) == made.recipe


def test_faults_are_those_of_a_file_with_the_line_of_the_script() -> None:
    made = project("shop")
    made.environment("build", os="debian:bookworm")
    line = sys._getframe().f_lineno + 1
    made.step("wheel", run="make", outputs=["dist"], needs=["whel"], memory="lots", colour="red")
    with pytest.raises(InvalidRecipe) as caught:
        made.toml()
    text = f"test_script.py:{line}: step.wheel."
    assert [str(fault) for fault in caught.value.faults] == [
        f'{text}memory: not a size such as "512 MiB" or "1 GiB", or bytes as an integer: \'lots\'',
        f"{text}colour: unknown key",
        f'{text}needs[0]: there is no step "whel"; did you mean "wheel"?',
    ]


def test_a_name_stands_for_one_thing() -> None:
    made = project("shop")
    for _ in range(2):
        made.environment("build", os="debian:bookworm")
    made.step("a", run="make", outputs=["a"])
    assert faults(made) == ["environment.build: it was made before, and a name stands for one"]


def test_faults_of_the_whole_stand_where_the_project_was_begun() -> None:
    assert faults(project("Shop")) == [
        'project.name: a project is named by its normalised name: write "shop" instead of "Shop"',
        "step: a recipe needs at least one step",
    ]


def test_nothing_is_loaded_before_it_is_asked_for() -> None:
    code = "import lockage.recipe, sys; assert not [m for m in sys.modules if m.startswith('lockage.recipe.')], sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError):
        _ = lockage.recipe.nothing


words = st.text("abcxyz{}$'\"\\\n #=[]é", min_size=1, max_size=12).filter(lambda text: bool(text.strip()))
names = st.sampled_from(["a", "b-1", "c.2", "d_3"])
plain_steps = st.fixed_dictionaries(
    {"run": st.one_of(words, st.lists(words, min_size=1, max_size=3))},
    optional={
        "inputs": st.lists(st.sampled_from(["src/**", "!src/x", "README"]), max_size=2, unique=True).filter(
            lambda found: found != ["!src/x"]
        ),
        "stamp": st.just(["date", "version"]),
        "variables": st.dictionaries(st.sampled_from(["A", "B_1"]), st.one_of(words, st.just(False)), max_size=2),
        "cpus": st.integers(1, 8),
        "timeout": st.integers(1, 100_000),
        "memory": st.integers(1, 1 << 40),
        "retries": st.integers(0, 10),
        "stabilize": st.booleans(),
        "modes": st.lists(st.sampled_from(["single-cpu", "fixed-pids"]), unique=True),
        "artifacts": st.just(["**/*.whl"]),
    },
)


@settings(max_examples=60)
@given(st.dictionaries(names, plain_steps, min_size=1), st.dictionaries(st.sampled_from(["X", "Y"]), words, max_size=2))
def test_the_file_is_the_same_recipe(steps: dict[str, dict[str, object]], variables: dict[str, str]) -> None:
    def made() -> Project:
        one = project("shop", version="1")
        build = one.environment("build", os="debian:bookworm", variables=variables)
        before: list[str] = []
        for name, keys in steps.items():
            before.append(one.step(name, environment=build, needs=before, outputs=[f"out-{name}/x"], **keys))  # type: ignore[arg-type]  # mixed
        return one

    text = made().toml()
    assert text == made().toml()
    assert parse_recipe(text.encode()) == made().recipe

"""Matrices: what they make, in which order, who needs whom, and every way in which they can be wrong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockage.recipe.change import Change
from lockage.recipe.edit import RecipeNotEdited, add_packages
from lockage.recipe.fault import InvalidRecipe, RecipeCycle
from lockage.recipe.mend import StepNotEdited, mended
from lockage.recipe.parse import SharedFile, parse_recipe
from lockage.recipe.render import render

if TYPE_CHECKING:
    from lockage.recipe.model import Recipe

HEAD = """\
[project]
name = "shop"
[matrix]
python = ["3.11", "3.13"]
flavour = ["plain", "fast"]
[environment.build]
os = "debian:bookworm"
"""
GEN = """\
[step.gen]
matrix = ["flavour"]
run = "make {flavour}"
outputs = ["gen-{flavour}"]
"""
WHEEL = """\
[step.wheel]
matrix = ["python", "flavour"]
needs = ["gen"]
run = "make"
outputs = ["dist-{python}-{flavour}"]
"""
PAGE = (Path(__file__).parents[3] / "docs/matrix.md").read_text()


def recipe(text: str) -> Recipe:
    return parse_recipe(text.encode())


def faults(text: str) -> list[str]:
    with pytest.raises(InvalidRecipe) as caught:
        recipe(text)
    return [str(fault) for fault in caught.value.faults]


def needs(found: Recipe) -> dict[str, tuple[str, ...]]:
    return {str(step.name): tuple(map(str, step.needs)) for step in found.steps}


def test_steps_come_in_the_order_of_nested_loops_with_the_names_of_their_values() -> None:
    found = recipe(HEAD + GEN + WHEEL)
    assert needs(found) == {
        "gen-plain": (),
        "gen-fast": (),
        "wheel-3.11-plain": ("gen-plain",),
        "wheel-3.11-fast": ("gen-fast",),
        "wheel-3.13-plain": ("gen-plain",),
        "wheel-3.13-fast": ("gen-fast",),
    }
    assert [step.outputs for step in found.steps][2:4] == [("dist-3.11-plain",), ("dist-3.11-fast",)]


def test_what_it_makes_is_what_could_have_been_written() -> None:
    """The rest of lockage sees no matrix: not even the digest of the recipe tells."""
    found = recipe(HEAD + GEN + WHEEL)
    assert recipe(render(found)) == found
    assert recipe(render(found)).digest == found.digest


@pytest.mark.parametrize(
    ("need", "expected"),
    [
        ('"gen"', ("gen-plain", "gen-fast")),  # it shares no dimension, so all of them
        ('"gen-fast"', ("gen-fast",)),
        ('"gen-*"', ("gen-plain", "gen-fast")),
        ('"gen-*", "gen"', ("gen-plain", "gen-fast")),  # what is meant twice is needed once
        ('"g*-fa*"', ("gen-fast",)),
    ],
)
def test_how_a_step_without_a_matrix_needs_others(need: str, expected: tuple[str, ...]) -> None:
    one = f'[step.one]\nneeds = [{need}]\nrun = "x"\noutputs = ["one"]\n'
    assert needs(recipe(HEAD + GEN + one))["one"] == expected


def test_all_are_needed_by_a_pattern_though_a_dimension_is_shared() -> None:
    found = needs(recipe(HEAD + GEN + WHEEL.replace('["gen"]', '["gen-*"]')))
    assert found["wheel-3.11-plain"] == ("gen-plain", "gen-fast")


def test_one_is_needed_by_a_template() -> None:
    found = needs(recipe(HEAD + GEN + WHEEL.replace('["gen"]', '["gen-{flavour}"]')))
    assert found["wheel-3.13-fast"] == ("gen-fast",)


def test_of_several_dimensions_those_that_are_shared_count() -> None:
    test = '[step.test]\nkind = "test"\nmatrix = ["python"]\nneeds = ["wheel"]\nrun = "x"\n'
    found = needs(recipe(HEAD + GEN + WHEEL + test))
    assert found["test-3.13"] == ("wheel-3.13-plain", "wheel-3.13-fast")


def test_combinations_are_excluded_and_included() -> None:
    over = 'matrix = { over = ["python", "flavour"], exclude = [{ flavour = "fast" }], include = [{ flavour = "fast", python = "3.14" }] }'
    text = WHEEL.replace('matrix = ["python", "flavour"]', over)
    assert list(needs(recipe(HEAD + GEN + text)))[2:] == ["wheel-3.11-plain", "wheel-3.13-plain", "wheel-3.14-fast"]


def test_values_may_bring_traits_and_environments_may_have_a_matrix() -> None:
    text = """
    [project]
    name = "shop"
    [matrix.python]
    "3.11" = { suite = "bookworm", cpus = 2 }
    "3.13" = { suite = "trixie", cpus = 3 }
    [environment.py]
    matrix = { over = ["python"], name = "py{python}" }
    os = "debian:{python.suite}"
    [step.wheel]
    matrix = ["python"]
    environment = "py{python}"
    variables = { PY = "{python}" }
    cpus = "{python.cpus}"
    run = ["make", "{python}"]
    outputs = ["dist"]
    """
    found = recipe(text)
    assert {name: str(one.os) for name, one in found.environments.items()} == {"py3.11": "debian:bookworm", "py3.13": "debian:trixie"}
    assert [(step.environment, step.variables, step.resources.cpus, step.run) for step in found.steps] == [
        ("py3.11", {"PY": "3.11"}, 2, ("make", "3.11")),
        ("py3.13", {"PY": "3.13"}, 3, ("make", "3.13")),
    ]


def test_a_shared_file_has_a_matrix_of_its_own() -> None:
    shared = SharedFile(
        "e.toml", b'[matrix]\nsuite = ["bookworm", "trixie"]\n[environment.on]\nmatrix = ["suite"]\nos = "debian:{suite}"\n'
    )
    text = '[project]\nname = "shop"\n[step.a]\nenvironment = "on-trixie"\nrun = "x"\noutputs = ["a"]\n'
    assert list(parse_recipe(text.encode(), shared=shared).environments) == ["on-trixie"]


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ("{ range = [8, 11] }", ["8", "9", "10", "11"]),
        ("{ range = [8, 11], width = 3 }", ["008", "009", "010", "011"]),
        ("[7]", ["7"]),
        ('["tests/Unit/a.py", "tests/b c.py"]', ["tests-unit-a.py", "tests-b-c.py"]),
    ],
)
def test_numbers_and_paths_as_values(values: str, names: list[str]) -> None:
    text = HEAD.replace('flavour = ["plain", "fast"]', f"flavour = {values}") + GEN.replace('"gen-{flavour}"', '"gen"')
    assert [step.name for step in recipe(text).steps] == [f"gen-{name}" for name in names]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{flavour}", "plain"),
        ("{{flavour}}", "{flavour}"),
        ("{{{flavour}}}", "{{flavour}}"),
        ("${flavour}", "${flavour}"),
        ("${{flavour}}", "${flavour}"),
        ("a{b,c}", "a{b,c}"),
        ("{ x; }", "{ x; }"),
        ("${HOME} {} {A} {1}", "${HOME} {} {A} {1}"),
        ("{{other}}", "{other}"),
        ("x{flavour}y{flavour}z", "xplainyplainz"),
    ],
)
def test_braces(text: str, expected: str) -> None:
    found = recipe(HEAD + GEN.replace("make {flavour}", text))
    assert found.steps[0].run[2] == expected


def test_a_step_without_a_matrix_has_no_templates() -> None:
    found = recipe(HEAD + '[step.a]\nrun = "echo {flavour} {x}"\noutputs = ["{flavour}"]\n')
    assert (found.steps[0].run[2], found.steps[0].outputs) == ("echo {flavour} {x}", ("{flavour}",))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (
            '["python", "flavour"]',
            '["pyton"]',
            ['13: step.wheel.matrix[0]: there is no dimension "pyton" in [matrix]; did you mean "python"?'],
        ),
        ('["python", "flavour"]', "[]", ["13: step.wheel.matrix: a matrix names at least one dimension"]),
        ('["python", "flavour"]', "3", ["13: step.wheel.matrix: expected an array of dimensions or a table, found 3"]),
        ('"make"', '"make {pyton}"', ['15: step.wheel.run: the matrix has no "pyton"; did you mean "python"?']),
        ('["gen"]', '["gn"]', ['14: step.wheel.needs[0]: there is no step "gn"']),
        ('["gen"]', '["gen-{python}"]', ['14: step.wheel.needs[0]: there is no step "gen-3.11"']),
        (
            '["gen"]',
            '["gem-*"]',
            ['14: step.wheel.needs[0]: no step that a matrix makes is called "gem-*"; did you mean "gen"? (as "wheel-3.11-plain")'],
        ),
        ('"dist-{python}-{flavour}"', '"a", "a/b"', ['16: step.wheel.outputs[1]: "a/b" and "a" overlap; name the outer one only']),
        ('["gen"]', '["gen"]\ncpus = "two"', ['15: step.wheel.cpus: expected an integer >= 1, found "two"']),
        (
            '["python", "flavour"]',
            '{ over = ["python"], exclude = [{ python = "3.12" }] }',
            ['13: step.wheel.matrix.exclude[0].python: "3.12" is no value of python'],
        ),
        (
            '["python", "flavour"]',
            '{ over = ["python"], exclude = [{ pithon = "3.11" }] }',
            ['13: step.wheel.matrix.exclude[0].pithon: "pithon" is no dimension of this matrix; did you mean "python"?'],
        ),
        (
            '["python", "flavour"]',
            '{ over = ["python"], exclude = [{ python = "3.11" }, { python = "3.13" }] }',
            ["13: step.wheel.matrix.exclude: nothing is left: every combination is excluded"],
        ),
        (
            '["python", "flavour"]',
            '{ over = ["python", "flavour"], include = [{ python = "3.14" }] }',
            ["13: step.wheel.matrix.include[0]: what is included names every dimension of the matrix; flavour is missing"],
        ),
        (
            '["python", "flavour"]',
            '{ over = ["python"], include = [{ python = "3.11" }] }',
            ['13: step.wheel.matrix.include[0]: the combination is there already: python = "3.11"'],
        ),
        ('["python", "flavour"]', '{ over = ["python"], unknown = 1 }', ["13: step.wheel.matrix.unknown: unknown key"]),
        (
            '["python", "flavour"]',
            '{ over = ["python", "flavour"], name = "w-{python}" }',
            ['12: step.wheel: two combinations of [step.wheel] would both make the step "w-3.11"'],
        ),
        (
            '["python", "flavour"]',
            '{ over = ["python", "flavour"], name = "gen-{flavour}" }',
            ['12: step.wheel: [step.wheel] and [step.gen] would both make the step "gen-plain"'],
        ),
        (
            '["python", "flavour"]',
            '{ over = ["python", "flavour"], name = "W-{python}-{flavour}" }',
            ["12: step.wheel: not a valid step name"],
        ),
    ],
)
def test_faults_of_a_table_with_a_matrix(before: str, after: str, expected: list[str]) -> None:
    text = HEAD + GEN + WHEEL
    assert before in WHEEL
    found = faults(text.replace(WHEEL, WHEEL.replace(before, after)))
    assert len(found) == len(expected)
    for told, start in zip(found, expected, strict=True):
        assert told.startswith(f"lockage.toml:{start}")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("python = []", "python: a dimension without values makes no steps"),
        ("python = {}", "python: a dimension without values makes no steps"),
        ('python = ["a", "a"]', 'python[1]: "a" is there twice'),
        ('python = ["1", 1]', "python[1]: 1 is there twice"),
        ("python = [true]", "python[0]: expected a text or an integer, found true"),
        ('python = "3.11"', "python: expected texts or integers, "),
        ("python = { range = [3, 2] }", "python.range: expected the first and the last number: 3 comes after 2"),
        ("python = { range = [3] }", "python.range: expected the first and the last number, such as [0, 9]"),
        ("python = { range = [0, 9999999] }", "python.range: expected the first and the last number: more than 100000 numbers"),
        ("python = { range = [0, 1], wide = 3 }", "python.wide: unknown key"),
        ('python = { "3.11" = { a = "x" }, "3.13" = { b = "y" } }', 'python."3.13": every value of a dimension has the same keys'),
        ("Python = [1]", "Python: not the name of a dimension"),
    ],
)
def test_faults_of_dimensions(line: str, expected: str) -> None:
    text = (HEAD + GEN).replace('python = ["3.11", "3.13"]', line)
    assert faults(text)[0].startswith(f"lockage.toml:4: matrix.{expected}")


def test_a_fault_of_some_combinations_names_the_first() -> None:
    text = HEAD + GEN.replace('run = "make {flavour}"', 'run = "make"\nenvironment = "{flavour}"')
    assert faults(text) == [
        'lockage.toml:11: step.gen.environment: there is no environment "plain" (as "gen-plain", and 1 more of its matrix)'
    ]


def test_an_excluded_combination_that_is_needed() -> None:
    gen = GEN.replace('["flavour"]', '{ over = ["flavour"], exclude = [{ flavour = "fast" }] }')
    assert faults(HEAD + gen + WHEEL) == [
        'lockage.toml:14: step.wheel.needs[0]: the matrix of [step.gen] makes no step with flavour = "fast" (as "wheel-3.11-fast")'
    ]
    named = WHEEL.replace('["gen"]', '["gen-{flavour}"]')
    assert faults(HEAD + gen + named) == [
        'lockage.toml:14: step.wheel.needs[0]: the matrix of [step.gen] excludes "gen-fast" (as "wheel-3.11-fast")'
    ]


def test_outputs_of_needs_that_collide_are_told_at_the_element_that_brings_them() -> None:
    gen = GEN.replace('"gen-{flavour}"', '"gen"')
    one = '[step.one]\nneeds = ["gen"]\nrun = "x"\noutputs = ["one"]\n'
    assert faults(HEAD + gen + one) == [
        'lockage.toml:13: step.one.needs[0]: the output "gen" of step "gen-fast" collides with "gen" of step "gen-plain"'
    ]


def test_a_circle_through_a_matrix() -> None:
    with pytest.raises(InvalidRecipe) as caught:
        recipe(HEAD + GEN.replace("run", 'needs = ["wheel-3.11-{flavour}"]\nrun') + WHEEL)
    assert [type(fault) for fault in caught.value.faults] == [RecipeCycle]


def test_a_matrix_that_makes_too_many() -> None:
    text = (HEAD + GEN).replace('["plain", "fast"]', "{ range = [1, 400] }").replace('["3.11", "3.13"]', "{ range = [1, 400] }")
    assert faults(text.replace('matrix = ["flavour"]', 'matrix = ["flavour", "python"]')) == [
        "lockage.toml:8: step.gen: the matrix makes 160000 of it; at most 100000"
    ]


def test_what_a_matrix_makes_is_not_edited() -> None:
    text = HEAD + GEN + '[environment.py]\nmatrix = ["python"]\nos = "debian:bookworm"\n'
    with pytest.raises(StepNotEdited, match="made by the matrix"):
        mended(text, "gen-fast", Change(stabilize=True), {})
    with pytest.raises(RecipeNotEdited, match="made by the matrix"):
        add_packages(text, "py-3.11", ["gcc"])
    assert 'packages = ["gcc"]' in add_packages(text, "build", ["gcc"])


@given(st.integers(1, 40), st.integers(1, 40))
def test_everyone_needs_the_steps_with_the_same_values(one: int, other: int) -> None:
    text = (
        (HEAD + GEN + WHEEL)
        .replace('["plain", "fast"]', f"{{ range = [1, {one}] }}")
        .replace('["3.11", "3.13"]', f"{{ range = [1, {other}] }}")
    )
    found = needs(recipe(text))
    assert len(found) == one + one * other
    for name, needed in found.items():
        if name.startswith("wheel"):
            assert needed == (f"gen-{name.split('-')[2]}",)


def test_every_recipe_of_the_page_is_one() -> None:
    examples = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert examples
    for example in examples:
        recipe(example)


def test_the_page_names_the_steps_of_its_first_example() -> None:
    example = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)[0]
    told = re.findall(r"^(\S+) +needs ?(.*)$", PAGE.split("```text\n")[1].split("```")[0], re.MULTILINE)
    assert [(name, tuple(needed.split())) for name, needed in told] == list(needs(recipe(example)).items())

"""The keys of an environment that say how Python requirements are resolved, written and read."""

import pytest

from lockage.base.canonical import canonical_of, decode
from lockage.base.name import ProjectName
from lockage.environment.base import OsBase
from lockage.environment.declaration import Declaration, PythonRules
from lockage.recipe.fault import InvalidRecipe
from lockage.recipe.model import Recipe
from lockage.recipe.parse import parse_recipe
from lockage.recipe.render import render

HEAD = '[project]\nname = "shop"\n[environment.build]\nos = "debian:bookworm"\n'
TAIL = '[step.wheel]\nrun = "make"\noutputs = ["dist"]\n'
WHOLE = """python = ["psycopg2"]
constraints = ["urllib3 < 2; python_version < '3.12'", "idna"]
from-source = ["zope-interface", "markupsafe"]
build-packages = { psycopg2 = ["libpq-dev", "libssl-dev (>= 3)"], empty = [] }
"""


def recipe(lines: str) -> Recipe:
    return parse_recipe((HEAD + lines + TAIL).encode())


def test_what_is_said_is_kept() -> None:
    found = recipe(WHOLE)
    assert found.environments["build"].python_rules == PythonRules(
        constraints=("urllib3 < 2; python_version < '3.12'", "idna"),
        from_source=(ProjectName("markupsafe"), ProjectName("zope-interface")),
        build_packages={ProjectName("psycopg2"): ("libpq-dev", "libssl-dev (>= 3)")},
    )
    assert parse_recipe(render(found).encode()) == found
    assert decode(canonical_of(found), Recipe) == found


def test_everything_from_source() -> None:
    found = recipe("from-source = true\n")
    assert found.environments["build"].python_rules == PythonRules(all_from_source=True)
    assert parse_recipe(render(found).encode()) == found


@pytest.mark.parametrize("lines", ["", "from-source = false\n", "from-source = []\n", "constraints = []\n", "build-packages = {}\n"])
def test_what_is_as_always_is_no_part_of_what_is_declared(lines: str) -> None:
    plain = Declaration(os=OsBase.parse("debian:bookworm"))
    assert recipe(lines).environments["build"] == plain
    assert recipe(lines).environments["build"].digest == plain.digest


@pytest.mark.parametrize("lines", ['constraints = ["a < 2"]\n', "from-source = true\n", 'build-packages = { a = ["gcc"] }\n'])
def test_every_rule_is_part_of_what_is_declared(lines: str) -> None:
    assert recipe(lines).environments["build"].digest != recipe("").environments["build"].digest


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('constraints = ["requests[socks]"]\n', "environment.build.constraints[0]: a constraint limits versions and cannot ask for extras"),
        ('constraints = ["a @ https://example.org/a.whl"]\n', "environment.build.constraints[0]: a requirement by address"),
        ('from-source = "markupsafe"\n', "environment.build.from-source: expected an array of project names"),
        (
            'from-source = ["MarkupSafe"]\n',
            "environment.build.from-source[0]: a project is named by its normalised name",
        ),
        ('from-source = ["a b"]\n', "environment.build.from-source[0]: not a project name"),
        (
            'build-packages = { Psycopg2 = ["libpq-dev"] }\n',
            "environment.build.build-packages.Psycopg2: a project is named by",
        ),
        (
            'build-packages = { psycopg2 = "libpq-dev" }\n',
            "environment.build.build-packages.psycopg2: expected an array of Debian",
        ),
        ('build-packages = { psycopg2 = ["LIBPQ"] }\n', "environment.build.build-packages.psycopg2[0]: not a Debian package"),
    ],
)
def test_a_recipe_with_a_defect_says_where_and_what(lines: str, said: str) -> None:
    with pytest.raises(InvalidRecipe) as caught:
        recipe(lines)
    assert f"lockage.toml:5: {said}" in caught.value.message

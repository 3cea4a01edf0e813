"""The keys of an environment that say where OS packages come from and for which platforms it is, written and read."""

import msgspec
import pytest

from lockage.base.path import RelPath
from lockage.environment.base import OsBase
from lockage.environment.declaration import Declaration, Keyring, Suites
from lockage.recipe.fault import InvalidRecipe
from lockage.recipe.model import Recipe
from lockage.recipe.parse import SharedFile, parse_recipe
from lockage.recipe.render import render

HEAD = '[project]\nname = "shop"\n[environment.build]\nos = "debian:bookworm"\n'
TAIL = '[step.wheel]\nrun = "make"\noutputs = ["dist"]\n'
WHOLE = """suites = ["bookworm-security", "bookworm-backports"]
components = ["main", "contrib"]
allow-stale = ["bookworm-backports", "bookworm"]
keyring = "keys/archive.asc"
packages = ["nodejs/bookworm-backports"]
"""


def recipe(lines: str) -> Recipe:
    return parse_recipe((HEAD + lines + TAIL).encode())


def test_what_is_said_is_kept() -> None:
    found = recipe(WHOLE)
    assert found.environments["build"].suites == Suites(
        further=("bookworm-security", "bookworm-backports"),
        components=("main", "contrib"),
        stale=("bookworm", "bookworm-backports"),
        keyring=Keyring(file=RelPath("keys/archive.asc")),
    )
    assert parse_recipe(render(found).encode()) == found


def test_another_distribution() -> None:
    found = parse_recipe((HEAD.replace("debian:bookworm", "ubuntu:noble") + TAIL).encode())
    assert found.environments["build"].os == OsBase(distribution="ubuntu", suite="noble")
    assert parse_recipe(render(found).encode()) == found


def test_what_is_as_always_is_no_part_of_what_is_declared() -> None:
    plain = Declaration(os=OsBase.parse("debian:bookworm"))
    assert recipe('components = ["main"]\n').environments["build"] == plain
    assert recipe("").environments["build"].digest == plain.digest
    assert recipe('suites = ["bookworm-updates"]\n').environments["build"].digest != plain.digest


def test_the_bytes_of_a_keyring_are_part_of_what_is_declared() -> None:
    one, two = (Suites(keyring=Keyring(file=RelPath("k"), sha256=digest)) for digest in (None, "0" * 64))  # type: ignore[arg-type] # any text
    base = Declaration(os=OsBase.parse("debian:bookworm"))
    assert msgspec.structs.replace(base, suites=one).digest != msgspec.structs.replace(base, suites=two).digest


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('suites = ["bookworm"]\n', 'lockage.toml:5: environment.build.suites: "bookworm" is the suite of `os` already'),
        ('suites = ["a b"]\n', "lockage.toml:5: environment.build.suites[0]: not the name of a suite: 'a b'"),
        ('suites = "sid"\n', "lockage.toml:5: environment.build.suites: expected an array of suites"),
        ("components = []\n", "lockage.toml:5: environment.build.components: an environment without a component has no packages"),
        ('components = ["main restricted"]\n', "lockage.toml:5: environment.build.components[0]: not the name of a component"),
        (
            'allow-stale = ["sid"]\n',
            'lockage.toml:5: environment.build.allow-stale[0]: "sid" is none of the environment\'s suites, which are bookworm',
        ),
        ('keyring = "/etc/keys"\n', "lockage.toml:5: environment.build.keyring: not a normalised relative path"),
        ('packages = ["tool/"]\n', "lockage.toml:5: environment.build.packages[0]"),
    ],
)
def test_a_recipe_with_a_defect_says_where_and_what(lines: str, said: str) -> None:
    with pytest.raises(InvalidRecipe) as caught:
        recipe(lines)
    assert said in caught.value.message


# Platforms


def platforms(project: str = "", environment: str = "") -> dict[str, object]:
    head = HEAD.replace('name = "shop"\n', f'name = "shop"\n{project}\n')
    other = '[environment.other]\nos = "debian:sid"\n'
    found = parse_recipe((head + environment + other + TAIL.replace("[step.wheel]\n", '[step.wheel]\nenvironment = "build"\n')).encode())
    assert parse_recipe(render(found).encode()).environments == found.environments
    return {name: declaration.platforms for name, declaration in found.environments.items()}


BOTH = 'platforms = ["arm64", "amd64"]\n'


def test_platforms_are_those_of_the_project_but_for_what_an_environment_says_itself() -> None:
    two = ("amd64", "arm64")
    assert platforms() == {"build": msgspec.UNSET, "other": msgspec.UNSET}
    assert platforms(project=BOTH) == {"build": two, "other": two}
    assert platforms(environment=BOTH) == {"build": two, "other": msgspec.UNSET}
    assert platforms(project=BOTH, environment='platforms = ["arm64"]\n') == {"build": ("arm64",), "other": two}


def test_platforms_of_a_recipe_are_those_of_the_environments_that_it_shares() -> None:
    shared = '[environment.one]\nos = "debian:sid"\n[environment.two]\nos = "debian:sid"\nplatforms = ["amd64"]\n'
    steps = "".join(f'[step.{name}]\nenvironment = "{name}"\nrun = "make"\noutputs = ["{name}"]\n' for name in ("one", "two"))
    text = '[project]\nname = "shop"\nshares = "../shared.toml"\n' + BOTH + steps
    found = parse_recipe(text.encode(), shared=SharedFile("../shared.toml", shared.encode()))
    assert {name: one.platforms for name, one in found.environments.items()} == {"one": ("amd64", "arm64"), "two": ("amd64",)}


def test_platforms_are_no_part_of_what_is_resolved() -> None:
    assert recipe(BOTH).environments["build"].digest == recipe("").environments["build"].digest
    assert recipe(BOTH).digest != recipe("").digest


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('platforms = ["x86_64"]', "not a platform (amd64 or arm64): 'x86_64'"),
        ("platforms = []", "an environment for no platform cannot be locked"),
        ('platforms = "amd64"', "an array of platforms"),
        ('platforms = ["arm64", "arm64"]', '"arm64" is there twice'),
    ],
)
def test_platforms_that_there_are_not(line: str, said: str) -> None:
    for given in ({"project": f"{line}\n"}, {"environment": f"{line}\n"}):
        with pytest.raises(InvalidRecipe) as caught:
            platforms(**given)
        (fault,) = caught.value.faults
        assert said in fault.message

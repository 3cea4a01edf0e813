"""The keys of an environment that say what it begins with, written and read."""

import pytest

from lockage.base.digest import Digest
from lockage.environment.base import ImageBase
from lockage.environment.declaration import PythonRules
from lockage.recipe.fault import InvalidRecipe
from lockage.recipe.model import Recipe
from lockage.recipe.parse import parse_recipe
from lockage.recipe.render import render

SHA = Digest.of(b"an image")
HEAD = '[project]\nname = "shop"\n[environment.build]\n'
TAIL = '[step.wheel]\nrun = "make"\noutputs = ["dist"]\n'


def recipe(lines: str) -> Recipe:
    return parse_recipe((HEAD + lines + TAIL).encode())


@pytest.mark.parametrize(
    ("text", "place", "name"),
    [
        ("registry.example.org/pypa/manylinux_2_28_x86_64", "registry.example.org/pypa/manylinux_2_28_x86_64", "manylinux_2_28_x86_64"),
        ("registry.example.org:5000/base:1.2", "registry.example.org:5000/base", "base"),
        ("localhost/team/base", "localhost/team/base", "base"),
        ("127.0.0.1:5000/base", "127.0.0.1:5000/base", "base"),
        ("oci:../images/base", "oci:../images/base", "base"),
        ("oci:base.tar", "oci:base.tar", "base"),
        ("oci:/srv/with@sign/x", "oci:/srv/with@sign/x", "x"),
    ],
)
def test_an_image_is_named_by_its_place_and_its_digest(text: str, place: str, name: str) -> None:
    found = recipe(f'image = "{text}@sha256:{SHA}"\n')
    image = found.environments["build"].image
    assert image == ImageBase(digest=SHA, place=place)
    assert isinstance(image, ImageBase)
    assert image.name == name
    assert parse_recipe(render(found).encode()) == found


def test_where_an_image_is_had_from_is_no_part_of_what_is_declared() -> None:
    one, two = (recipe(f'image = "{place}@sha256:{SHA}"\n').environments["build"] for place in ("oci:base", "registry.example.org/a/b"))
    assert one.digest == two.digest
    assert one.base == two.base
    named = recipe(f'image = "oci:base@sha256:{SHA}"\ninterpreter = "/opt/bin/python3"\n')
    assert named.environments["build"].digest != one.digest
    assert parse_recipe(render(named).encode()) == named


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            'image = "registry.example.org/pypa/manylinux:latest"\n',
            'lockage.toml:4: environment.build.image: "registry.example.org/pypa/manylinux:latest" has no digest',
        ),
        ('image = "registry.example.org/a@sha256:12"\n', "not a sha256 digest"),
        ('image = "registry.example.org/a@sha512:12"\n', "named by its sha256"),
        (f'image = "debian@sha256:{SHA}"\n', "does not begin with a registry"),
        (f'image = "library/debian@sha256:{SHA}"\n', "does not begin with a registry"),
        (f'image = "registry.example.org/A@sha256:{SHA}"\n', "not the name of a repository"),
        (f'image = "registry.example.org/a/../b@sha256:{SHA}"\n', "not the name of a repository"),
        (f'image = "oci:@sha256:{SHA}"\n', "needs a path"),
        (f'image = "registry.example.org/a:-@sha256:{SHA}"\n', "not a tag"),
        ("image = 1\n", "expected an image by its digest"),
        (f'os = "debian:bookworm"\nimage = "oci:a@sha256:{SHA}"\n', "it has `os` as well"),
        (f'image = "oci:a@sha256:{SHA}"\npackages = ["gcc"]\n', "packages: does not go with `image`: what an image holds is fixed"),
        (f'image = "oci:a@sha256:{SHA}"\nsuites = ["x"]\n', "suites: does not go with `image`"),
        (f'image = "oci:a@sha256:{SHA}"\nbuild-packages = {{ x = ["gcc"] }}\n', "build-packages: does not go with `image`: what an image"),
        ('os = "debian:bookworm"\ninterpreter = "/opt/bin/python3"\n', "only goes with `image`"),
        (f'image = "oci:a@sha256:{SHA}"\ninterpreter = "python3"\n', "not the absolute path of a program"),
        (f'image = "oci:a@sha256:{SHA}"\ninterpreter = "/opt/../python3"\n', "not the absolute path of a program"),
    ],
)
def test_what_does_not_go_together_is_a_fault_with_its_line(lines: str, said: str) -> None:
    with pytest.raises(InvalidRecipe) as caught:
        recipe(lines)
    assert said in str(caught.value)


def test_python_packages_may_be_built_from_source_on_an_image() -> None:
    found = recipe(f'image = "oci:a@sha256:{SHA}"\npython = ["x", "y"]\nconstraints = ["y < 2"]\nfrom-source = ["x"]\n')
    rules = found.environments["build"].python_rules
    assert isinstance(rules, PythonRules)
    assert (rules.from_source, rules.constraints) == (("x",), ("y < 2",))
    assert parse_recipe(render(found).encode()) == found


def test_who_names_a_tag_is_told_how_to_learn_its_digest() -> None:
    with pytest.raises(InvalidRecipe) as caught:
        recipe('image = "registry.example.org/pypa/manylinux:latest"\n')
    assert "lockage env image NAME:TAG" in caught.value.faults[0].hint

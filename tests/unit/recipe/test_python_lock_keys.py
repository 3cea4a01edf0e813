"""The keys of an environment that take over another tool's lock file, written and read; and the test step that `init` offers."""

import msgspec
import pytest

from lockage.base.name import ProjectName
from lockage.base.path import RelPath
from lockage.environment.base import OsBase
from lockage.environment.declaration import Declaration, PythonLock
from lockage.recipe.fault import InvalidRecipe
from lockage.recipe.inference import infer, infer_recipe
from lockage.recipe.locked_tests import locked_tests
from lockage.recipe.model import Recipe
from lockage.recipe.parse import parse_recipe
from lockage.recipe.render import render, render_tests

HEAD = '[project]\nname = "shop"\n[environment.build]\nos = "debian:bookworm"\n'
TAIL = '[step.wheel]\nrun = "make"\noutputs = ["dist"]\n'


def recipe(lines: str) -> Recipe:
    return parse_recipe((HEAD + lines + TAIL).encode())


def test_what_is_said_is_kept() -> None:
    found = recipe('python-lock = "tools/uv.lock"\ngroups = ["test", "Docs"]\nextras = ["cli"]\nproject = "My_App"\n')
    assert found.environments["build"].python_lock == PythonLock(
        file=RelPath("tools/uv.lock"), groups=("test", "Docs"), extras=("cli",), project=ProjectName("my-app")
    )
    assert parse_recipe(render(found).encode()) == found


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('python-lock = "Pipfile.lock"\n', "lockage.toml:5: environment.build.python-lock: not the name of a lock file"),
        ('python-lock = "/uv.lock"\n', "lockage.toml:5: environment.build.python-lock: not a normalised relative path"),
        ("python-lock = 1\n", "lockage.toml:5: environment.build.python-lock: expected the path of a lock file"),
        ('groups = ["dev"]\n', 'lockage.toml:5: environment.build.groups: "groups" says what to take of a lock file'),
        ('python-lock = "uv.lock"\ngroups = "dev"\n', "lockage.toml:6: environment.build.groups: expected an array"),
        ('python-lock = "uv.lock"\nextras = [""]\n', "lockage.toml:6: environment.build.extras[0]: not a name"),
        ('python-lock = "uv.lock"\nproject = "-"\n', "lockage.toml:6: environment.build.project: not a project name"),
        ('python-lock = "poetry.lock"\nproject = "a"\n', "lockage.toml:6: environment.build.project: poetry.lock is taken as a whole"),
        ('python-lock = "dev.txt"\ngroups = ["dev"]\n', "lockage.toml:6: environment.build.groups: dev.txt is taken as a whole"),
    ],
)
def test_a_key_with_a_defect_says_where_and_what(lines: str, said: str) -> None:
    with pytest.raises(InvalidRecipe) as caught:
        recipe(lines)
    (fault,) = caught.value.faults
    assert said in str(fault)


def test_declarations_without_one_have_the_digest_they_always_had() -> None:
    plain = Declaration(os=OsBase.parse("debian:bookworm"))
    assert plain.digest == "295f4b7fde250eec9351f0718368d0e176f63cb48766bbfa22f37438c5c74603"
    first = PythonLock(file=RelPath("uv.lock"))
    others = [first, msgspec.structs.replace(first, groups=("dev",)), msgspec.structs.replace(first, sha256=plain.digest)]
    assert len({plain.digest, *(msgspec.structs.replace(plain, python_lock=lock).digest for lock in others)}) == 4


@pytest.mark.parametrize("folders", [("tests/test_a.py",), ()], ids=["tests", "nowhere"])
def test_the_step_that_init_offers_is_one_once_it_is_no_comment(folders: tuple[str, ...]) -> None:
    files = {
        "pyproject.toml": b'[project]\nname = "a"\nversion = "1"\n',
        "uv.lock": b"",
        **dict.fromkeys(folders, b""),
    }
    inferred = infer_recipe(infer(tuple(files), files.get, sdist=False))
    environment, step = locked_tests(inferred, PythonLock(file=RelPath("uv.lock"), groups=("test",)), tuple(files))
    text = render_tests(environment, step, "uv.lock")
    assert all(line.startswith("#") for line in text.splitlines())
    assert parse_recipe((render(inferred) + text).encode()) == msgspec.structs.replace(inferred, inferred=False)
    live = "".join(f"{line[2:]}\n" for line in text.splitlines()[1:])
    found = parse_recipe((render(inferred) + live).encode())
    assert found.environments["tests"] == environment[1]
    assert found.steps[-1] == step
    assert step.inputs == (("tests/**", "pyproject.toml") if folders else ("**",))

"""Rendering: whatever a recipe holds, parsing what is rendered gives it again."""

import tomllib

import msgspec
import pytest

from lockage.base.digest import Digest
from lockage.base.name import EnvironmentName, FetchName, FlagName, LatchName, PoolName, ProjectName, StepName, Version
from lockage.base.path import RelPath
from lockage.environment.base import OsBase
from lockage.environment.declaration import Declaration
from lockage.recipe.model import FetchInput, Recipe, Resources, Stamp, Step, StepKind, VersionFrom
from lockage.recipe.modes import Mode
from lockage.recipe.parse import parse_recipe
from lockage.recipe.render import render
from lockage.stabilize import Choice

_RECIPE = Recipe(
    project=ProjectName("shop"),
    version=VersionFrom(rule="literal", literal=Version("1.0")),
    environments={
        "build": Declaration(
            os=OsBase.parse("debian:bookworm"),
            packages=("gcc", "libfoo-dev (>= 1.2) | libbar-dev"),
            variables={"A": 'say "x"\\\n', "B": "ü\x7f"},
        ),
        "te.st": Declaration(os=OsBase.parse("debian:sid"), python=("pytest[x] >= 8; python_version > '3.8'",)),
    },
    flags={"new-checkout": False, "old": True},
    pools={PoolName("licence"): 1, PoolName("a.b"): 3},
    fetches=(FetchInput(name=FetchName("da.ta"), urls=("file:///x", "http://a.example/y"), sha256=Digest("0" * 64), path=RelPath("v/x")),),
    steps=(
        Step(
            name=StepName("wheel"),
            environment=EnvironmentName("build"),
            stamp=(Stamp.DATE, Stamp.VERSION),
            run=("/bin/sh", "-euc", "echo 'one'\n\tcat \\\n x\n"),
            outputs=(RelPath("dist"), RelPath("out/r.json")),
            artifacts=("dist/*.whl", "!dist/x*"),
            resources=Resources(cpus=2, memory=1 << 29, disk=1_000_001, timeout=90, processes=7),
            stabilize=False,
            variables={"C": ""},
            unset=("ARFLAGS", "CPPFLAGS"),
            modes=(Mode.FIXED_RANDOM, Mode.SINGLE_CPU),
            fetch=(FetchName("da.ta"),),
            retries=2,
            exclusive=(LatchName("gpu"), LatchName("port-5432")),
            pools={PoolName("a.b"): 2, PoolName("licence"): 1},
        ),
        Step(
            name=StepName("unit.1"),
            kind=StepKind.TEST,
            environment=EnvironmentName("te.st"),
            needs=(StepName("wheel"),),
            inputs=(),
            flags=(FlagName("new-checkout"),),
            run=("pytest", "-x", "a b", "multi\nline"),
            stabilize=Choice(on=("elf",), off=("html", "png")),
            resources=Resources(timeout=7200),
        ),
    ),
)


@pytest.mark.parametrize(
    "line",
    [
        "true",
        "true\n",
        "a\nb",
        "a\nb\n\n",
        "\na\nb\n",
        "a\nit's'''\n",
        "a\nb'",
        "a\r\nb\r\n",
        "a\n\x01\n",
        'echo "\\u0041"\n\n',
        "a\nb\\",
    ],
)
def test_every_line_for_the_shell_survives(line: str) -> None:
    step = msgspec.structs.replace(_RECIPE.steps[0], run=("/bin/sh", "-euc", line))
    recipe = msgspec.structs.replace(_RECIPE, steps=(step,))
    assert parse_recipe(render(recipe).encode()) == recipe


def test_a_recipe_with_everything_survives() -> None:
    assert parse_recipe(render(_RECIPE).encode()) == _RECIPE


def test_what_is_the_default_is_not_written() -> None:
    plain = msgspec.structs.replace(
        _RECIPE.steps[0],
        resources=Resources(),
        stabilize=True,
        variables={},
        unset=(),
        modes=(),
        stamp=(),
        fetch=(),
        retries=0,
        exclusive=(),
        pools={},
    )
    text = render(msgspec.structs.replace(_RECIPE, steps=(plain,), flags={}, fetches=(), pools={}))
    assert set(tomllib.loads(text)["step"]["wheel"]) == {"environment", "run", "outputs", "artifacts"}


def test_quantities_are_written_as_people_read_them() -> None:
    text = render(_RECIPE)
    for line in ('memory = "512 MiB"', 'disk = "1000001 B"', 'timeout = "90 s"', 'timeout = "2 h"'):
        assert line in text

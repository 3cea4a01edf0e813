"""A test step with the packages that another tool's lock file pins, as a beginning for who writes a recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.name import EnvironmentName, StepName
from lockage.environment.declaration import Declaration
from lockage.recipe.model import Step, StepKind

if TYPE_CHECKING:
    from collections.abc import Collection

    from lockage.environment.declaration import PythonLock
    from lockage.recipe.model import Recipe

__all__ = ["locked_tests"]

_NAME = "tests"
#: Where projects have their tests, and what the tools that run them read.
_FOLDERS = ("tests", "test", "testing")
_SETTINGS = ("conftest.py", "pyproject.toml", "pytest.ini", "setup.cfg", "tox.ini")


def locked_tests(recipe: Recipe, lock: PythonLock, paths: Collection[str]) -> tuple[tuple[EnvironmentName, Declaration], Step]:
    """The environment and the step: the wheel of the recipe's last step is unpacked, as no installer is among what is pinned."""
    wheel = recipe.steps[-1]
    declaration = Declaration(os=recipe.environments[wheel.environment].archive, packages=("python3",), python_lock=lock)
    environment = EnvironmentName(_NAME)
    folders = [f"{folder}/**" for folder in _FOLDERS if any(path.startswith(f"{folder}/") for path in paths)]
    line = f'python3 -m zipfile -e {wheel.artifacts[0]} .installed\nPYTHONPATH="$PWD/.installed" python3 -P -m pytest\n'
    step = Step(
        name=StepName(_NAME),
        kind=StepKind.TEST,
        environment=environment,
        needs=(wheel.name,),
        inputs=(*folders, *(name for name in _SETTINGS if name in paths)) if folders else ("**",),
        run=("/bin/sh", "-euc", line),
    )
    return (environment, declaration), step

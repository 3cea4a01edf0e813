"""What a build backend asks for only when it is run: PEP 517's ``get_requires_for_build_*`` hooks, as a step.

The hooks are code of the project, so they run where everything of it runs: in the sandbox, as a step whose output is read back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.base.canonical import InvalidDocument, decode
from lockage.base.errors import StepFailed
from lockage.base.name import StepName
from lockage.base.path import RelPath
from lockage.recipe.inference import preparation
from lockage.recipe.model import Recipe, Step
from lockage.recipe.python_call import OF_SUITES, PythonCall
from lockage.recipe.requirement import python_requirement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockage.base.name import EnvironmentName
    from lockage.recipe.inference import InferredProject

__all__ = ["HOOK_OUTPUT", "HOOK_STEP", "BackendFailed", "InvalidHookOutput", "hook_step", "parse_hook_output", "with_requirements"]

HOOK_STEP = StepName("build-requirements")
#: Where the step writes; a name that no project uses for a file of its own.
HOOK_OUTPUT = RelPath("lockage-build-requirements.json")

#: Calls each hook in a process of its own (PEP 517, "Build environment": hooks may share no state), with the backend found as
#: PEP 517 says. What the backend prints, and the traceback if it fails, are the step's log. A hook that is not there asks for nothing.
_SCRIPT = """\
import importlib, json, os, sys

output, name, path, *hooks = sys.argv[1:]
sys.path[:0] = [os.path.abspath(folder) for folder in json.loads(path)]
found = {}
for hook in hooks:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        status = 1
        try:
            module, _, attributes = name.partition(":")
            backend = importlib.import_module(module)
            for attribute in filter(None, attributes.split(".")):
                backend = getattr(backend, attribute)
            call = getattr(backend, "get_requires_for_" + hook, None)
            asked = list(call(None)) if call else []
            with open(writer, "w") as stream:
                json.dump([str(item) for item in asked], stream)
            status = 0
        except BaseException:
            import traceback
            traceback.print_exc()
            print("lockage: the build backend", name, "failed in get_requires_for_" + hook, file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    os.close(writer)
    with open(reader) as stream:
        text = stream.read()
    if os.waitpid(child, 0)[1]:
        sys.exit(1)
    found[hook] = json.loads(text)
with open(output, "w") as stream:
    json.dump(found, stream, sort_keys=True)
"""


class BackendFailed(StepFailed):
    """The project's build backend failed when it was asked what a build needs; what it misses stands in its last lines."""

    code = "backend-failed"
    hint = (
        "Name what it misses in `packages` or `python` of a lockage.toml; `lockage init` in the unpacked source writes one to start from."
    )


class InvalidHookOutput(StepFailed):
    """The project's build backend asked for something that cannot be locked."""

    code = "invalid-hook-output"
    hint = "Write a lockage.toml that lists the build requirements (`lockage init`), and report the fault to the project."


class _HookOutput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    build_sdist: tuple[str, ...] = ()
    build_wheel: tuple[str, ...] = ()


def hook_step(
    project: InferredProject, recipe: Recipe, environment: EnvironmentName | None = None, *, python: PythonCall = OF_SUITES
) -> Step:
    """The step that asks the backend; it runs in the environment (default: the first) and after the preparation of the inferred build."""
    first = recipe.steps[0]
    hooks = ["build_wheel"] if project.sdist else ["build_sdist", "build_wheel"]
    folders = "[" + ",".join(f'"{folder}"' for folder in project.backend.path) + "]"
    line = "".join(f"{text}\n" for text in (*preparation(project), f'exec {python.command} -c "$@"'))
    return Step(
        name=HOOK_STEP,
        environment=environment or first.environment,
        inputs=first.inputs,
        stamp=first.stamp,
        run=("/bin/sh", "-euc", line, "sh", python.code + _SCRIPT, HOOK_OUTPUT, project.backend.name, folders, *hooks),
        outputs=(HOOK_OUTPUT,),
        resources=first.resources,
    )


def parse_hook_output(data: bytes) -> tuple[str, ...]:
    """The requirements that the hooks asked for, each once, in order; raises :class:`InvalidHookOutput`."""
    try:
        found = decode(data, _HookOutput)
    except InvalidDocument as error:
        raise InvalidHookOutput(f"the build backend's answer cannot be read: {error}", file=HOOK_OUTPUT) from error
    asked = tuple(dict.fromkeys(text.strip() for text in (*found.build_sdist, *found.build_wheel)))
    for text in asked:
        try:
            python_requirement(text)
        except ValueError as error:
            raise InvalidHookOutput(f"the build backend asks for what cannot be locked: {error}", found=text) from error
    return asked


def with_requirements(recipe: Recipe, extra: Sequence[str], environment: EnvironmentName | None = None) -> Recipe:
    """The recipe with these requirements added to an environment (default: the first step's); the same recipe if it has them all."""
    name = environment or recipe.steps[0].environment
    declaration = recipe.environments[name]
    added = tuple(dict.fromkeys(text for text in extra if text not in declaration.python))
    if not added:
        return recipe
    declaration = msgspec.structs.replace(declaration, python=(*declaration.python, *added))
    return msgspec.structs.replace(recipe, environments={**recipe.environments, name: declaration})

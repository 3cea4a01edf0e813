"""What must hold between the steps of a recipe: needs exist, nothing goes in a circle, outputs do not collide."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from lockage.recipe.glob import InvalidPattern, reaches
from lockage.recipe.model import Step, StepKind
from lockage.recipe.reader import Faults, shown, suggestion
from lockage.recipe.service import collision

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from lockage.base.name import StepName
    from lockage.base.path import RelPath
    from lockage.recipe.model import FetchInput
    from lockage.recipe.service import Service

__all__ = ["check_services", "check_steps"]


def check_steps(steps: Sequence[Step], names: Collection[str], faults: Faults, fetches: Mapping[str, FetchInput]) -> None:
    """Report what does not hold. ``names`` are all steps of the file, also those too faulty to be in ``steps``."""
    known = {step.name: step for step in steps}
    for step in steps:
        _check_needs(step, known, names, faults)
        _check_outputs(step, faults)
        _check_together(step, known, faults)
        _check_fetched(step, known, fetches, faults)
    _check_cycles(known, faults)


def check_services(steps: Sequence[Step], faults: Faults, services: Mapping[str, Service]) -> None:
    """Report services that cannot be in one step."""
    for step in steps:
        why = collision(services[name] for name in step.services if name in services)
        if why is not None:
            faults.add(("step", step.name, "services"), why, "Give one of them another `port`, or each `hosts` of its own.")


def _check_needs(step: Step, known: dict[StepName, Step], names: Collection[str], faults: Faults) -> None:
    for number, need in enumerate(step.needs):
        key = ("step", step.name, "needs", number)
        other = known.get(need)
        if need not in names:
            faults.add(key, f"there is no step {shown(str(need))}{suggestion(need, names)}")
        elif need == step.name:
            faults.add(key, "a step cannot need itself")
        elif other is not None and other.kind is not StepKind.BUILD:
            faults.add(key, f"{shown(str(need))} is a {other.kind} step; only what build steps make can be needed")


def _check_outputs(step: Step, faults: Faults) -> None:
    if step.kind is not StepKind.BUILD and step.artifacts:
        faults.add(("step", step.name, "artifacts"), f"a {step.kind} step delivers no artifacts; only build steps do")
        return
    for number, output in enumerate(step.outputs):
        for other in step.outputs[:number]:
            if _overlap(output, other):
                faults.add(
                    ("step", step.name, "outputs", number), f"{shown(str(output))} and {shown(str(other))} overlap; name the outer one only"
                )
    for number, pattern in enumerate(step.artifacts):
        if pattern.startswith("!") or not step.outputs:
            continue
        try:
            lies_below = any(reaches(pattern, output) for output in step.outputs)
        except InvalidPattern:
            continue  # reported where it was read
        if not lies_below:
            outputs = ", ".join(step.outputs)
            faults.add(("step", step.name, "artifacts", number), f"{shown(pattern)} can match nothing below the step's outputs ({outputs})")


def _check_together(step: Step, known: dict[StepName, Step], faults: Faults) -> None:
    """Everything a step needs appears at its own path in one workspace, and the step writes its outputs there too."""
    seen: list[tuple[str, RelPath]] = [("", output) for output in step.outputs]
    for number, need in enumerate(step.needs):
        other = known.get(need)
        if other is None or other is step:
            continue
        for output in other.outputs:
            for owner, path in seen:
                if _overlap(output, path):
                    whose = f"step {shown(owner)}" if owner else "this step"
                    faults.add(
                        ("step", step.name, "needs", number),
                        f"the output {shown(str(output))} of step {shown(str(need))} collides with {shown(str(path))} of {whose}",
                        "Give the steps outputs of different paths.",
                    )
        seen.extend((need, output) for output in other.outputs)


def _check_fetched(step: Step, known: dict[StepName, Step], fetches: Mapping[str, FetchInput], faults: Faults) -> None:
    """What is fetched appears in the same workspace as well."""
    needed = [other for need in step.needs if (other := known.get(need)) is not None and other is not step]
    seen = [(f"the output {shown(str(path))} of {shown(str(one.name))}", path) for one in (step, *needed) for path in one.outputs]
    for number, name in enumerate(step.fetch):
        found = fetches.get(name)
        if found is None:
            continue
        for what, path in seen:
            if _overlap(found.path, path):
                faults.add(
                    ("step", step.name, "fetch", number),
                    f"the fetch input {shown(str(name))} at {shown(str(found.path))} collides with {what}",
                    "Give the fetch input another `path`.",
                )
        seen.append((f"the fetch input {shown(str(name))} at {shown(str(found.path))}", found.path))


def _overlap(one: RelPath, other: RelPath) -> bool:
    return one.is_under(other) or other.is_under(one)


def _check_cycles(known: dict[StepName, Step], faults: Faults) -> None:
    graph = {name: [need for need in step.needs if need in known and need != name] for name, step in known.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        backwards: list[StepName] = error.args[1]
        circle = tuple(reversed(backwards))
        number = known[circle[0]].needs.index(circle[1])
        faults.add(
            ("step", circle[0], "needs", number),
            f"the steps need each other in a circle: {' → '.join(circle)}",
            "Take one of the steps out of the other's `needs`.",
            cycle=circle,
        )

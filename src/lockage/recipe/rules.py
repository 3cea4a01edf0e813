"""What must hold between the steps of a recipe: needs exist, nothing goes in a circle, outputs do not collide."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from lockage.recipe.glob import InvalidPattern, reaches
from lockage.recipe.model import Step, StepKind
from lockage.recipe.reader import Faults, shown, suggestion
from lockage.recipe.service import collision

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from lockage.base.name import StepName
    from lockage.base.path import RelPath
    from lockage.recipe.model import FetchInput
    from lockage.recipe.service import Service

__all__ = ["check_hosts", "check_services", "check_steps"]


#: To look for a name like another takes a look at every name: the first faults are enough.
_MOST_SUGGESTED = 20


def check_steps(steps: Sequence[Step], names: Collection[str], faults: Faults, fetches: Mapping[str, FetchInput]) -> None:
    """Report what does not hold. ``names`` are all steps of the file, also those too faulty to be in ``steps``.

    What it costs grows with the steps, their needs and the outputs of what they need, and not with the pairs of them.
    """
    known = {step.name: step for step in steps}
    declared = frozenset(names)
    for step in steps:
        _check_needs(step, known, declared, names, faults)
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


def check_hosts(steps: Sequence[Step], faults: Faults, hosts: Collection[str]) -> None:
    """Report what a step asks for that only a sandbox can give; ``hosts`` are the environments that are the host."""
    for step in steps:
        if step.environment not in hosts:
            continue
        for key, asked in (("modes", step.modes), ("services", step.services)):
            if asked:
                message = f"only a sandbox can give {key} to a step, and {shown(str(step.environment))} is the host"
                faults.add(("step", step.name, key), message, "Declare a suite (`os`) in the place of `host`, or take them out.")


def _check_needs(step: Step, known: dict[StepName, Step], declared: frozenset[str], names: Collection[str], faults: Faults) -> None:
    for number, need in enumerate(step.needs):
        key = ("step", step.name, "needs", number)
        other = known.get(need)
        if need not in declared:
            close = suggestion(need, names) if len(faults.found) < _MOST_SUGGESTED else ""
            faults.add(key, f"there is no step {shown(str(need))}{close}")
        elif need == step.name:
            faults.add(key, "a step cannot need itself")
        elif other is not None and other.kind is not StepKind.BUILD:
            faults.add(key, f"{shown(str(need))} is a {other.kind} step; only what build steps make can be needed")


def _check_outputs(step: Step, faults: Faults) -> None:
    if step.kind is not StepKind.BUILD and step.artifacts:
        faults.add(("step", step.name, "artifacts"), f"a {step.kind} step delivers no artifacts; only build steps do")
        return
    seen = _Occupied()
    for number, output in enumerate(step.outputs):
        other = seen.taken(output)
        if other is not None:
            message = f"{shown(str(output))} and {shown(str(other[1]))} overlap; name the outer one only"
            faults.add(("step", step.name, "outputs", number), message)
        seen.add("", output)
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
    seen = _Occupied()
    for output in step.outputs:
        seen.add("", output)
    for number, need in enumerate(step.needs):
        other = known.get(need)
        if other is None or other is step:
            continue
        for output in other.outputs:
            found = seen.taken(output)
            if found is not None:
                owner, path = found
                whose = f"step {shown(owner)}" if owner else "this step"
                faults.add(
                    ("step", step.name, "needs", number),
                    f"the output {shown(str(output))} of step {shown(str(need))} collides with {shown(str(path))} of {whose}",
                    "Give the steps outputs of different paths.",
                )
        for output in other.outputs:
            seen.add(need, output)


def _check_fetched(step: Step, known: dict[StepName, Step], fetches: Mapping[str, FetchInput], faults: Faults) -> None:
    """What is fetched appears in the same workspace as well."""
    if not step.fetch:
        return
    needed = [other for need in step.needs if (other := known.get(need)) is not None and other is not step]
    seen = _Occupied()
    for one in (step, *needed):
        for path in one.outputs:
            seen.add(f"the output {shown(str(path))} of {shown(str(one.name))}", path)
    for number, name in enumerate(step.fetch):
        found = fetches.get(name)
        if found is None:
            continue
        owned = seen.taken(found.path)
        if owned is not None:
            faults.add(
                ("step", step.name, "fetch", number),
                f"the fetch input {shown(str(name))} at {shown(str(found.path))} collides with {owned[0]}",
                "Give the fetch input another `path`.",
            )
        seen.add(f"the fetch input {shown(str(name))} at {shown(str(found.path))}", found.path)


class _Occupied:
    """Paths of one workspace with whom they belong to, asked whether one lies at, above or below another."""

    def __init__(self) -> None:
        self._at: dict[str, tuple[str, RelPath]] = {}
        self._below: dict[str, tuple[str, RelPath]] = {}

    def add(self, owner: str, path: RelPath) -> None:
        self._at.setdefault(path, (owner, path))
        for folder in _above(path):
            self._below.setdefault(folder, (owner, path))

    def taken(self, path: RelPath) -> tuple[str, RelPath] | None:
        """Who was first to have the path, a folder above it or something below it."""
        found = (self._at.get(path), self._below.get(path), *(self._at.get(folder) for folder in _above(path)))
        return next((one for one in found if one is not None), None)


def _above(path: str) -> Iterator[str]:
    end = path.rfind("/")
    while end > 0:
        yield path[:end]
        end = path.rfind("/", 0, end)


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

"""recipe + lock + source → plan, and step + digests of its inputs → action. Pure; the only place where actions are made.

Invariants: a plan's steps are in an order in which each comes after what it needs, ties in the recipe's order; equal
inputs resolve to equal actions, which is early cut-off.
"""

from __future__ import annotations

from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from lockage.base.canonical import encode_hook
from lockage.base.digest import BlobRef, Digest
from lockage.base.errors import Usage
from lockage.base.path import RelPath
from lockage.base.tree import EMPTY_TREE, FileNode, InvalidTree, Tree
from lockage.environment.base import HostBase
from lockage.environment.declaration import Architecture
from lockage.environment.lock import LockedEnvironment
from lockage.plan.action import CONTRACT_VERSION, Action, EncodedAction, Stub
from lockage.plan.contract import FIXED, prevention, search_path, stamps
from lockage.plan.latest import Latest
from lockage.recipe.model import FetchInput, Recipe, Step, StepKind
from lockage.recipe.modes import MODES, PRELOADED
from lockage.recipe.service import Form, Service, url, variable
from lockage.record.source import Source

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterable, Mapping

    from lockage.base.name import StepName
    from lockage.base.tree import Node
    from lockage.environment.lock import Lock
    from lockage.recipe.chosen import Chosen

__all__ = [
    "InputsCollide",
    "NoInputs",
    "NoRecording",
    "NoSuchStep",
    "Plan",
    "PlannedStep",
    "Resolved",
    "check_lock",
    "make_plan",
    "resolution_key",
    "resolve",
]


#: So many steps are named in an error.
_NAMED = 20


class NoSuchStep(Usage):
    """A step was named that the recipe does not have."""

    code = "no-such-step"
    hint = "Name a step of lockage.toml."


class NoInputs(Usage):
    """A step's input patterns select nothing of the source."""

    code = "no-inputs"
    hint = "Correct `inputs` of the step, or commit the files that it should see."


class NoRecording(Usage):
    """What a service is to answer from is not in the source."""

    code = "no-recording"
    hint = "Correct `har` or `responses` of the service, or commit what it names."


class InputsCollide(Usage):
    """Two things that a step needs lie at one path: files of the source, outputs of other steps, or fetch inputs."""

    code = "inputs-collide"
    hint = "Leave the path out of `inputs` of the step (a pattern that begins with `!`), or let the other step write elsewhere."


class PlannedStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a plan with its locked environment, the values of the flags that it names, the fetch inputs and services that it sees."""

    step: Step
    environment: LockedEnvironment
    variables: tuple[tuple[str, str], ...]
    fetched: tuple[FetchInput, ...] = ()
    services: tuple[Service, ...] = ()

    @property
    def name(self) -> StepName:
        return self.step.name


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What will run for one source, recipe and lock, and which platform of the lock counts."""

    source: Source
    recipe: Recipe
    lock_digest: Digest
    steps: tuple[PlannedStep, ...]
    platform: Architecture | None = None

    def deliver(self) -> tuple[PlannedStep, ...]:
        """The steps that deliver artifacts."""
        return tuple(planned for planned in self.steps if planned.step.artifacts)


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """An action and the blobs that it consists of and that may not be in a store yet; ``size``: bytes of all files that it sees."""

    action: Action
    encoded: EncodedAction
    directories: dict[BlobRef, bytes]
    size: int


def check_lock(recipe: Recipe, lock: Lock) -> None:
    """Raise LockMismatch unless the lock holds every environment as the recipe declares it.

    On one platform that is what is declared for it, or for none by name. Raises PlatformNotLocked.
    """
    for name, declaration in recipe.environments.items():
        if lock.platform is None or lock.platform in declaration.platforms_on(lock.platform):
            locked = lock.environments.get(name)
            if locked is None or locked.declaration != declaration.digest:
                from lockage.plan.fit import misfit  # only where a lock does not fit

                raise misfit(name, declaration, lock)


def make_plan(recipe: Recipe, lock: Lock, source: Source, *, only: Collection[StepName] = (), kinds: Collection[StepKind] = ()) -> Plan:
    """Plan the named steps, or all of the given kinds (none: all), with everything they need.

    Raises LockMismatch, and PlatformNotLocked if a step is of an environment that is not there for the lock's platform.
    """
    check_lock(recipe, lock)
    known = {step.name: step for step in recipe.steps}
    for name in only:
        if name not in known:
            raise NoSuchStep(f"the recipe has no step {name!r}; {_has(name, known)}", step=name)
    named = frozenset(only)
    wanted = [step for step in recipe.steps if step.name in named or (not only and (not kinds or step.kind in kinds))]
    alike: dict[object, tuple[tuple[str, str], ...]] = {}
    steps = tuple(_planned(step, recipe, lock, source, alike) for step in _ordered(wanted, known))
    return Plan(source=source, recipe=recipe, lock_digest=lock.digest, steps=steps, platform=lock.platform)


def _has(name: str, known: Collection[str]) -> str:
    """The steps that there are, or those of them that a matrix makes of a table of that name; the first of many."""
    made = [one for one in known if one.startswith(f"{name}-")]
    named = made or list(known)
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    return f"{'those whose name begins so are' if made else 'it has'} {', '.join(named[:_NAMED])}{more}"


def _ordered(wanted: Iterable[Step], known: Mapping[StepName, Step]) -> Iterable[Step]:
    """These steps, each after all that it needs. Without recursion: a chain of needs may be as long as a recipe."""
    ordered: dict[StepName, Step] = {}
    for step in wanted:
        stack = [step]
        while stack:
            missing = [known[need] for need in stack[-1].needs if need not in ordered]
            if missing:
                stack.extend(reversed(missing))
            else:
                done = stack.pop()
                ordered[done.name] = done
    return ordered.values()


def _planned(step: Step, recipe: Recipe, lock: Lock, source: Source, alike: dict[object, tuple[tuple[str, str], ...]]) -> PlannedStep:
    """The step as it is planned; ``alike`` holds the variables of steps before, most of which have the same."""
    services = tuple(sorted((found for found in recipe.services if found.name in step.services), key=lambda service: service.name))
    key = (step.cpus, step.environment, tuple(step.variables.items()), step.flags, step.unset, step.stamp, step.services)
    variables = alike.get(key)
    if variables is None:
        variables = alike[key] = _variables(step, recipe, lock, source, services)
    return PlannedStep(
        step=step,
        environment=_locked(step, recipe, lock),
        variables=variables,
        fetched=tuple(found for found in recipe.fetches if found.name in step.fetch),
        services=services,
    )


def _locked(step: Step, recipe: Recipe, lock: Lock) -> LockedEnvironment:
    found = lock.environments.get(step.environment)
    if found is None:
        from lockage.plan.fit import misfit  # a step of another platform

        raise misfit(step.environment, recipe.environments[step.environment], lock)
    return found


def _variables(step: Step, recipe: Recipe, lock: Lock, source: Source, services: Iterable[Service]) -> tuple[tuple[str, str], ...]:
    locked = _locked(step, recipe, lock)
    variables = prevention(step.cpus, locked.architecture)
    if locked.pulled is not None:
        variables |= locked.pulled.variables
    variables |= recipe.environments[step.environment].variables
    variables |= step.variables
    variables |= {f"LOCKAGE_FLAG_{flag.upper().replace('-', '_').replace('.', '_')}": str(int(recipe.flags[flag])) for flag in step.flags}
    variables = {name: value for name, value in variables.items() if name not in step.unset} | FIXED
    base = recipe.environments[step.environment].base
    if isinstance(base, HostBase):
        variables["PATH"] = ":".join(search_path(base))
    elif locked.pulled is not None and "PATH" in locked.pulled.variables:  # where an image has its compilers
        variables["PATH"] = locked.pulled.variables["PATH"]
    variables |= stamps(source, step.stamp)
    variables |= {variable(service.name): url(service.hosts, service.port) for service in services}
    return tuple(sorted(variables.items()))


def resolution_key(planned: PlannedStep, source: Digest | BlobRef | None, needs: Mapping[StepName, BlobRef]) -> Digest:
    """Identity of everything :func:`resolve` depends on, cheaper to compute than the action itself; for a memo.

    ``source`` tells what the step sees of the source, if anything, from everything else that it could.
    """
    step, environment = planned.step, planned.environment
    parts = (
        CONTRACT_VERSION,
        step.run,
        _variables_in_json(planned.variables),
        step.inputs,
        step.outputs,
        _in_json((step.cpus, environment.architecture, environment.root)),
        source,
        [(need, needs[need]) for need in step.needs],
        [(found.path, found.sha256, found.executable) for found in planned.fetched],
        (step.modes, _preload(planned)) if step.modes else None,
        step.crates,
        planned.services,
    )
    return Digest.of(msgspec.json.encode(parts, enc_hook=encode_hook))


@lru_cache(maxsize=64)
def _in_json(value: Hashable) -> msgspec.Raw:
    """A part of a key that most steps of a plan have in common."""
    return msgspec.Raw(msgspec.json.encode(value, enc_hook=encode_hook))


_variables_in_json = Latest(_in_json)


def _preload(planned: PlannedStep) -> Digest | None:
    """The package of libfaketime, if a mode of the step brings it in: the step sees it, so it is part of the action."""
    if not any(MODES[mode].preloads for mode in planned.step.modes):
        return None
    return next((found.sha256 for found in planned.environment.instruments if found.name == PRELOADED), None)


def _whole(source: Tree | Chosen) -> Tree:
    return source if isinstance(source, Tree) else source.tree


def _stub(service: Service, source: Tree, directories: dict[BlobRef, bytes]) -> Stub:
    """A service with what it answers from; the directories of a folder are added. Raises :class:`NoRecording`."""
    place = service.recording
    content: BlobRef | None = None
    if service.form is Form.HAR:
        content = next((node.blob for node in source if node.path == place and isinstance(node, FileNode)), None)
    else:
        below = [node for node in source if node.path != place and node.path.is_under(place)]
        if below:
            moved = [msgspec.structs.replace(node, path=RelPath(node.path.removeprefix(f"{place}/"))) for node in below]
            content, more = Tree.of(moved).encode()
            directories |= more
    if content is None:
        what = "file" if service.form is Form.HAR else "folder with files"
        raise NoRecording(f"service {service.name!r}: there is no {what} {place} in the source", service=service.name, path=place)
    return Stub(name=service.name, form=service.form, content=content, port=service.port, hosts=service.hosts, matching=service.matching)


def resolve(
    planned: PlannedStep,
    source: Tree | Chosen,
    needs: Mapping[StepName, Tree],
    fetched: Mapping[Digest, BlobRef] = MappingProxyType({}),
    crates: Tree = EMPTY_TREE,
) -> Resolved:
    """The action of a step whose inputs are all known: fetch inputs by sha256, crates unpacked at their places.

    Raises :class:`NoInputs`, :class:`NoRecording`, or :class:`InputsCollide`.
    """
    step, services = planned.step, planned.services
    nodes: list[Node] = []
    if step.inputs:
        from lockage.recipe.glob import select  # not needed where nothing has changed

        chosen, unmatched = select(source, step.inputs) if isinstance(source, Tree) else source.select(step.inputs)
        if unmatched and not chosen.nodes:
            raise NoInputs(f"step {step.name!r}: its inputs match nothing in the source: {', '.join(unmatched)}", step=step.name)
        nodes.extend(chosen.nodes)
    for need in step.needs:
        nodes.extend(needs[need].nodes)
    nodes.extend([FileNode(found.path, fetched[found.sha256], found.executable) for found in planned.fetched])
    nodes.extend(crates.nodes)
    try:
        tree = Tree.of(nodes)
    except InvalidTree as error:
        raise InputsCollide(f"step {step.name!r}: {error.message}", step=step.name, path=error.details.get("path")) from error
    workspace, directories = tree.encode()
    action = Action(
        arguments=step.run,
        variables=planned.variables,
        outputs=tuple(sorted(step.outputs)),
        workspace=workspace,
        root=planned.environment.root,
        cpus=step.cpus,
        architecture=planned.environment.architecture,
        modes=step.modes,
        preload=_preload(planned) if step.modes else None,
        services=tuple([_stub(service, _whole(source), directories) for service in services]) if services else (),
    )
    encoded = action.encode()
    directories.update(encoded.messages)
    return Resolved(action=action, encoded=encoded, directories=directories, size=tree.size)

"""Random plans executed by simulated workers that end in any order, with every promise of docs/scheduling.md checked.

A case is a plan whose steps succeed, fail, or fail a few times first, need each other, and take CPUs, memory, latches and units of pools.
A world is how it is executed: how many jobs, which of them ends first, and how long the steps are believed to take. Whatever the
world, a run that succeeds or keeps going must come to the same.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from lockage.adapters.memory.services import MemoryServices
from lockage.adapters.memory.workers import MemoryWorkers
from lockage.base.canonical import canonical
from lockage.base.errors import ExitCode, StepFailed
from lockage.base.name import StepName
from lockage.plan.plan import make_plan
from lockage.recipe.parse import parse_recipe
from lockage.record.event import StepEnded, StepRetried, StepStarted
from lockage.schedule.job import Capacity
from lockage.work.build import build
from lockage.work.lock import lock_recipe
from lockage.work.prepare import Project, prepare

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lockage.adapters.memory.executor import Workspace
    from lockage.plan.plan import Plan
    from lockage.record.artifact import Run

__all__ = ["Case", "Outcome", "World", "check", "check_fail_fast", "outcome_of", "random_case", "random_world"]

_HEAD = '[project]\nname = "shop"\nversion = "1.0"\n[environment.build]\nos = "debian:bookworm"\npackages = ["dash"]\n'
_GIB = 1 << 30


class StepCase(NamedTuple):
    """One step: how often it fails before it succeeds (-1: always, though its time limit), and what it is declared to take."""

    name: str
    needs: tuple[str, ...]
    failures: int
    retries: int
    cpus: int
    memory: int
    exclusive: tuple[str, ...]
    pools: tuple[tuple[str, int], ...]
    constant: bool
    delivers: bool

    @property
    def fails(self) -> bool:
        """Whether it fails in the end."""
        return self.failures < 0 or self.failures > self.retries

    @property
    def text(self) -> str:
        pools = ", ".join(f"{name} = {units}" for name, units in self.pools)
        lines = [
            f"[step.{self.name}]",
            "inputs = []",
            f"needs = [{', '.join(map(_quoted, self.needs))}]",
            f'run = ["{"constant" if self.constant else "work"}", "{self.name}"]',
            f'outputs = ["{self.name}"]',
            f'artifacts = ["{self.name}"]' if self.delivers else "",
            f"retries = {self.retries}",
            f"cpus = {self.cpus}",
            f'memory = "{self.memory} GiB"',
            f"exclusive = [{', '.join(map(_quoted, self.exclusive))}]",
            f"pools = {{ {pools} }}",
        ]
        return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return f'"{text}"'


class Case(NamedTuple):
    """A plan, and what of it a build before has left in the cache."""

    steps: tuple[StepCase, ...]
    pools: tuple[tuple[str, int], ...]
    cached: frozenset[str]

    @property
    def recipe(self) -> bytes:
        pools = "".join(f"{name} = {size}\n" for name, size in self.pools)
        return f"{_HEAD}[pools]\n{pools}{''.join(step.text for step in self.steps)}".encode()


class World(NamedTuple):
    """How a plan is executed."""

    capacity: Capacity
    seed: int
    believed: dict[str, int]
    prepares: bool


def random_case(rng: random.Random, most: int = 10) -> Case:
    """A plan of up to so many steps."""
    pools = (("licence", rng.randint(1, 3)), ("device", 1))
    steps: list[StepCase] = []
    for number in range(rng.randint(1, most)):
        needs = tuple(f"s{need}" for need in sorted(rng.sample(range(number), min(number, rng.choice([0, 0, 1, 1, 2, 3])))))
        steps.append(
            StepCase(
                name=f"s{number}",
                needs=needs,
                failures=rng.choice([0, 0, 0, 0, 1, 2, -1]),
                retries=rng.choice([0, 0, 1, 3]),
                cpus=rng.randint(1, 4),
                memory=rng.choice([1, 2, 9, 40]),
                exclusive=tuple(name for name in ("port-1", "port-2") if rng.random() < 0.2),
                pools=tuple((name, rng.randint(1, size)) for name, size in pools if rng.random() < 0.2),
                constant=rng.random() < 0.2,
                delivers=rng.random() < 0.5,
            )
        )
    cached: set[str] = set()
    for step in steps:
        if not step.fails and cached.issuperset(step.needs) and rng.random() < 0.3:
            cached.add(step.name)
    return Case(tuple(steps), pools, frozenset(cached))


def random_world(rng: random.Random, case: Case, *, jobs: int | None = None) -> World:
    """Some number of jobs (or this), some order of ends, some beliefs about durations; what is next is prepared early, or nothing is."""
    capacity = Capacity(cpus=rng.randint(4, 8), memory=16 * _GIB, jobs=jobs or rng.randint(2, 6))
    believed = {step.name: rng.randint(0, 100_000) for step in case.steps if rng.random() < 0.5}
    return World(capacity, rng.randrange(1 << 30), believed, rng.random() < 0.7)


class Overcommitted(AssertionError):
    """Steps were under way together that should not have been."""


class SimulatedWorkers(MemoryWorkers):
    """Any of what is under way may end next; what is under way together is checked whenever it grows."""

    def __init__(self, case: Case, world: World) -> None:
        super().__init__()
        self._steps = {step.name: step for step in case.steps}
        self._pools = dict(case.pools)
        self._capacity = world.capacity
        self._rng = random.Random(world.seed)

    def start(self, key: str, task: Callable[[], object]) -> None:
        super().start(key, task)
        steps = [self._steps[name] for name in self.waiting]
        alone = len(steps) == 1
        latches = Counter(latch for step in steps for latch in step.exclusive)
        pools: Counter[str] = Counter()
        for step in steps:
            pools.update(dict(step.pools))
        held = (
            len(steps) <= self._capacity.jobs
            and (alone or sum(step.cpus for step in steps) <= self._capacity.cpus)
            and (alone or sum(step.memory for step in steps) * _GIB <= self._capacity.memory)
            and all(count == 1 for count in latches.values())
            and all(units <= self._pools[name] for name, units in pools.items())
        )
        if not held:
            raise Overcommitted(f"{steps} with {self._capacity} and {self._pools}")

    def _chosen(self) -> int:
        return self.waiting.index(self._rng.choice(sorted(self.waiting)))


def _commands(case: Case) -> Mapping[str, Callable[[Workspace], int]]:
    """What steps run, with a count of how often each has failed so far."""
    left = {step.name: step.failures for step in case.steps}

    def run(workspace: Workspace) -> int:
        name = workspace.request.action.arguments[1]
        workspace.log += f"{name} sees {', '.join(sorted(workspace.files))}\n".encode()
        if left[name]:
            left[name] -= 1
            if left[name] < 0:
                raise TimeoutError
            return 3
        content = b"the same" if workspace.request.action.arguments[0] == "constant" else repr(sorted(workspace.files.items())).encode()
        workspace.write(name, content)
        return 0

    return {"work": run, "constant": run}


class Outcome(NamedTuple):
    """What must not depend on the world."""

    error: tuple[object, ...] | None
    run: Run
    log: bytes


def _prepared(case: Case, world: World) -> tuple[MemoryServices, Project]:
    """A store in which the steps that are to be cached are, and one believes what the world says of durations."""
    services = MemoryServices(dict(_commands(case)))
    locked = lock_recipe(services, parse_recipe(case.recipe), None)
    services.sources.add("shop", {"lockage.toml": case.recipe, "lockage.lock": locked.encode()})
    project = prepare(services, "shop")
    if case.cached:
        build(services, _plan(project, case.cached))
    services.runs.kept.clear()
    services.executor.ran.clear()
    services.told.clear()
    services.memo.put("durations", "shop", canonical({"wall_ms": world.believed}))
    services.capacity = world.capacity
    services.executor.performs = world.prepares
    services.workers = SimulatedWorkers(case, world)
    return services, project


def _plan(project: Project, only: frozenset[str] = frozenset()) -> Plan:
    return make_plan(project.recipe, project.lock, project.source, only=[StepName(name) for name in sorted(only)])


def outcome_of(case: Case, world: World, *, keep_going: bool) -> tuple[Outcome, MemoryServices]:
    """What a build of the plan comes to in this world."""
    services, project = _prepared(case, world)
    said: tuple[object, ...] | None = None
    try:
        build(services, _plan(project), keep_going=keep_going)
    except StepFailed as error:
        said = (error.exit_code, error.message, error.hint, error.details)
    _check_prepared(case, services)
    run, log = services.runs.kept["run-000001"]
    return Outcome(said, run, services.blobs.get(log)), services


def _check_prepared(case: Case, services: MemoryServices) -> None:
    """What was prepared was executed or given up; nothing that has to wait for a latch or a pool was, nor anything twice."""
    assert not services.workers.held, f"{case}"
    names = services.workers.prepared
    assert len(names) == len(set(names)), f"{case}"
    assert not [name for name in names if _by_name(case, name).exclusive or _by_name(case, name).pools or name in case.cached], f"{case}"


def check(case: Case, rng: random.Random, worlds: int = 2) -> None:
    """A run that keeps going comes to the same with one job and with many, whatever ends first and whatever was believed."""
    expected, services = outcome_of(case, random_world(rng, case, jobs=1), keep_going=True)
    _check_complete(case, expected)
    _check_attempts(case, expected, services)
    for _ in range(worlds):
        found, services = outcome_of(case, random_world(rng, case), keep_going=True)
        assert found == expected, f"{case}"
        _check_attempts(case, found, services)
    if expected.error is None:
        found, _ = outcome_of(case, random_world(rng, case), keep_going=False)
        assert found == expected, f"{case}"


def _check_complete(case: Case, outcome: Outcome) -> None:
    """Every step is done, failed or skipped, as follows from the plan alone."""
    lost: set[str] = set()
    for step in case.steps:
        if any(need in lost or _by_name(case, need).fails for need in step.needs):
            lost.add(step.name)
    ran = {str(run.step): run.failure is not None for run in outcome.run.steps}
    assert ran == {step.name: step.fails for step in case.steps if step.name not in lost}
    assert {str(one.step) for one in outcome.run.skipped} == lost
    assert (outcome.error is None) == (not any(ran.values()))
    assert outcome.error is None or outcome.error[0] is ExitCode.STEP_FAILED
    order = [step.name for step in case.steps]
    assert [str(run.step) for run in outcome.run.steps] == [name for name in order if name in ran]


def _check_attempts(case: Case, outcome: Outcome, services: MemoryServices) -> None:
    """Steps are run again exactly as often as they declare, and every attempt is recorded and told; what is cached is not run."""
    retried = Counter(str(event.step) for event in services.told if isinstance(event, StepRetried))
    executed = Counter(ended.arguments[1] for ended in services.executor.ran)
    for run in outcome.run.steps:
        step = _by_name(case, run.step)
        again = step.retries if step.failures < 0 else min(step.failures, step.retries)
        again = 0 if run.cached else again
        assert run.cached == (run.step in case.cached)
        assert (len(run.attempts), retried[run.step], executed[run.step]) == (again, again, 0 if run.cached else again + 1)


def check_fail_fast(case: Case, rng: random.Random) -> None:
    """Without keeping going: if it fails, by exit code 9 with a failed step named, and nothing begins after a failure."""
    world = random_world(rng, case, jobs=rng.choice([1, None]))
    outcome, services = outcome_of(case, world, keep_going=False)
    failed = [str(run.step) for run in outcome.run.steps if run.failure is not None]
    assert all(_by_name(case, name).failures for name in failed)
    assert bool(failed) == any(step.fails for step in case.steps)
    if not failed:
        return
    assert outcome.error is not None
    assert outcome.error[0] is ExitCode.STEP_FAILED
    assert any(f"{name!r}" in str(outcome.error[1]) or name in str(outcome.error[1]) for name in failed)
    first = next(place for place, event in enumerate(services.told) if isinstance(event, StepEnded) and event.failure is not None)
    assert not [event for event in services.told[first:] if isinstance(event, StepStarted | StepRetried)]


def _by_name(case: Case, name: str) -> StepCase:
    return next(step for step in case.steps if step.name == name)

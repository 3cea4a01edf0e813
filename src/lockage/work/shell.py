"""Shell: a command of somebody's own in a step's sandbox, with everything in place that the step would find.

Invariant: what happens there is neither recorded nor cached; only the steps that it needs are, as in any build.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import msgspec

from lockage.plan.plan import PlannedStep, make_plan
from lockage.ports import Attached, ExecutionRequest
from lockage.work.build import not_done, record_run
from lockage.work.execute import Execution
from lockage.work.on_host import must_have_root

if TYPE_CHECKING:
    from lockage.base.name import StepName
    from lockage.work.prepare import Project
    from lockage.work.services import Services

__all__ = ["RUN_VARIABLE", "Entrance", "enter", "entrance"]

#: The one variable that a step itself does not see: what it would run, as a line for the shell.
RUN_VARIABLE = "LOCKAGE_RUN"


class Entrance(msgspec.Struct, frozen=True, kw_only=True):
    """A step that could be run now: its needs are built."""

    planned: PlannedStep
    request: ExecutionRequest

    @property
    def line(self) -> str:
        """What the step would run, as a line for the shell."""
        return shlex.join(self.request.action.arguments)

    @property
    def shown(self) -> str:
        """What the step would run, as its author wrote it."""
        arguments = self.request.action.arguments
        return arguments[2].rstrip("\n") if arguments[:2] == ("/bin/sh", "-euc") and len(arguments) == 3 else self.line


def entrance(services: Services, project: Project, step: StepName) -> Entrance:
    """Build what a step needs. Raises :class:`lockage.plan.plan.NoSuchStep`, and :class:`StepNotDone` if a step that it needs fails."""
    plan = make_plan(project.recipe, project.lock, project.source, only=(step,))
    planned = next(planned for planned in plan.steps if planned.name == step)
    must_have_root(
        [(planned.step.environment, planned.environment)],
        "a step on the host has no sandbox that could be entered",
        hint="Run its command in a shell of your own.",
    )
    before = msgspec.structs.replace(plan, steps=tuple(other for other in plan.steps if other.name != step))
    started = services.clock.now()
    execution = Execution(services, before)
    execution.run()
    failed = [run for run in execution.results.values() if run.failure is not None]
    if failed:
        _, run_id = record_run(services, before, execution.results, started)
        raise not_done(services, before, failed[0], run_id)
    return Entrance(planned=planned, request=execution.request(planned))


def enter(services: Services, place: Entrance, command: str | None, attached: Attached, *, terminal_kind: str = "dumb") -> int:
    """Run a line for the shell there, or (None) a shell that reads what to do; returns its exit code."""
    added = {RUN_VARIABLE: place.line}
    if command is not None:
        arguments: tuple[str, ...] = ("/bin/sh", "-c", command)
    elif attached is Attached.TERMINAL:
        bash = any(package.name == "bash" for package in place.planned.environment.packages)
        arguments = ("/bin/bash", "--norc", "--noprofile", "-i") if bash else ("/bin/sh", "-i")
        added |= {"TERM": terminal_kind, "PS1": f"[{place.planned.name}] \\w $ " if bash else f"[{place.planned.name}] $ ", "HISTFILE": ""}
    else:
        arguments = ("/bin/sh",)
    action = place.request.action
    variables = tuple((dict(action.variables) | added).items())
    action = msgspec.structs.replace(action, arguments=arguments, variables=variables)
    return services.executor.enter(msgspec.structs.replace(place.request, action=action), attached)

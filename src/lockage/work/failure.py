"""How the failures of one run are told: one as itself, several together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.errors import StepFailed
from lockage.work.build import not_done, see_output

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from lockage.plan.plan import Plan
    from lockage.record.artifact import Run
    from lockage.work.build import StepNotDone
    from lockage.work.services import Services

__all__ = ["StepsNotDone", "failure"]


class StepsNotDone(StepFailed):
    """Several steps of one run failed; what is said of each is what is said of one that fails alone."""

    code = "steps-not-done"


def failure(services: Services, plan: Plan, run: Run, run_id: str, *, keep: Path | None = None) -> StepFailed:
    """The error that explains every step of a run that failed, in plan order; at least one did.

    ``keep`` is where their workspaces are kept.
    """
    told = [not_done(services, plan, step, run_id, keep=keep) for step in run.steps if step.failure is not None]
    left_out = tuple(f"{one.step} (needs {', '.join(one.failed)})" for one in run.skipped)
    if len(told) == 1:
        told[0].details["not_started"] = left_out
        return told[0]
    lines = [(f"== {error.details['step']}", *_texts(error, "last_lines")) for error in told]
    return StepsNotDone(
        f"{len(told)} steps failed:\n" + "\n".join(f"  {error.message}" for error in told),
        hint=" ".join(_hints(told, run_id)),
        steps=tuple(str(error.details["step"]) for error in told),
        reasons=tuple(str(error.details["reason"]) for error in told),
        not_started=left_out,
        missing=_union(told, "missing"),
        packages=_union(told, "packages"),
        recipe=told[0].details["recipe"],
        added=_union(told, "added"),
        kept=tuple(str(error.details["kept"]) for error in told) if keep is not None else None,
        last_lines=tuple(line for block in lines for line in block),
    )


def _hints(errors: Sequence[StepNotDone], run_id: str) -> Iterator[str]:
    """What to do about each, with what is the same for all said once."""
    steps = [str(error.details["step"]) for error in errors]
    apart = (error.hint.removesuffix(see_output(run_id, step)).strip() for error, step in zip(errors, steps, strict=True))
    yield from dict.fromkeys(filter(None, apart))
    yield see_output(run_id, *steps)


def _texts(error: StepNotDone, detail: str) -> tuple[str, ...]:
    found = error.details.get(detail)
    return found if isinstance(found, tuple) else ()


def _union(errors: Iterable[StepNotDone], detail: str) -> tuple[str, ...]:
    """What this detail says in any of them, each once."""
    return tuple(dict.fromkeys(text for error in errors for text in _texts(error, detail)))
